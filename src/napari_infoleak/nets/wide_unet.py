"""A U-Net of another kind: large depth-wise kernels see wide, where `UNet` sees fine."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from torch import nn

from napari_infoleak.nets.blocks import ConvNormAct
from napari_infoleak.nets.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIDE = 7


def wide(inputs: int, outputs: int) -> nn.Sequential:
    """1 x 1, depth-wise 7 x 7, 1 x 1; each with a norm and ReLU."""
    layers: list[nn.Module] = []
    for kernel, a in ((1, inputs), (_SIDE, outputs), (1, outputs)):
        groups = outputs if kernel > 1 else 1
        layers += [
            nn.Conv2d(a, outputs, kernel, padding=kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, momentum=0.03),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class WideUNet(UNet):
    """As `UNet`, with `wide` blocks at every level."""

    def __init__(
        self, channels: int = 1, widths: Sequence[int] = (16, 32, 64, 128), features: int = 32
    ) -> None:
        super().__init__(channels, widths, features)
        pairs = list(itertools.pairwise(widths))
        self.stem = nn.Sequential(ConvNormAct(channels, widths[0]), wide(widths[0], widths[0]))
        self.down = nn.ModuleList(wide(a, b) for a, b in pairs)
        self.up = nn.ModuleList(wide(a, a) for a, _ in reversed(pairs[1:]))

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on: 3 a block where `UNet` has 2."""
        levels = len(self.down)
        further = 2 + sum(2**level * (2 if level < levels else 1) for level in range(1, levels + 1))
        return -(-int(super().reach + further) // self.multiple_of) * self.multiple_of
