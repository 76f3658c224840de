"""The command lines, and the Python, that do what the dock did."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_infoleak.api._result import MEMBRANE, membrane_index
from napari_infoleak.widgets.layers import file_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari.layers import Layer

    from napari_infoleak.session import Step
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.state import DockState

DEFAULT_MODEL = "membrane"
_TRAININGS = ("train", "add_class", "shrink")


@dataclass
class Done:
    """What was done, and with which files.

    Parameters
    ----------
    image, axes : str
        The image.
    annotation : str
        Its own paint; empty if there is none.
    supports : list of (str, str, str)
        Other annotated images: image, paint, axes.
    settings : dict
        Model, channel and leak, as far as they are not the usual ones.
    trainings : list of dict
        Arguments of the trainings that led to the model, oldest first.
    cells : dict or None
        How cells were made; None if they were not.
    missing : list of str
        Layers that lie in no file yet, with the file names that are taken for them.
    """

    image: str
    axes: str
    annotation: str = ""
    supports: list[tuple[str, str, str]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    trainings: list[dict[str, Any]] = field(default_factory=list)
    cells: dict[str, Any] | None = None
    missing: list[str] = field(default_factory=list)

    @property
    def pairs(self) -> list[tuple[str, str, str]]:
        """All that a model was trained on."""
        own = [(self.image, self.annotation, self.axes)] if self.annotation else []
        return own + self.supports

    def output(self, what: str) -> str:
        """Return the file of a result, beside the image."""
        return str(Path(self.image).with_name(f"{bare(self.image)}_{what}.ome.tif"))


def done_in(state: DockState, steps: Sequence[Step] = ()) -> Done | None:
    """Return what led to the dock's answer, or would lead to it; None without an image.

    Parameters
    ----------
    state : DockState
        What is chosen.
    steps : sequence of Step
        What was done.
    """
    source = state.source
    if source is None:
        return None
    missing: list[str] = []
    done = Done(_file(missing, source.layer, f"{stem(source.name)}.tif"), source.axes)
    done.missing = missing
    if state.annotation is not None and state.count.total:
        name = f"{stem(source.name)}_annotation.tif"
        done.annotation = _file(missing, state.annotation.layer, name)
    for pair in state.supports:
        other = _file(missing, pair.source.layer, f"{stem(pair.source.name)}.tif")
        paint = _file(missing, pair.annotation, f"{stem(pair.annotation.name)}.tif")
        done.supports.append((other, paint, pair.source.axes))
    told = _last(steps, "segment", "propagate") if state.answer is not None else {}
    done.settings = _settings(state, source, told)
    done.trainings = _trainings(steps, state, str(done.settings.get("model", "")))
    if state.cells is not None:
        done.cells = _cells(state, _last(steps, "cells"))
    return done


def command_lines(done: Done) -> str:
    """Return the commands, a line each, quoted for the shell of this system."""
    lines = [_training_line(done, training) for training in done.trainings]
    lines.append(quoted(segment_words(done)))
    if done.cells is not None:
        words = ["infoleak", "cells", done.output("probabilities")]
        lines.append(quoted([*words, *_options(done.cells), "--output", done.output("cells")]))
    return "\n".join(lines)


def segment_words(done: Done) -> list[str]:
    """Return the program and the arguments that give the dock's labels."""
    words = ["infoleak", "propagate" if "axis" in done.settings else "segment", done.image]
    if done.annotation:
        words += ["--annotations", done.annotation]
    for image, paint, _ in done.supports:
        words += ["--support", image, paint]
    words += [*_options(done.settings), "--axes", done.axes]
    others = {axes for _, _, axes in done.supports} - {done.axes}
    if others:
        words += ["--support-axes", others.pop()]
    words += ["--output", done.output("labels")]
    if done.cells is not None:
        words += ["--probabilities", done.output("probabilities")]
    return words


def python_script(done: Done) -> str:
    """Return a script that does the same."""
    lines = ["import napari_infoleak as il", ""]
    for training in done.trainings:
        lines += _training_call(done, training)
    lines.append(f"image = {_read(done.image, done.axes)}")
    given = ["image"]
    if done.supports:
        lines.append("support = il.SupportSet()")
        channel = done.settings.get("channel")
        options = "" if channel is None else f", channel={channel}"
        for image, paint, axes in done.supports:
            painted = f"il.read_labels({paint!r})[0]"
            lines.append(f"support = support.add({_read(image, axes)}, {painted}{options})")
        given.append("support")
    chosen = dict(done.settings)
    if done.annotation:
        chosen["annotations"] = done.annotation
    spread = "axis" in chosen
    if spread and done.supports:
        given[-1] = "support=support"
    does = "propagate" if spread else "segment"
    lines.append(f"result = il.{does}({', '.join([*given, *_keywords(chosen)])})")
    lines.append("place = result.calibration")
    output = f"il.write({done.output('labels')!r}, result.labels"
    lines.append(f"{output}, axes=result.axes, classes=result.classes, **place)")
    if done.cells is not None:
        lines.append(f"cells = il.cells({', '.join(['result', *_keywords(done.cells)])})")
        output = f"il.write({done.output('cells')!r}, cells"
        lines.append(f"{output}, axes=result.axes, kind='cells', **place)")
    return "\n".join(lines) + "\n"


