"""A session: what was painted, chosen and done, as records, and the state they lead to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.provenance import package_version, plain_json
from napari_infoleak.session.images import ImageReference
from napari_infoleak.session.paint import Difference, Paint

Record = dict[str, Any]

FORMAT = 1
ANSWERS = ("segment", "propagate")
"""Steps that label the image."""
_OF_CELLS = ("cells", "correct")
OWN = 0
"""Number of the image that the session is about; others are its support images."""


@dataclass(frozen=True, eq=False)
class Layer:
    """An annotation.

    Parameters
    ----------
    number : int
        By which records refer to it.
    image : int
        The image that it annotates.
    name : str
        What people call it.
    paint : Paint
        What is painted so far.
    """

    number: int
    image: int
    name: str
    paint: Paint


@dataclass(frozen=True)
class Step:
    """Something that was done.

    Parameters
    ----------
    number : int
        Steps are counted in their order.
    name : str
        ``"segment"``, ``"propagate"``, ``"train"``, ``"cells"`` ...
    arguments : mapping
        Plain JSON.
    result : mapping
        What came of it, as far as it has to be known; plain JSON.
    """

    number: int
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)


class Session:
    """All that is needed to go on, or to do the same again.

    Parameters
    ----------
    records : iterable of dict
        What happened, oldest first.

    Attributes
    ----------
    records : list of dict
    images : dict of int to ImageReference
        0 is the image that was segmented, others are support images.
    layers : dict of int to Layer
        Annotations.
    annotation : int or None
        Number of the layer that annotates the image.
    supports : tuple of int
        Numbers of the layers that annotate support images.
    classes : ClassTable
    settings : dict
        Model, channel and leak.
    models : dict of str to str
        Files of models that were trained or chosen, and the sha256 of each.
    steps : list of Step
        What was done, in order; what was begun only is left out.

    Raises
    ------
    BadInput
        If a record is of a newer format, or cannot be understood.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]] = ()) -> None:
        self.records: list[Record] = []
        self.images: dict[int, ImageReference] = {}
        self.layers: dict[int, Layer] = {}
        self.annotation: int | None = None
        self.supports: tuple[int, ...] = ()
        self.classes = ClassTable.membrane()
        self.settings: dict[str, Any] = {}
        self.models: dict[str, str] = {}
        self.steps: list[Step] = []
        self._begun: Step | None = None
        self._last = 0
        for record in records:
            self.take(record)

    @property
    def worth_keeping(self) -> bool:
        """Whether anything was painted or done."""
        return bool(self.steps) or any(layer.paint for layer in self.layers.values())

    @property
    def next_step(self) -> int:
        """Number of the step that is begun next."""
        return self._last + 1

    @property
    def painted_since(self) -> bool:
        """Whether something was painted after the last step that was done."""
        last = self.steps[-1].number if self.steps else None
        for record in reversed(self.records):
            if record["kind"] == "step" and record["number"] == last:
                return False
            if record["kind"] == "paint" and last is not None:
                return True
        return False

    def take(self, record: Mapping[str, Any]) -> Record:
        """Add a record.

        Returns
        -------
        dict
            The record, to be written down.
        """
        try:
            self._take(record)
        except BadInput:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            kind = record.get("kind") if isinstance(record, Mapping) else None
            raise BadInput(f"a record of the session ({kind}) cannot be understood") from error
        kept = dict(record)
        self.records.append(kept)
        return kept

    def compact(self) -> Session:
        """Return a session of fewer records that leads to the same state and the same results."""
        short = Session([header()])
        needed = {step.number for step in needed_steps(self.steps)}
        needed |= {self._last} if self._begun else set()
        results = {step.number: step.result for step in self.steps}
        past = Session()
        for record in self.records:
            past.take(record)
            if record["kind"] == "step" and record["number"] in needed:
                _catch_up(short, past)
                short.take(record)
                if record["number"] in results:
                    short.take(done(record["number"], results[record["number"]]))
        _catch_up(short, past)
        return short

    def _take(self, record: Mapping[str, Any]) -> None:
        kind = record["kind"]
        if kind == "session":
            _refuse_newer(record)
        elif kind == "image":
            self.images[int(record["number"])] = ImageReference.from_json(record)
        elif kind == "layer":
            self._take_layer(record)
        elif kind == "paint":
            self.layers[int(record["layer"])].paint.apply_text(str(record["runs"]))
        elif kind == "use":
            self.annotation = record["annotation"]
            self.supports = tuple(record["supports"])
            for number in (self.annotation, *self.supports):
                if number is not None:
                    self.layers[number]  # has to be there
        elif kind == "classes":
            self.classes = ClassTable.from_json(record["classes"])
        elif kind == "settings":
            self.settings = dict(record["settings"])
        elif kind == "model":
            self.models[str(record["path"])] = str(record["hash"])
        elif kind == "step":
            self._last = int(record["number"])
            self._begun = Step(self._last, str(record["name"]), dict(record["arguments"]))
        elif kind == "done" and self._begun is not None:
            self.steps.append(replace(self._begun, result=dict(record.get("result") or {})))
            self._begun = None
        elif kind == "taken_back":
            first = int(record["number"])
            self.steps = [
                one for one in self.steps if one.number < first or one.name not in _OF_CELLS
            ]

    def _take_layer(self, record: Mapping[str, Any]) -> None:
        number, image = int(record["number"]), int(record["image"])
        shape = self.images[image].shape
        known = self.layers.get(number)
        paint = Paint(shape) if known is None or known.paint.shape != shape else known.paint
        self.layers[number] = Layer(number, image, str(record["name"]), paint)


