"""Read an image or labels, whatever the format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.axes import (
    from_canonical,
    guess_axes,
    looks_like_colour,
    parse_axes,
    to_canonical,
    without_channel,
)
from napari_infoleak.core.errors import BadInput, OutOfMemory
from napari_infoleak.core.image import Image
from napari_infoleak.io import record
from napari_infoleak.io.cellpose import holds_objects, read_seg
from napari_infoleak.io.npy import read_npy
from napari_infoleak.io.png import read_png
from napari_infoleak.io.tiff_reader import read_tiff
from napari_infoleak.io.zarr_reader import MARKS, read_zarr

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from napari_infoleak.io.stored import Stored

_READABLE = "TIFF, OME-TIFF, PNG, NPY or OME-Zarr"
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_PNG = (b"\x89PNG\r\n\x1a\n",)
_NPY = (b"\x93NUMPY",)
_TIFF_SUFFIXES = {".tif", ".tiff", ".btf", ".tf8", ".lsm", ".stk"}


def read(
    path: str | os.PathLike[str],
    axes: str | None = None,
    *,
    scale: Mapping[str, float] | Sequence[float] | None = None,
) -> Image:
    """Read an image.

    Parameters
    ----------
    path : str or path
        TIFF (plain, ImageJ, OME), PNG, NPY, or OME-Zarr (a store, or an image inside one). What
        the file holds decides, not its name.
    axes : str or None
        One letter a dimension out of T, C, Z, Y, X; the colours of a colour picture may be left
        out. None takes what the file says, and guesses where it says nothing.
    scale : mapping of letters, or a number for each of `axes`, or None
        Physical step; None takes the file's.

    Returns
    -------
    Image
        With scale, translation and units as far as the file gives them. Zarr and large TIFF and
        NPY files stay lazy.

    Raises
    ------
    BadInput
        If the file is missing, damaged, cut short, of another kind, or does not fit `axes`.
    """
    place = _existing(path)
    stored = _stored(place, as_ids=False)
    letters, named = _letters(stored, axes)
    plain = Image.from_array(
        stored.array,
        letters,
        scale=scale,
        rgb=stored.rgb,
        name=name_of(place),
        source=str(place),
        channel_names=stored.channel_names,
    )
    steps, offsets, units = record.merged_calibration(
        stored.record, stored.scale, stored.translate, stored.units
    )
    order = named if axes else record.axes_of(stored.record, plain.sizes)
    present = set(order or plain.axes)
    return Image(
        data=plain.data,
        axes=order or plain.axes,
        name=plain.name,
        scale=_only(present, steps) | dict(plain.scale),
        translate=_only(present, offsets),
        units={**plain.units, **_only(present, units)},
        source=plain.source,
        rgb=plain.rgb,
        channel_names=plain.channel_names or _noted_channels(stored, plain.sizes["C"]),
    )


def read_labels(path: str | os.PathLike[str], axes: str | None = None) -> tuple[Any, str]:
    """Read labels, an annotation, or cells.

    Parameters
    ----------
    path : str or path
        As `read`; also ``_seg.npy`` of Cellpose, whose masks are cells.
    axes : str or None
        Axes of the labels: the image's, without C. None takes what the file says, and guesses
        where it says nothing; there are no channels in a guess.

    Returns
    -------
    labels : numpy or dask array
        Whole numbers, as they are in the file.
    axes : str
        Their axes.

    Raises
    ------
    BadInput
        As `read`; also if the file holds colours, channels, or numbers that are not whole.
    """
    place = _existing(path)
    stored = _stored(place, as_ids=True)
    array = stored.array
    kind = np.dtype(array.dtype).kind
    if kind not in "biu":
        raise BadInput(
            f"{place} holds {array.dtype}; labels are whole numbers: save them as 8- or 16-bit"
        )
    if stored.rgb:
        raise BadInput(
            f"{place} is a colour picture; labels are one number a pixel: save the ids, not their "
            f"colours"
        )
    if 0 in array.shape:
        raise BadInput(f"{place} holds no pixel (shape {tuple(array.shape)})")
    if kind == "b":
        array = array.astype(np.uint8)
    if axes is not None:
        letters, named = _named(without_channel(axes.strip().upper()), stored)
        if named != letters:
            array = from_canonical(to_canonical(array, letters), named)
        return array, named
    return _label_axes(place, stored, array)


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what this program noted in a file it wrote: kind, axes, classes, provenance.

    Returns
    -------
    dict
        Empty if another program wrote the file.
    """
    return dict(_stored(_existing(path), as_ids=True, pixels=False).record)


def name_of(path: Path) -> str:
    """Return the name of a file without its suffix; ``.ome.tif`` and ``.ome.zarr`` are one."""
    name = path.name
    for suffix in (".ome.tiff", ".ome.tif", ".ome.zarr"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)] or name
    return path.stem


