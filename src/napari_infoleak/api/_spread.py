"""From annotated frames to a whole stack or movie, frame by frame."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.api._inputs import as_annotation, as_image
from napari_infoleak.api._model import Model
from napari_infoleak.api._result import Result
from napari_infoleak.api._segment import (
    SHORT_HASH,
    Witness,
    describe_image,
    describe_model,
    describe_support,
    full_paint,
    known_support,
    limited_threads,
    outputs_for,
    ready_segmenter,
    refuse_blank,
    settings_of,
)
from napari_infoleak.core.axes import (
    labels_from_canonical,
    labels_to_canonical,
    planes_from_canonical,
    planes_to_canonical,
)
from napari_infoleak.core.errors import BadInput, EmptySupportError
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.core.provenance import provenance
from napari_infoleak.core.region import Region
from napari_infoleak.core.support import SupportSet
from napari_infoleak.segmenters import registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.core.config import TrainConfig
    from napari_infoleak.core.image import Image
    from napari_infoleak.segmenters.protocol import Segmenter
    from napari_infoleak.spread.frame import SpreadFrame
    from napari_infoleak.spread.order import Series
    from napari_infoleak.spread.walk import FrameAnswer

AXES = ("Z", "T")
STEPS = 48
"""Steps that a model learns on the way, where neither steps nor minutes are given."""
_CROP, _RATE = 128, 5e-4  # smaller than in a training: what the model knows shall stay


@dataclass(frozen=True, eq=False)
class Spread(Result):
    """Labels that were spread from annotated frames; 0 where they did not come.

    Attributes
    ----------
    axis : str
        Axis along which they were spread, Z or T.
    frames : tuple of SpreadFrame
        All frames in the order of t, then z, with their confidence.
    cancelled : bool
        Whether it was stopped before all frames had had their turn.
    """

    axis: str = "Z"
    frames: tuple[SpreadFrame, ...] = ()
    cancelled: bool = False

    @property
    def stops(self) -> list[SpreadFrame]:
        """Frames at which it stopped; first those that most others wait for."""
        stopped = [frame for frame in self.frames if frame.state == "stopped"]
        return sorted(stopped, key=lambda frame: (-self.waiting(frame), frame.confidence or 0.0))

    @property
    def paint_next(self) -> SpreadFrame | None:
        """The frame on which paint is most needed: where it stopped, else the least certain."""
        if self.stops:
            return self.stops[0]
        open_ones = [frame for frame in self.frames if frame.state == "accepted"]
        return min(open_ones, key=lambda frame: frame.confidence or 0.0, default=None)

    def waiting(self, frame: SpreadFrame) -> int:
        """Count the unlabelled frames beside a frame, without a labelled one between."""
        series = [one for one in self.frames if self._other(one) == self._other(frame)]
        at = series.index(frame)
        count = 0
        for side in (series[:at][::-1], series[at + 1 :]):
            for one in side:
                if one.state != "unreached":
                    break
                count += 1
        return count

    def _other(self, frame: SpreadFrame) -> int:
        return frame.z if self.axis == "T" else frame.t


def propagate(
    image: Any,
    annotations: Any,
    axis: str = "Z",
    model: str | Path | Model = "membrane",
    *,
    axes: str | None = None,
    channel: int | None = None,
    leak: float = 1.0,
    device: str = "auto",
    tile: int | None = None,
    threads: int | None = None,
    support: SupportSet | None = None,
    stop_below: float = 0.0,
    reach: int = 0,
    probabilities: bool = True,
    previous: Spread | None = None,
    fine_tune: bool = False,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Spread:
    """Spread labels from annotated frames to all others, along Z or T.

    The frames next to an annotated one are labelled first, then those next to these, in both
    directions. The other axis of an image with five makes as many series, each by itself; one
    without any annotation stays unlabelled.

    Parameters
    ----------
    image : Image, array or path
        2 to 5 dimensions out of T, C, Z, Y, X.
    annotations : integer array or path
        Paint on this very image: its axes without C, 0 unlabelled. Strokes or dense labels, on one
        frame or several. Painted pixels keep their class.
    axis : {"Z", "T"}
        Along which labels spread.
    model, axes, channel, leak, device, tile, threads
        As for `segment`.
    support : SupportSet, optional
        Other annotated images.
    stop_below : float
        0 to 1. A frame whose confidence is lower is labelled, but labels do not spread on from it.
    reach : int
        Frames to each side whose labels are looked up beside what is annotated. None by default:
        measured, it changed nothing, see docs/how-to/spread.md.
    probabilities : bool
        Whether they are kept beside the labels.
    previous : Spread, optional
        The result before some annotation was added, with its probabilities: frames that do not
        depend on what has changed are taken from it. The result is the same with and without.
    fine_tune : bool
        Whether a copy of the model learns on the way, from what is annotated and from the frames
        that were labelled before, the nearest first; the model itself stays as it is. After Mano,
        Kato, Hotta 2023 (SciTePress 117218).
    minutes, steps : float, int, optional
        How long it may learn, in all; what is reached first ends it. 48 steps by default. By steps
        the result is the same each time, by minutes it is not.
    seed : int
        The same seed, steps and inputs give the same labels on one processor.
    progress, cancel
        Told of each frame and step; asked before each layer of the network. Where a model learns,
        a token that is set ends it, and what is labelled by then is returned.

    Returns
    -------
    Spread
        In the axes of the image without C, with its scale, translation and units.

    Raises
    ------
    BadInput
        If the image, the annotations, the model or a setting cannot be used.
    EmptySupportError
        If `annotations` hold no label.
    OutOfMemory
        If even the smallest tile does not fit into memory.
    Cancelled
        If the token was set.
    """
    settings = settings_of(
        model=str(model),
        axes=axes,
        channel=channel,
        leak=leak,
        device=device,
        tile=tile,
        threads=threads,
        probabilities=probabilities,
    )
    picture = Witness.of(as_image(image, axes))
    letter = _axis(axis, picture)
    _check(stop_below, reach, previous)
    learning = fine_tuning_settings(settings, minutes, steps, seed) if fine_tune else None
    if learning is None and (minutes, steps) != (None, None):
        raise BadInput("minutes and steps say how long to learn; ask for fine_tune as well")
    whole = Region.whole(picture.label_shape)
    refuse_blank(picture, whole, settings.channel)
    paint = as_annotation(annotations, picture)
    known = known_support(support, picture, paint, settings.channel)
    if known is None:
        raise EmptySupportError("nothing is annotated; paint at least one frame")
    from napari_infoleak.infer.slabs import takes_volumes
    from napari_infoleak.spread.order import series_of
    from napari_infoleak.spread.walk import Walk

    cancel.check()
    with limited_threads(settings.threads):
        progress(0, 1, "loading the model")
        segmenter = ready_segmenter(model, settings.device).with_leak(settings.leak)
        classes = _classes(known, segmenter)
        if takes_volumes(segmenter):
            raise BadInput(
                f"the model {segmenter.spec.name} looks at volumes and answers a stack at once; "
                f"choose a model that looks at planes, such as membrane"
            )
        out = outputs_for(whole, len(classes), settings)
        walk = Walk(
            picture,
            segmenter,
            classes.ids,
            out,
            channel=settings.channel,
            tile=settings.tile,
            stop_below=stop_below,
            before=_answers(previous),
        )
        canonical = labels_to_canonical(full_paint(paint, picture), picture.label_axes)
        frames: list[SpreadFrame] = []
        all_series = series_of(picture.label_shape, letter)
        painted = [_painted(canonical, series) for series in all_series]
        tuned = sum(map(bool, painted))
        for done, (series, frames_of) in enumerate(zip(all_series, painted, strict=True)):
            with _named(series, len(all_series)):
                tuner = None
                if learning is not None and frames_of:
                    tuner = _tuner(model, known, learning, tuned, settings)
                frames += walk.along(
                    series,
                    frames_of,
                    support or SupportSet(),
                    reach=reach,
                    tuner=tuner,
                    progress=partial(_part, progress, done, len(all_series)),
                    cancel=cancel,
                )
    made = {
        "model": describe_model(model, segmenter, known.hash[:SHORT_HASH]),
        "image": describe_image(picture, whole),
        "support": describe_support(known),
        "settings": settings.model_dump()
        | {"axis": letter, "stop_below": stop_below, "reach": reach}
        | ({} if learning is None else {"fine_tune": learning.model_dump()}),
    }
    planes = out.probabilities
    return Spread(
        labels=labels_from_canonical(out.labels, picture.axes),
        probabilities=None if planes is None else planes_from_canonical(planes, picture.axes),
        uncertainty=None,
        class_ids=classes.ids,
        classes=known.classes if classes.ids == known.class_ids else classes,
        axes=picture.label_axes,
        scale=picture.scale,
        translate=picture.translate,
        units=picture.units,
        provenance=provenance(**made),
        axis=letter,
        frames=tuple(sorted(frames, key=lambda frame: (frame.t, frame.z))),
        cancelled=cancel.cancelled and any(frame.state == "unreached" for frame in frames),
    )


def _axis(axis: Any, image: Image) -> Any:
    letter = str(axis).strip().upper()
    if letter not in AXES:
        raise BadInput(f"labels cannot be spread along {axis!r}; expected Z or T")
    if image.sizes[letter] < 2:
        other = next((one for one in AXES if image.sizes[one] > 1), None)
        hint = f"; it has {image.sizes[other]} along {other}" if other else ""
        raise BadInput(
            f"{image.name} has axes {image.axes} and one frame along {letter}, so there is nothing "
            f"to spread to{hint}"
        )
    return letter


def _check(stop_below: Any, reach: Any, previous: Any) -> None:
    if not 0 <= stop_below <= 1:
        raise BadInput(f"stop_below is {stop_below}; expected a confidence from 0 to 1")
    if reach < 0:
        raise BadInput(f"reach is {reach}; expected 0 or more frames")
    if previous is not None and not isinstance(previous, Spread):
        raise BadInput(
            f"previous is a {type(previous).__name__}; expected what propagate returned before"
        )


def fine_tuning_settings(
    settings: Any, minutes: float | None, steps: int | None, seed: int
) -> TrainConfig:
    """Check how long to learn."""
    from napari_infoleak.core.config import TrainConfig

    return TrainConfig.checked(
        method="fine-tuning",
        minutes=minutes,
        steps=STEPS if minutes is None and steps is None else steps,
        seed=seed,
        crop=_CROP,
        rate=_RATE,
        hold_out=False,
        device=settings.device,
        threads=settings.threads,
    )


def _tuner(
    model: str | Path | Model, known: SupportSet, learning: TrainConfig, series: int, settings: Any
) -> Any:
    """What learns while one of several series is walked: each has its share of the budget."""
    from napari_infoleak.learn.recipes.fine_tuning import FineTuning

    plain = model.segmenter if isinstance(model, Model) else registry.load(model)
    share = {
        "minutes": None if learning.minutes is None else learning.minutes / series,
        "steps": None if learning.steps is None else max(1, learning.steps // series),
    }
    return FineTuning(plain, known, learning.model_copy(update=share), leak=settings.leak)


def _classes(known: SupportSet, segmenter: Segmenter) -> ClassTable:
    """What frames are answered with: what is annotated, and what a trained model knows."""
    from napari_infoleak.segmenters.supervised import SupervisedSegmenter

    table = known.classes.with_ids(known.class_ids)
    found = [table[number] for number in known.class_ids]
    if isinstance(segmenter, SupervisedSegmenter):
        found += [one for one in segmenter.classes if one.id not in known.class_ids]
    return type(table)(tuple(sorted(found, key=lambda one: one.id)))


def _painted(paint: Any, series: Series) -> dict[int, Any]:
    """The annotated frames of a series."""
    planes = (np.asarray(paint[place]) for place in series.places)
    return {n: plane.astype(np.uint8) for n, plane in enumerate(planes) if plane.any()}


@contextlib.contextmanager
def _named(series: Series, count: int) -> Iterator[None]:
    """Say in which of several series something is wrong, such as paint of one class alone."""
    try:
        yield
    except BadInput as error:
        if count == 1:
            raise
        other = "z" if series.axis == "T" else "t"
        raise BadInput(f"at {other} = {series.other}: {error}") from error


def _answers(previous: Spread | None) -> dict[str, FrameAnswer]:
    """Answers of a result before, by what they depend on."""
    if previous is None or previous.probabilities is None:
        return {}
    from napari_infoleak.spread.walk import FrameAnswer

    labels = labels_to_canonical(previous.labels, previous.axes)
    planes = planes_to_canonical(previous.probabilities, previous.axes)
    return {
        frame.key: FrameAnswer(
            labels[frame.t, frame.z], planes[:, frame.t, frame.z], frame.confidence
        )
        for frame in previous.frames
        if frame.confidence is not None
    }


def _part(
    progress: Progress, series: int, count: int, done: int, total: int, text: str = ""
) -> None:
    """Let the frames of one series count as its share of all."""
    progress(series * total + done, count * total, text)
