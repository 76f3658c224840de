"""``infoleak segment``: an image and what is annotated in, labels and maps out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_infoleak import api
from napari_infoleak.cli.bar import Bar
from napari_infoleak.cli.console import print_json, table
from napari_infoleak.cli.files import check_one_plane, check_outputs
from napari_infoleak.cli.options import Json, PaintKind, Pairs, painted, support_set
from napari_infoleak.cli.writing import write_arrays
from napari_infoleak.io.read import name_of

if TYPE_CHECKING:
    from napari_infoleak.io.output import Kind


def segment(
    image: Path,
    /,
    *,
    output: Path,
    annotations: Path | None = None,
    support: Pairs | None = None,
    annotations_kind: PaintKind = "classes",
    model: str = "membrane",
    axes: str | None = None,
    support_axes: str | None = None,
    channel: int | None = None,
    probabilities: Path | None = None,
    uncertainty: Path | None = None,
    cells: Path | None = None,
    rounds: Path | None = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    leak: float = 1.0,
    tile: int | None = None,
    threads: int | None = None,
    json: Json = False,
) -> None:
    """Segment an image with what is annotated, without training.

    Parameters
    ----------
    image
        TIFF, OME-TIFF, PNG, NPY or OME-Zarr.
    output
        File for the labels; its suffix decides the format.
    annotations
        Paint on this very image: its shape without channels, 0 unlabelled, else class ids.
    support
        Another annotated image and its annotation; may be repeated.
    annotations_kind
        What the numbers of annotations are: classes, or instances, that is cells of another
        program: they are turned into interior (1) and membrane (2).
    model
        Name of a shipped model (see infoleak models), or a model file.
    axes
        One letter a dimension, such as TCZYX; read from the file or guessed by default.
    support_axes
        Axes of the support images; by default those of the image where they fit, else guessed.
    channel
        Channel to look at, from 0.
    probabilities
        File for the probability of each class: the class axis first, then the image's.
    uncertainty
        File for a map of doubt, 0 sure to 1 unsure.
    cells
        File for cells made of the membranes.
    rounds
        For a model that looks several times: file for the probabilities after each look; the number
        of the look is put before its suffix.
    device
        Where to compute.
    leak
        How strongly annotations count, 0 (not at all) to 1.
    tile
        Longest side of a tile in pixels; chosen by default.
    threads
        Threads of the processor; chosen by default.
    json
        Print the result as JSON.
    """
    outputs = {
        "--output": output,
        "--probabilities": probabilities,
        "--uncertainty": uncertainty,
        "--cells": cells,
        "--rounds": rounds,
    }
    pairs = support or []
    model_file = Path(model) if Path(model).suffix else None
    check_outputs(
        outputs, [image, annotations, model_file, *(path for two in pairs for path in two)]
    )
    begin = time.monotonic()
    picture = api.read(image, axes)
    planes = picture.sizes["T"] * picture.sizes["Z"]
    check_one_plane(outputs, planes, {"--output", "--cells"})
    known = support_set(pairs, axes, support_axes, channel, annotations_kind)
    paint = None if annotations is None else painted(annotations, annotations_kind)
    from napari_infoleak.infer.backends import tune_allocator  # this process is ours

    tune_allocator()
    with Bar() as bar:
        result = api.segment(
            picture,
            known,
            model,
            annotations=paint,
            channel=channel,
            leak=leak,
            device=device,
            tile=tile,
            threads=threads,
            probabilities=probabilities is not None or cells is not None,
            uncertainty=uncertainty is not None,
            rounds=rounds is not None,
            progress=bar,
        )
        made = None if cells is None else api.cells(result, progress=bar)
        written = write_arrays(
            {
                "labels": output,
                "probabilities": probabilities,
                "uncertainty": uncertainty,
                "cells": cells,
            },
            {
                "labels": (result.labels, result.classes),
                "probabilities": (result.probabilities, result.answered),
                "uncertainty": (result.uncertainty, None),
                "cells": (made, None),
            },
            result,
            bar,
        )
        for number, thought in enumerate(result.rounds, 1):
            looked: dict[Kind, Path | None] = {
                "probabilities": None if rounds is None else _numbered(rounds, number)
            }
            files = write_arrays(looked, {"probabilities": (thought, result.answered)}, result, bar)
            written[f"look {number}"] = files["probabilities"]
    report = {
        "image": image,
        "axes": result.axes,
        "shape": list(result.labels.shape),
        "classes": _classes(result),
        "cells": None if made is None else _count(made),
        "outputs": written,
        "seconds": round(time.monotonic() - begin, 3),
        "provenance": result.provenance,
    }
    if json:
        print_json(report)
    else:
        _say(report)


def _numbered(path: Path, number: int) -> Path:
    """Put a number before the suffix of a file."""
    stem = name_of(path)
    return path.with_name(f"{stem}_{number}{path.name[len(stem) :]}")


def _classes(result: api.Result) -> list[dict[str, Any]]:
    """Say how much of the image each class takes."""
    counts = np.zeros(256, np.int64)
    labels = result.labels
    for plane in labels.reshape(-1, *labels.shape[-2:]) if labels.ndim > 2 else [labels]:
        counts += np.bincount(np.ravel(plane), minlength=256)
    total = max(int(counts.sum()), 1)
    return [
        {
            "id": number,
            "name": result.classes[number].name,
            "pixels": int(counts[number]),
            "share": round(float(counts[number]) / total, 6),
        }
        for number in result.class_ids
    ]


def _count(cells: Any) -> int:
    """Count the cells."""
    return int(np.count_nonzero(np.unique(cells)))


def _say(report: dict[str, Any]) -> None:
    """Tell a person what was made."""
    shape = " x ".join(map(str, report["shape"]))
    print(f"{report['axes']} {shape} in {report['seconds']:.1f} s")
    rows = [
        (f"class {one['id']}", one["name"], f"{100 * one['share']:.1f} %")
        for one in report["classes"]
    ]
    print(table(rows))
    if report["cells"] is not None:
        print(f"{report['cells']} cells")
    for kind, path in report["outputs"].items():
        print(f"{kind}: {path}")
