"""A segmenter whose network has a leak of adjustable strength."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_infoleak.nets.losses import cross_entropy, dice
from napari_infoleak.segmenters.unet import PlainUNet

if TYPE_CHECKING:
    from napari_infoleak.segmenters.supervised import Weights


class LeakySegmenter(PlainUNet):
    """Pass the strength of the leak on to the network, which takes it as ``leak``."""

    @torch.inference_mode()
    def scores(self, tiles: Tensor, memory: Weights) -> Tensor:
        """Answer tiles, see `SupervisedSegmenter.scores`."""
        if tiles.dim() == 4:
            tiles = tiles.contiguous(memory_format=torch.channels_last)
        found: Tensor = self.net(tiles, leak=self.leak)
        return found


def wrongness(scores: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy and Dice in one, the loss of the plain U-Net: arms of an ablation share it."""
    return cross_entropy(scores, truth) + dice(scores, truth)
