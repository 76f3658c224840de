"""Write TIFF: OME-TIFF, and TIFF that ImageJ opens as a calibrated hyperstack."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.units import (
    UNKNOWN_UNIT,
    factor,
    is_length,
    is_time,
    unit_name,
    unit_symbol,
)
from napari_infoleak.io import record

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from napari_infoleak.io.output import Output

_IMAGEJ_ORDER = "TZCYX"
_IMAGEJ_TYPES = ("uint8", "uint16", "float32")
_LARGEST_CLASSIC = (1 << 32) - (1 << 25)  # bytes; above, TIFF needs 64-bit offsets
_PROGRAM = "napari-infoleak"


def write_tiff(part: Path, output: Output) -> None:
    """Write a TIFF file for ImageJ, or, where ImageJ cannot hold the type or the size, plain.

    ImageJ opens 8- and 16-bit whole numbers and 32-bit floats up to 4 GB, in the order TZCYX.
    Anything else becomes a plain TIFF file with the axes in its description. It is not
    compressed, so that large files can be looked into without being read.
    """
    # A single column would be taken for samples of one pixel.
    fits = output.nbytes < _LARGEST_CLASSIC and output.sizes["X"] > 1
    if fits and output.dtype.name in _IMAGEJ_TYPES:
        _write_imagej(part, output)
    else:
        _write_plain(part, output)


def write_ome_tiff(part: Path, output: Output) -> None:
    """Write an OME-TIFF file, compressed without loss."""
    order = _planes_first(output)
    metadata = {
        "axes": order,
        "Name": output.kind,
        "Description": record.to_text(output.record),
        **_ome_calibration(output),
    }
    if output.channel_names:
        metadata["Channel"] = {"Name": list(output.channel_names)}
    _save(
        part,
        output,
        order,
        ome=True,
        metadata=metadata,
        compression="zlib",
        bigtiff=output.nbytes >= _LARGEST_CLASSIC,
    )


def _write_imagej(part: Path, output: Output) -> None:
    order = output.ordered(_IMAGEJ_ORDER)
    unit = _common_unit(output)
    metadata: dict[str, Any] = {"axes": order, "Info": record.to_text(output.record)}
    if unit != UNKNOWN_UNIT:
        metadata["unit"] = unit_symbol(unit).replace("µ", "u").replace("Å", "angstrom")
    if "Z" in output.scale:
        metadata["spacing"] = _in_unit(output, "Z", unit)
    if "T" in output.scale and is_time(output.units.get("T", UNKNOWN_UNIT)):
        metadata["finterval"] = _in_unit(output, "T", "second")
    for letter in "XYZ":
        offset = output.translate.get(letter, 0.0)
        if offset:
            metadata[f"{letter.lower()}origin"] = -offset / output.scale.get(letter, 1.0)
    if output.channel_names and order == "CYX":
        metadata["Labels"] = list(output.channel_names)
    metadata |= _imagej_contrast(output)
    resolution = tuple(1.0 / _in_unit(output, letter, unit) for letter in "XY")
    options: dict[str, Any] = {"metadata": metadata, "resolution": resolution}
    if output.classes is not None and output.kind == "labels":
        # ImageJ looks for the colours of several channels in its own metadata, for those of one
        # in the palette of the file.
        options |= {"photometric": "palette", "colormap": _colour_table(output)}
    _save(part, output, order, imagej=True, **options)


def _imagej_contrast(output: Output) -> dict[str, Any]:
    """Return the values that ImageJ shows as black and white; by itself it looks at one plane."""
    if output.kind in ("probabilities", "uncertainty"):
        return {"min": 0.0, "max": 1.0, "mode": "grayscale"}
    if output.kind == "cells":
        return {"min": 0, "max": max(1, int(np.asarray(output.data.max())))}
    return {}


def _write_plain(part: Path, output: Output) -> None:
    order = _planes_first(output)
    metadata = {"axes": order, record.KEY: dict(output.record)}
    steps = [_in_unit(output, letter, "centimeter") for letter in "XY"]
    calibrated = all(is_length(output.units.get(letter, UNKNOWN_UNIT)) for letter in "XY")
    resolution: dict[str, Any] = {}
    if calibrated and {"X", "Y"} <= set(output.scale):
        resolution = {"resolution": tuple(1.0 / s for s in steps), "resolutionunit": "CENTIMETER"}
    _save(
        part,
        output,
        order,
        metadata=metadata,
        bigtiff=output.nbytes >= _LARGEST_CLASSIC,
        **resolution,
    )


def _save(part: Path, output: Output, order: str, **options: Any) -> None:
    import tifffile

    tifffile.imwrite(
        part,
        output.planes(order),
        shape=output.shape_in(order),
        dtype=output.dtype,
        software=None if options.get("imagej") else _PROGRAM,
        **{"photometric": "minisblack"} | options,
    )


def _planes_first(output: Output) -> str:
    """Return our axes with Y and X last, as planes lie in a TIFF file."""
    return "".join(letter for letter in output.axes if letter not in "YX") + "YX"


def _ome_calibration(output: Output) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for letter in "XYZ":
        unit = output.units.get(letter, UNKNOWN_UNIT)
        if letter in output.scale and (is_length(unit) or unit == UNKNOWN_UNIT):
            told[f"PhysicalSize{letter}"] = output.scale[letter]
            told[f"PhysicalSize{letter}Unit"] = unit_symbol(unit)
    if "T" in output.scale and is_time(output.units.get("T", UNKNOWN_UNIT)):
        told["TimeIncrement"] = output.scale["T"]
        told["TimeIncrementUnit"] = unit_symbol(output.units["T"])
    position = {letter: output.translate[letter] for letter in "XYZ" if letter in output.translate}
    if any(position.values()):
        count = math.prod(output.data.shape[:3])
        told["Plane"] = {}
        for letter, offset in position.items():
            unit = unit_name(output.units.get(letter, UNKNOWN_UNIT))
            symbol = unit_symbol(unit) if is_length(unit) else "pixel"
            told["Plane"][f"Position{letter}"] = [offset] * count
            told["Plane"][f"Position{letter}Unit"] = [symbol] * count
    return told


def _common_unit(output: Output) -> str:
    """Return the one unit of length that ImageJ knows: that of X."""
    unit = unit_name(output.units.get("X", UNKNOWN_UNIT))
    return unit if is_length(unit) else UNKNOWN_UNIT


def _in_unit(output: Output, letter: str, wanted: str) -> float:
    """Return the step along an axis in another unit, or as it is where that has no meaning."""
    step = output.scale.get(letter, 1.0)
    change = factor(output.units.get(letter, UNKNOWN_UNIT), wanted)
    return step * (1.0 if change is None else change)


def _colour_table(output: Output) -> npt.NDArray[np.uint16]:
    """Return red, green and blue of each id, (3, 256); ids without a class are black."""
    table = np.zeros((3, 256), np.uint16)
    for entry in output.classes or ():
        table[:, entry.id] = [257 * int(entry.colour[i : i + 2], 16) for i in (1, 3, 5)]
    return table
