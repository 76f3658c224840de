"""``infoleak export``: a trained model in another form; so far, a small one."""

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
    refuse_overwriting,
    report_of,
    share,
    stoppable,
    tune,
)
from napari_infoleak.core.errors import BadInput


def export(
    model: Path,
    /,
    *images: Path,
    output: Path,
    small: Flag = False,
    also: Annotated[list[Path] | None, Parameter(negative=())] = None,
    annotated: Pairs | None = None,
    minutes: float | None = None,
    steps: int | None = None,
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
    """Make a small, fast model that answers as a large one does, or as several do together.

    Ctrl-C ends it early and keeps what was learned.

    Parameters
    ----------
    model
        Name of a shipped model, or a model file.
    images
        Images of the kind that will be segmented; they need no annotation.
    output
        Model file to write, ending in .safetensors.
    small
        Teach a small network what the model knows.
    also
        Another model whose classes shall be answered as well; may be repeated.
    annotated
        An image and its annotation, learned from and judged by as well; may be repeated.
    minutes
        Time that it may take; 10 where neither minutes nor steps are given.
    steps
        Steps to take; with minutes, what is reached first ends it.
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
    if not small:
        raise BadInput("say how the model shall be exported: --small teaches a small network")
    teachers = [model, *(also or [])]
    refuse_overwriting(output, [*teachers, *images, *(p for two in annotated or [] for p in two)])
    settings = chosen(crop=crop, batch=batch, rate=rate, threads=threads)
    tune()
    with stoppable() as stop, Bar() as bar:
        made = api.shrink(
            [one if one.suffix else str(one) for one in teachers],
            images,
            annotations=annotated,
            minutes=minutes,
            steps=steps,
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
    shrunk = model.provenance["shrunk"]
    if json:
        print_json(report_of(model, shrunk=shrunk))
        return
    if model.stopped:
        note("stopped; the model holds what was learned so far")
    print(f"{model.steps} steps in {duration(model.seconds)}")
    size, taken = shrunk["bytes"], shrunk["seconds_per_megapixel"]
    rows = [
        ("size, MB", *(f"{size[one] / 1e6:.2f}" for one in ("before", "after"))),
        ("seconds a megapixel", *(f"{taken[one]:.2f}" for one in ("before", "after"))),
        *(
            (f"IoU {one['name']}", share(one["before"]), share(one["after"]))
            for one in shrunk["table"]
        ),
    ]
    print(table(rows, ("", "before", "after")))
    print(
        table(
            [(one["name"], share(one["agreement"])) for one in shrunk["table"]],
            ("class", "agreement with the teacher, IoU"),
        )
    )
    rare = [f"{one['name']} ({100 * one['share']:.2f} %)" for one in shrunk["table"] if one["rare"]]
    if rare:
        print(f"rare in these images, so look at them: {', '.join(rare)}")
    print(f"model: {model.path}")
