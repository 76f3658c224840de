"""``infoleak add-class``: a class joins a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from napari_infoleak import api
from napari_infoleak.cli.bar import Bar, duration
from napari_infoleak.cli.console import note, print_json, table
from napari_infoleak.cli.options import Json, Pairs
from napari_infoleak.cli.training import (
    Flag,
    chosen,
    is_reporting,
    pairs_of,
    refuse_overwriting,
    report_of,
    share,
    stoppable,
    tune,
)


def add_class(
    model: Path,
    /,
    *files: Path,
    name: str,
    output: Path,
    class_id: Annotated[int | None, Parameter(name="--id")] = None,
    replay: Pairs | None = None,
    complete: Flag = False,
    lower: float = 0.0,
    settle: Flag = False,
    minutes: float | None = None,
    steps: int | None = None,
    validation: Pairs | None = None,
    seed: int = 0,
    axes: str | None = None,
    channel: int | None = None,
    crop: int | None = None,
    batch: int | None = None,
    rate: float | None = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    threads: int | None = None,
    json: Json = False,
) -> int:
    """Add a class to a trained model, from a few annotated images of it.

    The model itself stays as it is: to undo the step, go on using it. Ctrl-C ends the training
    early and keeps what was learned.

    Parameters
    ----------
    model
        A model file that infoleak train wrote.
    files
        An image and its annotation, and more such pairs. The new class is painted under the id
        above the model's highest; other ids are those of the model.
    name
        Name of the new class.
    output
        Model file to write, ending in .safetensors.
    class_id
        Id that the new class is painted with and will have, where it is another.
    replay
        An image and its annotation that the model was trained on; may be repeated. Old classes are
        kept better by it.
    complete
        Every pixel of the new class is painted in these images, so that the rest is known to be
        something else.
    lower
        Weight of lower-layer leakage.
    settle
        Average the weights with those from before, at the end.
    minutes
        Time that it may take; 3 where neither minutes nor steps are given.
    steps
        Steps to take; with minutes, what is reached first ends it.
    validation
        An image and its annotation that the model is judged by; may be repeated. By default some
        of the annotations are kept from training for it.
    seed
        The same seed, steps and files give the same model on one processor.
    axes
        Axes of the images, such as ZYX; read from the files or guessed by default.
    channel
        Channel to look at, from 0.
    crop
        Side of the crops that are learned from, in pixels.
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
    others = [path for two in (*(validation or []), *(replay or [])) for path in two]
    refuse_overwriting(output, [model, *files, *others])
    settings = chosen(crop=crop, batch=batch, rate=rate, threads=threads)
    tune()
    with stoppable() as stop, Bar() as bar:
        made = api.add_class(
            model if model.suffix else str(model),
            name,
            pairs,
            class_id=class_id,
            replay=replay,
            complete=complete,
            lower=lower,
            settle=settle,
            minutes=minutes,
            steps=steps,
            validation=validation,
            seed=seed,
            output=output,
            axes=axes,
            channel=channel,
            device=device,
            progress=bar,
            cancel=stop,
            **settings,
        )
    if is_reporting():
        _say(made, json=json)
    return stop.status if made.stopped else 0


def _say(model: api.Model, *, json: bool) -> None:
    added = model.provenance["added"]
    if json:
        print_json(report_of(model, added=added))
        return
    if model.stopped:
        note("stopped; the model holds what was learned so far")
    new = added["class"]
    print(f"{new['name']} joined as class {new['id']}: {model.steps} steps in ", end="")
    print(duration(model.seconds))
    rows = [
        (str(one["id"]), one["name"], *(share(one[k]) for k in ("before", "after", "agreement")))
        for one in added["table"]
    ]
    head = ("id", "class", "before", "after", "as before")
    print(table(rows, head))
    print("before, after: IoU on paint kept apart; as before: IoU of new with old answers")
    print(f"model: {model.path}; to undo the step, use {added['from']['name']}, which is unchanged")
