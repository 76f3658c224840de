"""What runs in the child process for the window. No Qt and no napari in here.

The window hands over pixels and paint as they are; the child makes images and support sets of them
and calls the same public functions as a script would, with the same defaults.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_infoleak.core.axes import labels_from_canonical, labels_to_canonical
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.widgets.travel import Pixels, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_infoleak.api import Result, Spread
    from napari_infoleak.core.region import Region
    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.instances.measure import Table
    from napari_infoleak.io.output import Kind
    from napari_infoleak.widgets.travel import Painted

HERE = __name__
"""Dotted name of this module, in front of the names of its functions."""


def segment(
    pixels: Pixels,
    annotation: Painted | Any | None,
    supports: Sequence[tuple[Pixels, Painted | Any]],
    *,
    model: str,
    channel: int | None,
    leak: float,
    region: Region | None,
    uncertainty: bool,
    rounds: bool = False,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Result:
    """Segment an image, or a region of it, with its own paint and that of other images."""
    from napari_infoleak import api

    own = None if annotation is None else whole(annotation, pixels.axes)
    return api.segment(
        pixels.image(),
        _support(supports, channel, cancel),
        model,
        annotations=own,
        channel=channel,
        leak=leak,
        region=region,
        uncertainty=uncertainty,
        rounds=rounds,
        progress=progress,
        cancel=cancel,
    )


def propagate(
    pixels: Pixels,
    annotation: Painted | Any,
    supports: Sequence[tuple[Pixels, Painted | Any]],
    *,
    axis: str,
    model: str,
    channel: int | None,
    leak: float,
    stop_below: float,
    fine_tune: bool = False,
    stop: Path | None = None,
    previous: Spread | None = None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Spread:
    """Spread labels from the painted frames of an image to all others.

    Once there is a file `stop` it ends, and what is labelled by then is kept.
    """
    from napari_infoleak import api

    with _stoppable(stop, cancel) as token:
        spread = api.propagate(
            pixels.image(),
            whole(annotation, pixels.axes),
            axis,
            model,
            support=_support(supports, channel, cancel) or None,
            channel=channel,
            leak=leak,
            stop_below=stop_below,
            fine_tune=fine_tune,
            previous=previous,
            progress=progress,
            cancel=token,
        )
    return spread


@dataclass(frozen=True, eq=False)
class Trained:
    """A model that was trained.

    Parameters
    ----------
    path : str
        Its file.
    before, after : mapping of str to float
        Overlap with held-out paint by the name of the class, before training and after; empty if
        none was held out.
    stopped : bool
        Whether it was stopped before its time.
    agreement : mapping of str to float
        Where a class has joined a model: how far new and old answers are the same, by old class.
    origin : str
        The model that it has joined.
    """

    path: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    stopped: bool
    agreement: Mapping[str, float] = field(default_factory=dict)
    origin: str = ""


def stop_file(output: Path) -> Path:
    """Return the file by which the window asks to stop a training and to keep what was learned."""
    return output.with_suffix(".stop")


class _StopOrCancel(CancelToken):
    """A token that the file raises; another token ends the training without keeping anything."""

    def __init__(self, file: Path, cancel: CancelToken) -> None:
        super().__init__()
        self._file, self._cancel = file, cancel

    @property
    def cancelled(self) -> bool:
        """Whether to stop and keep; `Cancelled` is raised where there is nothing to keep."""
        self._cancel.check()
        return self._file.exists()


@contextmanager
def _stoppable(stop: Path | None, cancel: CancelToken) -> Iterator[CancelToken]:
    """Hand out a token that a file raises, too; the file goes, and a cancel is told, at the end."""
    if stop is None:
        yield cancel
    else:
        try:
            yield _StopOrCancel(stop, cancel)
        finally:
            stop.unlink(missing_ok=True)
    cancel.check()


def train(
    pixels: Pixels,
    annotation: Painted | Any | None,
    supports: Sequence[tuple[Pixels, Painted | Any]],
    *,
    classes: Sequence[Mapping[str, Any]],
    channel: int | None,
    method: str,
    minutes: float,
    init: str,
    output: str,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Trained:
    """Train a model on an image's own paint and that of other images."""
    from napari_infoleak import api
    from napari_infoleak.core.classes import ClassTable

    own = [] if annotation is None else [(pixels, annotation)]
    support = _support([*own, *supports], channel, cancel)
    with _stoppable(stop_file(Path(output)), cancel) as token:
        model = api.train(
            support.with_classes(ClassTable.from_json(classes)),
            method=method,
            minutes=minutes,
            init=init,
            output=output,
            progress=progress,
            cancel=token,
        )
    names = {entry.id: entry.name for entry in model.classes}
    before, after = (
        {names[number]: iou for number, iou in (score["iou"] if score else {}).items()}
        for score in (model.before, model.score)
    )
    return Trained(output, before, after, model.stopped)


