"""``infoleak train``: annotated images in, a model file out."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from napari_infoleak import api
from napari_infoleak.cli.bar import Bar, duration
from napari_infoleak.cli.console import note, print_json, table
from napari_infoleak.cli.files import same_file
from napari_infoleak.cli.options import Json, PaintKind, Pairs, painted
from napari_infoleak.core.errors import BadInput, Cancelled
from napari_infoleak.core.progress import CancelToken

Flag = Annotated[bool, Parameter(negative=())]


def train(
    *files: Path,
    method: str = "unet",
    output: Path,
    init: str = "default",
    minutes: float | None = None,
    steps: int | None = None,
    validation: Pairs | None = None,
    annotations_kind: PaintKind = "classes",
    seed: int = 0,
    resume: Flag = False,
    axes: str | None = None,
    channel: int | None = None,
    crop: int | None = None,
    depth: int | None = None,
    batch: int | None = None,
    rate: float | None = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    threads: int | None = None,
    json: Json = False,
) -> int:
    """Train a model on annotated images.

    Ctrl-C ends it early and keeps what was learned.

    Parameters
    ----------
    files
        An image and its annotation, and more such pairs; a few strokes do.
    method
        Name of the method, see infoleak methods.
    output
        Model file to write, ending in .safetensors.
    init
        Model to start from: a shipped one by its name, a file, or none; by default what suits the
        method.
    minutes
        Time that it may take; 10 where neither minutes nor steps are given.
    steps
        Steps to take; with minutes, what is reached first ends it.
    validation
        An image and its annotation that the model is judged by; may be repeated. By default some
        of the annotations are kept from training for it.
    annotations_kind
        What the numbers of annotations are: classes, or instances, that is cells of another
        program: they are turned into interior (1) and membrane (2).
    seed
        The same seed, steps and files give the same model on one processor.
    resume
        Go on with the training of this output that was broken off.
    axes
        Axes of the images, such as ZYX; read from the files or guessed by default.
    channel
        Channel to look at, from 0.
    crop
        Side of the crops that are learned from, in pixels.
    depth
        Planes of such a crop, for methods that take volumes.
    batch
        Crops a step.
    rate
        Highest rate of learning.
    device
        Where to compute.
    threads
        Threads of the processor; chosen by default.
    json
        Print what was made as JSON.
    """
    pairs = pairs_of(files)
    target = api.model_path(output)
    refuse_overwriting(output, [*files, *(path for two in validation or [] for path in two)])
    settings = chosen(crop=crop, depth=depth, batch=batch, rate=rate, threads=threads)
    tune()
    with stoppable() as stop, Bar() as bar:
        model = api.train(
            [(image, painted(paint, annotations_kind)) for image, paint in pairs],
            method=method,
            init=init,
            minutes=minutes,
            steps=steps,
            validation=validation
            and [(image, painted(paint, annotations_kind)) for image, paint in validation],
            seed=seed,
            output=target,
            resume=resume,
            axes=axes,
            channel=channel,
            device=device,
            progress=bar,
            cancel=stop,
            **settings,
        )
    if is_reporting():
        _say(model, json=json)
    return stop.status if model.stopped else 0


def refuse_overwriting(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write over what is read."""
    for source in inputs:
        if same_file(output, source):
            raise BadInput(f"--output {output} is an input: it would be overwritten")


def pairs_of(files: tuple[Path, ...]) -> list[tuple[Path, Path]]:
    """Read names two by two."""
    if not files or len(files) % 2:
        raise BadInput(
            f"{len(files)} files were given; training needs pairs: an image and its annotation, "
            f"and more such pairs"
        )
    return list(zip(files[::2], files[1::2], strict=True))


def chosen(**settings: Any) -> dict[str, Any]:
    """Return the settings that were given; the others are left to their defaults."""
    return {name: one for name, one in settings.items() if one is not None}


def tune() -> None:
    """Tune this process for torch; it is ours."""
    from napari_infoleak.infer.backends import tune_allocator

    tune_allocator()


def is_reporting() -> bool:
    """Whether this process reports: the only one, or the first of several."""
    from napari_infoleak.learn.ranks import is_first

    return is_first()


class Stop(CancelToken):
    """A token that a signal raises."""

    status = Cancelled.exit_code

    def take(self, number: int, frame: object) -> None:
        """Ask to stop; at the second time, leave at once."""
        if self.cancelled:
            raise KeyboardInterrupt
        self.status = 128 + number
        self.cancel()


@contextlib.contextmanager
def stoppable() -> Iterator[Stop]:
    """Let Ctrl-C, or being asked to end, stop the training and keep what was learned."""
    stop = Stop()
    try:
        before = {
            number: signal.signal(number, stop.take) for number in (signal.SIGINT, signal.SIGTERM)
        }
    except ValueError:  # only the main thread may arrange that
        yield stop
        return
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(model: api.Model, *, json: bool) -> None:
    if json:
        print_json(report_of(model, step=model.step, before=model.before, score=model.score))
        return
    if model.stopped:
        note("stopped; the model holds what was learned so far, and --resume goes on")
    print(f"{model.method}: {model.steps} steps in {duration(model.seconds)}")
    if model.score is None:
        print("too little is annotated to hold some back, so nobody knows how good it is")
    else:
        print(table(_rows(model), ("IoU on held-out paint", "before", "after")))
        if model.before and model.step == 0 and model.steps:
            print("training made it no better; the weights are those that it started from")
    print(f"model: {model.path}")


def report_of(model: api.Model, **more: Any) -> dict[str, Any]:
    """Say as plain values what was made, and what else there is to say of it."""
    return {
        "output": model.path,
        "method": model.method,
        "classes": model.classes.to_json(),
        **more,
        "steps": model.steps,
        "seconds": round(model.seconds, 1),
        "stopped": model.stopped,
        "provenance": model.provenance,
    }


def _rows(model: api.Model) -> list[tuple[str, str, str]]:
    """One class a row, and the mean."""
    after, before = model.score or {}, model.before or {}
    rows = [
        (model.classes[number].name, share(before.get("iou", {}).get(number)), share(iou))
        for number, iou in after["iou"].items()
    ]
    return [*rows, ("mean", share(before.get("miou")), share(after["miou"]))]


def share(value: float | None) -> str:
    """Write an overlap as people read it; a missing one as a dash."""
    return "-" if value is None else f"{value:.3f}"
