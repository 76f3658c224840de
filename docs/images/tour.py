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
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QMainWindow, QWidget
from skimage.graph import route_through_array

from napari_infoleak.widgets.dock import InfoleakDock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_CLICKS = 6
PATIENCE = 300  # seconds
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton


class Hand:
    """A mouse and a keyboard in a napari window.

    Parameters
    ----------
    viewer : napari Viewer
        The window.
    folder : Path
        Where the pictures go.
    """

    def __init__(self, viewer: napari.Viewer, folder: Path) -> None:
        self.viewer, self.folder = viewer, folder
        tops = QApplication.topLevelWidgets()
        self.window = next(top for top in tops if isinstance(top, QMainWindow))
        self.clicks = 0

    def menu(self, *path: str) -> None:
        """Open a menu, point at its submenus, click an entry."""
        entries = self.window.menuBar().actions()
        for name in path:
            entry = next(one for one in entries if one.text().replace("&", "").startswith(name))
            if entry.menu() is not None:
                entry.menu().aboutToShow.emit()
                entries = entry.menu().actions()
        entry.trigger()
        self.clicks += 2
        live(0.5)

    def click(self, button: QWidget) -> None:
        """Click a button of the dock."""
        QTest.mouseClick(button, LEFT)
        self.clicks += 1
        live(0.2)

    def key(self, key: str) -> None:
        """Press a key over the canvas."""
        self.canvas.setFocus()
        QTest.keyClick(self.canvas, key)
        live(0.1)

    def stroke(self, places: Sequence[tuple[float, float]]) -> None:
        """Draw with the button down, through (row, column) places of the image."""
        points = [self._on_canvas(place) for place in places]
        self._mouse(QEvent.Type.MouseMove, points[0], NONE, NONE)
        self._mouse(QEvent.Type.MouseButtonPress, points[0], LEFT, LEFT)
        for point in points[1:]:
            self._mouse(QEvent.Type.MouseMove, point, NONE, LEFT)
            live(0.01)
        self._mouse(QEvent.Type.MouseButtonRelease, points[-1], LEFT, NONE)
        self.clicks += 1
        live(0.3)

    def picture(self, name: str) -> None:
        """Keep what the window shows, in few colours."""
        live(1)
        self._mouse(QEvent.Type.MouseMove, QPointF(2, 2), NONE, NONE)
        live(0.5)
        from PIL import Image

        shown = self.viewer.window.screenshot(canvas_only=False, flash=False)
        image = Image.fromarray(np.asarray(shown)[..., :3]).quantize(160, dither=0)
        image.save(self.folder / f"{name}.png", optimize=True)

    @property
    def canvas(self) -> QWidget:
        """The part of the window that shows the image."""
        named = (one for one in self.window.findChildren(QWidget) if "Canvas" in str(type(one)))
        return next(one for one in named if one.isVisible())

    def _on_canvas(self, place: tuple[float, float]) -> QPointF:
        scene = self.viewer.scene if hasattr(self.viewer, "scene") else self.viewer
        layer = self.viewer.layers.selection.active
        world = np.asarray(layer.data_to_world([0, *place]))[-2:]
        y, x = (world - np.asarray(scene.camera.center)[-2:]) * scene.camera.zoom
        return QPointF(self.canvas.width() / 2 + x, self.canvas.height() / 2 + y)

    def _mouse(self, kind: Any, point: QPointF, button: Any, buttons: Any) -> None:
        canvas = self.canvas
        everywhere = QPointF(canvas.mapToGlobal(point.toPoint()))
        plain = Qt.KeyboardModifier.NoModifier
        event = QMouseEvent(kind, point, everywhere, button, buttons, plain)
        QApplication.sendEvent(canvas, event)
        QApplication.processEvents()


def live(seconds: float) -> None:
    """Let the window live for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def ready(dock: Any) -> None:
    """Wait until the dock has done what it was asked."""
    live(0.3)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and (dock.worker.busy or dock.worker.in_background):
        live(0.1)


def along(truth: NDArray[Any], class_id: int, count: int) -> list[list[tuple[int, int]]]:
    """Return ways that a hand would paint: along a class, no two close to each other."""
    rng = np.random.default_rng(3)
    cost = np.where(truth == class_id, 1.0, 60.0)
    ways: list[list[tuple[int, int]]] = []
    places = np.argwhere(truth == class_id)
    places = places[((places > 20) & (places < np.array(truth.shape) - 20)).all(1)]
    while len(ways) < count:
        start = places[rng.integers(len(places))]
        near = places[np.abs(np.abs(places - start).sum(1) - 40) < 3]
        way, price = route_through_array(cost, start, near[rng.integers(len(near))])
        far = all(np.abs(start - np.array(old[0])).sum() > 50 for old in ways)
        if price < 80 and far:
            ways.append([(int(y), int(x)) for y, x in way])
    return ways


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
    dock = next(one for one in QApplication.allWidgets() if isinstance(one, InfoleakDock))
    live(2)
    hand.picture("tour-1-open")
    hand.click(dock.segment.view)
    ready(dock)
    first = hand.clicks
    hand.picture("tour-2-answer")

    truth = np.asarray(viewer.layers["em_stack truth"].data)[viewer.dims.current_step[0]]
    viewer.layers["em_stack annotation"].visible = False
    viewer.layers["em_stack labels"].visible = False
    hand.click(dock.annotate.another)
    for number in (1, 2):
        hand.key(str(number))
        for way in along(truth, number, 5):
            hand.stroke(way)
    hand.picture("tour-3-paint")
    viewer.layers["em_stack labels"].visible = True
    hand.click(dock.segment.stack)
    ready(dock)
    hand.key("2")
    hand.click(dock.segment.live)
    hand.stroke(along(truth, 2, 7)[-1])
    live(1)
    ready(dock)
    live(1)
    ready(dock)
    hand.picture("tour-4-correct")
    hand.click(dock.segment.live)
    hand.click(dock.segment.stack)
    ready(dock)
    hand.click(dock.cells.make)
    ready(dock)
    hand.picture("tour-5-cells")
    written = Path(tempfile.mkdtemp()) / "cells.ome.tif"
    QFileDialog.getSaveFileName = lambda *args, **options: (str(written), "")
    hand.click(dock.export.save)
    ready(dock)
    hand.picture("tour-6-export")
    size = written.stat().st_size
    written.unlink()
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
