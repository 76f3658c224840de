"""Cells over time in the folder layout of the Cell Tracking Challenge, which trackers read.

``mask000.tif``, ``mask001.tif`` ... hold a number for each cell, 16 bits, 0 between cells;
``res_track.txt`` has a line for each cell: its number, first and last frame, and its parent or 0.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import tifffile

from napari_infoleak.core.errors import BadInput
from napari_infoleak.io.atomic import atomic

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

LINES = "res_track.txt"
_MASK = re.compile(r"mask\d{3,}\.tif")


def write_tracks(
    folder: Path,
    masks: Sequence[NDArray[np.uint16]],
    tracks: Iterable[tuple[int, int, int, int]],
) -> Path:
    """Write masks and tracks; the folder appears whole or not at all.

    Parameters
    ----------
    folder : Path
        Made here; one that was made here before is replaced.
    masks : sequence of ndarray, shape (Y, X) or (Z, Y, X), uint16
        One a frame.
    tracks : iterable of (int, int, int, int)
        Number, first frame, last frame, and parent or 0.

    Returns
    -------
    Path

    Raises
    ------
    BadInput
        If the folder holds other files.
    WriteFailed
        If the disk is full or may not be written to.
    """
    check_folder(folder)
    digits = max(3, len(str(len(masks) - 1)))
    with atomic(folder) as part:
        part.mkdir()
        for n, mask in enumerate(masks):
            axes = {"axes": "ZYX" if mask.ndim == 3 else "YX"}
            path = part / f"mask{n:0{digits}d}.tif"
            tifffile.imwrite(path, mask, compression="zlib", metadata=axes)
        lines = "".join(f"{a} {b} {c} {d}\n" for a, b, c, d in tracks)
        (part / LINES).write_text(lines, encoding="ascii", newline="\n")
    return folder


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made, or that holds other files.

    Raises
    ------
    BadInput
        If so.
    """
    if folder.exists() and not _is_ours(folder):
        raise BadInput(f"{folder} holds other files; choose the name of a folder that is not there")
    if not folder.parent.is_dir():
        raise BadInput(f"the folder {folder.parent} does not exist; make it first")


def _is_ours(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    masks = all(_MASK.fullmatch(name) for name in names - {LINES})
    return masks and (LINES in names or not names)
