"""Write OME-Zarr (NGFF 0.5): chunked, in several resolutions, one plane after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.units import UNKNOWN_UNIT, is_length, is_time, unit_name
from napari_infoleak.io import record

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from napari_infoleak.io.output import Output

VERSION = "0.5"

_EDGE = 512  # pixels of a chunk, and of the coarsest level, at most
_TYPES = {"T": "time", "C": "channel"}


def write_zarr(part: Path, output: Output) -> None:
    """Write an OME-Zarr store.

    Axes lie in the canonical order, as the format asks; the record keeps the caller's order.
    Whole numbers are thinned out for the coarser levels, other values are averaged.

    Parameters
    ----------
    part : Path
        Folder to be made.
    output : Output
        What to write.
    """
    import zarr

    axes = output.ordered("TCZYX")
    group = zarr.open_group(str(part), mode="w", zarr_format=3)
    levels: list[Any] = [
        group.create_array(
            str(number),
            shape=shape,
            chunks=(1,) * (len(shape) - 2) + tuple(min(size, _EDGE) for size in shape[-2:]),
            dtype=output.dtype,
            dimension_names=[letter.lower() for letter in axes],
        )
        for number, shape in enumerate(_shapes(output, axes))
    ]
    for place, plane in zip(output.places(axes), output.planes(axes), strict=True):
        leading = dict(zip("TCZ", place, strict=True))
        index = tuple(leading[letter] for letter in axes if letter not in "YX")
        for level in levels:
            level[(*index, ...)] = plane
            plane = halved(plane)
    group.attrs.update(
        {"ome": _metadata(output, axes, len(levels)), record.KEY: dict(output.record)}
    )


def halved(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a plane at half the resolution along Y and X, rounded up.

    Parameters
    ----------
    plane : numpy array, (Y, X)
        Whole numbers may be ids: each second one is taken. Others are averaged over 2 x 2.
    """
    if plane.dtype.kind != "f":
        return np.ascontiguousarray(plane[::2, ::2])
    padded = np.pad(plane, [(0, size % 2) for size in plane.shape], mode="edge")
    quarters = [padded[y::2, x::2] for y in (0, 1) for x in (0, 1)]
    return np.asarray(np.mean(quarters, axis=0, dtype=np.float64).astype(plane.dtype))


def _shapes(output: Output, axes: str) -> list[tuple[int, ...]]:
    """Return the shape of each level, the finest first."""
    shapes = [output.shape_in(axes)]
    while max(shapes[-1][-2:]) > _EDGE:
        *leading, height, width = shapes[-1]
        shapes.append((*leading, -(-height // 2), -(-width // 2)))
    return shapes


def _metadata(output: Output, axes: str, levels: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "version": VERSION,
        "multiscales": [
            {
                "name": output.kind,
                "axes": [_axis(output, letter) for letter in axes],
                "datasets": [
                    {
                        "path": str(number),
                        "coordinateTransformations": _transforms(output, axes, number),
                    }
                    for number in range(levels)
                ],
            }
        ],
    }
    if output.kind in ("labels", "cells"):
        told["image-label"] = _image_label(output)
    if output.channel_names:
        told["omero"] = {"channels": [_channel(output, name) for name in output.channel_names]}
    return told


def _axis(output: Output, letter: str) -> dict[str, str]:
    axis = {"name": letter.lower(), "type": _TYPES.get(letter, "space")}
    unit = unit_name(output.units.get(letter, UNKNOWN_UNIT))
    if letter != "C" and (is_time(unit) if letter == "T" else is_length(unit)):
        axis["unit"] = unit
    return axis


def _transforms(output: Output, axes: str, level: int) -> list[dict[str, Any]]:
    """Return scale and translation of a level; the centre of a coarse pixel shifts if averaged."""
    times = {letter: 2.0**level if letter in "YX" else 1.0 for letter in axes}
    scale = [output.scale.get(n, 1.0) * times[n] for n in axes]
    shift = [
        output.translate.get(n, 0.0)
        + (output.scale.get(n, 1.0) * (times[n] - 1) / 2 if output.dtype.kind == "f" else 0.0)
        for n in axes
    ]
    transforms: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    if any(shift):
        transforms.append({"type": "translation", "translation": shift})
    return transforms


def _image_label(output: Output) -> dict[str, Any]:
    told: dict[str, Any] = {"version": VERSION}
    if output.kind == "labels" and output.classes is not None:
        told["colors"] = [
            {"label-value": entry.id, "rgba": [*bytes.fromhex(entry.colour[1:]), 255]}
            for entry in output.classes
        ]
        told["properties"] = [
            {"label-value": entry.id, "name": entry.name} for entry in output.classes
        ]
    return told


def _channel(output: Output, name: str) -> dict[str, Any]:
    colours = {entry.name: entry.colour[1:] for entry in output.classes or ()}
    window = {"start": 0.0, "end": 1.0, "min": 0.0, "max": 1.0}
    if output.dtype.kind == "u":
        top = float(np.iinfo(output.dtype).max)
        window |= {"end": top, "max": top}
    return {
        "label": name,
        "color": colours.get(name, "ffffff"),
        "active": True,
        "window": window,
    }
