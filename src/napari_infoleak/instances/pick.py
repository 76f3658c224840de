"""Which cells a stroke touches, and where in a frame (Z, Y, X) they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_infoleak.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari_infoleak.instances.changes import Ids
    from napari_infoleak.instances.curves import Points


def touched(cells: Ids, pixels: Points) -> dict[int, int]:
    """Count the pixels of a stroke in each cell.

    Parameters
    ----------
    cells : ndarray of uint, shape (Z, Y, X)
        Cell ids; 0 between cells.
    pixels : ndarray of int, shape (pixels, 3)
        Places in it.

    Returns
    -------
    dict of int to int
        Pixels by cell, in the order in which the stroke first touches them.
    """
    under = cells[tuple(pixels.T)]
    values, firsts, counts = np.unique(under, return_index=True, return_counts=True)
    order = firsts.argsort()
    return {int(values[i]): int(counts[i]) for i in order if values[i] > 0}


def box_of(cells: Ids, ids: Collection[int], margin: int = 0) -> tuple[slice, ...]:
    """Return the box around cells.

    Parameters
    ----------
    cells : ndarray of uint, shape (Z, Y, X)
        Cell ids.
    ids : collection of int
        Those to look for; one of them occurs.
    margin : int
        Pixels more on each side, within the frame.

    Returns
    -------
    tuple of slice
    """
    wanted = np.asarray(list(ids), cells.dtype)
    hits = np.zeros(cells.shape[0], bool), np.zeros(cells.shape[1], bool)
    columns = np.zeros(cells.shape[2], bool)
    for z, plane in enumerate(cells):
        held = plane == wanted[0] if len(wanted) == 1 else np.isin(plane, wanted)
        rows = held.any(1)
        if rows.any():
            hits[0][z] = True
            hits[1][rows] = True
            columns |= held[rows].any(0)
    box = []
    for held, size in zip((*hits, columns), cells.shape, strict=True):
        at = held.nonzero()[0]
        box.append(slice(max(int(at[0]) - margin, 0), min(int(at[-1]) + margin + 1, size)))
    return tuple(box)


def check_number(cells: Ids, number: int) -> None:
    """Refuse a number that no cell of this image can have.

    Raises
    ------
    BadInput
        If it is below 0, or more than the type of the image can hold.
    """
    if not 0 <= number <= np.iinfo(cells.dtype).max:
        raise BadInput(f"{cells.dtype} has no number {number}: use cells of uint32, from 1 on")


def in_plane(pixels: Points, box: tuple[slice, ...]) -> Points:
    """Return the Y and X of places, seen from the corner of a box."""
    seen: Points = pixels[:, 1:] - np.array([box[1].start, box[2].start])
    return seen
