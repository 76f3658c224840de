"""A small U-Net that gives features at full size.

After Ronneberger, Fischer, Brox 2015, arXiv 1505.04597, with two economies for a laptop's CPU:
skips are added instead of concatenated, and going up starts with a 1 x 1 convolution at the lower
size.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from napari_infoleak.nets.blocks import ConvNormAct, double

if TYPE_CHECKING:
    from collections.abc import Sequence


class UNet(nn.Module):
    """Features for every pixel.

    Parameters
    ----------
    channels : int
        Channels of the image.
    widths : sequence of int
        Channels at full, half, quarter ... size.
    features : int
        Channels of the answer.
    """

    def __init__(
        self, channels: int = 1, widths: Sequence[int] = (16, 32, 64, 128), features: int = 32
    ) -> None:
        super().__init__()
        self.stem = double(channels, widths[0])
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(double(a, b) for a, b in pairs)
        self.bottom = nn.Sequential(  # context: what a membrane is, is seen from afar
            ConvNormAct(widths[-1], widths[-1], dilation=2), ConvNormAct(widths[-1], widths[-1])
        )
        self.narrow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in reversed(pairs))
        self.up = nn.ModuleList(double(a, a) for a, _ in reversed(pairs[1:]))
        self.head = nn.Sequential(
            ConvNormAct(widths[0], widths[0]), ConvNormAct(widths[0], features)
        )
        self.multiple_of: int = 2 ** (len(widths) - 1)

    @property
    def sight(self) -> int:
        """Pixels to each side that an answer can depend on."""
        levels = len(self.down)
        total = 2 + 2  # stem and head
        for level in range(1, levels + 1):
            size = 2**level
            convolutions = 2 if level < levels else 0
            total += (2 + convolutions) * size  # going down, going up
            total += size  # pooling, and the neighbour that bilinear upsampling reads
        return int(total + 3 * 2**levels)  # the bottom: dilation 2, then 1

    @property
    def reach(self) -> int:
        """The halo that a tile needs: `sight`, in whole steps."""
        return -(-self.sight // self.multiple_of) * self.multiple_of

    def forward(self, x: Tensor) -> Tensor:
        """(B C Y X), sizes multiples of `multiple_of` -> (B features Y X)."""
        skips = [self.stem(x)]
        for down in self.down:
            skips.append(down(F.max_pool2d(skips[-1], 2)))
        x = skips.pop()
        x = x + self.bottom(x)
        for i, narrow in enumerate(self.narrow):
            x = F.interpolate(narrow(x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x += skips.pop()  # in place: a map at full size less
            if i < len(self.up):
                x = self.up[i](x)
        features: Tensor = self.head(x)
        return features
