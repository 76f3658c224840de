"""Read and write NPY, with what is known about the array in a JSON file beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.io import mapped, record
from napari_infoleak.io.mapped import MappedPixels, by_planes
from napari_infoleak.io.stored import Stored

if TYPE_CHECKING:
    from pathlib import Path

    from napari_infoleak.io.output import Output


def sidecar(path: Path) -> Path:
    """Return the JSON file that belongs to an NPY file: ``cells.npy.json`` for ``cells.npy``."""
    return path.with_name(path.name + ".json")


def read_npy(path: Path) -> Stored:
    """Read an NPY file, lazily. Files that hold Python objects are refused.

    Raises
    ------
    BadInput
        If it is damaged, cut short, or holds no plain array.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError, TypeError) as error:
        raise BadInput(
            f"{path} cannot be read as NPY ({error}); it is damaged, cut short, or holds Python "
            f"objects"
        ) from error
    if array.nbytes > mapped.EAGER_BYTES and array.ndim >= 2 and array.flags.c_contiguous:
        array = by_planes(MappedPixels(path, array.dtype, array.shape, array.offset))
    noted = _read_sidecar(path)
    return Stored(array=array, hint=record.written_axes(noted), record=noted)


def write_npy(part: Path, output: Output) -> None:
    """Write the array, plane by plane, in the axes it came in."""
    shape = output.shape_in(output.axes)
    into = np.lib.format.open_memmap(part, mode="w+", dtype=output.dtype, shape=shape)
    canonical = output.canonical_view(into)
    for place, plane in zip(output.places(), output.planes(), strict=True):
        canonical[place] = plane
    into.flush()
    del into, canonical


def _read_sidecar(path: Path) -> dict[str, Any]:
    beside = sidecar(path)
    try:
        return record.from_json(json.loads(beside.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):  # no file, or somebody else's: not needed
        return {}
