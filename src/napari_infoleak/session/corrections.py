"""Corrections of cells as a session writes them down."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.instances.changes import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_infoleak.instances.changes import Step


def correction(step: Step, *, taken_back: bool = False) -> dict[str, Any]:
    """Return what a correction changed, or what taking it back changed, as plain JSON."""
    told: dict[str, Any] = {"what": step.what, "frame": step.place[0]}
    before, after = step.finished
    if before != after:
        told["finished"] = sorted(before if taken_back else after)
    change = step.change
    if change is not None:
        ids = change.before if taken_back else change.after
        told |= {
            "box": [[part.start, part.stop] for part in change.box],
            "where": _packed(change.where.tobytes()),
            "ids": _packed(np.asarray(ids).astype("<u4").tobytes()),
        }
    return told


def finished_after(corrections: Iterable[Mapping[str, Any]], finished: Iterable[int]) -> list[int]:
    """Return the cells that are finished after some corrections, of those before."""
    for told in corrections:
        finished = told.get("finished", finished)
    return sorted(int(cell) for cell in finished)


def correct(frames: Any, told: Mapping[str, Any]) -> None:
    """Do a correction again, in place.

    Parameters
    ----------
    frames : ndarray of unsigned int, (T, Z, Y, X)
        The cells.
    told : mapping
        What `correction` gave.

    Raises
    ------
    BadInput
        If it does not fit the cells.
    """
    if "box" not in told:
        return
    try:
        frame = frames[int(told["frame"])]
        box = tuple(slice(int(start), int(stop)) for start, stop in told["box"])
        size = frame[box].size
        where = np.frombuffer(_unpacked(told["where"], size), np.uint8)
        ids = np.frombuffer(_unpacked(told["ids"], 4 * size), "<u4").astype(frame.dtype)
        Change(box, where, ids, ids).apply(frame)
    except (KeyError, IndexError, TypeError, ValueError, binascii.Error, zlib.error) as error:
        raise BadInput("a correction of the session does not fit the cells") from error


def _packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content)).decode("ascii")


def _unpacked(text: str, most: int) -> bytes:
    return zlib.decompressobj().decompress(base64.b64decode(text, validate=True), most)
