"""Weighted overlap of tiles, for networks whose view has no end.

Attention over a whole tile, or a norm over it, makes the answer depend on where the tile lies: no
halo is wide enough. Their tiles overlap and are averaged with weights that fall towards the edges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from napari_infoleak.infer.tiles import Box

_SPREAD = 1 / 8  # standard deviation of the weights, in sides of a tile
_LEAST = 1e-3  # of the greatest weight; the corners of a plane have no other tile


def window(shape: tuple[int, int], device: torch.device | str = "cpu") -> Tensor:
    """Give the weights of a tile: a Gaussian around its centre.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the tile in pixels.
    device : torch.device or str
        Where the weights are wanted.

    Returns
    -------
    Tensor, shape (Y, X), float32
        Greatest in the centre, positive everywhere.
    """
    rows, columns = (_bell(size, device) for size in shape)
    return torch.outer(rows, columns).clamp_min(_LEAST)


def _bell(size: int, device: torch.device | str) -> Tensor:
    offsets = torch.arange(size, device=device, dtype=torch.float32) - (size - 1) / 2
    return torch.exp(-0.5 * (offsets / (_SPREAD * size)) ** 2)


class Blend:
    """The weighted mean of overlapping answers for one plane.

    Parameters
    ----------
    planes : int
        Number of classes, K.
    shape : (int, int)
        Height and width of the (padded) plane.
    device : torch.device or str
        Where the sums are kept.
    """

    def __init__(
        self, planes: int, shape: tuple[int, int], device: torch.device | str = "cpu"
    ) -> None:
        self._sum = torch.zeros((planes, *shape), device=device)
        self._weight = torch.zeros(shape, device=device)

    def add(self, values: Tensor, box: Box) -> None:
        """Take in the answer, shape (K, Y, X), for one box of the plane."""
        weight = window(box.shape, values.device)
        self._sum[(slice(None), *box.slices)] += values * weight
        self._weight[box.slices] += weight

    def mean(self, box: Box) -> Tensor:
        """Give the mean, shape (K, Y, X), over a box that the tiles have covered."""
        return self._sum[(slice(None), *box.slices)] / self._weight[box.slices]
