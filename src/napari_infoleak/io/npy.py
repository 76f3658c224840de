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
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from napari_infoleak.io.output import Output


def sidecar(path: Path) -> Path:
    """Return the JSON file that belongs to an NPY file: ``cells.npy.json`` for ``cells.npy``."""
    return path.with_name(path.name + ".json")


def read_npy(path: Path) -> Stored:
    """Read an NPY file, a large one lazily. Files that hold Python objects are refused.

    Raises
    ------
    BadInput
        If it is damaged, cut short, or holds no plain array.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except MemoryError:
        raise
    except Exception as error:  # the header is a Python literal, and fails in as many ways
        raise BadInput(
            f"{path} cannot be read as NPY ({error}); it is damaged, cut short, or holds Python "
            f"objects"
        ) from error
    if array.nbytes <= mapped.EAGER_BYTES:
        array = np.array(array)
    elif array.ndim >= 2 and array.flags.c_contiguous:
        array = by_planes(MappedPixels(path, array.dtype, array.shape, array.offset))
    noted = _read_sidecar(path)
    return Stored(array=array, hint=record.written_axes(noted), record=noted)


def write_npy(part: Path, output: Output) -> None:
    """Write the array in the axes it came in, plane by plane where these end in YX."""
    # Never through a memory map: on a full disk that kills the program instead of failing.
    with part.open("wb") as file:
        np.lib.format.write_array_header_2_0(
            file,
            {
                "descr": np.lib.format.dtype_to_descr(output.dtype),
                "fortran_order": False,
                "shape": output.shape_in(output.axes),
            },
        )
        for block in _in_file_order(output):
            file.write(np.ascontiguousarray(block).data)


def _in_file_order(output: Output) -> Iterator[npt.NDArray[Any]]:
    """Hand out the array in pieces: planes where they lie one after the other, else the whole."""
    if output.axes.endswith("YX"):
        yield from output.planes(output.axes)
        return
    whole = np.empty(output.shape_in(output.axes), output.dtype)
    canonical = output.canonical_view(whole)
    for place, plane in zip(output.places(), output.planes(), strict=True):
        canonical[place] = plane
    yield whole


def _read_sidecar(path: Path) -> dict[str, Any]:
    beside = sidecar(path)
    try:
        return record.from_json(json.loads(beside.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):  # no file, or somebody else's: not needed
        return {}
