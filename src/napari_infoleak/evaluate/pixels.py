"""Scores of single pixels: intersection over union, precision and recall, the middle lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]


def class_iou(prediction: NDArray[np.integer], truth: NDArray[np.integer]) -> dict[str, float]:
    """Intersection over union of every class that the truth holds.

    All pixels are pooled, over planes too. Pixels where the truth is 0 are unlabelled and left out.

    Parameters
    ----------
    prediction, truth : ndarray of int, one shape
        Class ids.

    Returns
    -------
    dict
        Class id as text -> IoU, 0 to 1.
    """
    labelled = truth > 0
    ours, theirs = prediction[labelled], truth[labelled]
    return {str(int(c)): _iou(ours == c, theirs == c) for c in np.unique(theirs)}


def mean_iou(iou: Mapping[str, float]) -> float:
    """Mean over the classes of `class_iou`; NaN where there is none.

    Parameters
    ----------
    iou : mapping of str to float
        What `class_iou` returned.

    Returns
    -------
    float
        The unweighted mean, 0 to 1.
    """
    return float(np.mean(list(iou.values()))) if iou else float("nan")


def membrane_iou(found: Bools, wall: Bools, labelled: Bools) -> tuple[float, float]:
    """IoU of the membrane, and its mean with the IoU of all the rest.

    Parameters
    ----------
    found, wall : ndarray of bool, one shape
        Membrane as predicted, and as it truly is.
    labelled : ndarray of bool, the same shape
        Pixels that count.

    Returns
    -------
    membrane, mean : float
        Both 0 to 1.
    """
    found, wall = found[labelled], wall[labelled]
    membrane = _iou(found, wall)
    return membrane, (membrane + _iou(~found, ~wall)) / 2


def precision_recall(found: Bools, wall: Bools, labelled: Bools) -> tuple[float, float, float]:
    """Precision, recall and F1 of a mask; 0 where nothing was found or nothing is there.

    Parameters
    ----------
    found, wall, labelled : ndarray of bool, one shape
        The mask as predicted, as it truly is, and the pixels that count.

    Returns
    -------
    precision, recall, f1 : float
        Each 0 to 1.
    """
    hit = int((found & wall & labelled).sum())
    precision = hit / max(int((found & labelled).sum()), 1)
    recall = hit / max(int((wall & labelled).sum()), 1)
    return precision, recall, _harmonic(precision, recall)


def cl_dice(prediction: Bools, truth: Bools) -> float:
    """Centreline Dice (Shit et al. 2021, arXiv 2003.07311) of two masks.

    The share of the predicted middle line that lies in the true mask, and of the true middle line
    that lies in the predicted mask, by their harmonic mean. A gap costs its length; a membrane
    that is a pixel too wide costs nothing.

    Parameters
    ----------
    prediction, truth : ndarray of bool, shape (Y, X)
        Masks of the membrane.

    Returns
    -------
    float
        0 to 1; 0 if one of the two masks is empty.
    """
    from skimage import morphology

    thinned: Any = morphology.skeletonize
    line, true_line = thinned(prediction), thinned(truth)
    if not line.any() or not true_line.any():
        return 0.0
    return _harmonic(float(truth[line].mean()), float(prediction[true_line].mean()))


def _iou(ours: Bools, theirs: Bools) -> float:
    return int((ours & theirs).sum()) / max(int((ours | theirs).sum()), 1)


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b > 0 else 0.0
