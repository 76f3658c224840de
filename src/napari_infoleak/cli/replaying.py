"""``infoleak replay``: a session in, the results of its steps out."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from cyclopts import Parameter

from napari_infoleak import api
from napari_infoleak.api._replay import opened
from napari_infoleak.cli.bar import Bar
from napari_infoleak.cli.console import note, print_json
from napari_infoleak.cli.files import IMAGES, check_one_plane, check_outputs
from napari_infoleak.cli.options import Json
from napari_infoleak.cli.writing import write_arrays
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.provenance import provenance
from napari_infoleak.io.read import name_of
from napari_infoleak.session.session import OWN

if TYPE_CHECKING:
    from napari_infoleak.session import Session

_FLAT = {"--output", "--cells"}
_LEFT_OUT = {
    "train": "its trainings, whose models are used as they are",
    "propagate": "spreading, which takes paint on the other image itself: it is segmented",
    "add_class": "classes that joined a model, which is used as it is",
    "shrink": "small models that were made, which are used as they are",
    "correct": "corrections of cells, which belong to the other image",
}


def replay(
    session: Path,
    /,
    *,
    on: Path | None = None,
    output: Path,
    image: Annotated[list[str] | None, Parameter(negative=())] = None,
    probabilities: Path | None = None,
    cells: Path | None = None,
    axes: str | None = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    threads: int | None = None,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
    json: Json = False,
) -> None:
    """Do the steps of a session again, on its own image or on another.

    On its own image the results are what they were in the dock, to the byte. On another one the
    annotated images of the session are the support set.

    Parameters
    ----------
    session
        A file ending in .infoleak, saved by the dock; or a journal.
    on
        The image; by default the one that was worked on.
    output
        File for the labels, or a folder for all results, which is made if need be.
    image
        OLD=NEW: where an image of the session lies by now, by its name or its path; may be
        repeated.
    probabilities
        File for the probability of each class.
    cells
        File for the cells, if the session made some.
    axes
        Axes of the image, where it is another one; read from the file or guessed by default.
    device
        Where to compute.
    threads
        Threads of the processor; chosen by default.
    overwrite
        Replace results that lie in the folder already.
    json
        Print the result as JSON.
    """
    paths = _pairs(image or [])
    outputs = {"--output": output, "--probabilities": probabilities, "--cells": cells}
    into_folder = not output.name.lower().endswith(IMAGES)
    check_outputs(
        {name: path for name, path in outputs.items() if not (into_folder and path is output)},
        [session, on, *paths.values()],
    )
    if into_folder:
        _check_folder(output)
    check_one_plane(outputs, 1, _FLAT)  # as far as it is known before the image is
    begin = time.monotonic()
    with Bar() as bar, opened(session) as known:
        if into_folder and not overwrite:
            _refuse_results(output, known, on)
        done = api.replay(
            known, on, images=paths, axes=axes, device=device, threads=threads, progress=bar
        )
        if cells is not None and done.cells is None:
            raise BadInput(f"{session.name} made no cells; leave --cells out")
        planes = done.image.sizes["T"] * done.image.sizes["Z"]
        check_one_plane(outputs, planes, _FLAT)
        if into_folder:
            outputs |= _in_folder(output, done)
        result = done.result
        noted = provenance(session=session.name, steps=done.steps, last=result.provenance)
        written = write_arrays(
            {
                "labels": outputs["--output"],
                "probabilities": outputs["--probabilities"],
                "cells": outputs["--cells"],
            },
            {
                "labels": (result.labels, result.classes),
                "probabilities": (result.probabilities, result.answered),
                "cells": (done.cells, None),
            },
            replace(result, provenance=noted),
            bar,
        )
    report = {
        "session": session,
        "image": done.image.name,
        "same_image": done.same_image,
        "steps": done.steps,
        "left_out": done.left_out,
        "axes": done.result.axes,
        "shape": list(done.result.labels.shape),
        "cells": None if done.cells is None else int(np.count_nonzero(np.unique(done.cells))),
        "outputs": written,
        "seconds": round(time.monotonic() - begin, 3),
    }
    if json:
        print_json(report)
    else:
        _say(report)


def _pairs(given: list[str]) -> dict[str, Path]:
    """Read OLD=NEW."""
    paths: dict[str, Path] = {}
    for one in given:
        old, sign, new = one.partition("=")
        if not (old and sign and new):
            raise BadInput(f"--image {one}: expected OLD=NEW, an image's name and its file")
        paths[old] = Path(new).expanduser()
    return paths


def _check_folder(folder: Path) -> None:
    """Refuse what is no name of a folder, before any work begins."""
    place = folder.expanduser()
    if (place.suffix and not place.is_dir()) or place.is_file():
        raise BadInput(
            f"--output {folder}: name a folder, or a file ending in one of {', '.join(IMAGES)}"
        )


def _in_folder(folder: Path, done: api.Replayed) -> dict[str, Path | None]:
    """Choose the names of the files in a folder."""
    place = folder.expanduser()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--output {folder} cannot be made: {error.strerror or error}") from error
    labels, cells = _files(place, done.image.name)
    chosen: dict[str, Path | None] = {"--output": labels}
    return chosen | ({} if done.cells is None else {"--cells": cells})


def _refuse_results(folder: Path, session: Session, on: Path | None) -> None:
    """Refuse to replace results in a folder, whose names nobody has typed."""
    names = [session.images[OWN].name] if OWN in session.images else []
    for name in names + ([] if on is None else [name_of(on)]):
        for path in _files(folder.expanduser(), name):
            if path.exists():
                raise BadInput(
                    f"{path} is there already: choose another folder, or add --overwrite"
                )


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    """Return the files of labels and of cells in a folder."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in name) or "image"
    return folder / f"{plain}_labels.ome.tif", folder / f"{plain}_cells.ome.tif"


def _say(report: dict[str, Any]) -> None:
    """Tell a person what was done."""
    shape = " x ".join(map(str, report["shape"]))
    which = "the image of the session" if report["same_image"] else "another image"
    print(f"{', '.join(report['steps'])} on {which}")
    print(f"{report['axes']} {shape} in {report['seconds']:.1f} s")
    if report["cells"] is not None:
        print(f"{report['cells']} cells")
    for kind, path in report["outputs"].items():
        print(f"{kind}: {path}")
    for name in dict.fromkeys(report["left_out"]):
        note(f"left out: {_LEFT_OUT.get(name, name)}")
