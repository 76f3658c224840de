"""A table of cells after a correction: only what has changed, and what lies beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_infoleak.instances.measure import Table, measure
from napari_infoleak.instances.pick import box_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

    from napari_infoleak.instances.changes import Ids

    Box = tuple[slice, ...]

_NEAR: Final = 12
"""Pixels around a cell beyond which nothing counts as its neighbour."""


def remeasured(
    table: Table,
    frames: Ids,
    t: int,
    box: Box,
    changed: Collection[int],
    *,
    scale: Mapping[str, float],
    translate: Mapping[str, float],
    units: Mapping[str, str],
    shown: Callable[[int, Box], NDArray[Any]],
) -> Table:
    """Measure cells of one frame again.

    Parameters
    ----------
    table : Table
        What was measured before.
    frames : ndarray of uint, shape (T, Z, Y, X)
        The cells as they are now.
    t : int
        The frame.
    box : tuple of slice
        The part of it (Z, Y, X) within which pixels have changed.
    changed : collection of int
        Cells that held or hold these pixels; some may be gone, and others new.
    scale, translate, units : mapping of str to number or str
        As for `measure`.
    shown : callable
        Gets a frame and a box of it; returns the brightness there. Asked only if the table has it.

    Returns
    -------
    Table
        All rows, with the same values as if all cells were measured again.
    """
    frame, planes = frames[t], "area" in table.columns
    margin = (0 if planes else _NEAR, _NEAR, _NEAR)
    beside = frame[_wider(box, margin, frame.shape)]
    again = {int(one) for one in np.unique(beside)} | set(changed)
    again.discard(0)
    there = np.isin(beside, list(again)).any()  # a cell that is changed is there, or is gone
    stays = ~np.isin(table.columns["cell"], list(again))
    if "t" in table.columns:
        stays |= table.columns["t"] != t
    fresh = []
    if there:
        around = _wider(box_of(frame, again), margin, frame.shape)
        found = measure(
            frame[around],
            axes="ZYX",
            scale=scale,
            translate={
                letter: translate.get(letter, 0.0) + part.start * scale.get(letter, 1.0)
                for letter, part in zip("ZYX", around, strict=True)
            },
            units=units,
            dims=2 if planes else 3,
            image=shown(t, around) if "intensity" in table.columns else None,
        )
        fresh = [_rows_of(found, again, {"t": t, "z_plane": around[0].start}, table)]
    columns = {
        name: np.concatenate([values[stays], *(rows[name] for rows in fresh)])
        for name, values in table.columns.items()
    }
    order = np.lexsort([columns[name] for name in ("cell", "z_plane", "t") if name in columns])
    return Table({name: values[order] for name, values in columns.items()})


def _rows_of(
    found: Table, cells: Collection[int], first: Mapping[str, int], table: Table
) -> dict[str, NDArray[Any]]:
    """Return the rows of some cells, in the columns of a table, from a part of the image."""
    kept = np.isin(found.columns["cell"], list(cells))
    columns = dict(found.columns)
    for name, start in first.items():
        columns[name] = columns.get(name, np.zeros(len(found), np.int64)) + start
    return {name: columns[name][kept] for name in table.columns}


def _wider(box: Box, margin: tuple[int, ...], shape: tuple[int, ...]) -> Box:
    return tuple(
        slice(max(part.start - more, 0), min(part.stop + more, size))
        for part, more, size in zip(box, margin, shape, strict=True)
    )