def needed_steps(steps: list[Step]) -> list[Step]:
    """Return the steps whose results were not replaced by later ones.

    An answer replaces those before it that lie within its part of the image, unless cells were
    made of them that are still there. Trainings are all needed, as the models that they made are.
    """
    kept: list[Step] = []
    since = 0  # from where on the kept ones come after the cells
    for index in range(len(steps) - 1, -1, -1):
        step = steps[index]
        later = kept[since:] if step.name in ANSWERS else kept
        if any(_replaces(one, step) for one in later):
            continue
        kept.append(step)
        if step.name == "cells":
            since = len(kept)
        if step.arguments.get("finished"):  # cells that stayed of those before
            return steps[:index] + kept[::-1]
    return kept[::-1]


def header() -> Record:
    """Return the record that a session begins with."""
    return {
        "kind": "session",
        "format": FORMAT,
        "program": "napari-infoleak",
        "version": package_version(),
    }


def image(number: int, reference: ImageReference) -> Record:
    """Return the record of an image, or of what is newly known of it."""
    return {"kind": "image", "number": number, **reference.to_json()}


def layer(number: int, of_image: int, name: str) -> Record:
    """Return the record of an annotation."""
    return {"kind": "layer", "number": number, "image": of_image, "name": name}


def paint(of_layer: int, difference: Difference) -> Record:
    """Return the record of a stroke."""
    return {"kind": "paint", "layer": of_layer, "runs": difference.encode()}


def use(annotation: int | None, supports: Iterable[int]) -> Record:
    """Return the record of which annotations count."""
    return {"kind": "use", "annotation": annotation, "supports": list(supports)}


def classes(table: ClassTable) -> Record:
    """Return the record of a class table."""
    return {"kind": "classes", "classes": table.to_json()}


def settings(values: Mapping[str, Any]) -> Record:
    """Return the record of settings."""
    return {"kind": "settings", "settings": plain_json(values)}


def model(path: str, sha256: str) -> Record:
    """Return the record of a model's file."""
    return {"kind": "model", "path": path, "hash": sha256}


def step(number: int, name: str, arguments: Mapping[str, Any]) -> Record:
    """Return the record of something that is begun."""
    return {"kind": "step", "number": number, "name": name, "arguments": plain_json(arguments)}


def done(number: int, result: Mapping[str, Any]) -> Record:
    """Return the record of something that has come to its end."""
    return {"kind": "done", "number": number, "result": plain_json(result)}


def taken_back(number: int) -> Record:
    """Return the record of cells that were made, and taken back with all their corrections."""
    return {"kind": "taken_back", "number": number}


def _replaces(later: Step, earlier: Step) -> bool:
    if later.name in ANSWERS and earlier.name in ANSWERS:
        outer, inner = (one.arguments.get("region") for one in (later, earlier))
        return outer is None or (inner is not None and _holds(outer, inner))
    if earlier.name in _OF_CELLS:
        return later.name == "cells"
    return later.name == earlier.name and later.arguments == earlier.arguments


def _holds(outer: list[int], inner: list[int]) -> bool:
    """Tell whether a region, starts and ends along T, Z, Y, X, lies within another."""
    starts = all(a <= b for a, b in zip(outer[::2], inner[::2], strict=True))
    return starts and all(a >= b for a, b in zip(outer[1::2], inner[1::2], strict=True))


def _catch_up(short: Session, past: Session) -> None:
    """Let a shorter session know what a longer one does, but for the steps."""
    for number, reference in past.images.items():
        if short.images.get(number) != reference:
            short.take(image(number, reference))
    for number, known in past.layers.items():
        if number not in short.layers or short.layers[number].name != known.name:
            short.take(layer(number, known.image, known.name))
        change = known.paint.since(short.layers[number].paint)
        if len(change):
            short.take(paint(number, change))
    if (short.annotation, short.supports) != (past.annotation, past.supports):
        short.take(use(past.annotation, past.supports))
    if short.classes != past.classes:
        short.take(classes(past.classes))
    if short.settings != past.settings:
        short.take(settings(past.settings))
    for path, sha256 in past.models.items():
        if short.models.get(path) != sha256:
            short.take(model(path, sha256))


def _refuse_newer(record: Mapping[str, Any]) -> None:
    if int(record["format"]) > FORMAT:
        raise BadInput(
            f"the session is of a newer version ({record.get('version')}) of the program; "
            f"update napari-infoleak to open it"
        )
