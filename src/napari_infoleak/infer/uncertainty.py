"""How unsure an answer is, pixel by pixel: 0 is sure, 1 is a coin toss between all classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def entropy(probabilities: NDArray[Any], axis: int = 0) -> NDArray[np.float32]:
    """Measure doubt by the entropy of the classes, as a share of the greatest possible.

    Parameters
    ----------
    probabilities : ndarray, shape (K, ...)
        Class probabilities; they sum to 1 over ``axis``.
    axis : int
        The axis of the classes.

    Returns
    -------
    ndarray, float32
        The shape without ``axis``; 0 where one class has all, 1 where all are equally likely, and
        0 everywhere when there is but one class.
    """
    values = np.moveaxis(np.asarray(probabilities, dtype=np.float32), axis, 0)
    total = np.zeros(values.shape[1:], np.float32)
    if len(values) < 2:
        return total
    for share in values:  # a class at a time: no second array of all classes
        total -= share * np.log(share, where=share > 0, out=np.zeros_like(share))
    total /= math.log(len(values))
    return np.clip(total, 0, 1, out=total)


def margin(probabilities: NDArray[Any], axis: int = 0) -> NDArray[np.float32]:
    """Measure doubt by how close the second class comes to the first.

    Parameters
    ----------
    probabilities : ndarray, shape (K, ...)
        Class probabilities; they sum to 1 over ``axis``.
    axis : int
        The axis of the classes.

    Returns
    -------
    ndarray, float32
        The shape without ``axis``; 0 where one class has all, 1 where the two best are level, and
        0 everywhere when there is but one class.
    """
    values = np.moveaxis(np.asarray(probabilities, dtype=np.float32), axis, 0)
    if len(values) < 2:
        return np.zeros(values.shape[1:], np.float32)
    second, first = np.partition(values, -2, axis=0)[-2:]
    return np.asarray(1 - (first - second), dtype=np.float32)
