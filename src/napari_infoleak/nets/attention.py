"""Attention between the places of two maps.

It is kept within windows that lie on a fixed grid. So the field that a place sees is the same in
training and at test, memory grows with the image and not with its square, and an image cut into
tiles on that grid gets the answer of the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable


def into_windows(x: Tensor, side: int) -> Tensor:
    """Cut a map into windows; sizes are multiples of `side`.

    Parameters
    ----------
    x : Tensor, shape (B, C, Y, X)
    side : int

    Returns
    -------
    Tensor, shape (B * windows, side * side, C)
    """
    cut: Tensor = rearrange(x, "b c (y u) (x v) -> (b y x) (u v) c", u=side, v=side)
    return cut


def from_windows(tokens: Tensor, side: int, height: int, width: int) -> Tensor:
    """Undo `into_windows` for a map of `height` x `width`."""
    whole: Tensor = rearrange(
        tokens,
        "(b y x) (u v) c -> b c (y u) (x v)",
        u=side,
        v=side,
        y=height // side,
        x=width // side,
    )
    return whole


def attend_in_windows(query: Tensor, key: Tensor, value: Tensor, side: int) -> Tensor:
    """Let every place read from the places of its window.

    Parameters
    ----------
    query, key, value : Tensor, shape (B, D, Y, X)
        Sizes are multiples of `side`.
    side : int
        Of a window, in places.

    Returns
    -------
    Tensor, shape (B, D, Y, X)
        ``softmax(q . k / sqrt(D))`` of the values.
    """
    # The fused attention of MPS needs values as long as keys: so they are, everywhere.
    found = F.scaled_dot_product_attention(
        into_windows(query, side), into_windows(key, side), into_windows(value, side)
    )
    return from_windows(found, side, *query.shape[-2:])


class WindowedAttention(nn.Module):
    """What places of a map read from another one, to be added to a third.

    It works on pooled maps, and its answer is multiplied by a number that is learned and starts
    at 0.

    Parameters
    ----------
    asking, answering, channels : int
        Channels of the map that queries come from, of that of keys and values, and of the answer.
    dimensions : int
        Of queries, keys and values.
    pool : int
        By how much they are pooled.
    window : int
        Side of the field that a place sees, in places of the maps.
    """

    def __init__(
        self, asking: int, answering: int, channels: int, dimensions: int, pool: int, window: int
    ) -> None:
        super().__init__()
        self.pool = pool
        self.window = window
        self.query = nn.Conv2d(asking, dimensions, 1)
        self.key = nn.Conv2d(answering, dimensions, 1)
        self.value = nn.Conv2d(answering, dimensions, 1)
        self.out = nn.Sequential(
            nn.Conv2d(dimensions, channels, 1, bias=False), nn.BatchNorm2d(channels, momentum=0.03)
        )
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(
        self, asking: Tensor, answering: Tensor, pooling: Callable[..., Tensor] = F.avg_pool2d
    ) -> Tensor:
        """(B A Y X), (B C Y X) of one size -> (B channels Y X)."""
        query = pooling(self.query(asking), self.pool)
        key, value = (pooling(layer(answering), self.pool) for layer in (self.key, self.value))
        found = attend_in_windows(query, key, value, self.window // self.pool)
        found = F.interpolate(found, size=asking.shape[-2:], mode="bilinear", align_corners=False)
        scaled: Tensor = self.gamma * self.out(found)
        return scaled
