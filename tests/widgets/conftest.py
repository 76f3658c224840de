"""A viewer with a dock, and a child process that answers at once, without any network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from packaging.version import Version

from napari_infoleak.api import Spread
from napari_infoleak.core.axes import labels_from_canonical, planes_from_canonical
from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.region import Region
from napari_infoleak.scale.events import CancelledEvent, Done, Event, Failed, Progress
from napari_infoleak.spread.frame import SpreadFrame
from napari_infoleak.widgets import jobs
from napari_infoleak.widgets.travel import Pixels, whole


class FakeJob:
    """A job that has ended, or one that waits to be told how it ends."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events

    def poll(self) -> list[Event]:
        taken, self.events = self.events, []
        return taken

    def cancel(self, patience: float | None = None) -> None:
        self.events.append(CancelledEvent())


class FakeExecutor:
    """Answers in the same process; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.held: list[Any] = []
        self.started = False
        self.closed = False
        self.waits = False
        self.fails = ""
        self.jobs: list[FakeJob] = []
        self.answers = dict(ANSWERS)
        self.environment: dict[str, str] = {}

    def configure(self, environment: Any) -> None:
        self.environment = dict(environment)

    def start(self) -> None:
        self.started = True

    def hold(self, array: Any) -> None:
        if not any(each is array for each in self.held):
            self.held.append(array)

    def release(self, array: Any) -> None:
        self.held = [each for each in self.held if each is not array]

    def close(self) -> None:
        self.closed = True

    def submit(self, function: str, /, **kwargs: Any) -> FakeJob:
        self.asked.append((function, kwargs))
        name = function.rpartition(".")[2]
        events: list[Event] = [Progress(1, 4, "slice 1 of 4")]
        if self.fails:
            events.append(Failed(self.fails))
        elif not self.waits:
            events.append(Done(self.answers[name](**kwargs)))
        self.jobs.append(FakeJob(events))
        return self.jobs[-1]


def fake_segment(
    pixels: Pixels, annotation: Any, region: Region | None, uncertainty: bool, **rest: Any
) -> SimpleNamespace:
    """Call dark pixels membrane, as a network of no wit would."""
    image = pixels.image()
    region = region or Region.whole(image.label_shape)
    grey = np.stack([image.plane(t, z, rest["channel"]) for t, z in region.planes])
    grey = grey[:, region.y0 : region.y1, region.x0 : region.x1].reshape(region.shape)
    membrane = (grey < grey.mean()).astype(np.float32)
    planes = np.stack([1 - membrane, membrane])
    return SimpleNamespace(
        labels=labels_from_canonical((membrane + 1).astype(np.uint8), pixels.axes),
        probabilities=planes_from_canonical(planes, pixels.axes),
        uncertainty=labels_from_canonical(membrane / 2, pixels.axes) if uncertainty else None,
        class_ids=(1, 2),
        provenance={},
        rounds=(0.5 * planes_from_canonical(planes, pixels.axes),) * 2 if rest["rounds"] else (),
    )


def fake_propagate(pixels: Any, annotation: Any, axis: str, stop_below: float, **rest: Any) -> Any:
    """Label the painted frame and the one after it, and stop there."""
    t, z, height, width = pixels.image().label_shape
    along_z = axis == "Z"
    paint = whole(annotation, pixels.axes).reshape(t, z, height, width)
    ((t0, z0),) = {(patch.t, patch.z) for patch in annotation.patches}
    frames = []
    labels = np.zeros((t, z, height, width), np.uint8)
    for at in np.ndindex(t, z):
        own = at[0] == t0 if along_z else at[1] == z0
        away = (at[1] - z0) if along_z else (at[0] - t0)
        state, sure = "unreached", None
        if own and away in (0, 1):
            state, sure = ("annotated", 0.9) if away == 0 else ("stopped", 0.6)
            labels[at] = 1 + (paint[at] == 2)
        frames.append(SpreadFrame(*at, abs(away) if own else None, sure, state, f"{at}"))
    shape = tuple(
        n for letter, n in zip("TZYX", labels.shape, strict=True) if letter in pixels.axes
    )
    labels = labels.reshape(shape)
    return Spread(
        labels=labels,
        probabilities=np.stack([labels == 1, labels == 2]).astype(np.float32),
        uncertainty=None,
        class_ids=(1, 2),
        classes=ClassTable.membrane(),
        axes=pixels.axes,
        provenance={"settings": {"axis": axis, "stop_below": stop_below}},
        axis=axis,
        frames=tuple(frames),
    )


def fake_cells(membranes: Any, **rest: Any) -> jobs.Cells:
    from skimage.measure import label

    cells = label(np.asarray(membranes) < 0.5).astype(np.uint32)
    return jobs.Cells(cells, int(cells.max()))


def fake_save(path: str, values: Any, **rest: Any) -> str:
    return path


def fake_train(output: str, classes: Any, **rest: Any) -> jobs.Trained:
    names = [entry["name"] for entry in classes]
    return jobs.Trained(output, dict.fromkeys(names, 0.5), dict.fromkeys(names, 0.75), False)


ANSWERS: dict[str, Callable[..., Any]] = {
    "propagate": fake_propagate,
    "segment": fake_segment,
    "make_cells": fake_cells,
    "save": fake_save,
    "train": fake_train,
    "add_class": lambda model, **rest: replace(
        fake_train(**rest), agreement={"interior": 0.98}, origin=model
    ),
    "doubt": lambda probabilities: np.zeros(probabilities.shape[1:], np.float32),
}


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the journals of the tests out of the user's own folder."""
    folder = tmp_path / "user's own"
    monkeypatch.setattr("napari_infoleak.session.places.user_folder", lambda: folder)