def add_class(
    pixels: Pixels,
    annotation: Painted | Any | None,
    supports: Sequence[tuple[Pixels, Painted | Any]],
    *,
    classes: Sequence[Mapping[str, Any]],
    channel: int | None,
    model: str,
    class_id: int,
    minutes: float,
    output: str,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Trained:
    """Let a painted class join a model; other classes that it does not know are left out."""
    from napari_infoleak import api
    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.io.weights import read_header

    known = ClassTable.from_json(read_header(model).get("classes") or [])
    own = [] if annotation is None else [(pixels, annotation)]
    support = _support([*own, *supports], channel, cancel, {*known.ids, class_id})
    with _stoppable(stop_file(Path(output)), cancel) as token:
        grown = api.add_class(
            model,
            ClassTable.from_json(classes)[class_id].name,
            support,
            class_id=class_id,
            minutes=minutes,
            output=output,
            progress=progress,
            cancel=token,
        )
    before, after, agreement = (
        {row["name"]: row[what] for row in grown.provenance["added"]["table"] if row[what]}
        for what in ("before", "after", "agreement")
    )
    return Trained(output, before, after, grown.stopped, agreement, model)


@dataclass(frozen=True)
class Small:
    """A model that was made small.

    Parameters
    ----------
    path : str
        Its file.
    size, seconds : (float, float)
        Megabytes, and seconds a megapixel, of the model that taught it and of itself.
    rows : sequence of mapping
        A class each: its name, its overlap with paint before and after (None where nothing is
        painted), how far both models agree, and whether it is rare.
    stopped : bool
        Whether it was stopped before its time.
    origin : str
        The model that taught it.
    """

    path: str
    size: tuple[float, float]
    seconds: tuple[float, float]
    rows: Sequence[Mapping[str, Any]]
    stopped: bool
    origin: str


def shrink(
    pixels: Pixels,
    annotation: Painted | Any | None,
    supports: Sequence[tuple[Pixels, Painted | Any]],
    *,
    classes: Sequence[Mapping[str, Any]],
    channel: int | None,
    model: str,
    minutes: float,
    output: str,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Small:
    """Let a model teach a small one, on an image, its own paint and that of other images."""
    from napari_infoleak import api
    from napari_infoleak.core.classes import ClassTable

    own = [] if annotation is None else [(pixels, annotation)]
    support = _support([*own, *supports], channel, cancel)
    table = ClassTable.from_json(classes)
    with _stoppable(stop_file(Path(output)), cancel) as token:
        made = api.shrink(
            model,
            [pixels.image()],
            annotations=support.with_classes(table) if support else None,
            minutes=minutes,
            channel=channel,
            output=output,
            progress=progress,
            cancel=token,
        )
    told = made.provenance["shrunk"]
    size, seconds = (
        (told[what]["before"], told[what]["after"]) for what in ("bytes", "seconds_per_megapixel")
    )
    megabytes = (size[0] / 1e6, size[1] / 1e6)
    return Small(output, megabytes, seconds, told["table"], made.stopped, model)


def _support(
    pairs: Sequence[tuple[Pixels, Painted | Any]],
    channel: int | None,
    cancel: CancelToken,
    only: set[int] | None = None,
) -> SupportSet:
    """Join annotated images, or what is painted on them of some classes."""
    from napari_infoleak import api
    from napari_infoleak.core.support import SupportSet

    support = SupportSet()
    for image, paint in pairs:
        cancel.check()
        labels = whole(paint, image.axes)
        if only is not None:
            labels = np.where(np.isin(labels, list(only)), labels, 0)
            if not labels.any():
                continue
        support = api.annotated(support, image.image(), labels, channel=channel)
    return support


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells and their number.

    Parameters
    ----------
    labels : numpy array
        Cell ids in the axes of the membranes; 0 between cells.
    count : int
        How many there are.
    planes : int
        Planes that have numbers of their own, 1 where cells go on from plane to plane.
    """

    labels: Any
    count: int
    planes: int = 1


def make_cells(
    membranes: Any,
    *,
    axes: str,
    description: Mapping[str, Any],
    method: Literal["watershed", "multicut"],
    min_size: int | None,
    before: Any = None,
    finished: Sequence[int] = (),
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Cells:
    """Make cells of membrane probabilities; of those before, the finished ones stay."""
    from napari_infoleak import api
    from napari_infoleak.instances.union import keep_finished

    labels = api.cells(
        Pixels(membranes, axes, description).image(),
        method=method,
        min_size=min_size,
        progress=progress,
        cancel=cancel,
    )
    if finished:
        labels = keep_finished(labels, before, finished)
    count = int(np.count_nonzero(np.unique(labels)))
    planes = [plane for volume in labels_to_canonical(labels, axes) for plane in volume]
    apart = sum(int(np.count_nonzero(np.unique(plane))) for plane in planes) == count
    return Cells(labels, count, len(planes) if apart else 1)


def measure_cells(
    cells: Any,
    pixels: Pixels,
    *,
    channel: int | None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Table:
    """Measure cells on their image."""
    from napari_infoleak.instances.measure import brightness, measure

    image = pixels.image()
    shown = labels_from_canonical(brightness(image, channel), pixels.axes)
    cancel.check()
    return measure(
        cells,
        axes=image.label_axes,
        scale=image.scale,
        translate=image.translate,
        units=image.units,
        image=shown,
    )


def doubt(
    probabilities: Any, *, progress: Progress = NULL, cancel: CancelToken = NEVER
) -> np.ndarray[Any, Any]:
    """Measure the uncertainty of an answer that was given before it was asked for."""
    from napari_infoleak.infer.uncertainty import entropy

    return entropy(probabilities)


def save(
    path: str,
    values: Painted | Any,
    *,
    kind: Kind,
    axes: str,
    classes: Sequence[Mapping[str, Any]],
    scale: Mapping[str, float],
    translate: Mapping[str, float],
    units: Mapping[str, str],
    provenance: Mapping[str, Any] | None = None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Path:
    """Write a result to a file; its ending chooses the format."""
    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.io.write import write

    return write(
        path,
        whole(values, axes),
        axes=axes,
        kind=kind,
        scale=scale,
        translate=translate,
        units=units,
        classes=ClassTable.from_json(classes) if kind in ("labels", "probabilities") else None,
        provenance=provenance,
        progress=progress,
        cancel=cancel,
    )
