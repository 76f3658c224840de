"""What corrected cells say about the plane that they were corrected on, as an annotation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_infoleak.instances.engine import default_engine
from napari_infoleak.instances.pick import box_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from napari_infoleak.instances.changes import Ids

INTERIOR: Final = 1
BORDER: Final = 2

_DEPTH: Final = 2.5
"""Pixels between the outline of a cell and what is surely inside it."""


def lesson(plane: Ids, cells: Collection[int], finished: Collection[int] = ()) -> NDArray[np.uint8]:
    """Paint the inside of cells, and the borders between them.

    Parameters
    ----------
    plane : ndarray of uint, shape (Y, X)
        Cell ids.
    cells : collection of int
        Those that were corrected together; others say nothing.
    finished : collection of int
        Those of them that are right all around: what belongs to no cell beside them is border.

    Returns
    -------
    ndarray of uint8, the same shape
        `INTERIOR` well inside each cell, `BORDER` where two of them meet over at most one pixel
        and around the finished ones, 0 elsewhere.
    """
    taught = np.zeros(plane.shape, np.uint8)
    here = [cell for cell in cells if (plane == cell).any()]
    if not here:
        return taught
    box = box_of(plane[None], here, margin=1)[1:]
    part = plane[box]
    owners = np.zeros(part.shape, np.uint8)
    near = np.zeros(part.shape, np.uint8)
    for cell in here:
        mask = part == cell
        depth = default_engine().distance(np.pad(mask, 1), (1.0, 1.0))[1:-1, 1:-1]
        owners[depth > _DEPTH] = INTERIOR
        near += _grown(mask)
    own = np.isin(part, here) | (part == 0)
    owners[(near > 1) & own] = BORDER
    right = [cell for cell in here if cell in finished]
    owners[(part == 0) & _grown(np.isin(part, right))] = BORDER
    taught[box] = owners
    return taught


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_dilation

    grown: NDArray[np.bool_] = binary_dilation(mask, np.ones((3, 3), bool))
    return grown
