"""Strokes as pixels, and the cheapest way between two of them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Points = NDArray[np.int64]


def trace(stroke: ArrayLike, shape: Sequence[int]) -> Points:
    """Return the pixels that a stroke runs over, in its order and without a gap.

    Parameters
    ----------
    stroke : array, shape (points, axes)
        Places that it runs through, in pixels.
    shape : sequence of int
        Of the image; what lies beyond is left out.

    Returns
    -------
    ndarray of int64, shape (pixels, axes)
        Neighbouring pixels, diagonals counted; none twice in a row.

    Raises
    ------
    BadInput
        If the stroke is no list of places in the image.
    """
    points = np.asarray(stroke, float)
    if points.ndim != 2 or points.shape[1] != len(shape) or not np.isfinite(points).all():
        raise BadInput(
            f"a stroke of shape {points.shape}: expected one place a row with "
            f"{len(shape)} numbers each"
        )
    whole: Points = np.rint(points).astype(np.int64)
    if not len(whole):
        return whole
    parts = [whole[:1]]
    for a, b in pairwise(whole):
        steps = int(np.abs(b - a).max())
        share = np.arange(1, steps + 1)[:, None] / max(steps, 1)
        parts.append(np.rint(a + (b - a) * share).astype(np.int64))
    line = np.concatenate(parts)
    inside = ((line >= 0) & (line < np.asarray(shape))).all(1)
    within: Points = line[inside]
    return within


def cheapest(cost: NDArray[np.floating[Any]], start: Sequence[int], end: Sequence[int]) -> Points:
    """Return the cheapest way between two pixels.

    Parameters
    ----------
    cost : ndarray of float, shape (Y, X)
        What a pixel costs; above 0, infinity where there is no way.
    start, end : (int, int)
        Its ends.

    Returns
    -------
    ndarray of int64, shape (pixels, 2)
        From start to end, diagonals counted.
    """
    from skimage.graph import MCP_Geometric

    ways = MCP_Geometric(np.where(np.isfinite(cost), cost, -1))
    ways.find_costs([tuple(start)], [tuple(end)])
    return np.asarray(ways.traceback(tuple(end)), np.int64)


def straight_on(line: Points, inside: NDArray[np.bool_], longest: int) -> Points:
    """Go on at both ends of a line, straight, until it leaves a region.

    Parameters
    ----------
    line : ndarray of int, shape (pixels, 2)
        The line.
    inside : ndarray of bool, shape (Y, X)
        The region.
    longest : int
        Go on no further than so many pixels.

    Returns
    -------
    ndarray of int64, shape (pixels, 2)
        The line with what was added.
    """
    before = _beyond(line[::-1], inside, longest)[::-1]
    return np.concatenate([before, line, _beyond(line, inside, longest)])


def _beyond(line: Points, inside: NDArray[np.bool_], longest: int) -> Points:
    """Return the pixels beyond the end of a line, up to the first that is not inside."""
    way = line[-1] - line[max(len(line) - 8, 0)]
    length = float(np.hypot(*way))
    if not length:
        return line[:0]
    along = line[-1] + np.arange(1, longest + 1)[:, None] * way / length
    pixels: Points = np.rint(along).astype(np.int64)
    y, x = pixels.T
    there = (y >= 0) & (x >= 0) & (y < inside.shape[0]) & (x < inside.shape[1])
    there[there] = inside[y[there], x[there]]
    first_out = longest if there.all() else int(there.argmin())
    found: Points = pixels[:first_out]
    return found
