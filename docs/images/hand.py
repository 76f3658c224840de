"""A mouse and a keyboard in a napari window: what the pictures and the tasks are made with.

Menus, buttons, boxes and the canvas get the events that a hand would send them. Only what can be
seen can be pressed: what is hidden or cannot be pressed is a failure, and what is out of
sight is scrolled to. Clicks, strokes, keys and turns of the wheel are counted.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QMainWindow,
    QScrollArea,
    QWidget,
)
from skimage.graph import route_through_array

from napari_infoleak.widgets.dock import InfoleakDock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import napari
    from numpy.typing import NDArray

    from napari_infoleak.widgets.section import Section

PATIENCE = 300  # seconds
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
PLAIN = Qt.KeyboardModifier.NoModifier
_COLOURS = 255  # of a picture
_NOTCH = 120  # of a wheel


class Hand:
    """A mouse and a keyboard in a napari window.

    Parameters
    ----------
    viewer : napari Viewer
        The window.
    folder : Path
        Where the pictures go.

    Attributes
    ----------
    done : Counter
        Number of clicks, strokes, keys and scrolls.
    """

    def __init__(self, viewer: napari.Viewer, folder: Path) -> None:
        self.viewer, self.folder = viewer, folder
        tops = QApplication.topLevelWidgets()
        self.window = next(top for top in tops if isinstance(top, QMainWindow) and top.isVisible())
        self.done: Counter[str] = Counter()

    @property
    def effort(self) -> int:
        """Everything that was counted."""
        return self.done.total()

    @property
    def dock(self) -> InfoleakDock:
        """The dock, once it is open."""
        docks = self.window.findChildren(InfoleakDock)
        return next(dock for dock in docks if dock.is_open)

    # ------------------------------------------------------------------ the window

    def menu(self, *path: str) -> None:
        """Open a menu, its submenus, which take no click, and click an entry."""
        holder: Any = self.window.menuBar()
        self.done["clicks"] += 2
        for name in path:
            entry = _entry(holder, name)
            QTest.mouseClick(holder, LEFT, pos=holder.actionGeometry(entry).center())
            live(0.3)
            holder = entry.menu() or holder
        live(0.5)

    def press(self, text: str, *, within: QWidget | None = None) -> None:
        """Click the button of the dock that shows this text."""
        self.click(self._found(QAbstractButton, text, within))

    def click(self, widget: QWidget) -> None:
        """Click a widget that can be seen and pressed."""
        self._look_for(widget)
        if not widget.isEnabled():
            raise AssertionError(f"{_text(widget)!r} cannot be pressed: {widget.toolTip()}")
        at = QPoint(9, widget.height() // 2) if isinstance(widget, QCheckBox) else QPoint()
        QTest.mouseClick(widget, LEFT, pos=at)
        self.done["clicks"] += 1
        live(0.3)

    def unfold(self, section: Section) -> None:
        """Open a section of the dock that is folded up."""
        if section.body.isHidden():
            self.click(section._head)

    def choose(self, box: QComboBox, text: str) -> None:
        """Choose the entry of a box that begins with a text."""
        self.click(box)
        rows = [row for row in range(box.count()) if box.itemText(row).startswith(text)]
        if not rows:
            raise AssertionError(f"{text!r} is not offered")
        live(1)  # a list that has just opened takes no click yet
        view = box.view()
        place = view.visualRect(box.model().index(rows[0], 0)).center()
        QTest.mouseClick(view.viewport(), LEFT, pos=place)
        self.done["clicks"] += 1
        live(0.3)
        if box.currentIndex() != rows[0]:
            raise AssertionError(f"{text!r} was not taken, but {box.currentText()!r}")

    def write(self, field: QWidget, text: str) -> None:
        """Click a field, and write something else in it."""
        self.click(field)
        field.setFocus()
        field.selectAll()
        self.type(text)

    def type(self, text: str) -> None:
        """Type a word where the cursor is, and Enter."""
        writer = self.window.focusWidget()  # of the application only if the window is active
        if not isinstance(writer, QLineEdit | QAbstractSpinBox):
            raise AssertionError(f"no field is ready to be written in: {writer}")
        QTest.keyClicks(writer, text)
        QTest.keyClick(writer, Qt.Key.Key_Return)
        self.done["words"] += 1
        live(0.2)

    def press_and_name(self, button: str, path: Path, *, within: QWidget | None = None) -> None:
        """Click a button that asks for a file, and type its name."""
        self.name_next(path)
        self.press(button, within=within)

    def name_next(self, path: Path) -> None:
        """Answer the dialog for files that opens next: those of the system take no events."""

        def answer(*args: Any, **options: Any) -> tuple[Any, str]:
            setattr(QFileDialog, name, asked)
            self.done["words"] += 1
            self.done["clicks"] += 1
            return str(path) if name == "getSaveFileName" else [str(path)], ""

        name = "getOpenFileNames" if path.exists() else "getSaveFileName"
        asked = getattr(QFileDialog, name)
        setattr(QFileDialog, name, answer)

    def ready(self) -> None:
        """Wait until the dock has done what it was asked."""
        worker = self.dock.worker
        live(0.3)
        end = time.monotonic() + PATIENCE
        while worker.busy or worker.in_background:
            if time.monotonic() > end:
                raise AssertionError("it takes too long")
            live(0.1)
        live(0.3)

    def said(self) -> str:
        """Read what stands at the foot of the dock."""
        footer = self.dock.footer
        return footer.text.text() if footer.message.isVisible() else ""

    # ------------------------------------------------------------------ the canvas

    def key(self, key: Any, modifier: Any = PLAIN) -> None:
        """Press a key over the canvas."""
        self.canvas.setFocus()
        QTest.keyClick(self.canvas, key, modifier)
        self.done["keys"] += 1
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
        self.done["strokes"] += 1
        live(0.3)

    def picture(self, name: str) -> None:
        """Keep what the window shows, in few colours."""
        live(1)
        self._mouse(QEvent.Type.MouseMove, QPointF(2, 2), NONE, NONE)
        live(0.5)
        from PIL import Image

        shown = self.viewer.window.screenshot(canvas_only=False, flash=False)
        image = Image.fromarray(np.asarray(shown)[..., :3]).quantize(_COLOURS, dither=0)
        image.save(self.folder / f"{name}.png", optimize=True)

    @property
    def canvas(self) -> QWidget:
        """The part of the window that shows the image."""
        named = (one for one in self.window.findChildren(QWidget) if "Canvas" in str(type(one)))
        return next(one for one in named if one.isVisible())

    # ------------------------------------------------------------------ inside

    def _found(self, kind: Any, text: str, within: QWidget | None) -> Any:
        place = within or self.dock
        seen = [one for one in place.findChildren(kind) if one.isVisible() and _text(one) == text]
        if len(seen) != 1:
            raise AssertionError(f"{len(seen)} buttons {text!r} can be seen")
        return seen[0]

    def _look_for(self, widget: QWidget) -> None:
        """Turn the wheel over the dock until a widget is in sight."""
        if not widget.isVisible():
            raise AssertionError(f"{_text(widget)!r} is hidden")
        areas = [one for one in self.dock.findChildren(QScrollArea) if one.isAncestorOf(widget)]
        for area in areas:
            port = area.viewport()
            if not _inside(widget, port):
                self.done["scrolls"] += 1
            for _ in range(200):
                if _inside(widget, port):
                    break
                up = widget.mapTo(port, widget.rect().center()).y() < port.height() // 2
                _wheel(port, _NOTCH // 2 if up else -_NOTCH // 2)

    def _on_canvas(self, place: tuple[float, float]) -> QPointF:
        scene = self.viewer.scene if hasattr(self.viewer, "scene") else self.viewer
        layer = self.viewer.layers.selection.active
        at = [0] * (layer.ndim - 2)
        world = np.asarray(layer.data_to_world([*at, *place]))[-2:]
        y, x = (world - np.asarray(scene.camera.center)[-2:]) * scene.camera.zoom
        return QPointF(self.canvas.width() / 2 + x, self.canvas.height() / 2 + y)

    def _mouse(self, kind: Any, point: QPointF, button: Any, buttons: Any) -> None:
        canvas = self.canvas
        everywhere = QPointF(canvas.mapToGlobal(point.toPoint()))
        event = QMouseEvent(kind, point, everywhere, button, buttons, PLAIN)
        QApplication.sendEvent(canvas, event)
        QApplication.processEvents()


def live(seconds: float) -> None:
    """Let the window live for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


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


def _entry(holder: Any, name: str) -> Any:
    """Return the entry of a menu that begins with a name."""
    entries = [one for one in holder.actions() if one.text().replace("&", "").startswith(name)]
    if not entries or not entries[0].isVisible():
        known = [one.text() for one in holder.actions()]
        raise AssertionError(f"the menu has no {name!r}, only {known}")
    return entries[0]


def _text(widget: QWidget) -> str:
    return str(getattr(widget, "text", lambda: type(widget).__name__)())


def _inside(widget: QWidget, port: QWidget) -> bool:
    return bool(port.rect().contains(widget.mapTo(port, widget.rect().center())))


def _wheel(port: QWidget, turn: int) -> None:
    middle = QPointF(port.rect().center())
    everywhere = QPointF(port.mapToGlobal(port.rect().center()))
    event = QWheelEvent(
        *(middle, everywhere, QPoint(), QPoint(0, turn), NONE, PLAIN),
        *(Qt.ScrollPhase.NoScrollPhase, False),
    )
    QApplication.sendEvent(port, event)
    live(0.02)
