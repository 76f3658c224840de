"""Writes a labels layer with its axes, scale, units and classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.axes import guess_axes, without_channel
from napari_infoleak.core.classes import LARGEST_ID, ClassTable
from napari_infoleak.widgets.layers import KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

_AXES = "TCZYX"


def write_labels(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write a labels layer; the ending of the path chooses the format.

    Parameters
    ----------
    path : str
        File to write.
    data : array
        The labels, or the levels of a multiscale layer.
    meta : mapping
        What napari knows of the layer.

    Returns
    -------
    list of str
        The file that was written.
    """
    from napari_infoleak.io.write import write

    labels = data[0] if isinstance(data, list | tuple) else data
    notes = meta.get("metadata", {}).get(KEY, {})
    letters = _letters(labels, meta, notes)
    channel = letters.find("C")
    if channel >= 0:
        labels = labels[(slice(None),) * channel + (0,)]
    kind = _kind(labels, notes)
    classes = notes.get("classes")
    written = write(
        path,
        labels,
        axes=without_channel(letters),
        kind=kind,
        classes=ClassTable.from_json(classes) if classes and kind == "labels" else None,
        scale=_by_letter(letters, meta.get("scale")),
        translate=_by_letter(letters, meta.get("translate")),
        units=_by_letter(letters, meta.get("units")),
    )
    return [str(written)]


def _letters(labels: Any, meta: Mapping[str, Any], notes: Mapping[str, Any]) -> str:
    """Return the axes: as noted, as named in the layer, or guessed."""
    named = "".join(str(label) for label in meta.get("axis_labels") or ()).upper()
    for letters in (str(notes.get("axes", "")), named):
        fits = len(letters) == labels.ndim and set(letters) <= set(_AXES)
        channel = letters.find("C")
        flat = channel < 0 or (fits and labels.shape[channel] == 1)
        if fits and flat and len(set(letters)) == len(letters) and {"Y", "X"} <= set(letters):
            return letters
    plain = {2: "YX", 3: "ZYX", 4: "TZYX"}
    return plain.get(labels.ndim) or guess_axes(tuple(labels.shape))


def _by_letter(letters: str, values: Any) -> dict[str, Any] | None:
    """Name the numbers of a layer by axis, C left out."""
    if values is None:
        return None
    pairs = zip(letters, values, strict=True)
    return {k: v if isinstance(v, int | float) else _plain(v) for k, v in pairs if k != "C"}


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, np.floating | np.integer) else str(value)


def _kind(labels: Any, notes: Mapping[str, Any]) -> Any:
    """Tell class ids from cell ids, which may be more than a byte holds."""
    if notes.get("kind") == "cells":
        return "cells"
    if np.dtype(labels.dtype).itemsize == 1:
        return "labels"
    return "cells" if int(labels.max()) > LARGEST_ID else "labels"
