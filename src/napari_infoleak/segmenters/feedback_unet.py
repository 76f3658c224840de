"""Feedback U-Net: its answer returns to its input, see `nets.feedback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_infoleak.nets.feedback import FeedbackUNet
from napari_infoleak.segmenters.leaky import LeakySegmenter, wrongness

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.segmenters.batch import Batch

_FIRST = "body.stem.0.conv.weight"


class FeedbackSegmenter(LeakySegmenter):
    """A U-Net that thinks its answer over."""

    method = "feedback-unet"
    network = FeedbackUNet

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The same loss for the answer of every round."""
        found = self.net.looks(batch.images)
        return {
            f"round {number}": wrongness(scores, batch.truth)
            for number, scores in enumerate(found, 1)
        }

    @torch.inference_mode()
    def rounds(self, tiles: Tensor) -> list[Tensor]:
        """Scores of every round, (B C Y X) -> (B K Y X) each: what it thought first and last."""
        found: list[Tensor] = self.net.looks(tiles, self.leak)
        return found

    def adopt(self, tensors: Mapping[str, Tensor], classes: ClassTable) -> list[str]:
        """As any; the first layer of a plain U-Net fits, for what is fed back it starts at 0."""
        first = tensors.get(_FIRST)
        if first is not None:
            tensors = dict(tensors) | {_FIRST: self._first_layer(first, classes)}
        return super().adopt(tensors, classes)

    def _first_layer(self, theirs: Tensor, classes: ClassTable) -> Tensor:
        """Weights for the image, then for each class that is fed back, as far as they have them."""
        channels = self.net.config["channels"]
        fits = theirs.shape[1] in (channels, channels + len(classes))
        mine = torch.zeros_like(self.net.state_dict()[_FIRST])
        if not fits or theirs.shape[0] != mine.shape[0]:
            return theirs
        mine[:, :channels] = theirs[:, :channels]
        if theirs.shape[1] > channels:
            for number in set(self.classes.ids) & set(classes.ids):
                place = channels + self.classes.ids.index(number)
                mine[:, place] = theirs[:, channels + classes.ids.index(number)]
        return mine
