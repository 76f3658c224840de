"""The borders between regions as a graph, and two plain ways to join regions over them.

A region is a node, two regions that touch share a border. Sums of heights and of sizes can be
added, so borders of tiles are joined into those of the whole, and regions into larger ones,
without going back to the pixels.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Borders:
    """Borders between regions 1 to `count`.

    Attributes
    ----------
    count : int
        Highest region id; 0 is no region.
    pairs : ndarray of int64, shape (borders, 2)
        The two regions of each border, the smaller id first; sorted, none twice.
    sizes : ndarray of float64, shape (borders,)
        Pairs of pixels that face each other over the border.
    sums : ndarray of float64, shape (borders,)
        Sum over these pairs of their mean height.
    """

    count: int
    pairs: NDArray[np.int64]
    sizes: NDArray[np.float64]
    sums: NDArray[np.float64]

    @property
    def height(self) -> NDArray[np.float64]:
        """Mean height of each border."""
        mean: NDArray[np.float64] = self.sums / self.sizes
        return mean

    @classmethod
    def between(
        cls,
        labels: NDArray[np.uint32],
        height: NDArray[np.float32],
        owned: Sequence[int] | None = None,
    ) -> Borders:
        """Measure the borders of an image of region ids, along pixel faces.

        Parameters
        ----------
        labels : ndarray of uint32
            Region ids; 0 is no region.
        height : ndarray of float32, the same shape
            Height of each pixel.
        owned : sequence of int, optional
            Count a face only if its lower pixel lies in a box of this size at the origin. Tiles
            that reach one pixel beyond their share count every face of an image once so.

        Returns
        -------
        Borders
        """
        keys, halves = [], []
        count = int(labels.max(initial=0))
        for axis in range(labels.ndim):
            low, high = _faces(labels.shape, owned or labels.shape, axis)
            a, b = labels[low], labels[high]
            facing = (a != b) & (a > 0) & (b > 0)
            u, v = a[facing].astype(np.int64), b[facing].astype(np.int64)
            keys.append(np.minimum(u, v) * (count + 1) + np.maximum(u, v))
            halves.append((height[low][facing].astype(np.float64) + height[high][facing]) / 2)
        sums = np.concatenate(halves)
        return _summed(count, np.concatenate(keys), np.ones_like(sums), sums)

    @classmethod
    def joined(cls, count: int, parts: Sequence[Borders]) -> Borders:
        """Add up the borders that were measured in parts of an image with common ids."""
        pairs = np.concatenate([np.empty((0, 2), np.int64), *(part.pairs for part in parts)])
        sizes = np.concatenate([np.empty(0), *(part.sizes for part in parts)])
        sums = np.concatenate([np.empty(0), *(part.sums for part in parts)])
        return _summed(count, pairs[:, 0] * (count + 1) + pairs[:, 1], sizes, sums)

    def contracted(self, groups: NDArray[np.uint32]) -> Borders:
        """Return the borders that are left between groups of regions.

        Parameters
        ----------
        groups : ndarray of uint32, shape (count + 1,)
            Group of each region; 0 for region 0.

        Returns
        -------
        Borders
        """
        count = int(groups.max(initial=0))
        ends = np.sort(groups[self.pairs].astype(np.int64), axis=1)
        left = ends[:, 0] != ends[:, 1]
        keys = ends[left, 0] * (count + 1) + ends[left, 1]
        return _summed(count, keys, self.sizes[left], self.sums[left])


def in_order(groups: NDArray[np.integer]) -> NDArray[np.uint32]:
    """Number groups from 1 by their smallest region; region 0 stays by itself as 0.

    Parameters
    ----------
    groups : ndarray of int, shape (count + 1,)
        Any id of a group for each region; that of region 0 must be its own.

    Returns
    -------
    ndarray of uint32, shape (count + 1,)
    """
    _, first, place = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.uint32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.uint32)
    ordered: NDArray[np.uint32] = rank[place]
    return ordered


def agglomerate(borders: Borders, below: float) -> NDArray[np.uint32]:
    """Join regions over the lowest border again and again, until none is `below` a height.

    The height of a border between joined regions is the mean over all its pixels (average
    linkage), so a gap alone does not open a border that holds elsewhere.

    Parameters
    ----------
    borders : Borders
        The borders to begin with.
    below : float
        Borders of at least this mean height hold.

    Returns
    -------
    ndarray of uint32, shape (count + 1,)
        An id of the group for each region.
    """
    around = _neighbourhoods(borders, borders.sums)
    owner = np.arange(borders.count + 1)
    queue = [(s / n, u, v) for u, near in enumerate(around) for v, (s, n) in near.items() if u < v]
    heapq.heapify(queue)
    while queue and queue[0][0] < below:
        height, u, v = heapq.heappop(queue)
        held = around[u].get(v)
        if held is None or held[0] / held[1] != height:
            continue  # one of the two was joined, or the border has grown since
        for w, (total, size) in _contract(around, owner, u, v):
            heapq.heappush(queue, (total / size, min(u, w), max(u, w)))
    return _resolved(owner)


def cut_greedily(borders: Borders, costs: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Divide regions at little cost: join over the dearest border as long as one is above 0.

    Greedy additive edge contraction, a lower bound of quality for the multicut.

    Parameters
    ----------
    borders : Borders
        The graph.
    costs : ndarray of float64, shape (borders,)
        What it costs to cut each border; below 0 cutting pays.

    Returns
    -------
    ndarray of uint32, shape (count + 1,)
        An id of the group for each region.
    """
    around = _neighbourhoods(borders, costs)
    owner = np.arange(borders.count + 1)
    queue = [(-s, u, v) for u, near in enumerate(around) for v, (s, _) in near.items() if u < v]
    heapq.heapify(queue)
    while queue and queue[0][0] < 0:
        price, u, v = heapq.heappop(queue)
        held = around[u].get(v)
        if held is None or -held[0] != price:
            continue
        for w, (total, _) in _contract(around, owner, u, v):
            heapq.heappush(queue, (-total, min(u, w), max(u, w)))
    return _resolved(owner)


