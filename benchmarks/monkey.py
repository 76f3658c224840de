"""A monkey at the dock: random clicks, keys, strokes, layers and slices, for minutes.

A real napari window with the dock and its real child process. What the monkey does is drawn from a
seed, so that a run can be repeated; when it does things depends on the machine. An exception that
reaches Qt, a traceback in a message, or a child process that is left behind makes
it fail, with the last actions.

    python benchmarks/monkey.py --minutes 30 --seed 1

Needs a screen, for example of Xvfb.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
import traceback
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from napari.utils.key_bindings import coerce_keybinding
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QColorDialog,
    QComboBox,
    QDialog,
    QFileDialog,
    QLineEdit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.random import Generator

LONG_JOBS = ("Train",)
"""Buttons whose work is cut short, so that the monkey is not kept waiting."""
_SHAPES = {
    "YX": (90, 100),
    "ZYX": (5, 80, 90),
    "TYX": (4, 80, 90),
    "TZYX": (2, 3, 64, 70),
    "CYX": (2, 80, 90),
}
_WINDOW = (900, 640)  # pixels: small, for without a graphics card drawing takes most of the time
_KEYS = ("1", "2", "3", "N", "Shift+Enter", "Ctrl+Enter", "V", "P", "E", "Ctrl+Z", "Ctrl+Shift+Z")


class Monkey:
    """Does one random thing after the other.

    Parameters
    ----------
    viewer : napari Viewer
    dock : InfoleakDock
    rng : numpy Generator
        What it draws from.
    folder : Path
        Where it saves to.
    """

    def __init__(self, viewer: napari.Viewer, dock: Any, rng: Generator, folder: Path) -> None:
        self.viewer, self.dock, self.rng, self.folder = viewer, dock, rng, folder
        self.verbose = False
        self.done: Counter[str] = Counter()
        self.last: deque[str] = deque(maxlen=25)
        self.actions: dict[str, tuple[float, Callable[[], str]]] = {
            "click": (6, self.click),
            "stroke": (5, self.stroke),
            "key": (3, self.key),
            "slice": (3, self.go_to_slice),
            "choose": (3, self.choose),
            "value": (2, self.change_value),
            "view": (1.5, self.move_view),
            "layer": (1, self.add_layer),
            "remove": (0.8, self.remove_layer),
            "cancel": (1, self.cancel),
            "name": (0.7, self.name_class),
            "save": (0.7, self.save),
            "layers": (0.7, self.touch_layer),
            "wait": (1, self.wait),
        }

    def act(self) -> None:
        """Do one thing, and let the window live a little."""
        names = list(self.actions)
        weights = np.array([self.actions[name][0] for name in names])
        name = names[int(self.rng.choice(len(names), p=weights / weights.sum()))]
        self.last.append(f"{name}: …")
        if self.verbose:
            print(*list(self.last)[-2:-1], "|", name, file=sys.stderr, flush=True)
        what = self.actions[name][1]()
        self.last[-1] = f"{name}: {what}"
        self.done[name] += 1
        close_dialogs()
        live(float(self.rng.choice([0.0, 0.01, 0.05, 0.2])))

    # ------------------------------------------------------------------ what it does

    def click(self) -> str:
        """Press a button of the dock that can be pressed."""
        button = self._one(QAbstractButton)
        if button is None:
            return "nothing"
        text = button.text() or button.objectName() or type(button).__name__
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        if text in LONG_JOBS:
            live(1.5)
            self.dock.footer.cancel.click()
        return text

    def stroke(self) -> str:
        """Paint in a labels layer that is shown, more often than not in that of the dock."""
        annotation = self.dock.state.annotation
        layers = [
            one
            for one in self.viewer.layers
            if isinstance(one, napari.layers.Labels) and one.visible
        ]
        if not layers:
            return "nothing to paint on"
        layer = self.rng.choice(np.array(layers, object))
        if annotation is not None and annotation.layer.visible and self.rng.random() < 0.9:
            layer = annotation.layer
        data = layer.data
        if not isinstance(data, np.ndarray):
            return "not in memory"
        dims = self.viewer.dims
        at = np.round(layer.world_to_data(dims.point)).astype(int)
        beside = [axis - dims.ndim + data.ndim for axis in dims.not_displayed]
        if any(not 0 <= at[axis] < data.shape[axis] for axis in beside if axis >= 0):
            return "not shown here"  # where no mouse could paint either
        at = np.clip(at, 0, np.array(data.shape) - 1)
        height, width = data.shape[-2:]
        y, x = int(self.rng.integers(height)), int(self.rng.integers(width))
        layer.selected_label = int(self.rng.integers(0, 4))
        for step in range(int(self.rng.integers(2, 15))):
            layer.paint([*at[:-2], min(y + step, height - 1), x], layer.selected_label)
        return f"{layer.selected_label} on {layer.name}"

    def key(self) -> str:
        """Press a key on the canvas, as napari would hand it on."""
        key = str(self.rng.choice(_KEYS))
        active = self.viewer.layers.selection.active
        for holder in (active, self.viewer):
            action = None if holder is None else holder.keymap.get(coerce_keybinding(key))
            if callable(action):
                action(holder)
                return key
        return f"{key}, which nobody has"

    def go_to_slice(self) -> str:
        """Scroll along an axis, turn the axes, or look in 3-D for a moment."""
        dims = self.viewer.dims
        chance = self.rng.random()
        if chance < 0.05:
            dims.ndisplay = 5 - dims.ndisplay if dims.ndim > 2 else 2
            return f"{dims.ndisplay}-D"
        if chance < 0.08 and dims.ndim > 2:
            dims.roll()
            return "rolled"
        axis = int(self.rng.integers(dims.ndim))
        dims.set_current_step(axis, int(self.rng.integers(max(1, dims.nsteps[axis]))))
        return str(dims.current_step)

    def choose(self) -> str:
        """Choose another entry of a box."""
        box = self._one(QComboBox)
        if box is None or not box.count():
            return "nothing"
        box.setCurrentIndex(int(self.rng.integers(box.count())))
        return box.currentText()

    def change_value(self) -> str:
        """Move a slider or a number."""
        widget = self._one((QAbstractSlider, QAbstractSpinBox))
        if widget is None or not hasattr(widget, "setValue"):
            return "nothing"
        low, high = widget.minimum(), widget.maximum()
        value = low + self.rng.random() ** 4 * (high - low)
        widget.setValue(type(low)(value))
        return f"{type(widget).__name__} {value:.3g}"

    def move_view(self) -> str:
        """Zoom and pan."""
        scene = self.viewer.scene if hasattr(self.viewer, "scene") else self.viewer
        scene.camera.zoom *= float(self.rng.choice([0.5, 0.8, 1.25, 2.0]))
        scene.camera.zoom = float(np.clip(scene.camera.zoom, 0.05, 200))
        centre = np.array(scene.camera.center) + self.rng.normal(0, 20, 3)
        scene.camera.center = tuple(centre)
        return f"{scene.camera.zoom:.2f}"

    def add_layer(self) -> str:
        """Add an image or labels of some kind, fit to be segmented or not."""
        if len(self.viewer.layers) > 12:
            return self.remove_layer()
        kind = str(self.rng.choice([*_SHAPES, "rgb", "pyramid", "rotated", "labels", "points"]))
        if kind == "rgb":
            self.viewer.add_image(self._noise((80, 90, 3)), rgb=True)
        elif kind == "pyramid":
            full = self._noise((3, 256, 256))
            self.viewer.add_image([full, full[:, ::2, ::2]], multiscale=True)
        elif kind == "rotated":
            self.viewer.add_image(self._noise((60, 60)), rotate=30)
        elif kind == "labels":
            shape = list(_SHAPES.values())[int(self.rng.integers(len(_SHAPES)))]
            self.viewer.add_labels(self.rng.integers(0, 3, shape).astype(np.int32))
        elif kind == "points":
            self.viewer.add_points(self.rng.random((5, 2)) * 50)
        else:
            labels = tuple(kind) if self.rng.random() < 0.5 else None
            scale = self.rng.choice([1.0, 0.3, 4.0], len(kind))
            self.viewer.add_image(self._noise(_SHAPES[kind]), axis_labels=labels, scale=scale)
        return kind

    def remove_layer(self) -> str:
        """Remove a layer, the annotation and results among them, or once in a while all."""
        if not len(self.viewer.layers):
            return "none left"
        if self.rng.random() < 0.05:
            self.viewer.layers.clear()
            return "all"
        layer = self.viewer.layers[int(self.rng.integers(len(self.viewer.layers)))]
        self.viewer.layers.remove(layer)
        return str(layer.name)

    def cancel(self) -> str:
        """Press Cancel, if something runs."""
        running = self.dock.worker.busy
        if running:
            self.dock.footer.cancel.click()
        return "pressed" if running else "nothing runs"

    def name_class(self) -> str:
        """Type into a field."""
        field = self._one(QLineEdit)
        if field is None or isinstance(field.parent(), QAbstractSpinBox):
            return "nothing"
        text = str(self.rng.choice(["membrane", "né 核", "", "x" * 60, "interior", "0.5"]))
        QTest.mouseDClick(field, Qt.MouseButton.LeftButton)
        if field.validator() is not None and not text.isascii():
            return "nothing"
        if field.validator() is not None:  # a key that does not belong there is not taken
            field.selectAll()
            QTest.keyClicks(field, text)
            QTest.keyClick(field, Qt.Key.Key_Return)
        else:
            field.setText(text)
            field.editingFinished.emit()
        return text[:20]

    def save(self) -> str:
        """Write something, in one of the formats."""
        what = self.dock.export.what
        what.setCurrentIndex(int(self.rng.integers(what.count())))
        ending = str(self.rng.choice([".ome.tif", ".npy", ".png", ".ome.zarr", ".strange"]))
        self.dock.export.save_to(self.folder / f"out{ending}", str(what.currentData()))
        return f"{what.currentText()}{ending}"

    def touch_layer(self) -> str:
        """Rename, hide, move, rescale or replace a layer behind the dock's back."""
        if not len(self.viewer.layers):
            return "none"
        layer = self.viewer.layers[int(self.rng.integers(len(self.viewer.layers)))]
        what = str(self.rng.choice(["name", "visible", "scale", "order", "data", "active", "undo"]))
        if what == "name":
            layer.name = "renamed"
        elif what == "visible":
            layer.visible = not layer.visible
        elif what == "scale":
            layer.scale = self.rng.choice([1.0, 0.5, 3.0], layer.ndim)
        elif what == "order":
            self.viewer.layers.move(self.viewer.layers.index(layer), 0)
        elif what == "data" and isinstance(layer.data, np.ndarray) and layer.data.ndim > 2:
            layer.data = layer.data[:-1] if len(layer.data) > 1 else layer.data
        elif what == "active":
            self.viewer.layers.selection.active = layer
        elif what == "undo" and hasattr(layer, "undo"):
            layer.undo()
        return f"{what} of {layer.name}"

    def wait(self) -> str:
        """Let work end."""
        until = time.monotonic() + float(self.rng.choice([0.3, 1.0, 4.0]))
        while time.monotonic() < until and self.dock.worker.busy:
            live(0.05)
        return "busy" if self.dock.worker.busy else "idle"

    # ------------------------------------------------------------------ inside

    def _one(self, kind: Any) -> Any:
        """Return a widget of the dock that a user could reach."""
        kinds = kind if isinstance(kind, tuple) else (kind,)
        found = [
            widget
            for one in kinds
            for widget in self.dock.findChildren(one)
            if widget.isVisible() and widget.isEnabled()
        ]
        return found[int(self.rng.integers(len(found)))] if found else None

    def _noise(self, shape: tuple[int, ...]) -> Any:
        return self.rng.integers(0, 255, shape, dtype=np.uint8)


