"""Cut a membrane map into small pieces that no cell border crosses.

A piece grows from each deepest place between membranes (a maximum of the smoothed distance to
them) until it meets the others. There are more pieces than cells, on purpose: a wrong border
between two pieces can be taken away later, a missing one cannot be made up.

Everything here depends only on the pixels nearby, and is rounded to whole steps before it decides
anything. So a tile with enough around it gives the very pieces of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_infoleak.instances.engine import Engine

LEVELS: Final = 4095
"""Steps between a probability of 0 and of 1."""

REACH: Final = 32.0
"""Distance to a membrane, in finest pixel steps, beyond which a place counts as equally deep."""

_DEPTHS: Final = 64
"""Steps of depth within the finest pixel step."""

_RELIEF: Final = 0.1
"""How much lower the deepest place lies than the shallowest, in units of probability.

Without it a flat map would be divided half-way between the deepest places instead of at the
narrowest place between them, where a membrane is broken."""


@dataclass(frozen=True)
class Grain:
    """How fine a membrane map is looked at.

    Attributes
    ----------
    step : tuple of float
        Distance of pixels along each axis, in units of the finest.
    threshold : float
        From this probability on, 0 to 1, a pixel is membrane.
    min_size : int
        A spot of fewer pixels between membranes is noise within a membrane, not a cell.
    smooth : float
        Width of the Gaussian laid over the map, in finest pixel steps.
    """

    step: tuple[float, ...]
    threshold: float
    min_size: int
    smooth: float = 1.0

    @property
    def sigma(self) -> tuple[float, ...]:
        """Width of the Gaussian in pixels along each axis."""
        return tuple(self.smooth / one for one in self.step)

    @property
    def halo(self) -> tuple[int, ...]:
        """Pixels around a tile that a piece's seed can depend on, along each axis.

        The distance to a membrane, one Gaussian before it and one after it, and a spot of noise
        of the largest size, if it is as long as it can be for its size.
        """
        reach = REACH + 6 * self.smooth + 2 * np.sqrt(self.min_size)
        return tuple(int(np.ceil(reach / one)) + 2 for one in self.step)


@dataclass(frozen=True, eq=False)
class Fragments:
    """Pieces of a membrane map.

    Attributes
    ----------
    labels : ndarray of uint32
        Piece of each pixel, membranes divided among them; 0 everywhere if there is no interior.
    level : ndarray of float32, the same shape
        The smoothed map in whole steps, 0 to `LEVELS`.
    interior : ndarray of bool, the same shape
        Pixels that are no membrane.
    """

    labels: NDArray[np.uint32]
    level: NDArray[np.float32]
    interior: NDArray[np.bool_]


def fragments(membrane: NDArray[np.float32], grain: Grain, engine: Engine) -> Fragments:
    """Cut a membrane map into pieces.

    Parameters
    ----------
    membrane : ndarray of float32, shape (Y, X) or (Z, Y, X)
        Probability of being membrane, 0 to 1.
    grain : Grain
        How fine to look.
    engine : Engine
        Who does the costly steps.

    Returns
    -------
    Fragments
    """
    level = levels(membrane, grain, engine)
    interior = _without_spots(level < grain.threshold * LEVELS, grain.min_size, engine)
    if not interior.any():
        return Fragments(np.zeros(level.shape, np.uint32), level, interior)
    depth = _depth(interior, grain, engine)
    seeds = engine.number(_peaks(depth) & interior, diagonal=True)
    relief = np.float32(_RELIEF * LEVELS / (REACH * _DEPTHS))
    height = np.rint(level + relief * (REACH * _DEPTHS - depth))
    return Fragments(engine.flood(height, seeds), level, interior)


def levels(membrane: NDArray[np.float32], grain: Grain, engine: Engine) -> NDArray[np.float32]:
    """Smooth a membrane map and round it to whole steps.

    Parameters
    ----------
    membrane : ndarray of float32, shape (Y, X) or (Z, Y, X)
        Probability of being membrane, 0 to 1.
    grain : Grain
        How fine to look.
    engine : Engine
        Who smooths.

    Returns
    -------
    ndarray of float32, the same shape
        Whole numbers, 0 to `LEVELS`.
    """
    smoothed = engine.smooth(membrane, grain.sigma)
    rounded: NDArray[np.float32] = np.rint(np.clip(smoothed, 0, 1) * np.float32(LEVELS))
    return rounded


def _without_spots(interior: NDArray[np.bool_], min_size: int, engine: Engine) -> NDArray[np.bool_]:
    """Take spots of too few pixels away."""
    numbered = engine.number(interior)
    kept = np.bincount(numbered.ravel()) >= min_size
    kept[0] = False
    large: NDArray[np.bool_] = kept[numbered]
    return large


def _depth(interior: NDArray[np.bool_], grain: Grain, engine: Engine) -> NDArray[np.float32]:
    """Smoothed distance to the nearest membrane in whole steps, the same beyond `REACH`."""
    if interior.all():
        return np.full(interior.shape, np.float32(REACH * _DEPTHS))
    far = np.minimum(engine.distance(interior, grain.step), np.float32(REACH))
    depth: NDArray[np.float32] = np.rint(engine.smooth(far, grain.sigma) * np.float32(_DEPTHS))
    return depth


def _peaks(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels that no neighbour tops."""
    from scipy.ndimage import maximum_filter

    tops: NDArray[np.bool_] = depth == maximum_filter(depth, 3)
    return tops
