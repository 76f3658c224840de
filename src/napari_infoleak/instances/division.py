"""Divide a cell by hand: by a stroke across it, by two seeds, or by closing a gap in a membrane.

Frames are (Z, Y, X), a plane has one Z. A stroke lies in one plane; a cell that goes on in others
is divided there too, below and above the stroke and along whatever membrane there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.instances.changes import Change
from napari_infoleak.instances.curves import cheapest, straight_on, trace
from napari_infoleak.instances.engine import default_engine
from napari_infoleak.instances.fragments import LEVELS
from napari_infoleak.instances.pick import box_of, check_number, in_plane, touched

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import ArrayLike, NDArray

    from napari_infoleak.instances.changes import Ids
    from napari_infoleak.instances.curves import Points

BAND: Final = 3
"""Pixels by which a membrane beside a stroke may move the new border."""

_SLIVER: Final = 10
"""Pixels that a part must have to be a cell of its own."""

_FALL: Final = 6.0
"""Distance from a stroke, in pixels, at which it counts half for the border."""

_REACH: Final = 4
"""Pixels around the end of a stroke in which the end of a membrane is looked for."""

_FAINT: Final = 0.05
"""What crossing no membrane at all counts as, beside a probability of 1."""

_BEYOND: Final = np.float32(65535)


@dataclass(frozen=True, eq=False)
class Division:
    """A cell and its parts.

    Attributes
    ----------
    cell : int
        The cell that was divided; its largest part keeps the number.
    parts : tuple of int
        Numbers of all parts, `cell` among them.
    change : Change
        What changes in the frame.
    """

    cell: int
    parts: tuple[int, ...]
    change: Change


def split(
    cells: Ids,
    stroke: ArrayLike,
    *,
    membrane: Any = None,
    finished: Collection[int] = (),
    first: int | None = None,
) -> Division:
    """Divide a cell along a stroke across it.

    The stroke need not reach the edges of the cell: it goes on straight for at most its own
    length. The border lies on the membrane where one runs within three pixels of the stroke.

    Parameters
    ----------
    cells : ndarray of uint, shape (Z, Y, X)
        Cell ids; not changed.
    stroke : array, shape (points, 3)
        Places in one plane, in pixels.
    membrane : array of float, shape (Z, Y, X), optional
        Probability of being membrane; any array that can be sliced.
    finished : collection of int
        Cells that must not change.
    first : int, optional
        First number for new cells; by default the next free one.

    Returns
    -------
    Division

    Raises
    ------
    BadInput
        If the stroke crosses no cell, or does not cut one in two.
    """
    line = trace(stroke, cells.shape)
    cell = _crossed(cells, line, finished)
    box = box_of(cells, [cell])
    mask, z, way = cells[box] == cell, int(line[0, 0]) - box[0].start, in_plane(line, box)
    sides = _sides(mask[z], way)
    if sides is None:
        sides = _sides(mask[z], straight_on(way, mask[z], len(way)))
    if sides is None:
        raise BadInput(
            f"the stroke does not cut cell {cell} in two: draw it from one edge of the cell to "
            f"the other"
        )
    seeds = np.zeros(mask.shape, np.uint32)
    seeds[z] = _kept_off(sides, way) if membrane is not None or len(mask) > 1 else sides
    return _grown(cells, box, mask, seeds, _relief(mask, way, membrane, box), cell, first)


def split_by_seeds(
    cells: Ids,
    one: ArrayLike,
    other: ArrayLike,
    *,
    membrane: Any = None,
    finished: Collection[int] = (),
    first: int | None = None,
) -> Division:
    """Divide a cell between two strokes, where the membrane is, or where the cell is narrow.

    Parameters
    ----------
    cells : ndarray of uint32, shape (Z, Y, X)
        As for `split`.
    one, other : array, shape (points, 3)
        A stroke in each part, in any planes.
    membrane, finished, first
        As for `split`.

    Returns
    -------
    Division

    Raises
    ------
    BadInput
        If the strokes do not lie in the same cell.
    """
    lines = [trace(stroke, cells.shape) for stroke in (one, other)]
    cell = _crossed(cells, lines[0], finished)
    box = box_of(cells, [cell], margin=1)
    mask = cells[box] == cell
    seeds = np.zeros(mask.shape, np.uint32)
    corner = np.array([side.start for side in box])
    for number, line in enumerate(lines, 1):
        inside = line[cells[tuple(line.T)] == cell] - corner
        if not len(inside):
            raise BadInput(
                f"the second seed does not lie in cell {cell}, where the first is: paint both "
                f"in the cell that is to be split"
            )
        seeds[tuple(inside.T)] = number
    if len(np.unique(seeds[seeds > 0])) < 2:
        raise BadInput("both seeds are at the same place: paint one in each part of the cell")
    height = 1 - _depth(mask)
    if membrane is not None:
        height = 0.3 * height + 0.7 * _probability(membrane, box)
    return _grown(cells, box, mask, seeds, height, cell, first)


def close_gap(
    cells: Ids,
    stroke: ArrayLike,
    *,
    membrane: Any = None,
    finished: Collection[int] = (),
    first: int | None = None,
) -> Division:
    """Close a gap in a membrane, along the cheapest way between the ends of a stroke.

    Each end is moved onto the membrane beside it. The way becomes membrane, and a cell that falls
    apart there is divided; where another gap still holds it together, it is not yet.

    Parameters
    ----------
    cells, stroke, membrane, finished, first
        As for `split`.

    Returns
    -------
    Division

    Raises
    ------
    BadInput
        If there is nothing to close between the ends.
    """
    line = trace(stroke, cells.shape)
    if len(line) < 2:
        raise BadInput("a gap has two sides: draw a short stroke from one to the other")
    z = int(line[0, 0])
    path = _across(line[:, 1:], cells.shape[1:], membrane, z)
    ids = cells[z][tuple(path.T)]
    free = (ids > 0) & ~np.isin(ids, list(finished))
    if not free.any():
        raise BadInput("there is no cell between the ends of the stroke: no gap to close")
    values, counts = np.unique(ids[free], return_counts=True)
    cell = int(values[counts.argmax()])
    box = box_of(cells, [cell])
    mask, way = cells[box] == cell, path - [box[1].start, box[2].start]
    here = z - box[0].start
    sides = _sides(mask[here], way)
    if sides is None:
        part = cells[box].copy()
        _wall(part[here], way, cell)
        return Division(cell, (cell,), Change.to(cells, box, part))
    seeds = np.zeros(mask.shape, np.uint32)
    seeds[here] = sides
    relief = _relief(mask, way, membrane, box)
    return _grown(cells, box, mask, seeds, relief, cell, first, wall=(here, way))


# ------------------------------------------------------------------------------------ steps


def _crossed(cells: Ids, line: Points, finished: Collection[int]) -> int:
    """Return the cell that a stroke runs through most, unless it is finished."""
    found = touched(cells, line)
    free = [cell for cell in found if cell not in finished]
    if free:
        return max(free, key=lambda cell: found[cell])
    if found:
        cell = max(found, key=lambda one: found[one])
        raise BadInput(f"cell {cell} is finished: take that back first to change it")
    raise BadInput("the stroke lies in no cell: draw it across the cell that is to be split")


def _sides(mask: NDArray[np.bool_], way: Points) -> Ids | None:
    """Number the parts of a region on both sides of a line; None if it has one side only."""
    from scipy.ndimage import binary_dilation

    rest = mask.copy()
    there = ((way >= 0) & (way < mask.shape)).all(1)
    curve = np.zeros(mask.shape, bool)
    curve[tuple(way[there].T)] = True
    rest &= ~curve
    parts = default_engine().number(rest)
    beside = np.unique(parts[binary_dilation(curve, np.ones((3, 3), bool))])
    sizes = np.bincount(parts.ravel())
    large = [int(one) for one in beside if one and sizes[one] >= _SLIVER]
    if len(large) < 2:
        return None
    numbers = np.zeros(len(sizes), np.uint32)
    numbers[large] = np.arange(1, len(large) + 1)
    sides: Ids = numbers[parts]
    return sides


def _depth(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance to the outside of a region, 1 where it is deepest; the edge is no outside."""
    if mask.all():
        return np.ones(mask.shape, np.float32)
    far = default_engine().distance(mask, (1.0,) * mask.ndim)
    depth: NDArray[np.float32] = far / max(float(far.max()), 1.0)
    return depth


