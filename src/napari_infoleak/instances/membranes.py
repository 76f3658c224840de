"""Membranes as one map of probabilities, whether they come as that or as class ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence


def membrane_map(membrane: Any, membrane_ids: Sequence[int] | int | None = None) -> Any:
    """Return membranes as probabilities or as a mask.

    Parameters
    ----------
    membrane : array
        Floating-point numbers and masks stay as they are, lazy ones lazy. Whole numbers are
        class ids.
    membrane_ids : int or sequence of int, optional
        The classes that are membrane; needed for class ids.

    Returns
    -------
    array of float or bool, the same shape
        For class ids True on membrane, and on 0: an unlabelled pixel belongs to no cell.

    Raises
    ------
    BadInput
        If the array is neither, or it is not said which id is membrane, or none of them occurs.
    """
    shown = membrane if hasattr(membrane, "shape") and hasattr(membrane, "dtype") else None
    array = np.asarray(membrane) if shown is None else shown
    kind = np.dtype(array.dtype).kind
    if kind in "fb":
        return array
    if kind not in "iu":
        raise BadInput(f"membranes of {array.dtype}: expected probabilities, a mask or class ids")
    if membrane_ids is None:
        raise BadInput(
            f"membranes of {array.dtype} are class ids: say which of them is membrane, for "
            "example membrane_ids=2; probabilities are floating-point numbers"
        )
    ids = np.unique(np.atleast_1d(np.asarray(membrane_ids)))
    labels = np.asarray(array)
    wall = np.isin(labels, ids)
    if not wall.any():
        held = ", ".join(map(str, np.unique(labels)[:8]))
        raise BadInput(
            f"class {', '.join(map(str, ids))} for membrane is not in the labels, which hold {held}"
        )
    return wall | (labels == 0)
