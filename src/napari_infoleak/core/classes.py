"""Classes: a stable id, a name and a colour each."""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

LARGEST_ID = 255

# Okabe and Ito's palette, told apart by people with any colour vision. Interior is a quiet blue and
# membrane the brightest of the others, which shows on dark and bright grey images alike.
_PALETTE = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#f0e442",
    "#999999",
)
_PRESET = {1: "interior", 2: "membrane"}
_COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True)
class ClassEntry:
    """One class.

    Parameters
    ----------
    id : int
        1 to 255; 0 is unlabelled and no class.
    name : str
        What people call it; not empty.
    colour : str
        ``"#rrggbb"``.
    """

    id: int
    name: str
    colour: str

    def __post_init__(self) -> None:
        """Check id, name and colour."""
        if not 1 <= self.id <= LARGEST_ID:
            raise BadInput(
                f"class id {self.id} is out of range; ids are 1 to {LARGEST_ID}, 0 is unlabelled"
            )
        if not self.name.strip():
            raise BadInput(f"class {self.id} has no name; give it one")
        colour = self.colour.lower()
        if not _COLOUR.fullmatch(colour):
            raise BadInput(f"colour {self.colour!r} of class {self.id} is not of the form #rrggbb")
        object.__setattr__(self, "name", self.name.strip())
        object.__setattr__(self, "colour", colour)


@dataclass(frozen=True)
class ClassTable:
    """Classes in the order they were added. A change makes a new table; no id is ever renumbered.

    Parameters
    ----------
    entries : tuple of ClassEntry
        Ids and names must differ.

    Examples
    --------
    >>> table = ClassTable.membrane().add("mitochondria")
    >>> table.names
    ('interior', 'membrane', 'mitochondria')
    >>> table[3].name
    'mitochondria'
    """

    entries: tuple[ClassEntry, ...] = ()

    def __post_init__(self) -> None:
        """Check that ids and names differ."""
        object.__setattr__(self, "entries", tuple(self.entries))
        _refuse_repeats("id", self.ids)
        _refuse_repeats("name", self.names)

    @classmethod
    def membrane(cls) -> ClassTable:
        """Return the preset: 1 interior, 2 membrane."""
        return cls.for_ids(_PRESET)

    @classmethod
    def for_ids(cls, ids: Iterable[int]) -> ClassTable:
        """Make a table for ids found in an annotation; 1 and 2 get the preset's names."""
        return cls().with_ids(ids)

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids, in the table's order."""
        return tuple(entry.id for entry in self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        """Names, in the table's order."""
        return tuple(entry.name for entry in self.entries)

    def __getitem__(self, class_id: int) -> ClassEntry:
        """Return the class with this id, not the one at this place."""
        for entry in self.entries:
            if entry.id == class_id:
                return entry
        known = ", ".join(f"{entry.id} {entry.name}" for entry in self.entries) or "none"
        raise BadInput(f"there is no class {class_id}; the classes are: {known}")

    def __contains__(self, class_id: object) -> bool:
        """Tell whether a class has this id."""
        return class_id in self.ids

    def __iter__(self) -> Iterator[ClassEntry]:
        """Go through the entries."""
        return iter(self.entries)

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.entries)

    def add(self, name: str, colour: str | None = None) -> ClassTable:
        """Return a table with one class more, under the next unused id.

        Parameters
        ----------
        name : str
            Name of the class, not yet in the table.
        colour : str or None
            ``"#rrggbb"``; by default one that differs from the others.

        Raises
        ------
        BadInput
            If the name is empty or taken, the colour malformed, or all 255 ids are used.
        """
        return self._with(ClassEntry(self._next_id(), name, colour or self._free_colour()))

    def with_ids(self, ids: Iterable[int]) -> ClassTable:
        """Return a table that also holds these ids, named "class N" where they are new."""
        table = self
        for number in sorted({int(number) for number in ids} - set(self.ids)):
            table = table._with(ClassEntry(number, table._free_name(number), colour_of(number)))
        return table

    def rename(self, class_id: int, name: str) -> ClassTable:
        """Return a table in which a class has another name."""
        return self._replaced(replace(self[class_id], name=name))

    def recolour(self, class_id: int, colour: str) -> ClassTable:
        """Return a table in which a class has another colour."""
        return self._replaced(replace(self[class_id], colour=colour))

    def to_json(self) -> list[dict[str, Any]]:
        """Return the table as plain JSON values: a list of id, name and colour."""
        return [{"id": e.id, "name": e.name, "colour": e.colour} for e in self.entries]

    @classmethod
    def from_json(cls, value: Sequence[Mapping[str, Any]]) -> ClassTable:
        """Read what `to_json` gave.

        Raises
        ------
        BadInput
            If an entry lacks a part or holds a wrong one.
        """
        try:
            return cls(
                tuple(
                    ClassEntry(
                        int(entry["id"]),
                        str(entry["name"]),
                        str(entry.get("colour") or colour_of(int(entry["id"]))),
                    )
                    for entry in value
                )
            )
        except BadInput:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(
                "a class table needs a list of entries with id and name, such as "
                '[{"id": 1, "name": "interior", "colour": "#0072b2"}]'
            ) from error

    def _with(self, entry: ClassEntry) -> ClassTable:
        return ClassTable((*self.entries, entry))

    def _replaced(self, new: ClassEntry) -> ClassTable:
        return ClassTable(tuple(new if entry.id == new.id else entry for entry in self.entries))

    def _next_id(self) -> int:
        after = max(self.ids, default=0) + 1
        if after <= LARGEST_ID:
            return after
        free = sorted(set(range(1, LARGEST_ID + 1)) - set(self.ids))
        if not free:
            raise BadInput(f"the table is full: there can be {LARGEST_ID} classes")
        return free[0]

    def _free_colour(self) -> str:
        used = {entry.colour for entry in self.entries}
        candidates = (colour_of(number) for number in range(self._next_id(), 2 * LARGEST_ID))
        return next((colour for colour in candidates if colour not in used), _PALETTE[0])

    def _free_name(self, number: int) -> str:
        name = _PRESET.get(number, f"class {number}")
        return name if name not in self.names else f"class {number}"


def colour_of(class_id: int) -> str:
    """Return the default colour of a class id, ``"#rrggbb"``.

    The first eight are safe for all colour vision; the rest step around the colour circle by the
    golden angle, so that neighbours differ.
    """
    if class_id <= len(_PALETTE):
        return _PALETTE[class_id - 1]
    hue = (class_id * 0.61803398875) % 1.0
    lightness = 0.45 + 0.2 * (class_id % 2)
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.7)
    return "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))


def _refuse_repeats(what: str, values: Sequence[object]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise BadInput(f"two classes have the {what} {value!r}; each needs its own")
