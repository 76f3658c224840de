"""The U-Net step by step, for methods that leak into its levels.

`encode` and `decode` are the two halves of `UNet.forward`; between the steps a method may look at a
map or put another in its place. The network stays a plain `UNet`, so that shipped weights fit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from napari_infoleak.nets.unet import UNet

Visit = Callable[[int, Tensor], Tensor]
"""Takes the level (0 is full size, 1 half) and its map, gives the map to go on with."""


def unchanged(level: int, x: Tensor) -> Tensor:
    """Go on with the map as it is."""
    return x


def encode(body: UNet, x: Tensor, visit: Visit = unchanged) -> list[Tensor]:
    """Go down.

    Parameters
    ----------
    body : UNet
    x : Tensor, shape (B, C, Y, X)
    visit : callable
        Called after each level's convolutions, the lowest included.

    Returns
    -------
    list of Tensor
        Maps of all levels, full size first; the bottom has not seen the lowest yet.
    """
    maps = [visit(0, body.stem(x))]
    for level, down in enumerate(body.down, 1):
        maps.append(visit(level, down(F.max_pool2d(maps[-1], 2))))
    return maps


def decode(body: UNet, maps: list[Tensor], visit: Visit = unchanged) -> Tensor:
    """Cross the bottom and go up.

    Parameters
    ----------
    body : UNet
    maps : list of Tensor
        What `encode` gave.
    visit : callable
        Called after the bottom and after each step up; at level 0 before the head.

    Returns
    -------
    Tensor, shape (B, F, Y, X)
    """
    level = len(maps) - 1
    x = visit(level, maps[level] + body.bottom(maps[level]))
    for i, narrow in enumerate(body.narrow):
        level -= 1
        x = F.interpolate(narrow(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        x = x + maps[level]
        if i < len(body.up):
            x = body.up[i](x)
        x = visit(level, x)
    features: Tensor = body.head(x)
    return features
