"""Attention between the places of two maps.

It is kept within windows that lie on a fixed grid. So the field that a place sees is the same in
training and at test, memory grows with the image and not with its square, and an image cut into
tiles on that grid gets the answer of the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from einops import rearrange
from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor


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
