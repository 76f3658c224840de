"""Write labels, probabilities, cells, uncertainty or an image; the suffix decides how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import numpy as np

from napari_infoleak.core.arraylike import lazy_or_numpy
from napari_infoleak.core.axes import to_canonical
from napari_infoleak.core.calibration import calibration
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.core.provenance import plain_json
from napari_infoleak.core.units import unit_name
from napari_infoleak.io import record
from napari_infoleak.io.atomic import atomic
from napari_infoleak.io.npy import sidecar, write_npy
from napari_infoleak.io.output import Kind, Output, checked_axes
from napari_infoleak.io.png import write_png
from napari_infoleak.io.tiff_writer import write_ome_tiff, write_tiff
from napari_infoleak.io.zarr_reader import MARKS
from napari_infoleak.io.zarr_writer import write_zarr

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from napari_infoleak.core.classes import ClassTable

_Value = TypeVar("_Value", float, str)

# The longer suffix stands before the one that it ends in.
_WRITERS: dict[str, Callable[[Path, Output], None]] = {
    ".ome.tif": write_ome_tiff,
    ".ome.tiff": write_ome_tiff,
    ".tif": write_tiff,
    ".tiff": write_tiff,
    ".png": write_png,
    ".npy": write_npy,
    ".zarr": write_zarr,
}
SUFFIXES = (".tif", ".ome.tif", ".png", ".npy", ".ome.zarr")
"""The suffixes to be offered to a person."""


def write(
    path: str | os.PathLike[str],
    array: Any,
    *,
    axes: str,
    kind: Kind = "labels",
    scale: Mapping[str, float] | Sequence[float] | None = None,
    translate: Mapping[str, float] | Sequence[float] | None = None,
    units: Mapping[str, str] | None = None,
    classes: ClassTable | None = None,
    channel_names: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Path:
    """Write an array with what is known about it. The file appears whole or not at all.

    Parameters
    ----------
    path : str or path
        Its suffix decides: ``.ome.tif``, ``.tif`` (for ImageJ, where ImageJ can hold it), ``.png``
        (one plane), ``.npy`` (with a JSON file beside it), ``.zarr`` or ``.ome.zarr`` (NGFF 0.5).
        What is there is replaced.
    array : numpy, dask or zarr array
        Written plane by plane; lazy arrays are never held whole.
    axes : str
        Axes of the image that it belongs to. Labels, cells and uncertainty have them without C;
        probabilities have the class axis K, then them without C; images have all of them.
    kind : {"labels", "probabilities", "cells", "uncertainty", "image"}
        What the values mean. Labels are written as 8-bit ids, cells as 16- or 32-bit, whichever
        holds them, probabilities and uncertainty as 32-bit floats, images as they are.
    scale, translate : mapping of letters, or a number for each of `axes`, or None
        Physical step and position of the first pixel.
    units : mapping of letters to str, or None
        Their units.
    classes : ClassTable or None
        Names and colours of the ids.
    channel_names : sequence of str
        Names along C or K; for probabilities the names of `classes`, if there are as many.
    provenance : mapping or None
        What made the array, see `core.provenance`.
    progress, cancel
        Told of each plane; asked before each.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    BadInput
        If the suffix is unknown or cannot hold the array, or array and axes do not fit.
    WriteFailed
        If the disk is full or may not be written to; nothing is left behind.
    """
    if kind not in get_args(Kind):
        raise BadInput(f"kind {kind!r} is unknown; choose one of {', '.join(get_args(Kind))}")
    target = Path(path).expanduser()
    writer = _writer(target)
    pixels = lazy_or_numpy(array)
    letters = checked_axes(pixels, axes, kind)
    named = letters.replace("C", "") if kind != "image" else letters
    output = Output(
        data=to_canonical(pixels, letters),
        axes=letters,
        dtype=_file_type(pixels, kind),
        kind=kind,
        scale=_of_axes(letters, calibration(scale, named, "scale")),
        translate=_of_axes(letters, calibration(translate, named, "translate")),
        units=_of_axes(letters, {str(k).upper(): unit_name(v) for k, v in (units or {}).items()}),
        channel_names=_channels(channel_names, classes, kind, pixels.shape[0]),
        classes=classes,
        progress=progress,
        cancel=cancel,
    )
    output = output.noting(_record(output, provenance))
    _refuse_foreign_folder(target)
    with atomic(target) as part:
        writer(part, output)
        if writer is write_npy:
            _write_sidecar(target, output)
    return target


def _writer(target: Path) -> Callable[[Path, Output], None]:
    name = target.name.lower()
    for suffix, writer in _WRITERS.items():
        if name.endswith(suffix) and len(name) > len(suffix):
            return writer
    raise BadInput(
        f"{target} has no suffix that says how to write it; choose one of {', '.join(SUFFIXES)}"
    )


def _file_type(pixels: Any, kind: Kind) -> np.dtype[Any]:
    """Return the type in the file, checking what the array holds."""
    dtype = np.dtype(pixels.dtype)
    if kind in ("labels", "cells") and dtype.kind not in "biu":
        raise BadInput(f"{kind} are {dtype}; expected whole numbers")
    if kind in ("probabilities", "uncertainty") and dtype.kind not in "biuf":
        raise BadInput(f"{kind} are {dtype}; expected real numbers")
    if 0 in pixels.shape:
        raise BadInput(f"an array of shape {tuple(pixels.shape)} holds no pixel to write")
    if kind == "labels":
        return np.dtype(np.uint8)
    if kind == "cells":
        return _smallest(pixels, dtype)
    if kind in ("probabilities", "uncertainty"):
        return np.dtype(np.float32)
    if dtype.kind not in "biuf":
        raise BadInput(f"pixels of type {dtype} cannot be written; expected real numbers")
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    return np.dtype(np.float32) if dtype == np.float16 else dtype.newbyteorder("=")


def _smallest(pixels: Any, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the smaller of 16 and 32 bit that holds all cell ids."""
    if dtype.itemsize == 1 or dtype == np.uint16:
        return np.dtype(np.uint16)
    highest = int(np.asarray(pixels.max()))
    return np.dtype(np.uint16 if highest <= np.iinfo(np.uint16).max else np.uint32)


