"""The tile plan of a plane: which boxes a network reads, and which part of each answer is kept.

A network that sees ``halo`` pixels around a pixel and pools by a factor of ``multiple_of`` gives
the same answer for a tile as for the whole plane when three things hold: the tile reaches ``halo``
beyond what is kept, it starts on the grid of the pooling, and it ends where the plane ends or not
at all. So all reading happens on the *padded* plane, whose sides are multiples of ``multiple_of``,
and every tile is a window of that one array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels; stops are exclusive."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def area(self) -> int:
        """Number of pixels."""
        return (self.y1 - self.y0) * (self.x1 - self.x0)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box in an array with the axes Y, X."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def common(self, other: Box) -> Box:
        """Give the box that both share; its area is 0 when they share none."""
        y0, x0 = max(self.y0, other.y0), max(self.x0, other.x0)
        y1, x1 = min(self.y1, other.y1), min(self.x1, other.x1)
        return Box(y0, max(y0, y1), x0, max(x0, x1))

    def moved(self, dy: int, dx: int) -> Box:
        """Give the same box, ``dy`` further down and ``dx`` further right."""
        return Box(self.y0 + dy, self.y1 + dy, self.x0 + dx, self.x1 + dx)


@dataclass(frozen=True)
class Tile:
    """One piece of work for the network.

    Attributes
    ----------
    outer : Box
        What is read, in pixels of the padded plane.
    inner : Box
        What is written, in pixels of the plane; no pixel belongs to two tiles of a plan.
    """

    outer: Box
    inner: Box

    @property
    def crop(self) -> tuple[slice, slice]:
        """Index of ``inner`` in the network's answer for ``outer``."""
        return self.inner.moved(-self.outer.y0, -self.outer.x0).slices


def up_to(value: int, multiple_of: int) -> int:
    """Round up to the next multiple."""
    return -(-value // multiple_of) * multiple_of


def down_to(value: int, multiple_of: int) -> int:
    """Round down to the last multiple."""
    return value // multiple_of * multiple_of


def pad(plane: NDArray[Any], multiple_of: int) -> NDArray[Any]:
    """Mirror a plane at its bottom and right until its sides are multiples of ``multiple_of``.

    Parameters
    ----------
    plane : ndarray, shape (..., Y, X)
        Any leading axes; Y and X at least 1.
    multiple_of : int
        Pooling factor of the network, at least 1.

    Returns
    -------
    ndarray
        The plane itself when nothing is missing. A side of one pixel is repeated, for it has
        nothing to mirror.
    """
    height, width = plane.shape[-2:]
    missing = up_to(height, multiple_of) - height, up_to(width, multiple_of) - width
    if not any(missing):
        return plane
    margins = [(0, 0)] * (plane.ndim - 2) + [(0, missing[0]), (0, missing[1])]
    return np.pad(plane, margins, mode="reflect")


def plan(
    height: int, width: int, tile: int, halo: int, multiple_of: int, box: Box | None = None
) -> list[Tile]:
    """Cover a plane, or a box of it, by tiles that all have one shape.

    Parameters
    ----------
    height, width : int
        Size of the plane before padding.
    tile : int
        Longest side that the network may be given. It is exceeded only where two halos and one
        ``multiple_of`` do not fit in.
    halo : int
        Pixels that the network sees to each side of a pixel, at least 0.
    multiple_of : int
        Pooling factor of the network: sides and starts of all tiles are multiples of it.
    box : Box, optional
        What is to be written; the whole plane by default.

    Returns
    -------
    list of Tile
        In reading order. Their inner boxes cover ``box`` once, without gap or overlap; their outer
        boxes have one shape and lie inside the padded plane.
    """
    box = box or Box(0, height, 0, width)
    rows = _spans(height, box.y0, box.y1, tile, halo, multiple_of)
    columns = _spans(width, box.x0, box.x1, tile, halo, multiple_of)
    return [
        Tile(Box(*row.outer, *column.outer), Box(*row.inner, *column.inner))
        for row in rows
        for column in columns
    ]


@dataclass(frozen=True)
class _Span:
    """A tile along one axis: (start, stop) of what is read and of what is written."""

    outer: tuple[int, int]
    inner: tuple[int, int]


def _spans(length: int, start: int, stop: int, tile: int, halo: int, step: int) -> list[_Span]:
    """Cover start..stop of an axis; all outer spans are equally long."""
    low = down_to(max(0, start - halo), step)
    high = min(up_to(length, step), up_to(stop + halo, step))
    margin = up_to(halo, step)
    longest = max(down_to(tile, step), 2 * margin + step)
    if high - low <= longest:
        return [_Span((low, high), (start, stop))]
    # Neighbours overlap by two margins, so each tile adds `stride` pixels to the two outermost
    # margins. The work is shared out evenly: the last tile is not a sliver.
    todo = high - low - 2 * margin
    count = -(-todo // (longest - 2 * margin))
    stride = up_to(-(-todo // count), step)
    count = -(-todo // stride)
    side = stride + 2 * margin
    starts = [min(low + i * stride, high - side) for i in range(count)]
    cuts = [start, *(low + i * stride + margin for i in range(1, count)), stop]
    return [_Span((begin, begin + side), (cuts[i], cuts[i + 1])) for i, begin in enumerate(starts)]
