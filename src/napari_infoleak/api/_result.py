"""What a segmentation returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.classes import ClassTable

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMBRANE = 2
"""Id of the membrane class in the preset."""


@dataclass(frozen=True, eq=False)
class Result:
    """The answer to an image or a region of it, in the axes of its source without C.

    Attributes
    ----------
    labels : array, uint8
        Class ids; painted pixels of the image's own annotation keep their class.
    probabilities : array, float32, or None
        The class axis K first; they sum to 1 over it.
    uncertainty : array, float32, or None
        0 sure to 1 unsure.
    class_ids : tuple of int
        Ids of the K classes, in their order.
    classes : ClassTable
        Names and colours of the ids.
    axes : str
        Axes of `labels`.
    scale, translate, units : mapping
        By letter out of T, Z, Y, X; of a region, `translate` is its own corner's.
    provenance : mapping
        What made the result, plain JSON; `write` puts it into files.
    rounds : tuple of array, float32
        Probabilities after each look of a network that looks several times, the last of which are
        those of the answer; empty if they were not asked for.
    """

    labels: Any
    probabilities: Any
    uncertainty: Any
    class_ids: tuple[int, ...]
    classes: ClassTable
    axes: str
    scale: Mapping[str, float] = field(default_factory=dict)
    translate: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    rounds: tuple[Any, ...] = ()

    @property
    def membrane_index(self) -> int:
        """Place along K of the membrane class, see `membrane_index`."""
        return membrane_index(self.class_ids, self.classes)

    @property
    def answered(self) -> ClassTable:
        """The classes of the K axis alone, in its order."""
        return ClassTable(tuple(self.classes[number] for number in self.class_ids))

    @property
    def calibration(self) -> dict[str, Any]:
        """Scale, translation and units, as `write` takes them."""
        return {"scale": self.scale, "translate": self.translate, "units": self.units}


def membrane_index(
    class_ids: tuple[int, ...], classes: ClassTable | None = None, membrane: int | None = None
) -> int:
    """Find the membrane among the classes of an answer.

    Parameters
    ----------
    class_ids : tuple of int
        Ids in the order of the probabilities.
    classes : ClassTable, optional
        Their names.
    membrane : int, optional
        The id, where the caller knows it.

    Returns
    -------
    int
        Place of `membrane`; else of the class that is called so; else of id 2; else the last.
    """
    if membrane is not None and membrane in class_ids:
        return class_ids.index(membrane)
    named = {} if classes is None else {entry.id: entry.name.lower() for entry in classes}
    for index, number in enumerate(class_ids):
        if "membrane" in named.get(number, ""):
            return index
    return class_ids.index(MEMBRANE) if MEMBRANE in class_ids else len(class_ids) - 1