def quoted(words: Sequence[str]) -> str:
    """Return a line for the shell of this system."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def stem(name: str) -> str:
    """Return a layer's name as part of a file name."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name).strip("_") or "image"


def bare(path: str) -> str:
    """Return a file's name without its endings, "a" for "a.ome.tif"."""
    name = Path(path).name
    for ending in (".ome.tif", ".ome.tiff", ".ome.zarr"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return Path(name).stem


def _last(steps: Sequence[Step], *names: str) -> Mapping[str, Any]:
    """Return the arguments of the last step of some names; empty if there is none."""
    return next((step.arguments for step in reversed(steps) if step.name in names), {})


def _settings(state: DockState, source: Source, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the answer was asked with, or what is chosen while there is none."""
    chosen = {"model": state.model, "channel": state.channel, "leak": state.leak}
    chosen |= {name: told[name] for name in chosen if name in told}
    if "axis" in told:  # labels were spread, and not every frame answered by itself
        spread = ("axis", "stop_below", "fine_tune")
        chosen |= {name: told[name] for name in spread if told.get(name)}
    if chosen["model"] == DEFAULT_MODEL:
        del chosen["model"]
    if chosen["channel"] is None or source.channels == 1:
        del chosen["channel"]
    if chosen["leak"] == 1.0:
        del chosen["leak"]
    return chosen


def _trainings(steps: Sequence[Step], state: DockState, model: str) -> list[dict[str, Any]]:
    """Return how a model came to be: its own training, and those of the models before it."""
    made = {str(step.result.get("path")): step for step in steps if step.name in _TRAININGS}
    found: list[dict[str, Any]] = []
    while model in made:
        step = made.pop(model)
        training = {name: one for name, one in step.arguments.items() if one is not None}
        training["output"] = model
        model = str(training.get("init") or training.get("model"))
        if step.name == "add_class":
            known = state.classes.with_ids([training["class_id"]])
            training["name"] = known[training["class_id"]].name
        if step.name == "shrink":
            training["small"] = True
        found.insert(0, training)
    return found


def _cells(state: DockState, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the cells were made, as far as it is not the usual way."""
    options = {name: told.get(name) for name in ("method", "min_size") if told.get(name)}
    if state.answer is not None:
        ids = state.answer.class_ids
        membrane = ids[membrane_index(ids, state.classes.with_ids(ids))]
        if membrane != MEMBRANE:
            options["membrane"] = membrane
    return options


def _training_line(done: Done, training: Mapping[str, Any]) -> str:
    options = dict(training)
    words = ["infoleak", "train"]
    if "class_id" in options:
        words = ["infoleak", "add-class", options.pop("model")]
        options["id"] = options.pop("class_id")
    if "small" in options:
        words = ["infoleak", "export", options.pop("model"), done.image]
        for image, paint, _ in done.pairs:
            words += ["--annotated", image, paint]
    else:
        for image, paint, _ in done.pairs:
            words += [image, paint]
    words += [*_options(options), "--axes", done.axes]
    return "\n".join(_maybe_timed(training, [quoted(words)]))


def _training_call(done: Done, training: Mapping[str, Any]) -> list[str]:
    options = dict(training)
    pairs = ", ".join(f"({_read(image, axes)}, {paint!r})" for image, paint, axes in done.pairs)
    call = f"il.train([{pairs}]"
    if "class_id" in options:
        call = f"il.add_class({options.pop('model')!r}, {options.pop('name')!r}, [{pairs}]"
    elif options.pop("small", False):
        image = _read(done.image, done.axes)
        call = f"il.shrink({options.pop('model')!r}, [{image}]"
        call += f", annotations=[{pairs}]" if pairs else ""
    return _maybe_timed(training, [f"{', '.join([call, *_keywords(options)])})"])


def _maybe_timed(training: Mapping[str, Any], lines: list[str]) -> list[str]:
    """Make a comment of a training by the clock: it would come to another model each time."""
    if training.get("steps") is not None and training.get("minutes") is None:
        return lines
    return ["# how the model was made; by the clock, another run makes another model:"] + [
        f"# {line}" for line in lines
    ]


def _options(chosen: Mapping[str, Any]) -> list[str]:
    """Return settings as options of the command line."""
    words: list[str] = []
    for name, value in chosen.items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return words


def _keywords(chosen: Mapping[str, Any]) -> list[str]:
    """Return settings as arguments of a call."""
    return [f"{name}={value!r}" for name, value in chosen.items()]


def _read(image: str, axes: str) -> str:
    return f"il.read({image!r}, {axes!r})"


def _file(missing: list[str], layer: Layer, otherwise: str) -> str:
    """Return the file of a layer, or the name it has to be saved under."""
    path = file_of(layer)
    if path is None:
        missing.append(f"“{layer.name}” as {otherwise}")
        return otherwise
    return path