def _kept_off(sides: Ids, way: Points) -> Ids:
    """Leave the pixels beside a line open, but enough of each of its sides."""
    off = np.where(_distance(sides.shape, way) > BAND, sides, 0)
    left = np.bincount(off.ravel(), minlength=int(sides.max()) + 1)
    return np.where(left[sides] < _SLIVER, sides, off)


def _distance(shape: tuple[int, ...], way: Points) -> NDArray[np.float32]:
    """Distance of each pixel of a plane to a line."""
    open_ = np.ones(shape, bool)
    there = ((way >= 0) & (way < shape)).all(1)
    open_[tuple(way[there].T)] = False
    return default_engine().distance(open_, (1.0, 1.0))


def _relief(
    mask: NDArray[np.bool_], way: Points, membrane: Any, box: tuple[slice, ...]
) -> NDArray[np.floating[Any]]:
    """Return what lies between two sides: membrane, and the stroke as a curtain through all."""
    far = _distance(mask.shape[1:], way)
    curtain = np.broadcast_to(1 / (1 + far / _FALL), mask.shape)
    return curtain if membrane is None else 0.5 * curtain + 0.5 * _probability(membrane, box)


def _grown(
    cells: Ids,
    box: tuple[slice, ...],
    mask: NDArray[np.bool_],
    seeds: Ids,
    height: NDArray[np.floating[Any]],
    cell: int,
    first: int | None,
    wall: tuple[int, Points] | None = None,
) -> Division:
    """Grow seeds over a cell, the low ground first; the largest part keeps the number."""
    ground = np.rint(np.clip(height, 0, 1) * LEVELS).astype(np.float32)
    ground[~mask] = _BEYOND
    seeds = np.where(mask, seeds, 0).astype(np.uint32)
    parts = default_engine().flood(np.ascontiguousarray(ground), seeds)
    parts[~mask] = 0
    order = np.argsort(-np.bincount(parts.ravel())[1:], kind="stable") + 1
    next_free = (int(cells.max()) + 1) if first is None else first
    check_number(cells, next_free + len(order) - 2)
    names = np.zeros(len(order) + 1, cells.dtype)
    names[order] = [cell, *range(next_free, next_free + len(order) - 1)]
    wanted = np.where(mask, names[parts], cells[box])
    if wall is not None:
        _wall(wanted[wall[0]], wall[1], *names[1:].tolist())
    return Division(cell, tuple(names[order].tolist()), Change.to(cells, box, wanted))


