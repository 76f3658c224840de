"""Bring one plane to a common range of grey values, whatever the microscope wrote."""

from __future__ import annotations

import numpy as np

_SAMPLES = 512  # grid points a side that the statistics look at, up to twice as many
_ROWS = 1024  # rows that are scaled at a time, for in double precision they take much memory
_LIMIT = 5.0  # saturated specks beyond this many spreads say nothing more


def normalise(plane: np.ndarray) -> np.ndarray:
    """Shift and scale a plane by its own robust statistics.

    The median becomes 0 and half the distance between the 2nd and the 98th percentile becomes 2,
    so that the bulk of any image, 8-bit or 32-bit, dim or bright, lies within -2 to 2. The
    statistics are of the whole plane: tiles of it must be cut afterwards, not before.

    Parameters
    ----------
    plane : ndarray, shape (Y, X)
        Grey values of any numeric type. Values that are not finite are read as the median.

    Returns
    -------
    ndarray, shape (Y, X), float32
        Values within -5 to 5. A constant plane becomes 0 everywhere.
    """
    values = np.asarray(plane)
    scaled = np.zeros(values.shape, np.float32)
    step_y = max(1, values.shape[0] // _SAMPLES)
    step_x = max(1, values.shape[1] // _SAMPLES)
    sample = values[::step_y, ::step_x].astype(np.float64)
    finite = sample[np.isfinite(sample)]
    if finite.size == 0:
        return scaled
    low, middle, high = np.percentile(finite, [2, 50, 98])
    spread = (high - low) / 4
    if spread <= 0:  # most of the plane has one value: a sparse picture, judge it by its deviation
        spread = float(finite.std()) or 1.0
    if not np.isfinite(spread):
        return scaled
    for top in range(0, len(values), _ROWS):
        rows = values[top : top + _ROWS].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            part = np.where(np.isfinite(rows), (rows - middle) / spread, 0.0)
        scaled[top : top + _ROWS] = np.clip(part, -_LIMIT, _LIMIT)
    return scaled
