"""Membranes in whatever form a caller has them: a result, a file, an array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.api._inputs import is_path
from napari_infoleak.api._result import MEMBRANE, Result, membrane_index
from napari_infoleak.core.axes import CANONICAL, guess_axes, parse_axes, to_canonical
from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.image import Image, lazy_or_numpy
from napari_infoleak.io import read, read_record

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, eq=False)
class Membranes:
    """Membranes, brought to TZYX.

    Attributes
    ----------
    data : numpy or dask array, TZYX
        Probabilities 0 to 1 of being membrane, or class ids.
    axes : str
        Axes of the source, without C.
    are_labels : bool
        Whether `data` holds class ids.
    membrane_id : int
        Which of them is membrane, as far as the source says.
    scale, translate, units : mapping
        By letter out of T, Z, Y, X, as far as they are known.
    """

    data: Any
    axes: str
    are_labels: bool
    membrane_id: int = MEMBRANE
    scale: Mapping[str, float] = field(default_factory=dict)
    translate: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def calibration(self) -> dict[str, Any]:
        """Scale, translation and units, as `write` takes them."""
        return {"scale": self.scale, "translate": self.translate, "units": self.units}


def membranes_of(source: Any, axes: str | None = None, membrane: int | None = None) -> Membranes:
    """Find the membranes in a result, a file or an array.

    Parameters
    ----------
    source : Result, path, Image, array, or what this function returned
        Floating-point numbers are probabilities: of being membrane, or of all classes, the class
        axis first. Whole numbers are class ids.
    axes : str, optional
        Axes of the image it belongs to; a leading K or a C stands for the class axis.
    membrane : int, optional
        Id of the membrane class, where it is not the one of that name.

    Returns
    -------
    Membranes

    Raises
    ------
    BadInput
        If there are none in it.
    """
    if isinstance(source, Membranes):
        return source
    if isinstance(source, Result):
        return _of_result(source, membrane)
    record: Mapping[str, Any] = read_record(source) if is_path(source) else {}
    image = _image(source, axes)
    data = image.data
    are_labels = np.dtype(data.dtype).kind != "f"
    if are_labels and image.sizes["C"] > 1:
        raise BadInput(
            f"{image.name} holds {image.sizes['C']} channels of {data.dtype}; expected class ids "
            f"without channels, or probabilities as floating-point numbers"
        )
    plane = 0 if image.sizes["C"] == 1 else _plane(record, image.sizes["C"], membrane)
    return Membranes(
        data=data[:, plane],
        axes=image.label_axes,
        are_labels=are_labels,
        membrane_id=_membrane_id(record),
        scale=image.scale,
        translate=image.translate,
        units=image.units,
    )


def _of_result(result: Result, membrane: int | None) -> Membranes:
    """Take the probabilities of a result, or its labels where there are none."""
    known: dict[str, Any] = {"axes": result.axes, **result.calibration}
    _refuse_unknown(membrane, result.class_ids)
    if result.probabilities is None:
        data = to_canonical(result.labels, result.axes)[:, 0]
        number = result.class_ids[result.membrane_index]
        return Membranes(data, are_labels=True, membrane_id=number, **known)
    index = membrane_index(result.class_ids, result.classes, membrane)
    data = to_canonical(result.probabilities[index], result.axes)[:, 0]
    return Membranes(data, are_labels=False, **known)


def _image(source: Any, axes: str | None) -> Image:
    """Read or wrap the pixels; the class axis counts as C."""
    if isinstance(source, Image):
        return source
    letters = None if axes is None else axes.strip().upper().replace("K", "C")
    if is_path(source):
        return read(source, _with_class_axis(letters, source))
    array = lazy_or_numpy(source)
    if letters is None and _first_is_classes(array):
        letters = "C" + "TZYX"[1 - array.ndim :]
    if letters is None:
        letters = guess_axes(tuple(array.shape)).replace("C", "") if array.ndim < 5 else CANONICAL
        if len(letters) != array.ndim:
            letters = "TZYX"[-array.ndim :]
    elif array.ndim == len(letters) + 1 and "C" not in letters:
        letters = "C" + letters
    return Image.from_array(array, parse_axes(letters, tuple(array.shape)), rgb=False)


def _first_is_classes(array: Any) -> bool:
    """Whether an array holds probabilities of all classes, which sum to 1 over its first axis."""
    if np.dtype(array.dtype).kind != "f" or not 3 <= array.ndim <= 5 or array.shape[0] < 2:
        return False
    few = np.asarray(array[(slice(None), *(slice(0, 32) for _ in array.shape[1:]))], np.float64)
    return bool(np.allclose(few.sum(0), 1, atol=1e-3))


def _with_class_axis(letters: str | None, path: Any) -> str | None:
    """Add the class axis to the axes of an image, where the file has one dimension more."""
    if letters is None or "C" in letters:
        return letters
    shown = read(path)
    return "C" + letters if len(shown.axes) == len(letters) + 1 else letters


def _noted_classes(record: Mapping[str, Any]) -> ClassTable:
    """Read the class table of a file; anybody may have edited it."""
    noted = record.get("classes")
    try:
        return ClassTable.from_json(noted) if isinstance(noted, list) else ClassTable()
    except BadInput:
        return ClassTable()


def _membrane_id(record: Mapping[str, Any]) -> int:
    """Find the membrane among the classes that a file of labels names."""
    classes = _noted_classes(record)
    return classes.ids[membrane_index(classes.ids, classes)] if classes else MEMBRANE


def _plane(record: Mapping[str, Any], count: int, membrane: int | None) -> int:
    """Find the plane of the membrane along the class axis."""
    classes = _noted_classes(record)
    ids = classes.ids if len(classes) == count else tuple(range(1, count + 1))
    _refuse_unknown(membrane, ids)
    return membrane_index(ids, classes, membrane)


def _refuse_unknown(membrane: int | None, ids: tuple[int, ...]) -> None:
    if membrane is not None and membrane not in ids:
        known = ", ".join(map(str, ids))
        raise BadInput(f"there is no class {membrane} among the probabilities; there are {known}")
