"""Cross cooperative learning: two networks that share what they see, see `nets.cooperative`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_infoleak.nets.cooperative import CooperativeNet
from napari_infoleak.segmenters.leaky import LeakySegmenter, wrongness

if TYPE_CHECKING:
    from torch import Tensor

    from napari_infoleak.segmenters.batch import Batch


class CrossCooperativeSegmenter(LeakySegmenter):
    """Two different U-Nets that are connected both ways; the mean of both is the answer."""

    method = "cross-cooperative"
    network = CooperativeNet

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """What is wrong with the answer of each."""
        net: CooperativeNet = self.net
        net.familiar.meet(len(self.classes))
        first, second = net.both(batch.images)
        return {
            "first": wrongness(first, batch.truth),
            "second": wrongness(second, batch.truth),
        }

    @torch.inference_mode()
    def disagreement(self, tiles: Tensor) -> Tensor:
        """How differently the two see each pixel, (B C Y X) -> (B Y X).

        Half the sum over the classes of the difference of their probabilities: 0 where they agree,
        1 where each is sure of another class.
        """
        first, second = (one.softmax(1) for one in self.net.both(tiles, self.leak))
        apart: Tensor = (first - second).abs().sum(1) / 2
        return apart
