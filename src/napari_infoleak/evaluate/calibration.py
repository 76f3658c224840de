"""Whether probabilities can be believed: calibration error, and how well they rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def expected_calibration_error(
    probability: NDArray[np.floating], truth: NDArray[np.bool_], bins: int = 15
) -> float:
    """Mean gap between what a probability promises and how often it comes true.

    Parameters
    ----------
    probability : ndarray of float
        0 to 1, of being membrane (or any other class).
    truth : ndarray of bool, the same shape
        Whether it is. Leave out unlabelled pixels before.
    bins : int
        Number of equal bins over 0 to 1.

    Returns
    -------
    float
        0 (to be believed) to 1, weighted by the pixels of each bin; NaN without a pixel.
    """
    p, t = np.ravel(probability).astype(np.float64), np.ravel(truth)
    if not p.size:
        return float("nan")
    place = np.minimum((p * bins).astype(np.int64), bins - 1)
    promised = np.bincount(place, p, bins)
    kept = np.bincount(place, t, bins)
    return float(np.abs(promised - kept).sum() / p.size)


def auroc(score: NDArray[np.floating], truth: NDArray[np.bool_]) -> float:
    """Area under the receiver operating characteristic.

    The chance that a pixel of the class scores above one that is not; equal scores count half.

    Parameters
    ----------
    score : ndarray of float
        Any number that should be larger for the class.
    truth : ndarray of bool, the same shape
        Whether it is. Leave out unlabelled pixels before.

    Returns
    -------
    float
        0.5 is chance, 1 is perfect; NaN if there are pixels of one kind only.
    """
    s, t = np.ravel(score), np.ravel(truth).astype(bool)
    yes = int(t.sum())
    no = t.size - yes
    if not yes or not no:
        return float("nan")
    _, place, counts = np.unique(s, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # the mean rank of equal scores, from 1
    return float((ranks[place][t].sum() - yes * (yes + 1) / 2) / (yes * no))