@pytest.fixture
def executor() -> FakeExecutor:
    return FakeExecutor()


@pytest.fixture
def viewer() -> Any:
    """A viewer without a window: layers, dims and theme are all that most panels look at."""
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def dock(qtbot: Any, viewer: Any, executor: FakeExecutor) -> Iterator[Any]:
    from napari_infoleak.widgets.dock import InfoleakDock

    widget = InfoleakDock(viewer, executor)
    qtbot.addWidget(widget)
    yield widget
    widget.shut()


@pytest.fixture
def window(make_napari_viewer: Callable[..., Any], executor: FakeExecutor) -> Iterator[Any]:
    """A dock in a real napari window, which is slow to open."""
    from napari_infoleak.widgets.dock import InfoleakDock

    viewer = make_napari_viewer()
    widget = InfoleakDock(viewer, executor)
    viewer.window.add_dock_widget(widget, name="Infoleak")
    yield widget
    widget.shut()


@pytest.fixture
def replace_data() -> Callable[[Any, Any], None]:
    """Give a layer other data."""
    old = Version(version("napari")) < Version("0.9")

    def replace_data(layer: Any, data: Any) -> None:
        if old and data.ndim != layer.ndim:
            pytest.skip("napari before 0.9 takes no data of another number of dimensions")
        layer.data = data

    return replace_data


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def settle(qtbot: Any) -> Callable[[Any], None]:
    """Wait until nothing runs any more."""

    def wait(widget: Any) -> None:
        qtbot.waitUntil(lambda: not widget.worker.busy, timeout=5000)

    return wait


class Told:
    """An event as napari hands it on: the same object throughout a drag, with news inside."""

    def __init__(self, told: Any) -> None:
        self.__wrapped__ = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)


@pytest.fixture
def drag() -> Callable[[Any, Any, Any], None]:
    """Drag the mouse over places of a layer with three dimensions, as napari tells it."""
    return drag_over


def drag_over(viewer: Any, layer: Any, places: Any) -> None:
    from napari.utils import interactions

    def event(kind: str, place: Any) -> Any:
        world = layer.data_to_world(place)
        viewer.cursor.position = world
        told = SimpleNamespace(
            type=kind,
            position=world,
            button=1,
            buttons=[1],
            modifiers=[],
            is_dragging=kind == "mouse_move",
            view_direction=None,
            dims_displayed=[1, 2],
            dims_point=[0, 0, 0],
            pos=np.array(place[-2:]) * 10,
            handled=False,
            camera_zoom=1,
            inverted=False,
        )
        return Told(told) if kind == "mouse_press" else told

    z = places[0][0]
    viewer.dims.set_point(0, layer.data_to_world((z, 0, 0))[0])
    interactions.mouse_press_callbacks(layer, event("mouse_press", places[0]))
    for place in places[1:]:
        interactions.mouse_move_callbacks(layer, event("mouse_move", place))
    interactions.mouse_release_callbacks(layer, event("mouse_release", places[-1]))