_Near = dict[int, tuple[float, float]]


def _neighbourhoods(borders: Borders, values: NDArray[np.float64]) -> list[_Near]:
    """Each region's neighbours, with a value that adds up and the size of the border."""
    around: list[_Near] = [{} for _ in range(borders.count + 1)]
    rows = zip(borders.pairs.tolist(), values.tolist(), borders.sizes.tolist(), strict=True)
    for (u, v), value, size in rows:
        around[u][v] = around[v][u] = (value, size)
    return around


def _contract(
    around: list[_Near], owner: NDArray[np.int64], u: int, v: int
) -> list[tuple[int, tuple[float, float]]]:
    """Join region `v` to `u`; return the borders of `u` that changed."""
    owner[v] = u
    del around[u][v]
    changed = []
    for w, (value, size) in around[v].items():
        if w == u:
            continue
        del around[w][v]
        more = around[u].get(w, (0.0, 0.0))
        around[u][w] = around[w][u] = (more[0] + value, more[1] + size)
        changed.append((w, around[u][w]))
    around[v] = {}
    return changed


def _resolved(owner: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Follow owners to the last one."""
    while not np.array_equal(owner, owner[owner]):
        owner = owner[owner]
    return owner.astype(np.uint32)


def _summed(
    count: int, keys: NDArray[np.int64], sizes: NDArray[np.float64], sums: NDArray[np.float64]
) -> Borders:
    """Make borders of rows that may name a border more than once."""
    found, place = np.unique(keys, return_inverse=True)
    pairs = np.stack([found // (count + 1), found % (count + 1)], axis=1)
    total = len(found)
    return Borders(count, pairs, _totals(place, sizes, total), _totals(place, sums, total))


def _totals(place: NDArray[np.intp], values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    return np.bincount(place, values, n).astype(np.float64)


def _faces(
    shape: Sequence[int], owned: Sequence[int], axis: int
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of the pixels below and above all faces across an axis."""
    low = [slice(0, n) for n in owned]
    high = list(low)
    faces = min(owned[axis], shape[axis] - 1)
    low[axis], high[axis] = slice(0, faces), slice(1, faces + 1)
    return tuple(low), tuple(high)
