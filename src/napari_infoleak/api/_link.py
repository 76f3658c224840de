"""Cells that keep their number from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.api._inputs import is_path
from napari_infoleak.core.axes import guess_axes, labels_from_canonical, labels_to_canonical
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.image import lazy_or_numpy
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.io import read_labels

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    from napari_infoleak.instances.link import LinkEvent

_AXES = ("Z", "T")


@dataclass(frozen=True, eq=False)
class Linked:
    """Cells that keep their number along an axis.

    Attributes
    ----------
    cells : ndarray, uint32
        Cell ids in the axes of what was given; 0 between cells.
    axes : str
        Axes of `cells`.
    axis : str
        Along which they were linked, Z or T.
    events : tuple of LinkEvent
        Splits and merges, in the order of the frames.
    """

    cells: NDArray[np.uint32]
    axes: str
    axis: str
    events: tuple[LinkEvent, ...]

    def write_tracks(self, folder: str | PathLike[str]) -> Path:
        """Write a folder in the layout of the Cell Tracking Challenge.

        Parameters
        ----------
        folder : path
            Made here.

        Returns
        -------
        Path

        Raises
        ------
        BadInput
            If the folder holds other files, there are several series, or more than 65 535 cells.
        WriteFailed
            If the disk is full or may not be written to.
        """
        from napari_infoleak.instances.link import track
        from napari_infoleak.io.tracks import write_tracks

        canonical = np.asarray(labels_to_canonical(self.cells, self.axes))
        if self.axis == "Z" and len(canonical) > 1:
            raise BadInput(
                f"cells of {len(canonical)} times were linked along Z: that is as many sets of "
                f"tracks; write one time, or link along T"
            )
        frames = list(canonical[0]) if self.axis == "Z" else [_flat(one) for one in canonical]
        try:
            masks, tracks = track(frames, self.events)
        except OverflowError as error:
            raise BadInput(
                "there are more than 65535 cells, and a mask of the Cell Tracking Challenge counts "
                "no further; write a part of the image"
            ) from error
        rows = ((one.label, one.begin, one.end, one.parent) for one in tracks)
        return write_tracks(Path(folder).expanduser(), masks, rows)


def link(
    cells: Any,
    axis: str,
    *,
    axes: str | None = None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Linked:
    """Give cells of consecutive frames one number where they are the same cell.

    Parameters
    ----------
    cells : integer array or path
        Cell ids; 0 between cells.
    axis : {"Z", "T"}
        Along Z plane by plane, each time by itself; along T time by time, stacks as a whole.
    axes : str, optional
        Axes of the cells where they are an array; guessed if None.
    progress, cancel
        Told of each frame; asked before it.

    Returns
    -------
    Linked

    Raises
    ------
    BadInput
        If these are no cells, or there is one frame along the axis.
    """
    from napari_infoleak.instances.link import Links

    array, letters = _cells(cells, axes)
    letter = str(axis).strip().upper()
    if letter not in _AXES:
        raise BadInput(f"cells cannot be linked along {axis!r}; expected Z or T")
    canonical = np.asarray(labels_to_canonical(array, letters))
    if canonical.size and int(canonical.min()) < 0:
        raise BadInput(f"cells hold the value {canonical.min()}; expected ids from 1, and 0")
    count = canonical.shape[0 if letter == "T" else 1]
    if count < 2:
        raise BadInput(f"the cells have one frame along {letter}, so there is nothing to link")
    linked = np.zeros(canonical.shape, np.uint32)
    events: list[LinkEvent] = []
    free = 1
    series = [canonical] if letter == "T" else list(canonical)
    out = [linked] if letter == "T" else list(linked)
    for number, (frames, into) in enumerate(zip(series, out, strict=True)):
        links = Links(free)
        for n, frame in enumerate(frames):
            cancel.check()
            progress(number * count + n, len(series) * count, f"{letter} = {n}")
            into[n] = links.add(frame)
        free = links.next_free
        events += links.events
    progress(len(series) * count, len(series) * count, "linked")
    return Linked(labels_from_canonical(linked, letters), letters, letter, tuple(events))


def _cells(cells: Any, axes: str | None) -> tuple[Any, str]:
    if is_path(cells):
        return read_labels(cells, axes)
    array = lazy_or_numpy(cells)
    if np.dtype(array.dtype).kind not in "iu":
        raise BadInput(f"cells are {array.dtype}; expected whole numbers, a number for each cell")
    if axes:
        return array, axes.strip().upper()
    letters = guess_axes(tuple(array.shape)).replace("C", "")
    if len(letters) != array.ndim:
        letters = {2: "YX", 3: "ZYX"}.get(array.ndim, "TZYX")
    return array, letters


def _flat(volume: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """A stack of one plane as that plane."""
    return volume[0] if len(volume) == 1 else volume
