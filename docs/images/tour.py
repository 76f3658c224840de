"""Take the pictures of the tutorial: a user with mouse and keys, from napari's start to a file.

    python docs/images/tour.py [FOLDER]

Menus, buttons, keys and strokes are events that Qt and the canvas get as from a hand; clicks and
strokes are counted up to the first answer, and more than six are a failure. Needs a screen of at
least 1500 x 1000, for example of Xvfb. ``--theme light`` and ``QT_SCALE_FACTOR=2`` show the same
in other looks.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import napari
import numpy as np
from hand import Hand, along, live

MOST_CLICKS = 6


def tour(folder: Path, theme: str) -> int:
    """Go through the dock; return clicks and strokes up to the first answer."""
    viewer = napari.Viewer(show=False)
    viewer.theme = theme
    viewer.show()
    live(1)
    viewer.window.resize(1280, 900)
    live(1)
    hand = Hand(viewer, folder)

    hand.menu("Plugins", "Infoleak")
    hand.menu("File", "Open Sample", "Infoleak", "EM-like stack")
    live(2)
    hand.picture("tour-1-open")
    hand.press("Segment view")
    hand.ready()
    first = hand.effort
    hand.picture("tour-2-answer")

    truth = np.asarray(viewer.layers["em_stack truth"].data)[viewer.dims.current_step[0]]
    viewer.layers["em_stack annotation"].visible = False
    viewer.layers["em_stack labels"].visible = False
    hand.press("+ New")
    for number in (1, 2):
        hand.key(str(number))
        for way in along(truth, number, 5):
            hand.stroke(way)
    hand.picture("tour-3-paint")
    viewer.layers["em_stack labels"].visible = True
    hand.press("Segment stack")
    hand.ready()
    hand.key("2")
    hand.press("Live")
    hand.stroke(along(truth, 2, 7)[-1])
    for _ in range(2):
        live(1)
        hand.ready()
    hand.picture("tour-4-correct")
    hand.press("Live")
    hand.press("Segment stack")
    hand.ready()
    hand.press("Make cells")
    hand.ready()
    hand.picture("tour-5-cells")
    with tempfile.TemporaryDirectory() as written:
        cells = Path(written) / "cells.ome.tif"
        hand.press_and_name("Save…", cells)
        hand.ready()
        hand.picture("tour-6-export")
        size = cells.stat().st_size
    viewer.close()
    print(f"{first} clicks and strokes to the first answer; {size} bytes of cells written")
    return first


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--theme", default="dark")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if tour(options.folder, options.theme) > MOST_CLICKS:
        raise SystemExit(f"more than {MOST_CLICKS}")


if __name__ == "__main__":
    main()
