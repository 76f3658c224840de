"""``infoleak cells``: membranes in, cells and a table of them out."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from cyclopts import Parameter

from napari_infoleak import api
from napari_infoleak.cli.bar import Bar
from napari_infoleak.cli.console import print_json
from napari_infoleak.cli.files import TABLES, check_one_plane, check_outputs
from napari_infoleak.cli.options import Json, axes_of
from napari_infoleak.core.axes import labels_from_canonical
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.provenance import provenance
from napari_infoleak.instances.measure import brightness, measure
from napari_infoleak.io.tracks import check_folder


def cells(
    membranes: Path,
    /,
    *,
    output: Path,
    method: Literal["watershed", "multicut"] = "watershed",
    table: Path | None = None,
    image: Path | None = None,
    channel: int | None = None,
    membrane: int | None = None,
    axes: str | None = None,
    dims: int | None = None,
    threshold: float = 0.5,
    border: float | None = None,
    min_size: int | None = None,
    fill: Annotated[bool, Parameter(negative=())] = False,
    link: Literal["Z", "T"] | None = None,
    tracks: Path | None = None,
    json: Json = False,
) -> None:
    """Make cells of membranes.

    Parameters
    ----------
    membranes
        File of probabilities (better) or of class ids.
    output
        File for the cells; its suffix decides the format.
    method
        Watershed from seeds, or multicut, which closes gaps.
    table
        CSV file for a table of all cells.
    image
        Image that the membranes are of: the table then says how bright each cell is.
    channel
        Channel of it, from 0.
    membrane
        Id of the membrane class; by default the class of that name, else 2.
    axes
        Axes of the image, such as ZYX; read from the file or guessed by default.
    dims
        2 divides each plane by itself, 3 the volume; chosen by the distance of planes by default.
    threshold
        From this probability on a pixel is membrane.
    border
        Mean probability along the border of two cells from which it holds.
    min_size
        Fewest pixels of a cell.
    fill
        Divide the membranes among the cells, so that cells touch.
    link
        Let cells keep their number from plane to plane (Z) or from time to time (T).
    tracks
        Folder for the linked cells in the layout of the Cell Tracking Challenge.
    json
        Print the result as JSON.
    """
    outputs = {"--output": output, "--table": table}
    check_outputs(outputs, [membranes, image], {"--table": TABLES})
    if image is not None and table is None:
        raise BadInput("--image says how bright cells are, in a table: give --table CSV, too")
    if tracks is not None and link is None:
        raise BadInput("--tracks needs cells that keep their number: add --link T, or --link Z")
    if tracks is not None:
        check_folder(tracks.expanduser())
    begin = time.monotonic()
    source = api.membranes_of(membranes, axes, membrane)
    if link == "Z" and dims is None:
        dims = 2  # a volume has one number for a cell already
    check_one_plane({"--output": output}, _planes(source), {"--output"})
    settings: dict[str, Any] = {
        "method": method,
        "membrane": membrane,
        "dims": dims,
        "threshold": threshold,
        "border": border,
        "min_size": min_size,
        "keep_membrane": not fill,
    }
    linked: api.Linked | None = None
    written = {"cells": str(output)} | ({"table": str(table)} if table else {})
    with Bar() as bar:
        found = api.cells(source, **settings, progress=bar)
        if link is not None:
            linked = api.link(found, link, axes=source.axes, progress=bar)
            found, settings["link"] = linked.cells, link
        made = provenance(source=membranes.name, before=_before(membranes), settings=settings)
        place = source.calibration
        # Measured first: what can fail in it fails before a file is there.
        shown = None if image is None else _brightness(image, source, channel)
        rows = None
        if table is not None:
            rows = measure(found, axes=source.axes, dims=dims, image=shown, **place)
        if linked is not None and tracks is not None:
            written["tracks"] = str(linked.write_tracks(tracks))
        api.write(
            output,
            found,
            axes=source.axes,
            kind="cells",
            provenance=made,
            progress=bar,
            **place,
        )
        if rows is not None and table is not None:
            rows.write(table.expanduser())
    report = {
        "membranes": membranes,
        "axes": source.axes,
        "shape": list(found.shape),
        "cells": int(np.count_nonzero(np.unique(found))),
        **({} if linked is None else {"events": [asdict(event) for event in linked.events]}),
        "outputs": written,
        "seconds": round(time.monotonic() - begin, 3),
        "provenance": made,
    }
    if json:
        print_json(report)
    else:
        _say(report)


def _planes(source: api.Membranes) -> int:
    """Count the planes."""
    frames, depth = source.data.shape[:2]
    return int(frames * depth)


def _brightness(path: Path, source: api.Membranes, channel: int | None) -> Any:
    """Read one channel of the image, in the axes of the cells."""
    picture = api.read(path, axes_of(path, source.axes))
    if picture.label_shape != source.data.shape:
        raise BadInput(
            f"{path.name} is {picture.label_shape} and the membranes are "
            f"{tuple(source.data.shape)} (T, Z, Y, X): expected the image that they are of"
        )
    return labels_from_canonical(brightness(picture, channel), source.axes)


def _before(path: Path) -> Any:
    """Return what made the membranes, if their file says so."""
    return api.read_record(path).get("provenance")


def _say(report: dict[str, Any]) -> None:
    """Tell a person what was made."""
    shape = " x ".join(map(str, report["shape"]))
    print(f"{report['axes']} {shape} in {report['seconds']:.1f} s")
    print(f"{report['cells']} cells")
    if "events" in report:
        kinds = [event["kind"] for event in report["events"]]
        print(f"{kinds.count('split')} splits, {kinds.count('merge')} merges")
    for kind, path in report["outputs"].items():
        print(f"{kind}: {path}")