def _existing(path: str | os.PathLike[str]) -> Path:
    try:
        place = Path(path).expanduser()
    except (TypeError, RuntimeError) as error:
        raise BadInput(f"{path!r} is no path of a file") from error
    if "://" in str(path):
        raise BadInput(f"{path} is an address on the network; give a file on this computer")
    try:
        found = place.exists()
    except OSError as error:
        raise BadInput(f"{place} cannot be read: {error.strerror or error}") from error
    if not found:
        raise BadInput(f"there is no file {place}; check the name and the folder")
    return place


def _stored(place: Path, *, as_ids: bool, pixels: bool = True) -> Stored:
    """Choose the reader by what the file holds; without `pixels`, do what is cheap."""
    try:
        if place.is_dir():
            return _folder(place)
        with place.open("rb") as file:
            start = file.read(16)
        if start.startswith(_TIFF):
            return read_tiff(place, pixels=pixels)
        if start.startswith(_PNG):
            return read_png(place, as_ids=as_ids)
        if start.startswith(_NPY):
            return read_seg(place) if as_ids and holds_objects(place) else read_npy(place)
    except MemoryError as error:
        raise OutOfMemory(f"no memory left to read {place}") from error
    except OSError as error:
        raise BadInput(f"{place} cannot be read: {error.strerror or error}") from error
    raise BadInput(_not_an_image(place, start))


def _folder(place: Path) -> Stored:
    if any((place / mark).exists() for mark in MARKS) or place.suffix.lower() == ".zarr":
        return read_zarr(place)
    raise BadInput(f"{place} is a folder; give a file, or an OME-Zarr folder (.ome.zarr)")


def _not_an_image(place: Path, start: bytes) -> str:
    if not start:
        return f"{place} is empty; expected {_READABLE}"
    suffix = place.suffix.lower()
    if suffix in _TIFF_SUFFIXES | {".png", ".npy"}:
        return f"{place} ends in {suffix} but holds something else; expected {_READABLE}"
    return f"{place} cannot be read; expected {_READABLE}: convert it, for example to OME-TIFF"


def _letters(stored: Stored, axes: str | None) -> tuple[str, str]:
    """Return the axes of the array as it lies in the file, and as they were named or guessed."""
    shape = tuple(int(size) for size in stored.array.shape)
    if axes is not None:
        if stored.rgb and len(axes.strip()) == len(shape) - 1:  # colours may be left out
            axes = axes.strip() + "C"
        return _named(axes, stored)
    could_be_colour = stored.rgb is None and not stored.hint and looks_like_colour(shape)
    guessed = guess_axes(shape, hint=stored.hint, rgb=bool(stored.rgb) or could_be_colour)
    return guessed, guessed


def _named(axes: str, stored: Stored) -> tuple[str, str]:
    """Return the axes of the array as it lies in the file, and as they were named.

    A file leaves out axes of length 1, which may be named all the same.
    """
    shape = tuple(int(size) for size in stored.array.shape)
    count = len(axes.strip())
    if count > len(shape) and stored.hint:
        named = parse_axes(axes, (1,) * count)
        kept = "".join(one for one in named if one in stored.hint.upper().replace("S", "C"))
        if len(kept) == len(shape):
            return kept, named
    letters = parse_axes(axes, shape)
    return letters, letters


def _label_axes(place: Path, stored: Stored, array: Any) -> tuple[Any, str]:
    """Find the axes of labels without being told, in the order they were written."""
    shape = tuple(int(size) for size in array.shape)
    told = guess_axes(shape, hint=stored.hint) if stored.hint else ""
    plain = {2: "YX", 3: "ZYX", 4: "TZYX"}.get(len(shape), "")
    from_file = told if stored.hint and told == stored.hint.upper() else ""
    letters = from_file or plain
    if not letters or ("C" in letters and shape[letters.index("C")] > 1):
        raise BadInput(
            f"{place} has the shape {shape} and axes {letters or 'unknown'}; labels have none but "
            f"T, Z, Y, X: give their axes"
        )
    canonical = to_canonical(array, letters)
    sizes = dict(zip("TCZYX", map(int, canonical.shape), strict=True))
    noted = record.axes_of(stored.record, sizes)
    wanted = without_channel(noted or letters)
    return from_canonical(canonical, wanted), wanted


def _noted_channels(stored: Stored, count: int) -> tuple[str, ...]:
    names = stored.record.get("channel_names")
    return tuple(map(str, names)) if isinstance(names, list) and len(names) == count else ()


def _only(letters: set[str], values: Mapping[str, Any]) -> dict[str, Any]:
    return {letter: value for letter, value in values.items() if letter in letters}
