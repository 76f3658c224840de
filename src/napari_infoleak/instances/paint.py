"""Cells that another program found, as an annotation: interiors, and membranes around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

INTERIOR, MEMBRANE = 1, 2
_GAP = 2  # pixels; a wider gap between two cells is no membrane
_DEEP = 2  # pixels from the outline on which a pixel is surely inside


def annotation_of_cells(cells: Any) -> NDArray[np.uint8]:
    """Turn cells into an annotation of interior and membrane.

    Membrane is a narrow gap between two cells, or the outline of a cell, one pixel wide, where it
    has no such gap beside it. What is deeper in a cell than two pixels is interior. The rest is left unlabelled: just beside an
    outline nobody knows, and what no cell covers may be cells that were not found.

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
    from scipy.ndimage import distance_transform_cdt, maximum_filter, minimum_filter
    from skimage.segmentation import expand_labels

    painted = np.zeros(cells.shape, np.uint8)
    if not cells.any():
        return painted
    ids = np.unique(cells, return_inverse=True)[1].reshape(cells.shape).astype(np.int32)
    ids += int(cells.min() > 0)  # without any gap the first cell would count as one
    outline = (maximum_filter(ids, 3) != minimum_filter(ids, 3)) & (ids > 0)
    near = expand_labels(ids, _GAP)
    gap = (ids == 0) & _meet(near)
    membrane = gap | (outline & (_meet(ids) | ~maximum_filter(gap, 3)))
    depth = distance_transform_cdt(~np.pad(outline | (ids == 0), 1, mode="edge"), "chessboard")
    painted[(depth[1:-1, 1:-1] >= _DEEP) & (ids > 0)] = INTERIOR
    painted[membrane] = MEMBRANE
    return painted


def _meet(ids: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell where two cells lie within one pixel; filters reach over the image's edge by mirrors."""
    from scipy.ndimage import maximum_filter, minimum_filter

    lowest = minimum_filter(np.where(ids > 0, ids, np.iinfo(np.int32).max), 3)
    found: NDArray[np.bool_] = maximum_filter(ids, 3) > lowest
    return found
