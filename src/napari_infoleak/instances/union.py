"""Merge cells, give them away, paint them: corrections that need no new border.

Frames are (Z, Y, X), a plane has one Z.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.instances.changes import Change
from napari_infoleak.instances.curves import trace
from napari_infoleak.instances.pick import box_of, check_number, touched

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_infoleak.instances.changes import Ids
    from napari_infoleak.instances.curves import Points

WIDEST: Final = 12
"""Pixels of the widest membrane that is filled between cells that are merged."""

_WAYS: Final = np.array([(0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, -1), (1, 0, 0)])
"""Directions in which a membrane is looked across."""


def merge(
    cells: Ids, stroke: ArrayLike, *, finished: Collection[int] = ()
) -> tuple[tuple[int, ...], Change]:
    """Make one cell of all that a stroke touches, and of the membrane between them.

    Parameters
    ----------
    cells : ndarray of uint, shape (Z, Y, X)
        Cell ids; not changed.
    stroke : array, shape (points, 3)
        Places in pixels.
    finished : collection of int
        Cells that must not change; they are passed over.

    Returns
    -------
    ids : tuple of int
        The cells, that whose number is kept first: the lowest.
    change : Change
        What changes in the frame.

    Raises
    ------
    BadInput
        If the stroke touches fewer than two cells that may change.
    """
    ids = sorted(set(touched(cells, trace(stroke, cells.shape))) - set(finished))
    if len(ids) < 2:
        raise BadInput(
            "the stroke touches fewer than two cells that are not finished: draw it from one "
            "cell into the other"
        )
    box = box_of(cells, ids)
    part = cells[box]
    wanted = np.where(np.isin(part, ids), part.dtype.type(ids[0]), part)
    wanted[_between(part, ids)] = ids[0]
    return tuple(ids), Change.to(cells, box, wanted)


def remove(cells: Ids, ids: Collection[int]) -> Change:
    """Take cells away; their pixels belong to no cell then.

    Parameters
    ----------
    cells : ndarray of uint, shape (Z, Y, X)
        Cell ids; not changed.
    ids : collection of int
        Cells that occur.

    Returns
    -------
    Change
    """
    box = box_of(cells, ids)
    part = cells[box]
    return Change.to(cells, box, np.where(np.isin(part, list(ids)), part.dtype.type(0), part))


def paint(cells: Ids, pixels: Points, cell: int, *, finished: Collection[int] = ()) -> Change:
    """Give pixels to a cell, or to none.

    Parameters
    ----------
    cells : ndarray of uint, shape (Z, Y, X)
        Cell ids; not changed.
    pixels : ndarray of int, shape (pixels, 3)
        Places in it; at least one.
    cell : int
        Their new owner; 0 is none.
    finished : collection of int
        Cells that must not change: they keep their pixels.

    Returns
    -------
    Change

    Raises
    ------
    BadInput
        If the image cannot hold the number of the cell.
    """
    check_number(cells, cell)
    low, high = pixels.min(0), pixels.max(0) + 1
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    wanted = cells[box].copy()
    at = tuple((pixels - low).T)
    free = ~np.isin(wanted[at], list(finished))
    wanted[tuple(axis[free] for axis in at)] = cell
    return Change.to(cells, box, wanted)


def keep_finished(fresh: Ids, before: Ids, finished: Collection[int]) -> Ids:
    """Put finished cells into cells that were made anew.

    Parameters
    ----------
    fresh : ndarray of uint
        The new cells, numbered without gaps.
    before : ndarray of uint, the same shape
        The old ones.
    finished : collection of int
        Those of them that are kept, pixel for pixel, with their numbers.

    Returns
    -------
    ndarray of uint, the same shape
        New cells that lie for the most part in finished ones are gone, the others have lost what
        is finished. They are numbered anew where their numbers are taken.
    """
    kept = np.isin(before, list(finished))
    count = int(fresh.max(initial=0))
    sizes = np.bincount(fresh.ravel(), minlength=count + 1)
    lost = np.bincount(fresh[kept], minlength=count + 1)
    stays = 2 * lost <= sizes
    stays[0] = False
    taken = set(finished)
    free = (number for number in range(1, count + len(taken) + 1) if number not in taken)
    numbers = np.zeros(count + 1, before.dtype)
    numbers[stays] = [next(free) for _ in range(int(stays.sum()))]
    result: Ids = np.where(kept, before, numbers[fresh])
    return result


def _between(part: Ids, ids: Sequence[int]) -> NDArray[np.bool_]:
    """Find the pixels of no cell that have two of these cells on opposite sides, both near."""
    others = len(ids) + 1
    codes = np.full(part.shape, others, np.int16)
    codes[part == 0] = 0
    for number, cell in enumerate(ids, 1):
        codes[part == cell] = number
    codes = np.pad(codes, 1, constant_values=others)  # no way leads over the edge
    open_ = np.flatnonzero(codes == 0)
    between = np.zeros(codes.shape, bool)
    for way in _WAYS:
        step = int(np.dot(way, np.array(codes.strides) // codes.itemsize))
        there, steps = _first(codes.ravel(), open_, step)
        hit = (there > 0) & (there < others)
        back, more = _first(codes.ravel(), open_[hit], -step)
        sides = (back > 0) & (back < others) & (back != there[hit])
        near = steps[hit] + more <= WIDEST + 1
        between.ravel()[open_[hit][sides & near]] = True
    return between[1:-1, 1:-1, 1:-1]


def _first(
    codes: NDArray[np.int16], places: NDArray[np.intp], step: int
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Return the first code above 0 on the way from each place, and after how many steps."""
    seen, steps = np.zeros(len(places), np.int16), np.zeros(len(places), np.int64)
    going = np.arange(len(places))
    for count in range(1, WIDEST + 1):
        here = codes[places[going] + count * step]
        stop = here > 0
        seen[going[stop]], steps[going[stop]] = here[stop], count
        going = going[~stop]
    return seen, steps
