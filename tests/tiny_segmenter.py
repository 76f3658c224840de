"""A segmenter of a few weights, for the tests of the floors above it.

It compares smoothed grey values with the mean of each class's paint: enough to tell dark membranes
from bright interiors, and to see that annotations reach the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.support import SupportSet
from napari_infoleak.segmenters.protocol import SegmenterSpec


@dataclass(frozen=True)
class TinyMemory:
    class_ids: tuple[int, ...]
    means: tuple[float, ...]
    version: str


class TinySegmenter:
    def __init__(self, needs_support: bool = False) -> None:
        self.spec = SegmenterSpec("tiny", (2,), 2, 2, 1, needs_support)
        self.classes = ClassTable.membrane()
        self.leak = 1.0
        self.smooth = nn.Conv2d(1, 1, 3, padding=1)
        nn.init.constant_(self.smooth.weight, 1 / 9)
        nn.init.zeros_(self.smooth.bias)

    def modules(self) -> list[nn.Module]:
        return [self.smooth]

    def with_leak(self, leak: float) -> TinySegmenter:
        other = TinySegmenter(self.spec.needs_support)
        other.smooth, other.leak = self.smooth, leak
        return other

    def remember(self, support: SupportSet) -> TinyMemory:
        if not support:
            return TinyMemory((1, 2), (0.5, -1.5), "tiny-none")
        ids = support.class_ids
        if len(ids) < 2:
            raise BadInput(f"only class {ids[0]} is painted; paint a second class")
        values: dict[int, list[Any]] = {number: [] for number in ids}
        for plane in support.planes:
            grey = normalise(plane.image)
            for number in ids:
                values[number].append(grey[plane.annotation == number])
        means = tuple(float(np.concatenate(values[number]).mean()) for number in ids)
        return TinyMemory(ids, means, f"tiny-{support.hash[:16]}")

    def scores(self, tiles: Tensor, memory: TinyMemory) -> Tensor:
        grey = self.smooth(tiles)
        return torch.cat([-4 * self.leak * (grey - mean) ** 2 for mean in memory.means], 1)
