"""A segmenter of a few weights that learns, for the tests of the training loop.

It has what a loop can do wrong: batch norm (statistics), dropout (chance), an adversary if asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_infoleak.core.support import SupportSet
from napari_infoleak.nets.heads import PixelClassifier
from napari_infoleak.nets.losses import cross_entropy
from napari_infoleak.segmenters.batch import Batch
from napari_infoleak.segmenters.supervised import SupervisedSegmenter


class _Body(nn.Sequential):
    multiple_of, reach = 2, 2

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, 6, 3, padding=1, bias=False),
            nn.BatchNorm2d(6, momentum=0.03),
            nn.ReLU(inplace=True),
            nn.Dropout2d(0.2),
        )


def net(channels: int, classes: int) -> PixelClassifier:
    return PixelClassifier(_Body(channels), 6, classes, {"channels": channels, "classes": classes})


class TinyTrainable(SupervisedSegmenter):
    method = "unet"  # a name that the registry knows
    network = staticmethod(net)


class TinyAdversarial(TinyTrainable):
    """One net answers, another guesses who answered."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.critic = nn.Conv2d(len(self.classes), 1, 1)

    def modules(self) -> list[nn.Module]:
        return [self.net, self.critic]

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        return {"network": self.net.parameters(), "critic": self.critic.parameters()}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        scores = self.net(batch.images)
        share = scores.softmax(1)
        return {
            "cross entropy": cross_entropy(scores, batch.truth),
            "fooled": -self.critic(share).mean(),
            "critic/told": self.critic(share).mean() + self.critic.weight.square().sum(),
        }


def stack(planes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bright cells with dark membranes, and the class of every pixel."""
    rng = np.random.default_rng(seed)
    membranes = np.zeros((planes, 48, 64), bool)
    membranes[:, ::12, :] = membranes[:, :, ::16] = True
    membranes |= np.roll(membranes, 1, 1) | np.roll(membranes, 1, 2)
    image = np.where(membranes, 40, 200) + rng.normal(0, 15, membranes.shape)
    return image.astype(np.float32), np.where(membranes, 2, 1).astype(np.uint8)


def painted(planes: int = 3) -> SupportSet:
    """The stack, annotated all over."""
    image, truth = stack(planes)
    return SupportSet().add(image, truth, axes="ZYX")


def sparse() -> SupportSet:
    """One plane with a few strokes of both classes."""
    image, truth = stack(1)
    strokes = np.zeros_like(truth)
    for row in (3, 15, 27, 39):
        strokes[:, row, 4:12] = truth[:, row, 4:12]
        strokes[:, row, 24:30] = truth[:, row, 24:30]
    for column in (0, 16, 32, 48):
        strokes[:, 4:10, column] = truth[:, 4:10, column]
    return SupportSet().add(image, strokes, axes="ZYX")


def fresh(kind: type[SupervisedSegmenter] = TinyTrainable, seed: int = 0) -> SupervisedSegmenter:
    torch.manual_seed(seed)
    return kind.fresh(painted().classes)
