"""From a membrane map to cells, however the borders between pieces are judged.

Pieces -> borders between pieces -> some borders taken away -> crumbs absorbed -> membranes cut out
again. Only the pieces need pixels and neighbourhoods, so a large image is cut into pieces tile by
tile; the borders of all tiles are judged together, and cells may be larger than any tile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.instances.clean import absorb_small, fill_holes, renumber
from napari_infoleak.instances.engine import Engine, default_engine
from napari_infoleak.instances.fragments import LEVELS, Grain, fragments, levels
from napari_infoleak.instances.graph import Borders, in_order
from napari_infoleak.instances.stitch import Stitcher, Tile, tiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Ids = NDArray[np.uint32]

FLAT: Final = 4.0
"""Planes further apart than so many pixels are divided one by one."""

MIN_SIZE: Final = {2: 50, 3: 250}
"""Fewest pixels of a cell, by the dimensions it is made in."""

_BIG: Final = 1 << 25
"""Pixels from which on an image is cut into tiles (some 30 bytes a pixel are needed at a time)."""

_TILE: Final = {2: (2048, 2048), 3: (128, 512, 512)}
_OVERLAP: Final = {2: 64, 3: 24}


class Join(Protocol):
    """Decides which pieces are one cell."""

    def __call__(self, borders: Borders, engine: Engine) -> NDArray[np.integer[Any]]:
        """Return a group for each piece; heights of borders are probabilities, 0 to 1."""


@dataclass(frozen=True)
class Plan:
    """All that is decided before the first pixel is read.

    Attributes
    ----------
    dims : int
        2 to divide each plane by itself, 3 to divide the volume.
    grain : Grain
        How fine to look at the membranes.
    keep_membrane : bool
        Whether membrane pixels stay 0.
    tile : tuple of int or None
        Size of tiles, None to work in one piece.
    """

    dims: int
    grain: Grain
    keep_membrane: bool
    tile: tuple[int, ...] | None

    @property
    def overlap(self) -> tuple[int, ...]:
        """Pixels by which tiles reach beyond their share."""
        reach = zip(self.grain.halo, self.grain.step, strict=True)
        return tuple(halo + int(np.ceil(_OVERLAP[self.dims] / step)) for halo, step in reach)


def plan(
    shape: Sequence[int],
    *,
    spacing: Sequence[float] | None,
    dims: int | None,
    threshold: float,
    min_size: int | None,
    keep_membrane: bool,
    tile: int | Sequence[int] | None,
) -> Plan:
    """Check the settings and fill in what is left open.

    Parameters
    ----------
    shape : sequence of int
        (Y, X) or (Z, Y, X).
    spacing, dims, threshold, min_size, keep_membrane, tile
        As for `watershed.cells`.

    Returns
    -------
    Plan

    Raises
    ------
    BadInput
        If a setting cannot be, with what it should be.
    """
    if len(shape) not in (2, 3) or 0 in shape:
        raise BadInput(
            f"membranes of shape {tuple(shape)}: expected a plane (Y, X) or a stack (Z, Y, X)"
        )
    steps = _spacing(spacing, len(shape))
    chosen = _dims(dims, shape, steps)
    if not 0 < threshold < 1:
        raise BadInput(f"threshold {threshold} is not between 0 and 1: use 0.5 if in doubt")
    least = MIN_SIZE[chosen] if min_size is None else min_size
    if least < 0:
        raise BadInput(f"min_size {least} is below 0: give the fewest pixels of a cell")
    known = (steps or (1.0,) * len(shape))[-chosen:]
    grain = Grain(tuple(one / min(known) for one in known), float(threshold), max(int(least), 1))
    return Plan(chosen, grain, bool(keep_membrane), _tile(tile, shape[-chosen:]))


def divide(
    membrane: Any,
    plan: Plan,
    join: Join,
    *,
    engine: Engine | None = None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Ids:
    """Divide a membrane map into cells.

    Parameters
    ----------
    membrane : array of float or bool, shape (Y, X) or (Z, Y, X)
        Probability of being membrane, 0 to 1; any array that can be sliced, read piece by piece.
    plan : Plan
        What was decided.
    join : Join
        Judges the borders.
    engine : Engine, optional
        Who does the costly steps; the fast one if it is installed.
    progress, cancel
        Told of each plane or tile; asked at each.

    Returns
    -------
    ndarray of uint32, the same shape
        Cell ids from 1 on without a gap, 0 between cells.

    Raises
    ------
    BadInput
        If a value is no probability.
    """
    engine = engine or default_engine()
    if len(membrane.shape) == plan.dims:
        return _divide_one(membrane, plan, join, engine, progress, cancel)
    cells = np.zeros(membrane.shape, np.uint32)
    highest = 0
    for z in range(len(cells)):
        cancel.check()
        progress(z, len(cells), "cells")
        found = _divide_one(membrane[z], plan, join, engine, NULL, cancel)
        cells[z] = np.where(found > 0, found + np.uint32(highest), 0)
        highest += int(found.max())
    progress(len(cells), len(cells), "cells")
    return cells


def _divide_one(
    membrane: Any, plan: Plan, join: Join, engine: Engine, progress: Progress, cancel: CancelToken
) -> Ids:
    if plan.tile is not None:
        return _divide_tiled(membrane, plan, join, engine, progress, cancel)
    progress(0, 1, "cells")
    pieces = fragments(_values(membrane), plan.grain, engine)
    cancel.check()
    borders = engine.borders(pieces.labels, pieces.level)
    sizes = np.bincount(pieces.labels[pieces.interior], minlength=borders.count + 1)
    groups = _groups(borders, sizes, plan, join, engine)
    cancel.check()
    cells = groups[pieces.labels]
    if plan.keep_membrane:
        cells[fill_holes(cells, ~pieces.interior, engine)] = 0
    progress(1, 1, "cells")
    return renumber(cells)


def _divide_tiled(
    membrane: Any, plan: Plan, join: Join, engine: Engine, progress: Progress, cancel: CancelToken
) -> Ids:
    """Do the same tile by tile; only the graph of all borders is dealt with at once."""
    shape = membrane.shape
    parts = tiles(shape, plan.tile or shape, plan.overlap)
    cells, interior = np.zeros(shape, np.uint32), np.zeros(shape, bool)
    steps = _Steps(3 * len(parts), progress, cancel)
    stitcher = Stitcher(cells)
    for tile in parts:
        steps.next()
        pieces = fragments(_values(membrane[tile.outer]), plan.grain, engine)
        stitcher.add(tile, pieces.labels)
        interior[tile.inner] = pieces.interior[tile.crop]
    joined = stitcher.groups()
    for tile in parts:
        cells[tile.inner] = joined[cells[tile.inner]]
    count = int(joined.max())
    measured, sizes = [], np.zeros(count + 1, np.int64)
    for tile in parts:
        steps.next()
        measured.append(_borders_of(tile, membrane, cells, plan.grain, engine))
        inside = cells[tile.inner][interior[tile.inner]]
        sizes += np.bincount(inside, minlength=count + 1)
    groups = _groups(Borders.joined(count, measured), sizes, plan, join, engine)
    for tile in parts:
        cells[tile.inner] = groups[cells[tile.inner]]
    whole = cells.copy() if plan.keep_membrane else cells
    for tile in parts:
        steps.next()
        if plan.keep_membrane:
            between = fill_holes(whole[tile.outer], ~interior[tile.outer], engine)
            cells[tile.inner][between[tile.crop]] = 0
    steps.next()
    return renumber(cells)


def _borders_of(tile: Tile, membrane: Any, labels: Ids, grain: Grain, engine: Engine) -> Borders:
    """Measure the borders whose lower pixel lies in the inner box, so that each counts once."""
    margin = max(int(np.ceil(3 * sigma)) for sigma in grain.sigma) + 1
    wide, owned = tile.around(labels.shape, margin, margin + 1), tile.around(labels.shape, 0, 1)
    crop = Tile(wide, owned).crop
    level = levels(_values(membrane[wide]), grain, engine)[crop]
    return Borders.between(labels[owned], level, tuple(i.stop - i.start for i in tile.inner))


def _groups(
    borders: Borders, sizes: NDArray[np.int64], plan: Plan, join: Join, engine: Engine
) -> Ids:
    """Judge the borders, then give crumbs away."""
    scaled = replace(borders, sums=borders.sums / LEVELS)
    groups = in_order(join(scaled, engine))
    held = np.bincount(groups, sizes, int(groups.max()) + 1)
    return absorb_small(scaled.contracted(groups), held, plan.grain.min_size)[groups]


class _Steps:
    """Counts steps of long work, and looks whether to stop."""

    def __init__(self, total: int, progress: Progress, cancel: CancelToken) -> None:
        self._done, self._total = 0, total
        self._progress, self._cancel = progress, cancel

    def next(self) -> None:
        """Report the steps done so far; raise `Cancelled` if asked to stop."""
        self._cancel.check()
        self._progress(self._done, self._total, "cells")
        self._done += 1


def _values(membrane: Any) -> NDArray[np.float32]:
    """Read a part of the map and check that it holds probabilities."""
    values = np.ascontiguousarray(membrane)
    if values.dtype.kind not in "fb":
        raise BadInput(
            f"membranes of {values.dtype}: expected probabilities, 0 to 1, or a mask; "
            "class ids need to be told which id is membrane"
        )
    low, high = values.min(), values.max()
    if not (low >= -1e-3 and high <= 1 + 1e-3):  # also refuses NaN
        raise BadInput(f"membranes reach from {low:g} to {high:g}: expected probabilities, 0 to 1")
    return values.astype(np.float32, copy=False)


def _spacing(spacing: Sequence[float] | None, ndim: int) -> tuple[float, ...] | None:
    if spacing is None:
        return None
    steps = tuple(float(one) for one in np.ravel(spacing))
    if len(steps) != ndim or not all(np.isfinite(one) and one > 0 for one in steps):
        raise BadInput(
            f"spacing {steps} does not fit {ndim} axes: give one distance above 0 for each of "
            f"{'ZYX'[-ndim:]}, all in one unit"
        )
    return steps


def _dims(dims: int | None, shape: Sequence[int], spacing: tuple[float, ...] | None) -> int:
    if dims not in (None, 2, 3) or (dims == 3 and len(shape) == 2):
        raise BadInput(
            f"dims {dims} for membranes of shape {tuple(shape)}: use 2, or 3 for a stack"
        )
    if dims is not None:
        return dims
    if len(shape) == 2 or shape[0] == 1 or spacing is None:
        return 2
    return 3 if spacing[0] <= FLAT * min(spacing[1:]) else 2


def _tile(tile: int | Sequence[int] | None, shape: Sequence[int]) -> tuple[int, ...] | None:
    if tile is None:
        return _TILE[len(shape)] if np.prod(shape, dtype=float) > _BIG else None
    given = tuple(int(one) for one in np.ravel(tile))
    sizes = given * len(shape) if len(given) == 1 else given
    if len(sizes) != len(shape) or min(sizes) < 1:
        raise BadInput(
            f"tile {tile} does not fit {'ZYX'[-len(shape) :]}: give one size of at least 1 pixel, "
            "or one for each axis"
        )
    return None if all(s >= n for s, n in zip(sizes, shape, strict=True)) else sizes
