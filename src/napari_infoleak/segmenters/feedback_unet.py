"""Feedback U-Net: its answer returns to its input, see `nets.feedback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_infoleak.nets.feedback import FeedbackUNet
from napari_infoleak.segmenters.rounds import RoundsSegmenter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_infoleak.core.classes import ClassTable

_FIRST = "body.stem.0.conv.weight"


class FeedbackSegmenter(RoundsSegmenter):
    """A U-Net that thinks its answer over."""

    method = "feedback-unet"
    network = FeedbackUNet

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
