"""Cells that another program found, as an annotation: interiors, and membranes around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

INTERIOR, MEMBRANE = 1, 2
_GAP = 3  # pixels to either cell; what is farther between two cells may be something else


def annotation_of_cells(cells: Any) -> NDArray[np.uint8]:
    """Turn cells into an annotation of interior and membrane.

    Membrane is a narrow gap between two cells, or the outline of a cell, one pixel wide, where it
    has no such gap beside it. What is deeper in a cell than two pixels is interior. The rest is
    left unlabelled: just beside an outline nobody knows, and what no cell covers may be cells that
    were not found.

    Parameters
    ----------
    cells : integer array, (..., Y, X)
        A number for each cell, 0 between cells: of Cellpose, StarDist, ilastik or this program.

    Returns
    -------
    numpy array, uint8, the same shape
        1 interior, 2 membrane, 0 unlabelled.

    Raises
    ------
    BadInput
        If these are no cells.

    Examples
    --------
    >>> import numpy as np
    >>> cells = np.zeros((12, 20), int)
    >>> cells[1:11, 1:10], cells[1:11, 10:19] = 1, 2
    >>> annotation_of_cells(cells)[6, 4:16].tolist()
    [1, 1, 1, 1, 0, 2, 2, 0, 1, 1, 1, 1]
    """
    ids = np.asarray(cells)
    if ids.dtype.kind not in "iu" or ids.ndim < 2:
        raise BadInput(
            f"cells of {ids.dtype} and shape {ids.shape}: expected whole numbers, 0 between cells"
        )
    if ids.size and int(ids.min()) < 0:
        raise BadInput(f"cells hold the value {int(ids.min())}; expected ids from 1, and 0")
    painted = np.zeros(ids.shape, np.uint8)
    for place in np.ndindex(*ids.shape[:-2]):
        painted[place] = _plane(ids[place])
    return painted


def _plane(cells: NDArray[Any]) -> NDArray[np.uint8]:
    from scipy.ndimage import maximum_filter, minimum_filter

    outline = (maximum_filter(cells, 3) != minimum_filter(cells, 3)) & (cells > 0)
    gap = (cells == 0) & _meet(cells, _GAP)
    painted = np.zeros(cells.shape, np.uint8)
    painted[(cells > 0) & ~maximum_filter(outline | (cells == 0), 3)] = INTERIOR
    painted[gap | (outline & (_meet(cells, 1) | ~maximum_filter(gap, 3)))] = MEMBRANE
    return painted


def _meet(cells: NDArray[Any], reach: int) -> NDArray[np.bool_]:
    """Tell where two cells lie within a number of pixels."""
    from scipy.ndimage import maximum_filter, minimum_filter

    side = 2 * reach + 1
    none = int(cells.max()) + 1  # no larger one: the filters compute in floating-point numbers
    lowest = minimum_filter(np.where(cells > 0, cells.astype(np.int64), none), side)
    found: NDArray[np.bool_] = maximum_filter(cells, side) > lowest
    return found