def _wall(plane: Ids, way: Points, *ids: int) -> None:
    """Draw a membrane through the cells of these ids."""
    y, x = way[((way >= 0) & (way < plane.shape)).all(1)].T
    cut = np.isin(plane[y, x], ids)
    plane[y[cut], x[cut]] = 0


def _across(line: Points, shape: tuple[int, ...], membrane: Any, z: int) -> Points:
    """Return the cheapest way between the ends of a line, once they are on the membrane."""
    room = max(10, len(line) // 2)
    low = np.maximum(line.min(0) - room, 0)
    high = np.minimum(line.max(0) + room + 1, shape)
    crop = (slice(z, z + 1), slice(low[0], high[0]), slice(low[1], high[1]))
    ends = [line[0] - low, line[-1] - low]
    if membrane is None:
        cost = np.ones(high - low)
    else:
        shown = _probability(membrane, crop)[0]
        cost = 1 / (_FAINT + shown)
        ends = [_onto(shown, end) for end in ends]
    path: Points = cheapest(cost, ends[0].tolist(), ends[1].tolist()) + low
    return path


def _onto(shown: NDArray[np.floating[Any]], end: Points) -> Points:
    """Move a place to the strongest membrane beside it, the nearer the better."""
    low = np.maximum(end - _REACH, 0)
    part = shown[low[0] : end[0] + _REACH + 1, low[1] : end[1] + _REACH + 1]
    places: Points = np.moveaxis(np.indices(part.shape), 0, -1) + low
    worth = part - 0.05 * np.linalg.norm(places - end, axis=-1)
    best: Points = places.reshape(-1, 2)[int(worth.argmax())]
    return best


def _probability(membrane: Any, box: tuple[slice, ...]) -> NDArray[np.float32]:
    values = np.asarray(membrane[box], np.float32)
    shown: NDArray[np.float32] = np.clip(np.nan_to_num(values), 0, 1)
    return shown
