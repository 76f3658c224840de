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
Join = Callable[[int, Tensor, Tensor], Tensor]
"""Takes the level, what comes from below, and the encoder's map; gives both in one."""


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


def added(level: int, rising: Tensor, skip: Tensor) -> Tensor:
    """Join what comes from below with the encoder's map, as `UNet` does."""
    return rising + skip


def cross(body: UNet, maps: list[Tensor]) -> Tensor:
    """Cross the bottom; `maps` as `encode` gave them."""
    x: Tensor = maps[-1] + body.bottom(maps[-1])
    return x


def climb(body: UNet, level: int, x: Tensor, maps: list[Tensor], join: Join = added) -> Tensor:
    """Go up to a level from the one below it.

    Parameters
    ----------
    body : UNet
    level : int
        0 is full size.
    x : Tensor, shape (B, W, Y/2, X/2)
        Of the level below.
    maps : list of Tensor
        What `encode` gave.
    join : callable
        Takes the level, what comes from below at the level's size, and the encoder's map.

    Returns
    -------
    Tensor, shape (B, V, Y, X)
    """
    place = len(maps) - 2 - level
    rising = F.interpolate(
        body.narrow[place](x), scale_factor=2.0, mode="bilinear", align_corners=False
    )
    joined = join(level, rising, maps[level])
    if place < len(body.up):
        joined = body.up[place](joined)
    return joined


def decode(body: UNet, maps: list[Tensor], visit: Visit = unchanged, join: Join = added) -> Tensor:
    """Cross the bottom and go up.

    Parameters
    ----------
    body : UNet
    maps : list of Tensor
        What `encode` gave.
    visit : callable
        Called after the bottom and after each step up; at level 0 before the head.
    join : callable
        See `climb`.

    Returns
    -------
    Tensor, shape (B, F, Y, X)
    """
    lowest = len(maps) - 1
    x = visit(lowest, cross(body, maps))
    for level in reversed(range(lowest)):
        x = visit(level, climb(body, level, x, maps, join))
    features: Tensor = body.head(x)
    return features
