"""``infoleak propagate``: annotated frames in, labels of a whole stack or movie out."""

from __future__ import annotations

import csv
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_infoleak import api
from napari_infoleak.cli.bar import Bar
from napari_infoleak.cli.console import note, print_json
from napari_infoleak.cli.files import TABLES, check_one_plane, check_outputs
from napari_infoleak.cli.options import Json, Pairs, support_set
from napari_infoleak.cli.training import Flag, stoppable
from napari_infoleak.cli.writing import write_arrays
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.progress import NEVER
from napari_infoleak.io.atomic import atomic

if TYPE_CHECKING:
    from napari_infoleak.core.image import Image


def propagate(
    image: Path,
    /,
    *,
    annotations: Path,
    axis: Literal["Z", "T"] | None = None,
    output: Path,
    confidence: Path | None = None,
    stop_below: float = 0.0,
    probabilities: Path | None = None,
    support: Pairs | None = None,
    model: str = "membrane",
    axes: str | None = None,
    support_axes: str | None = None,
    channel: int | None = None,
    leak: float = 1.0,
    reach: int = 0,
    fine_tune: Flag = False,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    tile: int | None = None,
    threads: int | None = None,
    json: Json = False,
) -> int:
    """Spread labels from annotated frames to all others, or as far as they can be trusted.

    With --fine-tune Ctrl-C ends it early and keeps what is labelled.

    Parameters
    ----------
    image
        TIFF, OME-TIFF, NPY or OME-Zarr with more than one frame.
    annotations
        Paint on one or more frames of this very image: its shape without channels, 0 unlabelled.
    axis
        Along which labels spread: Z or T; by default the one along which there are frames.
    output
        File for the labels, 0 where they did not come; its suffix decides the format.
    confidence
        CSV file with the confidence of each frame.
    stop_below
        Confidence, 0 to 1, of a frame from which labels do not spread on.
    probabilities
        File for the probability of each class: the class axis first, then the image's.
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
    reach
        Frames to each side whose labels are looked up beside what is annotated.
    fine_tune
        Let a copy of the model learn on the way, from the annotated frames and from those that
        were labelled before; the model itself stays as it is.
    minutes
        How long it may learn, in all.
    steps
        Steps that it may learn; with minutes, what is reached first ends it. 48 where neither is
        given: then, on one processor, the labels are the same each time.
    seed
        Of the crops that are learned from.
    device
        Where to compute.
    tile
        Longest side of a tile in pixels; chosen by default.
    threads
        Threads of the processor; chosen by default.
    json
        Print the result as JSON.
    """
    outputs = {"--output": output, "--probabilities": probabilities, "--confidence": confidence}
    pairs = support or []
    model_file = Path(model) if Path(model).suffix else None
    check_outputs(
        outputs,
        [image, annotations, model_file, *(path for two in pairs for path in two)],
        {"--confidence": TABLES},
    )
    begin = time.monotonic()
    picture = api.read(image, axes)
    maps = {name: path for name, path in outputs.items() if name != "--confidence"}
    check_one_plane(maps, picture.sizes["T"] * picture.sizes["Z"], {"--output"})
    known = support_set(pairs, axes, support_axes, channel)
    from napari_infoleak.infer.backends import tune_allocator  # this process is ours

    tune_allocator()
    with stoppable() if fine_tune else nullcontext() as stop, Bar() as bar:
        result = api.propagate(
            picture,
            annotations,
            axis or _only_axis(picture),
            model,
            support=known,
            channel=channel,
            leak=leak,
            reach=reach,
            device=device,
            tile=tile,
            threads=threads,
            stop_below=stop_below,
            probabilities=probabilities is not None,
            fine_tune=fine_tune,
            minutes=minutes,
            steps=steps,
            seed=seed,
            progress=bar,
            cancel=stop or NEVER,
        )
        written = write_arrays(
            {"labels": output, "probabilities": probabilities},
            {
                "labels": (result.labels, result.classes),
                "probabilities": (result.probabilities, result.answered),
            },
            result,
            bar,
        )
        if confidence is not None:
            _write_frames(confidence.expanduser(), result)
            written["confidence"] = str(confidence)
    report = {
        "image": image,
        "axes": result.axes,
        "shape": list(result.labels.shape),
        "axis": result.axis,
        "frames": [_row(frame) for frame in result.frames],
        "stops": [_row(frame) | {"waiting": result.waiting(frame)} for frame in result.stops],
        "cancelled": result.cancelled,
        "paint_next": None if result.paint_next is None else _row(result.paint_next),
        "outputs": written,
        "seconds": round(time.monotonic() - begin, 3),
        "provenance": result.provenance,
    }
    if json:
        print_json(report)
    else:
        _say(report, result)
    return stop.status if stop and result.cancelled else 0


def _only_axis(picture: Image) -> str:
    """The axis along which there are frames, where there is but one."""
    found = [letter for letter in "ZT" if picture.sizes[letter] > 1]
    if len(found) > 1:
        raise BadInput(f"{picture.name} has frames along Z and T: give --axis Z or --axis T")
    return found[0] if found else "Z"  # which is refused in words


def _row(frame: Any) -> dict[str, Any]:
    """A frame as plain JSON."""
    return {
        "t": frame.t,
        "z": frame.z,
        "distance": frame.distance,
        "confidence": None if frame.confidence is None else round(frame.confidence, 4),
        "state": frame.state,
    }


def _write_frames(path: Path, result: api.Spread) -> None:
    """Write the frames as a table."""
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, list(_row(result.frames[0])))
        rows.writeheader()
        rows.writerows(_row(frame) for frame in result.frames)


def _say(report: dict[str, Any], result: api.Spread) -> None:
    """Tell a person how far labels came."""
    reached = [frame for frame in result.frames if frame.state != "unreached"]
    if result.cancelled:
        note("stopped; what was labelled so far is kept")
    print(
        f"{len(reached)} of {len(result.frames)} frames labelled along {report['axis']} in "
        f"{report['seconds']:.1f} s"
    )
    for frame in result.stops:
        waiting = result.waiting(frame)
        print(
            f"stopped at {_where(frame)}, confidence {frame.confidence:.2f}: paint there, "
            f"{waiting} frame{'' if waiting == 1 else 's'} behind it wait"
        )
    if not result.stops and result.paint_next is not None:
        frame = result.paint_next
        print(f"least certain is {_where(frame)}, confidence {frame.confidence:.2f}")
    for kind, path in report["outputs"].items():
        print(f"{kind}: {path}")


def _where(frame: Any) -> str:
    return f"t = {frame.t}, z = {frame.z}"
