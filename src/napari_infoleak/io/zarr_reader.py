"""Read OME-Zarr (NGFF 0.1 to 0.5) and plain zarr arrays, lazily."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.axes import CANONICAL
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.units import unit_name
from napari_infoleak.io import record
from napari_infoleak.io.stored import Stored, finite, positive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MARKS = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
"""Files of which a zarr folder has at least one."""

_LETTER_OF_TYPE = {"time": "T", "channel": "C"}


def read_zarr(path: Path) -> Stored:
    """Read a zarr array, or the full resolution of an OME-Zarr image.

    Parameters
    ----------
    path : Path
        The store, or a group or an array inside it.

    Returns
    -------
    Stored
        Its array is a dask array; nothing but metadata is read.

    Raises
    ------
    BadInput
        If there is no image, more than one, or the metadata are damaged.
    """
    import zarr

    try:
        found = zarr.open(str(path), mode="r")
        if isinstance(found, zarr.Array):
            return _plain(found)
        return _group(path, found)
    except (BadInput, MemoryError):
        raise
    except Exception as error:  # metadata of any program and any version
        raise BadInput(
            f"{path} cannot be read as OME-Zarr ({type(error).__name__}: {error}); it is damaged, "
            f"incomplete, or no zarr store"
        ) from error


def _plain(array: Any) -> Stored:
    names = getattr(array.metadata, "dimension_names", None) or ()
    hint = "".join(str(name)[:1] for name in names if name)
    return Stored(array=_lazy(array), hint=hint, record=record.from_json(dict(array.attrs)))


def _group(path: Path, group: Any) -> Stored:
    attributes = dict(group.attrs)
    told = _ome_part(attributes)
    if "multiscales" not in told:
        return (
            _group(path, _only_image(path, group, told))
            if _is_wrapper(told)
            else _single(path, group)
        )
    multiscale = told["multiscales"][0]
    level = multiscale["datasets"][0]
    stored = Stored(array=_lazy(group[level["path"]]), record=record.from_json(attributes))
    _take_axes(stored, multiscale.get("axes"))
    for transforms in (
        level.get("coordinateTransformations"),
        multiscale.get("coordinateTransformations"),
    ):
        _apply(stored, transforms or ())
    stored.channel_names = _channel_names(told.get("omero", attributes.get("omero")))
    return stored


def _ome_part(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata, which lie under "ome" from version 0.5 on and at the top before."""
    inner = attributes.get("ome")
    return dict(inner) if isinstance(inner, dict) else dict(attributes)


def _is_wrapper(told: Mapping[str, Any]) -> bool:
    return "bioformats2raw.layout" in told or "plate" in told or "well" in told


def _only_image(path: Path, group: Any, told: Mapping[str, Any]) -> Any:
    """Return the image inside a group that only holds images; many are refused by name."""
    if "plate" in told or "well" in told:
        kind = "plate" if "plate" in told else "well"
        raise BadInput(
            f"{path} is a {kind} with many images; give the path of one of them, such as "
            f"{path}/{'A/1/0' if kind == 'plate' else '0'}"
        )
    names = sorted(name for name in group.group_keys() if name != "OME")
    if len(names) != 1:
        raise BadInput(
            f"{path} holds {len(names)} images ({', '.join(names[:5])}); give the path of one of "
            f"them, such as {path}/{names[0] if names else '0'}"
        )
    return group[names[0]]


def _single(path: Path, group: Any) -> Stored:
    """Take the one array of a group without image metadata."""
    names = sorted(group.array_keys())
    if len(names) != 1:
        inside = ", ".join([*names, *sorted(group.group_keys())][:8]) or "nothing"
        raise BadInput(
            f"{path} is a zarr group without OME-Zarr image metadata; it holds {inside}: give the "
            f"path of one array"
        )
    return _plain(group[names[0]])


def _take_axes(stored: Stored, axes: Sequence[Any] | None) -> None:
    """Note letters and units; axes are objects from 0.4 on, letters in 0.3, and fixed before."""
    if not axes:
        stored.hint = CANONICAL
        return
    letters: list[str] = []
    for axis in axes:
        one = axis if isinstance(axis, dict) else {"name": axis}
        name = str(one.get("name", "")).upper()
        letter = name if name in CANONICAL else _LETTER_OF_TYPE.get(str(one.get("type")), name[:1])
        letters.append(letter)
        if one.get("unit"):
            stored.units[letter] = unit_name(one["unit"])
    stored.hint = "".join(letters)


def _apply(stored: Stored, transforms: Sequence[Mapping[str, Any]]) -> None:
    """Take one list of transformations into scale and translation, in their order."""
    letters = stored.hint or ""
    for transform in transforms:
        for letter, value in zip(letters, transform.get("scale") or (), strict=False):
            step = positive(value)
            if letter != "C" and step is not None:
                stored.scale[letter] = stored.scale.get(letter, 1.0) * step
                if letter in stored.translate:
                    stored.translate[letter] *= step
        for letter, value in zip(letters, transform.get("translation") or (), strict=False):
            offset = finite(value)
            if letter != "C" and offset is not None:
                stored.translate[letter] = stored.translate.get(letter, 0.0) + offset


def _channel_names(omero: Any) -> tuple[str, ...]:
    channels = omero.get("channels", ()) if isinstance(omero, dict) else ()
    labels = [channel.get("label") for channel in channels if isinstance(channel, dict)]
    return tuple(str(label) for label in labels) if labels and all(labels) else ()


def _lazy(array: Any) -> Any:
    dask: Any = importlib.import_module("dask.array")
    return dask.from_zarr(array)