def _of_axes(letters: str, values: Mapping[str, _Value]) -> dict[str, _Value]:
    """Leave out what is said of axes that the array does not have."""
    return {letter: value for letter, value in values.items() if letter in letters}


def _channels(
    names: Sequence[str], classes: ClassTable | None, kind: Kind, count: int
) -> tuple[str, ...]:
    if kind == "image":
        return tuple(names)
    if kind != "probabilities":
        return ()
    if not names and classes is not None and len(classes) == count:
        return classes.names
    return tuple(names) if len(names) == count else ()


def _record(output: Output, provenance: Mapping[str, Any] | None) -> dict[str, Any]:
    noted: dict[str, Any] = {
        "kind": output.kind,
        "axes": output.axes.replace("C", "K") if output.has_classes else output.axes,
        "scale": dict(output.scale),
        "translate": dict(output.translate),
        "units": dict(output.units),
    }
    if output.channel_names:
        noted["channel_names"] = list(output.channel_names)
    if output.classes is not None:
        noted["classes"] = output.classes.to_json()
    if provenance:
        noted["provenance"] = plain_json(dict(provenance))
    return noted


def _refuse_foreign_folder(target: Path) -> None:
    """Never replace a folder that is no zarr store, nor a zarr store by a file."""
    if not target.is_dir():
        return
    if target.suffix.lower() != ".zarr":
        raise BadInput(f"{target} is a folder; choose the name of a file")
    holds_something = any(target.iterdir())
    if holds_something and not any((target / mark).exists() for mark in MARKS):
        raise BadInput(f"{target} is a folder with other files; choose another name")


def _write_sidecar(target: Path, output: Output) -> None:
    text = json.dumps({record.KEY: dict(output.record)}, indent=1, ensure_ascii=False)
    with atomic(sidecar(target)) as part:
        part.write_text(text, encoding="utf-8")
