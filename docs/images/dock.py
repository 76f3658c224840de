"""Make the picture of the dock: a sample with its strokes, answered, in a napari window.

    python docs/images/dock.py [FILE]

Needs a screen of at least 1500 x 1000, for example of Xvfb.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from napari_infoleak.widgets.dock import InfoleakDock

PATIENCE = 300  # seconds


def wait(seconds: float, dock: InfoleakDock | None = None) -> None:
    """Let the window live for a while, or until the dock has done what it was asked."""
    end = time.monotonic() + (PATIENCE if dock is not None else seconds)
    while time.monotonic() < end and (dock is None or dock.worker.busy):
        QApplication.processEvents()
        time.sleep(0.02)


def main(path: Path) -> None:
    """Open, segment, make cells, take the picture."""
    viewer = napari.Viewer(show=False)
    viewer.open_sample("napari-infoleak", "em_stack")
    _, dock = viewer.window.add_plugin_dock_widget("napari-infoleak")
    viewer.show()
    wait(1)
    viewer.window.resize(1480, 960)  # napari takes the size of last time when it is shown
    wait(2)
    viewer.layers["em_stack truth"].visible = False
    dock.segment.segment_stack()
    wait(0, dock)
    dock.cells.make_cells()
    wait(0, dock)
    viewer.layers.selection.active = viewer.layers["em_stack annotation"]
    viewer.reset_view()
    wait(2)
    viewer.window.screenshot(str(path), canvas_only=False)
    viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".png"))
