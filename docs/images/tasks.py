"""Five tasks of a newcomer, each done with mouse and keys in a real napari, from its start.

    python docs/images/tasks.py [FOLDER] [--only NAME]

Each task starts in an empty window and ends in a check of what came of it. Nothing is called that a
user could not press; more clicks, strokes, words, keys and turns of the wheel than a task may take
are a failure. The pictures are those of the docs. Needs a screen of at least 1500 x 1000, for
example of Xvfb.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
import tifffile
from hand import Hand, along, live

from napari_infoleak.io import read_labels
from napari_infoleak.io.samples import sample_path

if TYPE_CHECKING:
    from collections.abc import Callable

INTERIOR, MEMBRANE = 1, 2
# Row and column on the painted plane of the EM-like stack, as somebody saw them there.
MITOCHONDRIA = (
    ((131, 157), (156, 148)),
    ((58, 120), (74, 136)),
    ((195, 157), (216, 154)),
    ((31, 49), (46, 61)),
)
PIECES = (((199, 42), (211, 56)), ((210, 102), (214, 112), (222, 95)))
PARTS = (((181, 25), (188, 25)), ((226, 16), (226, 24)))


def membranes(hand: Hand, folder: Path) -> None:
    """Find the membranes of a stack: paint a few strokes on one plane, segment all of them."""
    open_sample(hand, "EM-like")
    hand.press("+ New")
    truth = truth_of("em_stack")
    here = truth[hand.viewer.dims.current_step[0]]
    for number in (INTERIOR, MEMBRANE):
        hand.key(str(number))
        for way in along(here, number, 3):
            hand.stroke(way)
    hand.press("Segment stack")
    hand.ready()
    found = np.asarray(hand.viewer.layers["em_stack labels"].data)
    both = ((found == MEMBRANE) & (truth == MEMBRANE)).sum()
    either = ((found == MEMBRANE) | (truth == MEMBRANE)).sum()
    check(both / either > 0.5, f"membranes overlap by {both / either:.2f} with the truth")
    hand.picture("task-membranes")


def mitochondria(hand: Hand, folder: Path) -> None:
    """Add a class to a segmented stack: name it, paint it, segment again."""
    open_sample(hand, "EM-like")
    hand.press("Segment stack")
    hand.ready()
    hand.press("+ Add class")
    hand.type("mitochondria")
    hand.press("Labels")  # they hide what is to be painted
    for stroke in MITOCHONDRIA:
        hand.stroke(stroke)
    hand.press("Labels")
    hand.press("Segment stack")
    hand.ready()
    hand.picture("task-mitochondria")
    found = np.asarray(hand.viewer.layers["em_stack labels"].data)
    at = hand.viewer.dims.current_step[0]
    for (y0, x0), (y1, x1) in MITOCHONDRIA:
        place = found[at, (y0 + y1) // 2, (x0 + x1) // 2]
        check(place == 3, f"a painted mitochondrion is of class {place}")
    check(hand.dock.state.classes[3].name == "mitochondria", "the name of the class is lost")


def three_cells(hand: Hand, folder: Path) -> None:
    """Correct three cells: two that are in pieces, and one that is two."""
    open_sample(hand, "EM-like")
    hand.press("Segment stack")
    hand.ready()
    hand.press("Make cells")
    hand.ready()
    hand.press("▸ Correct the cells")
    hand.press("Merge")
    for stroke in PIECES:
        hand.stroke(stroke)
    hand.press("Two seeds")
    for stroke in PARTS:
        hand.stroke(stroke)
    hand.picture("task-cells")
    cells = np.asarray(hand.viewer.layers["em_stack cells"].data)
    here = cells[hand.viewer.dims.current_step[0]]
    for stroke in PIECES:
        check(len({here[place] for place in stroke}) == 1, "a cell is still in pieces")
    check(len({here[stroke[0]] for stroke in PARTS}) == 2, "two cells are still one")


def over_time(hand: Hand, folder: Path) -> None:
    """Spread what is painted on one frame over a movie, and paint where it is asked for."""
    open_sample(hand, "Time-lapse")
    hand.unfold(hand.dock.spread)
    hand.press("Spread")
    hand.ready()
    hand.press("Paint here next")
    asked = hand.viewer.dims.current_step[0]
    here = truth_of("time_lapse")[asked]
    hand.key("2")
    for way in along(here, MEMBRANE, 2):
        hand.stroke(way)
    hand.press("Spread")
    hand.ready()
    hand.picture("task-time")
    found = np.asarray(hand.viewer.layers["time_lapse labels"].data)
    check(bool(found.any((1, 2)).all()), "a frame has no labels")
    check(asked in painted_slices(hand), "nothing is painted where it was asked for")


def fiji(hand: Hand, folder: Path) -> None:
    """Write cells for Fiji."""
    open_sample(hand, "EM-like")
    hand.press("Segment stack")
    hand.ready()
    hand.press("Make cells")
    hand.ready()
    hand.choose(hand.dock.export.format, "TIFF for Fiji")
    hand.picture("task-fiji")
    hand.press_and_name("Save…", folder / "cells.tif")
    hand.ready()
    check_for_fiji(folder / "cells.tif")


def check_for_fiji(path: Path) -> None:
    """Read a file as ImageJ does: by the description of its first page."""
    with tifffile.TiffFile(path) as file:
        told = file.imagej_metadata or {}
        steps = [file.pages[0].tags[name].value for name in ("XResolution", "YResolution")]
        check(file.is_imagej, "it is no TIFF of ImageJ")
        check(file.series[0].axes == "ZYX", f"its axes are {file.series[0].axes}")
        check(file.series[0].dtype == np.uint16, f"ImageJ knows no {file.series[0].dtype}")
        check((told["unit"], told["spacing"]) == ("um", 0.04), f"its planes are {told}")
        check(all(np.isclose(up / down, 200) for up, down in steps), f"its pixels are {steps}")
        check(told["max"] == file.asarray().max(), "Fiji shows it in another contrast")


@dataclass(frozen=True)
class Task:
    """What is to be done.

    Parameters
    ----------
    name : str
        Of the task, and of its pictures.
    do : callable
        Does it, given a hand and a folder to write into.
    most : int
        Clicks, strokes, words, keys and turns of the wheel that it may take.
    """

    name: str
    do: Callable[[Hand, Path], None]
    most: int


TASKS = (
    Task("membranes", membranes, 20),
    Task("mitochondria", mitochondria, 20),
    Task("cells", three_cells, 20),
    Task("time", over_time, 15),
    Task("fiji", fiji, 15),
)


def open_sample(hand: Hand, name: str) -> None:
    """Open the dock and a sample from the menus."""
    hand.menu("Plugins", "Infoleak")
    hand.menu("File", "Open Sample", "Infoleak", name)
    live(1)


def painted_slices(hand: Hand) -> list[int]:
    """Return the slices that something is painted on."""
    paint = np.asarray(hand.dock.state.annotation.layer.data)
    return [int(at) for at in np.flatnonzero(paint.any((-2, -1)))]


def truth_of(sample: str, part: Any = "truth") -> Any:
    """Return the true classes, or cells, of a sample."""
    return np.asarray(read_labels(sample_path(sample, part))[0])


def check(fact: bool, otherwise: str) -> None:
    """Fail unless something is as it should be."""
    if not fact:
        raise AssertionError(otherwise)


def do(task: Task, viewer: napari.Viewer, pictures: Path) -> Hand:
    """Do a task in a window; return the hand, which counted what it took."""
    hand = Hand(viewer, pictures)
    with tempfile.TemporaryDirectory() as folder:
        task.do(hand, Path(folder))
    check(hand.effort <= task.most, f"{task.name}: {hand.effort} {dict(hand.done)}")
    return hand


def main() -> None:
    """Do the tasks, take the pictures, and say what each took."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--only", choices=[task.name for task in TASKS])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        if options.only in (None, task.name):
            viewer = napari.Viewer(show=False)
            viewer.show()
            live(1)
            viewer.window.resize(1280, 900)
            live(1)
            hand = do(task, viewer, options.folder)
            print(f"{task.name}: {hand.effort}, {dict(hand.done)}")
            viewer.close()
            live(0.5)


if __name__ == "__main__":
    main()
