"""The strokes of an annotation: its connected pieces, and the blocks of a dense mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage as ndi

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 64  # pixels a side; what is much longer is judged block by block
_TOUCHING = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Stroke:
    """A connected piece of paint of one class.

    Attributes
    ----------
    y, x : int
        A pixel of it, near its middle.
    class_id : int
    pixels : int
        How many it has.
    """

    y: int
    x: int
    class_id: int
    pixels: int


def strokes(annotation: NDArray[Any]) -> tuple[NDArray[np.int32], list[Stroke]]:
    """Find the strokes of an annotation.

    Paint that touches, corners too, is one stroke. What is longer than two blocks of 64 pixels,
    such as the membranes of a plane that is painted all over, counts block by block.

    Parameters
    ----------
    annotation : ndarray, shape (Y, X)
        Class ids, 0 unlabelled.

    Returns
    -------
    numbers : ndarray, shape (Y, X), int32
        Stroke of each pixel, from 1; 0 where nothing is painted.
    found : list of Stroke
        Stroke 1 first.
    """
    numbers = np.zeros(annotation.shape, np.int32)
    found: list[Stroke] = []
    for class_id in np.unique(annotation[annotation > 0]).tolist():
        pieces, _ = ndi.label(annotation == class_id, _TOUCHING)
        for piece, box in enumerate(ndi.find_objects(pieces), 1):
            for ys, xs in _blocks(*np.nonzero(pieces[box] == piece)):
                ys, xs = ys + box[0].start, xs + box[1].start
                middle = int(((ys - ys.mean()) ** 2 + (xs - xs.mean()) ** 2).argmin())
                found.append(Stroke(int(ys[middle]), int(xs[middle]), class_id, len(ys)))
                numbers[ys, xs] = len(found)
    return numbers, found


def _blocks(
    ys: NDArray[np.intp], xs: NDArray[np.intp]
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Cut a piece into blocks if it is large."""
    if max(np.ptp(ys), np.ptp(xs)) < 2 * _BLOCK:
        return [(ys, xs)]
    block = ys // _BLOCK * (int(xs.max()) // _BLOCK + 1) + xs // _BLOCK
    return [(ys[block == one], xs[block == one]) for one in np.unique(block)]
