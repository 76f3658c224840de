"""Paint on a truth as a hurried person would: short strokes, well inside the structures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.morphology import skeletonize

Mask = NDArray[np.bool_]
_THIN = 8  # a class nowhere deeper than this many pixels is followed along its middle line


def paint(
    truth: NDArray[np.int64], strokes: int, rng: np.random.Generator, *, width: int, length: int
) -> NDArray[np.int64]:
    """Strokes on every class of a truth.

    Parameters
    ----------
    truth : ndarray, shape (Y, X)
        Class index from 0, -1 unknown.
    strokes : int
        Strokes a class.
    rng : Generator
    width, length : int
        Of a stroke, in pixels.

    Returns
    -------
    ndarray, shape (Y, X)
        Class index where painted, else -1.
    """
    out = np.full(truth.shape, -1, np.int64)
    for c in np.unique(truth[truth >= 0]):
        inside = truth == c
        thin = ndi.distance_transform_edt(inside).max() < _THIN
        track: Mask = skeletonize(inside) if thin else ndi.binary_erosion(inside, iterations=3)
        places = np.argwhere(track)
        if len(places) == 0:
            continue
        for _ in range(strokes):
            start = places[rng.integers(len(places))]
            follow = _along if thin else _across
            window, line = follow(track, start, length, rng)
            brush = ndi.binary_dilation(line, iterations=max(width // 2, 1)) if width > 1 else line
            out[window][brush & inside[window]] = c
    return out


def _along(
    track: Mask, start: NDArray[np.int64], length: int, rng: np.random.Generator
) -> tuple[tuple[slice, slice], Mask]:
    """The piece of a middle line around a place, about `length` pixels of it."""
    reach = max(2, length // 2)
    shift = rng.integers(-reach // 2, reach // 2 + 1, 2)
    window, (y, x) = _window(start + shift, start, reach + 2, track.shape)
    pieces, _ = ndi.label(track[window], structure=np.ones((3, 3)))
    return window, pieces == pieces[y, x]


def _across(
    track: Mask, start: NDArray[np.int64], length: int, rng: np.random.Generator
) -> tuple[tuple[slice, slice], Mask]:
    """A bent line through a place, as far as it stays inside."""
    window, (y, x) = _window(start, start, length + 2, track.shape)
    t = np.arange(length) * 0.999
    angle = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.02) * t
    ys, xs = y + np.cumsum(np.sin(angle)), x + np.cumsum(np.cos(angle))
    yi, xi = np.rint(ys).astype(int), np.rint(xs).astype(int)
    view = track[window]
    good = (yi >= 0) & (yi < view.shape[0]) & (xi >= 0) & (xi < view.shape[1])
    good[good] = view[yi[good], xi[good]]
    stop = len(good) if good.all() else int(np.argmin(good))
    line = np.zeros(view.shape, bool)
    line[yi[:stop], xi[:stop]] = True
    line[y, x] = True
    return window, line


def _window(
    centre: NDArray[np.int64], start: NDArray[np.int64], reach: int, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[int, int]]:
    low = np.maximum(np.minimum(centre - reach, start), 0)
    high = np.minimum(np.maximum(centre + reach, start) + 1, shape)
    window = (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])))
    return window, (int(start[0] - low[0]), int(start[1] - low[1]))
