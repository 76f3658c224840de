"""Scores of a division into cells: V_rand, V_info, variation of information.

All start from one table: how many pixels lie in cell ``i`` of the prediction and in cell ``j`` of
the truth. Joining two cells and splitting one are counted apart, for they call for different
remedies: more membrane, or less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Cells = NDArray[np.integer]


@dataclass(frozen=True)
class Overlap:
    """Shares of pixels by cell of the prediction, cell of the truth, and both; each sums to 1."""

    ours: NDArray[np.float64]
    theirs: NDArray[np.float64]
    joint: NDArray[np.float64]

    @property
    def rand(self) -> tuple[float, float, float]:
        """V_rand (alpha 0.5), its merge part and its split part, each 0 to 1 and best at 1.

        The merge part is low where cells ran together, the split part where cells were shattered.
        """
        both = float((self.joint**2).sum())
        ours, theirs = float((self.ours**2).sum()), float((self.theirs**2).sum())
        return both / (0.5 * ours + 0.5 * theirs), both / ours, both / theirs

    @property
    def info(self) -> float:
        """V_info (alpha 0.5), 0 to 1; 1 where both sides hold one cell and nothing can be told."""
        ours, theirs = _entropy(self.ours), _entropy(self.theirs)
        if ours + theirs <= 0:
            return 1.0
        return 2 * (ours + theirs - _entropy(self.joint)) / (ours + theirs)

    @property
    def variation(self) -> tuple[float, float]:
        """Variation of information in bits, as its split part and its merge part; best at 0."""
        joint = _entropy(self.joint)
        split = (joint - _entropy(self.theirs)) / np.log(2)
        merge = (joint - _entropy(self.ours)) / np.log(2)
        return float(split), float(merge)


def overlap(prediction: Cells, truth: Cells) -> Overlap | None:
    """Count where cells of two (Y, X) masks lie on each other, over the truth's foreground.

    Borders are thinned first, as the definition asks: the cells of the prediction grow until they
    touch.

    Parameters
    ----------
    prediction, truth : ndarray of int, shape (Y, X)
        Cell ids; 0 is membrane or background.

    Returns
    -------
    Overlap or None
        None if the truth holds no cell.
    """
    inside = truth > 0
    if not inside.any():
        return None
    ours = _compact(thin_borders(prediction)[inside])
    theirs = _compact(truth[inside])
    a, b = np.bincount(ours), np.bincount(theirs)
    joint = _counts(ours * len(b) + theirs, len(a) * len(b))
    return Overlap(a / ours.size, b / ours.size, joint / ours.size)


def v_scores(prediction: Cells, truth: Cells) -> tuple[float, float]:
    """V_rand and V_info of two masks (Arganda-Carreras et al. 2015), alpha 0.5.

    Parameters
    ----------
    prediction, truth : ndarray of int, shape (Y, X)
        Cell ids; 0 is membrane or background. Only the truth's foreground counts.

    Returns
    -------
    v_rand, v_info : float
        Each 0 to 1, NaN where the truth holds no cell. ``1 - v_rand`` is the adapted Rand error.
    """
    table = overlap(prediction, truth)
    if table is None:
        return float("nan"), float("nan")
    return table.rand[0], table.info


def thin_borders(cells: Cells) -> Cells:
    """Grow the cells of a mask until they touch, so that the width of a border does not count.

    Parameters
    ----------
    cells : ndarray of int, shape (Y, X)
        Cell ids; 0 between them.

    Returns
    -------
    ndarray of int, shape (Y, X)
        Each 0 takes the id of the nearest cell, as far as the longer side of the plane; a mask
        without cells is returned as it is.
    """
    from scipy.ndimage import distance_transform_edt

    between = cells == 0
    if not between.any() or between.all():
        return cells
    reach, nearest = distance_transform_edt(between, return_indices=True)
    grown: Cells = cells[tuple(nearest)]
    grown[reach > max(cells.shape)] = 0
    return grown


def cells_within(membrane: NDArray[np.bool_]) -> Cells:
    """Number the connected interiors of a (Y, X) membrane mask, 4-connected.

    Parameters
    ----------
    membrane : ndarray of bool, shape (Y, X)
        True on membrane.

    Returns
    -------
    ndarray of int32, shape (Y, X)
        Cell ids; 0 on membrane.
    """
    from scipy.ndimage import label

    numbered: Cells = label(~membrane)[0]
    return numbered


_ROOM = 1 << 24
"""Longest table that is counted directly; beyond it, sorting takes less memory."""


def _compact(ids: Cells) -> NDArray[np.int64]:
    """Number ids from 0 without a gap."""
    if int(ids.max()) < _ROOM:
        held = np.bincount(ids.astype(np.int64)) > 0
        return (np.cumsum(held) - 1)[ids]
    return np.unique(ids, return_inverse=True)[1].astype(np.int64)


def _counts(keys: NDArray[np.int64], span: int) -> NDArray[np.int64]:
    """Count how often each key below `span` occurs, without those that do not."""
    if span < _ROOM:
        table = np.bincount(keys)
        return table[table > 0].astype(np.int64)
    return np.unique(keys, return_counts=True)[1].astype(np.int64)


def _entropy(shares: NDArray[np.float64]) -> float:
    held = shares[shares > 0]
    return float(-(held * np.log(held)).sum())
