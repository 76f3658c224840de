"""Scores of single cells: how many are found, and what they are worth on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def average_precision(
    prediction: NDArray[np.integer], truth: NDArray[np.integer], iou: float = 0.5
) -> float:
    """Share of cells found: TP / (TP + FP + FN), the definition of StarDist and Cellpose.

    Parameters
    ----------
    prediction, truth : ndarray of int, one shape
        Cell ids; 0 is membrane or background.
    iou : float
        A cell is found where a predicted one overlaps it by more than this; at least 0.5, so that
        no cell can be found twice.

    Returns
    -------
    float
        0 to 1; 0 where neither side holds a cell.
    """
    found, real = _count(prediction), _count(truth)
    matched = int((overlaps(prediction, truth)[2] > iou).sum())
    return matched / max(found + real - matched, 1)


def overlaps(
    prediction: NDArray[np.integer], truth: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Every pair of cells that lie on each other, with its intersection over union.

    Parameters
    ----------
    prediction, truth : ndarray of int, one shape
        Cell ids; 0 is membrane or background.

    Returns
    -------
    ours, theirs : ndarray of int64, shape (pairs,)
        Ids in the prediction and in the truth.
    iou : ndarray of float64, shape (pairs,)
        Above 0, at most 1.
    """
    our_ids, ours, our_sizes = np.unique(prediction, return_inverse=True, return_counts=True)
    their_ids, theirs, their_sizes = np.unique(truth, return_inverse=True, return_counts=True)
    key = ours.ravel().astype(np.int64) * len(their_ids) + theirs.ravel()
    pairs, shared = np.unique(key, return_counts=True)
    a, b = pairs // len(their_ids), pairs % len(their_ids)
    iou = shared / (our_sizes[a] + their_sizes[b] - shared)
    cells = (our_ids[a] != 0) & (their_ids[b] != 0)
    return our_ids[a[cells]].astype(np.int64), their_ids[b[cells]].astype(np.int64), iou[cells]


def _count(cells: NDArray[np.integer]) -> int:
    return int((np.unique(cells) != 0).sum())