def live(seconds: float) -> None:
    """Let the window live."""
    until = time.monotonic() + seconds
    QApplication.processEvents()
    while time.monotonic() < until:
        QApplication.processEvents()
        time.sleep(0.002)


def close_dialogs() -> None:
    """Close what asks for an answer."""
    for widget in QApplication.topLevelWidgets():
        if isinstance(widget, QDialog) and widget.isVisible() and widget.isModal():
            widget.reject()
    popup = QApplication.activePopupWidget()
    if popup is not None:
        popup.close()


@contextlib.contextmanager
def no_questions() -> Iterator[None]:
    """Answer every dialog that would wait for somebody with Cancel."""
    answers: dict[tuple[Any, str], Any] = {
        (QFileDialog, "getOpenFileName"): ("", ""),
        (QFileDialog, "getSaveFileName"): ("", ""),
        (QFileDialog, "getExistingDirectory"): "",
        (QColorDialog, "getColor"): QColor(),
    }
    kept = {place: getattr(*place) for place in answers}
    for place, answer in answers.items():
        setattr(*place, lambda *args, answer=answer, **options: answer)
    try:
        yield
    finally:
        for place, asked in kept.items():
            setattr(*place, asked)


class Faults:
    """Exceptions that nobody caught, and messages that nobody should see."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._hook = sys.excepthook

    def __enter__(self) -> Faults:
        """Watch."""
        sys.excepthook = self._caught
        notification_manager.notification_ready.connect(self._said)
        return self

    def __exit__(self, *error: object) -> None:
        """Watch no more."""
        sys.excepthook = self._hook
        notification_manager.notification_ready.disconnect(self._said)

    def _caught(self, kind: Any, error: BaseException, trace: Any) -> None:
        self.found.append("".join(traceback.format_exception(kind, error, trace)))

    def _said(self, notification: Any) -> None:
        error = getattr(notification, "exception", None)
        if error is not None:
            self.found.append("".join(traceback.format_exception(error)))
        elif "Traceback" in str(notification.message) or "unexpected" in str(notification.message):
            self.found.append(str(notification.message))


def run(
    seconds: float, seed: int, folder: Path, *, verbose: bool = False
) -> tuple[Monkey, list[str]]:
    """Let a monkey play; return it, and what went wrong."""
    from napari_infoleak.widgets.dock import InfoleakDock

    with Faults() as faults, no_questions():
        viewer = napari.Viewer(show=False)
        dock = InfoleakDock(viewer)
        viewer.window.add_dock_widget(dock, name="Infoleak")
        viewer.window.resize(*_WINDOW)
        viewer.show()
        monkey = Monkey(viewer, dock, np.random.default_rng(seed), folder)
        monkey.verbose = verbose
        viewer.add_image(monkey._noise(_SHAPES["ZYX"]))
        until = time.monotonic() + seconds
        while time.monotonic() < until and not faults.found:
            try:
                monkey.act()
            except Exception:
                faults.found.append(traceback.format_exc())
        executor = dock.worker.executor
        try:
            viewer.close()
        except Exception:
            faults.found.append(traceback.format_exc())
        live(0.5)
        if executor.pid is not None:
            faults.found.append(f"the child process {executor.pid} is left behind")
    return monkey, faults.found


def main() -> None:
    """Play, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", action="store_true", help="say each action as it is done")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        monkey, found = run(
            60 * options.minutes, options.seed, Path(folder), verbose=options.verbose
        )
    print(f"seed {options.seed}: {sum(monkey.done.values())} actions, {dict(monkey.done)}")
    if found:
        print("last:", *monkey.last, sep="\n  ")
        print(*found, sep="\n\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
