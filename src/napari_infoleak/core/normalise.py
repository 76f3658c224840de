"""Bring one plane to a common range of grey values, whatever the microscope wrote."""

from __future__ import annotations

import numpy as np

_SAMPLES = (
    512  # grid points a side that the statistics look at; a plane of 8000 x 8000 costs no more
)
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
    values = np.asarray(plane, dtype=np.float64)
    step_y = max(1, values.shape[0] // _SAMPLES)
    step_x = max(1, values.shape[1] // _SAMPLES)
    sample = values[::step_y, ::step_x]
    finite = sample[np.isfinite(sample)]
    if finite.size == 0:
        return np.zeros(values.shape, np.float32)
    low, middle, high = np.percentile(finite, [2, 50, 98])
    spread = (high - low) / 4
    if spread <= 0:  # most of the plane has one value: a sparse picture, judge it by its deviation
        spread = float(finite.std()) or 1.0
    if not np.isfinite(spread):
        return np.zeros(values.shape, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (values - middle) / spread
    scaled = np.where(np.isfinite(values), scaled, 0.0)
    return np.clip(scaled, -_LIMIT, _LIMIT).astype(np.float32)
