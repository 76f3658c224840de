"""Tidy cells: no crumbs, no holes, numbers without gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_infoleak.instances.graph import in_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_infoleak.instances.engine import Engine
    from napari_infoleak.instances.graph import Borders

    Ids = NDArray[np.uint32]


def absorb_small(borders: Borders, sizes: NDArray[np.integer], min_size: int) -> Ids:
    """Give regions that are too small to the neighbour behind their weakest border.

    Parameters
    ----------
    borders : Borders
        Borders between the regions.
    sizes : ndarray of int, shape (count + 1,)
        Pixels of each region.
    min_size : int
        Regions of fewer pixels are given away. One without a neighbour stays.

    Returns
    -------
    ndarray of uint32, shape (count + 1,)
        Group of each region, 0 for region 0.
    """
    groups = np.arange(borders.count + 1, dtype=np.uint32)
    sizes = np.asarray(sizes).copy()
    while True:
        small = (sizes < min_size)[1:].nonzero()[0] + 1
        taken = _weakest(borders, small)
        if not taken:
            return groups
        step = _united(borders.count, taken, sizes)
        groups = step[groups]
        sizes = np.bincount(step, sizes, int(step.max()) + 1).astype(np.int64)
        borders = borders.contracted(step)


def fill_holes(cells: Ids, between: NDArray[np.bool_], engine: Engine) -> NDArray[np.bool_]:
    """Find the pixels between cells, without the spots that lie within a single cell.

    Parameters
    ----------
    cells : ndarray of uint32, shape (Y, X) or (Z, Y, X)
        Cell of every pixel, membranes divided among the cells.
    between : ndarray of bool, the same shape
        Membrane pixels.
    engine : Engine
        Who numbers the spots.

    Returns
    -------
    ndarray of bool, the same shape
        `between` without its connected parts (diagonals count) that all lie in one cell. They
        are noise, or something within the cell.
    """
    spots = engine.number(between, diagonal=True)
    inside, owners = spots[between], cells[between]
    count = int(inside.max(initial=0))
    lowest = np.full(count + 1, np.iinfo(np.uint32).max, np.uint32)
    highest = np.zeros(count + 1, np.uint32)
    np.minimum.at(lowest, inside, owners)
    np.maximum.at(highest, inside, owners)
    parting = lowest != highest
    parting[0] = False
    walls: NDArray[np.bool_] = parting[spots]
    return walls


def renumber(cells: Ids) -> Ids:
    """Number cells from 1 without a gap, in the order of their ids.

    Parameters
    ----------
    cells : ndarray of uint32
        Cell ids; 0 between cells.

    Returns
    -------
    ndarray of uint32, the same shape
    """
    held = np.bincount(cells.ravel(), minlength=1) > 0
    held[0] = False
    numbers = np.cumsum(held, dtype=np.uint32)
    numbers[~held] = 0
    return numbers[cells]


def _weakest(borders: Borders, small: NDArray[np.integer]) -> list[tuple[int, int]]:
    """Pair each small region with the neighbour behind its lowest border."""
    if not small.size or not len(borders.pairs):
        return []
    both = np.concatenate([borders.pairs, borders.pairs[:, ::-1]])
    height = np.tile(borders.height, 2)
    is_small = np.zeros(borders.count + 1, bool)
    is_small[small] = True
    rows = is_small[both[:, 0]]
    both, height = both[rows], height[rows]
    order = np.lexsort((both[:, 1], height, both[:, 0]))
    _, first = np.unique(both[order, 0], return_index=True)
    return [(int(a), int(b)) for a, b in both[order][first]]


def _united(count: int, taken: list[tuple[int, int]], sizes: NDArray[np.integer]) -> Ids:
    """Join each pair, the smallest regions first, until a group is no longer small."""
    owner = list(range(count + 1))

    def root(region: int) -> int:
        while owner[region] != region:
            owner[region] = owner[owner[region]]
            region = owner[region]
        return region

    for small, neighbour in sorted(taken, key=lambda pair: (int(sizes[pair[0]]), pair)):
        a, b = sorted((root(small), root(neighbour)))
        owner[b] = a
    return in_order(np.array([root(region) for region in range(count + 1)]))
