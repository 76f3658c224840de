"""``infoleak why``, ``review`` and ``doubtful``: reasons, support scores, where to paint next."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from napari_infoleak import api
from napari_infoleak.cli.bar import Bar
from napari_infoleak.cli.console import print_json, table
from napari_infoleak.cli.files import check_one_plane, check_outputs
from napari_infoleak.cli.options import Json, Pairs, support_set
from napari_infoleak.core.errors import BadInput, EmptySupportError

Device = Literal["auto", "cpu", "cuda", "mps"]
Place = Annotated[str, Parameter(name="--at")]


def why(
    image: Path,
    /,
    *,
    at: Place,
    annotations: Path | None = None,
    support: Pairs | None = None,
    model: str = "membrane",
    axes: str | None = None,
    support_axes: str | None = None,
    channel: int | None = None,
    leak: float = 1.0,
    top: int = 5,
    device: Device = "auto",
    threads: int | None = None,
    json: Json = False,
) -> None:
    """Name the annotated places that leaked into the answer for one pixel.

    Parameters
    ----------
    image
        TIFF, OME-TIFF, PNG, NPY or OME-Zarr.
    at
        The pixel: a number for each axis of the image but C, counted from 0, such as 3,120,85.
    annotations
        Paint on this very image: its shape without channels, 0 unlabelled, else class ids.
    support
        Another annotated image and its annotation; may be repeated.
    model
        Name of a shipped model (see infoleak models), or a model file.
    axes
        One letter a dimension, such as TCZYX; read from the file or guessed by default.
    support_axes
        Axes of the support images; by default those of the image where they fit, else guessed.
    channel
        Channel to look at, from 0.
    leak
        How strongly annotations count, 0 (not at all) to 1.
    top
        Most places named.
    device
        Where to compute.
    threads
        Threads of the processor; chosen by default.
    json
        Print the result as JSON.
    """
    found = api.why(
        api.read(image, axes),
        _numbers(at),
        support_set(support or [], axes, support_axes, channel),
        model,
        annotations=annotations,
        channel=channel,
        leak=leak,
        top=top,
        device=device,
        threads=threads,
    )
    if json:
        print_json(asdict(found))
        return
    rows = zip(found.class_ids, found.probabilities, found.alone, found.read, strict=True)
    print(
        table(
            [(str(one), *map(_percent, shares)) for one, *shares in rows],
            ("class", "answer", "without paint", "read"),
        )
    )
    print()
    print(
        table(
            [
                (_percent(one.weight), str(one.class_id), one.source, *_at(one))
                for one in found.patches
            ],
            ("weight", "class", "image", "t", "z", "y", "x"),
        )
    )


def review(
    image: Path | None = None,
    /,
    *,
    annotations: Path | None = None,
    support: Pairs | None = None,
    model: str = "membrane",
    axes: str | None = None,
    support_axes: str | None = None,
    channel: int | None = None,
    device: Device = "auto",
    threads: int | None = None,
    json: Json = False,
) -> None:
    """Score what each stroke and each annotated plane does to how the others are answered.

    Parameters
    ----------
    image
        An annotated image; its annotation is --annotations.
    annotations
        Paint on this image: its shape without channels, 0 unlabelled, else class ids.
    support
        Another annotated image and its annotation; may be repeated.
    model
        Name of a shipped model (see infoleak models), or a model file.
    axes
        One letter a dimension, such as TCZYX; read from the file or guessed by default.
    support_axes
        Axes of the support images; by default those of the image where they fit, else guessed.
    channel
        Channel to look at, from 0.
    device
        Where to compute.
    threads
        Threads of the processor; chosen by default.
    json
        Print the scores as JSON.
    """
    if (image is None) != (annotations is None):
        raise BadInput("an image and its --annotations belong together: give both or neither")
    known = support_set(support or [], axes, support_axes, channel) or api.SupportSet()
    if image is not None:
        known = api.annotated(known, image, annotations, axes=axes, channel=channel)
    if not known:
        raise EmptySupportError(
            "nothing is annotated: give an image with --annotations, or --support IMAGE FILE"
        )
    with Bar() as bar:
        found = api.review(known, model, device=device, threads=threads, progress=bar)
    if json:
        print_json(asdict(found) | {"suspects": len(found.suspects)})
        return
    print(
        table(
            [
                (_mark(one), one.source, str(one.t), str(one.z), str(one.strokes), *_worth(one))
                for one in found.planes
            ],
            ("", "image", "t", "z", "strokes", "effect (points)", "agreement"),
        )
    )
    print()
    print(
        table(
            [
                (_mark(one), one.source, *_at(one), str(one.class_id), *_worth(one))
                for one in found.strokes
            ],
            ("", "image", "t", "z", "y", "x", "class", "effect (points)", "agreement"),
        )
    )
    print("\n! looks painted wrongly" if found.suspects else "\nnothing looks painted wrongly")


def doubtful(
    image: Path,
    /,
    *,
    annotations: Path | None = None,
    support: Pairs | None = None,
    model: str = "membrane",
    axes: str | None = None,
    support_axes: str | None = None,
    channel: int | None = None,
    leak: float = 1.0,
    planes: int = api.MOST_PLANES,
    count: int = 5,
    device: Device = "auto",
    threads: int | None = None,
    json: Json = False,
) -> None:
    """Find the places where one more stroke is expected to help most.

    Parameters
    ----------
    image
        TIFF, OME-TIFF, PNG, NPY or OME-Zarr.
    annotations
        Paint on this very image: its shape without channels, 0 unlabelled, else class ids.
    support
        Another annotated image and its annotation; may be repeated.
    model
        Name of a shipped model (see infoleak models), or a model file.
    axes
        One letter a dimension, such as TCZYX; read from the file or guessed by default.
    support_axes
        Axes of the support images; by default those of the image where they fit, else guessed.
    channel
        Channel to look at, from 0.
    leak
        How strongly annotations count, 0 (not at all) to 1.
    planes
        Most planes looked at; they are spread evenly.
    count
        Most places named.
    device
        Where to compute.
    threads
        Threads of the processor; chosen by default.
    json
        Print the places as JSON.
    """
    picture = api.read(image, axes)
    known = support_set(support or [], axes, support_axes, channel)
    with Bar() as bar:
        found = api.doubtful(
            picture,
            known,
            model,
            annotations=annotations,
            channel=channel,
            leak=leak,
            planes=planes,
            count=count,
            device=device,
            threads=threads,
            progress=bar,
        )
    if json:
        print_json([asdict(one) for one in found])
        return
    rows = [(*_at(one), _percent(one.doubt), _question(one)) for one in found]
    print(table(rows, ("t", "z", "y", "x", "doubt", "class")))


def unknown(
    image: Path,
    /,
    *,
    output: Path | None = None,
    annotations: Path | None = None,
    support: Pairs | None = None,
    model: str = "membrane",
    axes: str | None = None,
    support_axes: str | None = None,
    channel: int | None = None,
    count: int = 5,
    device: Device = "auto",
    threads: int | None = None,
    json: Json = False,
) -> None:
    """Find what looks like no class yet: it may be the next one to paint.

    Parameters
    ----------
    image
        TIFF, OME-TIFF, PNG, NPY or OME-Zarr.
    output
        File for a map: 0 is what a class looks like, from 1 on it looks like none.
    annotations
        Paint on this very image: its shape without channels, 0 unlabelled, else class ids.
    support
        Another annotated image and its annotation; may be repeated.
    model
        A model of continual, or one of annotation-leakage, which looks at the paint.
    axes
        One letter a dimension, such as TCZYX; read from the file or guessed by default.
    support_axes
        Axes of the support images; by default those of the image where they fit, else guessed.
    channel
        Channel to look at, from 0.
    count
        Most places named.
    device
        Where to compute.
    threads
        Threads of the processor; chosen by default.
    json
        Print the places as JSON.
    """
    outputs = {"--output": output}
    model_file = Path(model) if Path(model).suffix else None
    inputs = [image, annotations, model_file, *(path for two in support or [] for path in two)]
    check_outputs(outputs, inputs)
    picture = api.read(image, axes)
    check_one_plane(outputs, picture.sizes["T"] * picture.sizes["Z"], set())
    known = support_set(support or [], axes, support_axes, channel)
    with Bar() as bar:
        found = api.unknown(
            picture,
            known,
            model,
            annotations=annotations,
            channel=channel,
            count=count,
            device=device,
            threads=threads,
            progress=bar,
        )
        if output is not None:
            api.write(
                output,
                found.map,
                axes=found.axes,
                kind="uncertainty",
                progress=bar,
                **found.calibration,
            )
    if json:
        print_json([asdict(one) for one in found.places])
        return
    rows = [(*_at(one), f"{one.strangeness:.2f}") for one in found.places]
    print(table(rows, ("t", "z", "y", "x", "strangeness")))


def _numbers(at: str) -> list[int]:
    try:
        return [int(number) for number in at.split(",")]
    except ValueError as error:
        raise BadInput(
            f"--at {at}: expected whole numbers with commas, such as 3,120,85"
        ) from error


def _at(one: Any) -> tuple[str, str, str, str]:
    return str(one.t), str(one.z), str(one.y), str(one.x)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _worth(one: Any) -> tuple[str, str]:
    effect = "-" if one.effect is None else f"{100 * one.effect:+.1f}"
    return effect, "-" if one.agreement is None else _percent(one.agreement)


def _mark(one: Any) -> str:
    return "!" if one.suspect else ""


def _question(one: Any) -> str:
    return " or ".join(str(number) for number in one.class_ids[:2])
