"""Put numbered tiles together: two numbers are one region if they cover each other.

Every tile is numbered by itself, over more than its own share of the image (`outer`); where it
reaches into what an earlier tile has already written, the two are compared. A region that lies
across the seam has been seen by both, so it keeps one number, whatever its number in each tile.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.instances.graph import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Ids = NDArray[np.uint32]


class Tile(NamedTuple):
    """A part of an image.

    Parameters
    ----------
    outer : tuple of slice
        What is read and numbered.
    inner : tuple of slice
        What is kept; the inner boxes of all tiles make up the image.
    """

    outer: tuple[slice, ...]
    inner: tuple[slice, ...]

    @property
    def crop(self) -> tuple[slice, ...]:
        """Where the inner box lies within the outer one."""
        return _within(self.outer, self.inner)

    def around(self, shape: Sequence[int], low: int, high: int) -> tuple[slice, ...]:
        """Return the inner box with so many pixels more on either side, within the image."""
        return tuple(
            slice(max(i.start - low, 0), min(i.stop + high, n))
            for i, n in zip(self.inner, shape, strict=True)
        )


def tiles(shape: Sequence[int], size: Sequence[int], overlap: Sequence[int]) -> list[Tile]:
    """Plan tiles over an image, in the order of reading.

    Parameters
    ----------
    shape : sequence of int
        Of the image.
    size : sequence of int
        Of an inner box along each axis; the last ones may be smaller.
    overlap : sequence of int
        Pixels by which the outer box reaches beyond the inner one, where the image does.

    Returns
    -------
    list of Tile

    Raises
    ------
    BadInput
        If a size is below 1 or an overlap below 0.
    """
    if min(size) < 1 or min(overlap) < 0:
        raise BadInput(
            f"tiles of {tuple(size)} pixels that overlap by {tuple(overlap)}: "
            "a tile needs at least 1 pixel, an overlap at least 0"
        )
    starts = [range(0, n, s) for n, s in zip(shape, size, strict=True)]
    plan = []
    for corner in product(*starts):
        inner = tuple(slice(c, min(c + s, n)) for c, s, n in zip(corner, size, shape, strict=True))
        bare = Tile(inner, inner)
        outer = tuple(bare.around(shape, o, o)[axis] for axis, o in enumerate(overlap))
        plan.append(Tile(outer, inner))
    return plan


class Stitcher:
    """Collects numbered tiles, in the order of `tiles`, and finds out what belongs together.

    Parameters
    ----------
    out : ndarray of uint32
        Takes the numbers of the whole image; all 0 at first.
    """

    def __init__(self, out: Ids) -> None:
        self._out = out
        self._next = 0
        self._done: list[Tile] = []
        self._same: list[NDArray[np.int64]] = [np.empty((0, 2), np.int64)]

    @property
    def count(self) -> int:
        """Numbers given so far."""
        return self._next

    def add(self, tile: Tile, labels: Ids) -> None:
        """Write one tile, numbered over its outer box from 1 on; 0 is no region."""
        fresh = np.where(labels > 0, labels + np.uint32(self._next), np.uint32(0))
        for box in self._seen_by_both(tile):
            self._same.append(_mutual(fresh[_within(tile.outer, box)], self._out[box]))
        self._done.append(tile)
        self._out[tile.inner] = fresh[tile.crop]
        self._next += int(labels.max(initial=0))

    def _seen_by_both(self, tile: Tile) -> Iterator[tuple[slice, ...]]:
        """Where a tile reaches into the share of each earlier one.

        A tile knows less the nearer its own rim, so only the inner half of what reaches over is
        compared.
        """
        sure = [
            slice((o.start + i.start) // 2, (o.stop + i.stop + 1) // 2)
            for o, i in zip(tile.outer, tile.inner, strict=True)
        ]
        for earlier in self._done:
            box = tuple(
                slice(max(s.start, e.start), min(s.stop, e.stop))
                for s, e in zip(sure, earlier.inner, strict=True)
            )
            if all(side.start < side.stop for side in box):
                yield box

    def groups(self) -> Ids:
        """Return the number of the joined region for each number given, 0 for 0."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        pairs = np.concatenate(self._same)
        total = self._next + 1
        links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (total, total))
        return in_order(connected_components(links, directed=False)[1])


def stitch(numbered: Iterable[tuple[Tile, Ids]], shape: Sequence[int]) -> Ids:
    """Put numbered tiles together.

    Parameters
    ----------
    numbered : iterable of (Tile, ndarray of uint32)
        Each tile with the numbers in its outer box, in the order of `tiles`.
    shape : sequence of int
        Of the whole image.

    Returns
    -------
    ndarray of uint32
        One number for each region, 0 where the tiles have 0.
    """
    out = np.zeros(tuple(shape), np.uint32)
    stitcher = Stitcher(out)
    for tile, labels in numbered:
        stitcher.add(tile, labels)
    return stitcher.groups()[out]


def _within(outer: Sequence[slice], inner: Sequence[slice]) -> tuple[slice, ...]:
    """Where one box lies, seen from the corner of another."""
    return tuple(
        slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True)
    )


def _mutual(fresh: Ids, written: Ids) -> NDArray[np.int64]:
    """Pairs of numbers that cover each other by more than half of both together."""
    seen = written > 0
    a, b = fresh[seen].astype(np.int64), written[seen].astype(np.int64)
    if not a.size:
        return np.empty((0, 2), np.int64)
    span = int(b.max()) + 1
    keys, shared = np.unique(a * span + b, return_counts=True)
    u, v = keys // span, keys % span
    of_u, of_v = np.bincount(u, shared), np.bincount(v, shared)
    same = (u > 0) & (2 * shared > of_u[u] + of_v[v] - shared)
    return np.stack([u[same], v[same]], axis=1)
