"""Length of outlines and area of surfaces of all cells at once, by the Cauchy-Crofton formula.

Counting pixel faces overrates a slanted outline by up to 41 %. Instead, parallel lines are laid
over the image in all directions to a neighbouring pixel, and their crossings of each cell's
outline are counted; the mean over directions gives the length, also where pixels are no squares.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def outlines(cells: NDArray[np.integer], step: Sequence[float]) -> NDArray[np.float64]:
    """Measure the perimeter (planes) or the surface (volumes) of every cell.

    Parameters
    ----------
    cells : ndarray of uint32, shape (Y, X) or (Z, Y, X)
        Cell ids; 0 between cells.
    step : sequence of float
        Distance of pixels along each axis.

    Returns
    -------
    ndarray of float64, shape (highest id + 1,)
        Length or area in the unit of `step`; the edge of the image counts as outline.
    """
    count = int(cells.max(initial=0)) + 1
    padded = np.pad(cells, 1)
    total = np.zeros(count)
    for direction, weight in _directions(tuple(float(one) for one in step)):
        a, b = _facing(padded, direction)
        crossed = a != b
        ends = np.concatenate([a[crossed], b[crossed]])
        total += weight * np.bincount(ends, minlength=count)
    total[0] = 0
    return total


@lru_cache(maxsize=16)
def _directions(step: tuple[float, ...]) -> tuple[tuple[tuple[int, ...], float], ...]:
    """Half of the directions to the neighbours, each with what one crossing counts.

    A crossing stands for the share of all directions that are nearest to its own, and for the
    area of the image (volume) that one line takes up.
    """
    ndim = len(step)
    near = np.array([d for d in product((-1, 0, 1), repeat=ndim) if any(d)])
    vectors = near * np.array(step)
    lengths = np.linalg.norm(vectors, axis=1)
    share = _shares(vectors / lengths[:, None])
    # Mean width times pi is a perimeter, mean shadow times 4 a surface (Cauchy); a cell's width
    # or shadow is half of its crossings times the room between lines.
    whole = {2: np.pi, 3: 4.0}[ndim] / 2
    weights = 2 * share * whole * np.prod(step) / lengths
    half = [i for i, d in enumerate(near.tolist()) if d > [0] * ndim]
    return tuple((tuple(near[i].tolist()), float(weights[i])) for i in half)


def _shares(units: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the circle or sphere that is nearest to each unit vector."""
    if units.shape[1] == 2:
        angle = np.arctan2(units[:, 0], units[:, 1])
        order = np.argsort(angle)
        gaps = np.diff(angle[order], append=angle[order[0]] + 2 * np.pi)
        share = np.empty(len(units))
        share[order] = (gaps + np.roll(gaps, 1)) / (4 * np.pi)
        return share
    from scipy.spatial import SphericalVoronoi

    areas: NDArray[np.float64] = SphericalVoronoi(units).calculate_areas()
    share_of_all: NDArray[np.float64] = areas / areas.sum()
    return share_of_all


def _facing(
    padded: NDArray[np.integer], direction: Sequence[int]
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Every pixel and its neighbour in a direction."""
    low = tuple(
        slice(max(-d, 0), n - max(d, 0)) for d, n in zip(direction, padded.shape, strict=True)
    )
    high = tuple(
        slice(max(d, 0), n - max(-d, 0)) for d, n in zip(direction, padded.shape, strict=True)
    )
    return padded[low], padded[high]
