"""Reads the files that this program wrote, with their scale, units and class colours.

Files of others that end alike are read too, where somebody asks for it: with axes, scale and units.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.axes import from_canonical
from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.widgets.annotation import class_colours
from napari_infoleak.widgets.layers import KEY
from napari_infoleak.widgets.samples import LayerData, calibration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_infoleak.core.image import Image

_EDITABLE = 512 << 20  # bytes up to which labels are read whole, so that they can be painted on
_LABELS = ("labels", "cells")


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return a reader for a file that can be read, None for any other and for several at once."""
    from napari_infoleak.io.read import read_record

    if not isinstance(path, str | Path):
        return None
    try:
        read_record(str(path))
    except InfoleakError:
        return None
    return read_result


def read_result(path: str | Sequence[str]) -> list[LayerData]:
    """Read one of our files.

    Parameters
    ----------
    path : str
        A file; what `napari_infoleak.io.write` made is known by the record in it.

    Returns
    -------
    list of (data, options, layer type)
        What napari makes layers of.
    """
    from napari_infoleak.io.read import read, read_record

    place = str(path)
    record = read_record(place)
    image = read(place)
    kind = str(record.get("kind", "image"))
    if kind in _LABELS:
        return [_labels(place, image, kind, record)]
    if kind == "probabilities":
        return _probabilities(image, record)
    return [_plain(image, kind)]


def _labels(path: str, image: Image, kind: str, record: dict[str, Any]) -> LayerData:
    from napari_infoleak.io.read import read_labels

    labels, axes = read_labels(path)
    if labels.nbytes <= _EDITABLE:
        labels = np.array(labels)
    notes: dict[str, Any] = {"axes": axes}
    if kind == "labels" and isinstance(labels, np.ndarray) and _is_paint(labels):
        notes["kind"] = "annotation"
    options: dict[str, Any] = {"name": image.name, "opacity": 0.5, **calibration(image, axes)}
    if kind == "labels" and record.get("classes"):
        classes = ClassTable.from_json(record["classes"])
        notes["classes"] = classes.to_json()
        options["colormap"] = class_colours(classes)
    if kind == "cells":
        notes["kind"] = "cells"
    options["metadata"] = {KEY: notes}
    return labels, options, "labels"


def _is_paint(labels: np.ndarray[Any, Any]) -> bool:
    """Tell an annotation from an answer, which leaves no pixel open."""
    return 2 * int(np.count_nonzero(labels)) < labels.size


def _probabilities(image: Image, record: dict[str, Any]) -> list[LayerData]:
    """Return one image layer a class."""
    axes = image.label_axes
    names = [str(name) for name in record.get("channel_names", ())]
    layers = []
    for index in range(image.sizes["C"]):
        name = names[index] if index < len(names) else f"class {index + 1}"
        options = {
            "name": f"{image.name} {name}",
            "colormap": "magma",
            "contrast_limits": (0, 1),
            "visible": index == image.sizes["C"] - 1,
            "metadata": {KEY: {"axes": axes, "kind": "probability"}},
            **calibration(image, axes),
        }
        layers.append((from_canonical(image.data[:, index : index + 1], axes), options, "image"))
    return layers


def _plain(image: Image, kind: str) -> LayerData:
    notes = {"axes": image.axes} | ({} if kind == "image" else {"kind": kind})
    options: dict[str, Any] = {
        "name": image.name,
        "metadata": {KEY: notes},
        **calibration(image, image.axes),
    }
    if kind == "uncertainty":
        options |= {"colormap": "viridis", "contrast_limits": (0, 1)}
    return from_canonical(image.data, image.axes), options, "image"
