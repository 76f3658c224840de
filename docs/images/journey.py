"""One long journey through the dock, ended by a kill, and gone on with in another napari.

    python docs/images/journey.py [FOLDER]

A napari of its own opens a file, paints, segments, corrects, spreads, trains, makes cells, saves
them, paints once more, and is killed. Another one opens the file again, and has to bring everything
back. All by mouse and keys, as in `tasks.py`. Needs a screen of at least 1500 x 1000.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import napari
import numpy as np
from hand import Hand, along, live
from tasks import check, painted_slices, truth_of

from napari_infoleak.io import read, read_labels, write
from napari_infoleak.io.samples import sample_path

PLANES, SIDE = slice(4, 7), slice(0, 128)
DONE = "all is done"


def image_file(folder: Path) -> Path:
    """Write a small stack to be opened."""
    sample = read(sample_path("em_stack"))
    pixels = np.asarray(sample.data)[0, 0, PLANES, SIDE, SIDE]
    about = {"scale": sample.scale, "units": sample.units}
    return write(folder / "cells.tif", pixels, axes="ZYX", kind="image", **about)


def strokes() -> tuple[list[list[tuple[int, int]]], list[list[tuple[int, int]]]]:
    """Return what is painted of interior, and of membrane, on the middle plane."""
    truth = truth_of("em_stack")[PLANES, SIDE, SIDE][1]
    return along(truth, 1, 3), along(truth, 2, 3)


def window(pictures: Path) -> Hand:
    """Start napari."""
    viewer = napari.Viewer(show=False)
    viewer.show()
    live(1)
    viewer.window.resize(1280, 900)
    live(1)
    return Hand(viewer, pictures)


def open_file(hand: Hand, path: Path) -> None:
    """Open a file by the menu, and the dock."""
    hand.name_next(path)
    hand.menu("File", "Open File(s)")
    live(1)
    hand.menu("Plugins", "Infoleak")
    live(1)


def work(hand: Hand, path: Path) -> None:
    """Do everything once."""
    interior, membrane = strokes()
    open_file(hand, path)
    hand.press("New annotation layer")
    for number, ways in ((1, interior[:2]), (2, membrane[:1])):
        hand.key(str(number))
        for way in ways:
            hand.stroke(way)
    hand.press("Segment view")
    hand.ready()
    hand.stroke(membrane[1])  # a correction
    hand.press("Segment stack")
    hand.ready()
    hand.unfold(hand.dock.spread)
    hand.press("Spread")
    hand.ready()
    hand.unfold(hand.dock.train)
    hand.write(hand.dock.train.minutes, "0.1")
    hand.press("Train")
    hand.ready()
    hand.press("Segment stack")
    hand.ready()
    hand.press("Make cells")
    hand.ready()
    hand.choose(hand.dock.export.format, "TIFF for Fiji")
    hand.press_and_name("Save…", path.with_name("cells_out.tif"))
    hand.ready()
    layer = hand.dock.state.annotation.layer
    hand.viewer.layers.selection.active = layer
    hand.key("1")
    hand.stroke(interior[2])
    paint = np.asarray(layer.data)
    np.save(path.with_name("paint.npy"), paint)
    path.with_name("model.txt").write_text(hand.dock.state.model)


def go_on(hand: Hand, path: Path) -> None:
    """Go on after the kill, and find everything as it was."""
    open_file(hand, path)
    hand.picture("journey-resume")
    hand.press("Go on")
    hand.ready()
    paint = np.load(path.with_name("paint.npy"))
    found = np.asarray(hand.dock.state.annotation.layer.data)
    check(np.array_equal(found, paint), "paint is lost")
    check(painted_slices(hand) == [1], "paint lies elsewhere")
    check(hand.dock.state.model == path.with_name("model.txt").read_text(), "the model is lost")
    names = [layer.name for layer in hand.viewer.layers]
    check({"cells labels", "cells cells"} <= set(names), f"results are lost, there are {names}")
    hand.press("Segment stack")
    hand.ready()
    check(hand.dock.state.answer.complete, "it does not go on")


def main() -> None:
    """Work, kill, go on."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.work is not None:
        work(window(options.folder), options.work)
        print(DONE, flush=True)
        while True:
            live(1)
    with tempfile.TemporaryDirectory() as folder:
        path = image_file(Path(folder))
        again = [sys.executable, __file__, str(options.folder), "--work", str(path)]
        with subprocess.Popen(again, stdout=subprocess.PIPE, text=True, env=os.environ) as other:
            heard = any(line.strip() == DONE for line in other.stdout or ())
            check(heard, "the first napari did not come to its end")
            other.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        cells, axes = read_labels(path.with_name("cells_out.tif"))
        check(axes == "ZYX" and bool(np.asarray(cells).any()), "no cells were saved")
        hand = window(options.folder)
        go_on(hand, path)
        hand.viewer.close()
        live(0.5)
    print(f"the second napari took {hand.effort}: {dict(hand.done)}")


if __name__ == "__main__":
    main()
