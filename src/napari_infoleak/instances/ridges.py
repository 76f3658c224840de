"""Thin lines in a picture: how wide they are, and where one runs beside a stroke.

A line is found by the second derivative across it, after a Gaussian of its own width (Lindeberg,
Edge detection and ridge detection with automatic scale selection, 1998,
doi:10.1023/A:1008097225773).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_infoleak.instances.curves import cheapest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_infoleak.instances.curves import Points

    Plane = NDArray[np.floating[Any]]

_SIGMAS: Final = (1.0, 1.4, 2.0, 2.8, 4.0, 5.6)
_FULL_WIDTH: Final = 2.35
"""Full width at half height of a Gaussian, in units of its sigma."""

LOOK_AT: Final = 256
"""Pixels on a side of the middle of a plane that are looked at."""

_CLEAR: Final = 95
"""Per cent of pixels that are no clear line."""

_APART: Final = 24
"""Pixels of a stroke between two places that are moved onto the line for themselves."""

_FAINT: Final = 0.03
"""What no line at all counts as, beside the clearest one of 1."""


def line_width(plane: Plane) -> float:
    """Return how wide the lines of a plane are, in pixels.

    Parameters
    ----------
    plane : ndarray of float, shape (Y, X)
        A picture with dark or bright lines; its middle is looked at.

    Returns
    -------
    float
        Full width at half height of the clearest lines, about 2 to 13.
    """
    y, x = (max((n - LOOK_AT) // 2, 0) for n in plane.shape)
    part = np.nan_to_num(np.asarray(plane[y : y + LOOK_AT, x : x + LOOK_AT], np.float32))
    strength = []
    for sigma in _SIGMAS:
        dark, bright = ridges(part, sigma)
        # Scaled so that a line answers most to a Gaussian as wide as itself.
        strength.append(sigma**1.5 * max(float(np.percentile(r, _CLEAR)) for r in (dark, bright)))
    return _FULL_WIDTH * _SIGMAS[int(np.argmax(strength))]


def ridges(plane: Plane, sigma: float) -> tuple[Plane, Plane]:
    """Return how much every pixel looks like a dark line, and like a bright one.

    Parameters
    ----------
    plane : ndarray of float, shape (Y, X)
        A picture.
    sigma : float
        Width of the Gaussian in pixels.

    Returns
    -------
    dark, bright : ndarray of float, the same shape
        The second derivative across the line, 0 where it curves the other way.
    """
    from scipy.ndimage import gaussian_filter

    yy, xx, xy = (
        gaussian_filter(plane, sigma, order, mode="nearest", truncate=3.0)
        for order in ((2, 0), (0, 2), (1, 1))
    )
    middle = (yy + xx) / 2
    half = np.sqrt(((yy - xx) / 2) ** 2 + xy**2)
    return np.maximum(middle + half, 0), np.maximum(half - middle, 0)


def along_ridge(plane: Plane, line: Points, reach: int, width: float) -> Points:
    """Move a stroke onto the line that runs beside it.

    Parameters
    ----------
    plane : ndarray of float, shape (Y, X)
        A picture; only what lies around the stroke is looked at.
    line : ndarray of int, shape (pixels, 2)
        The stroke, without a gap.
    reach : int
        Pixels by which it may be moved.
    width : float
        About how wide the line is, in pixels.

    Returns
    -------
    ndarray of int, shape (pixels, 2)
        The line, dark or bright, whichever is clearer under the stroke; no further from the
        stroke than `reach`, and following it all along.
    """
    margin = reach + int(np.ceil(2 * width)) + 1
    low = np.maximum(line.min(0) - margin, 0)
    high = np.minimum(line.max(0) + margin + 1, plane.shape)
    part = np.nan_to_num(np.asarray(plane[low[0] : high[0], low[1] : high[1]], np.float32))
    way = line - low
    near = _near(part.shape, way, reach)
    looks = [ridge * near for ridge in ridges(part, max(width / _FULL_WIDTH, 0.8))]
    look = max(looks, key=lambda ridge: float(np.percentile(ridge[near], _CLEAR)))
    cost = np.where(near, 1 / (_FAINT + look / max(float(look.max()), 1e-12)), np.inf)
    stops = np.unique(np.linspace(0, len(way) - 1, max(2, round(len(way) / _APART) + 1)).round())
    places = [_best(look, way[int(stop)], reach) for stop in stops]
    if len(places) < 2:
        only: Points = np.array(places) + low
        return only
    parts = [
        _beside(cost, way[int(a) : int(b) + 1], start, end, reach)
        for (a, b), (start, end) in zip(pairwise(stops), pairwise(places), strict=True)
    ]
    path: Points = np.concatenate(parts) + low
    return path


def _beside(cost: Plane, way: Points, start: Points, end: Points, reach: int) -> Points:
    """Return the cheapest way between two places that keeps beside a part of the stroke."""
    low = np.maximum(way.min(0) - reach, 0)
    part = cost[tuple(slice(a, b + reach + 1) for a, b in zip(low, way.max(0), strict=True))]
    near = np.where(_near(part.shape, way - low, reach), part, np.inf)
    path: Points = cheapest(near, (start - low).tolist(), (end - low).tolist()) + low
    return path


def _near(shape: tuple[int, ...], way: Points, reach: int) -> NDArray[np.bool_]:
    from scipy.ndimage import distance_transform_edt

    open_ = np.ones(shape, bool)
    open_[tuple(way.T)] = False
    near: NDArray[np.bool_] = distance_transform_edt(open_) <= reach
    return near


def _best(look: Plane, place: Points, reach: int) -> Points:
    """Return the clearest pixel of the line around a place, the nearer the better."""
    low = np.maximum(place - reach, 0)
    part = look[low[0] : place[0] + reach + 1, low[1] : place[1] + reach + 1]
    spots = np.moveaxis(np.indices(part.shape), 0, -1) + low
    far = np.linalg.norm(spots - place, axis=-1)
    worth = np.where(far <= reach, part * (1 - 0.5 * far / (reach + 1)), -1)
    best: Points = spots.reshape(-1, 2)[int(worth.argmax())]
    return best
