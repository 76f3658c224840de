"""Spreading from the dock: what is asked for, what is shown, where it leads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_infoleak.api import Spread
from napari_infoleak.core.classes import ClassTable
from napari_infoleak.spread.frame import SpreadFrame
from napari_infoleak.widgets import jobs
from napari_infoleak.widgets.command import done_in, python_script, segment_words
from napari_infoleak.widgets.panel_spread import in_words
from napari_infoleak.widgets.travel import Pixels


@pytest.fixture
def painted(dock: Any, viewer: Any, qtbot: Any, rng: np.random.Generator) -> Any:
    viewer.add_image(rng.random((5, 40, 48)), name="my cells", scale=(3, 1, 1))
    paint(dock, viewer, qtbot, (1,))
    return dock


def paint(dock: Any, viewer: Any, qtbot: Any, place: tuple[int, ...]) -> None:
    dock.annotate.new.click()
    layer = viewer.layers["my cells annotation"]
    layer.data[(*place, slice(5, 9), slice(5, 20))] = 1
    layer.data[(*place, slice(20, 24), slice(5, 20))] = 2
    layer.refresh()
    layer.events.paint(value=[])
    qtbot.waitUntil(lambda: len(dock.state.count.total) == 2)


def test_it_says_what_is_missing(dock: Any, viewer: Any) -> None:
    assert "Open an image" in dock.spread.start.toolTip()
    viewer.add_image(np.random.default_rng(0).random((40, 48)))
    assert "one frame" in dock.spread.start.toolTip()
    assert not dock.spread.start.isEnabled()
    assert not dock.spread.next.isEnabled()


def test_labels_go_into_the_layer_of_the_image(
    painted: Any, viewer: Any, executor: Any, settle: Any
) -> None:
    painted.spread.stop.setValue(0.7)
    painted.spread.spread()
    function, asked = executor.asked[-1]
    assert function.endswith("jobs.propagate")
    assert (asked["axis"], asked["stop_below"], asked["previous"]) == ("Z", 0.7, None)
    settle(painted)
    labels = viewer.layers["my cells labels"]
    assert labels.data.shape == (5, 40, 48)
    assert tuple(labels.scale) == (3, 1, 1)
    assert labels.data[1].all()
    assert not labels.data[3:].any()
    assert not painted.state.answer.complete  # no cells of frames that have no labels
    assert not painted.cells.make.isEnabled()
    assert "Stopped at z = 2 (0.60), 2 more wait behind it." in painted.spread.words.text()
    painted.spread.spread()
    assert executor.asked[-1][1]["previous"].axis == "Z"
    settle(painted)


def test_the_button_and_the_points_lead_to_frames(painted: Any, viewer: Any, settle: Any) -> None:
    painted.spread.spread()
    settle(painted)
    assert not painted.spread.plot.isHidden()
    painted.spread.next.click()
    assert viewer.dims.current_step[0] == 2
    points = painted.spread.plot._points.points()
    assert [point.data().z for point in points] == [1, 2]
    painted.spread.plot._clicked(None, [points[0]])
    assert viewer.dims.current_step[0] == 1
    assert painted.spread.plot._here.value() == 1


def test_later_painting_over_the_labels_does_not_reach_what_is_handed_back(
    painted: Any, viewer: Any, executor: Any, settle: Any
) -> None:
    painted.spread.spread()
    settle(painted)
    viewer.layers["my cells labels"].data[1] = 7
    painted.spread.spread()
    assert executor.asked[-1][1]["previous"].labels.max() == 2
    settle(painted)


def test_a_movie_of_stacks_is_spread_along_either_axis(
    dock: Any, viewer: Any, qtbot: Any, rng: np.random.Generator, executor: Any, settle: Any
) -> None:
    viewer.add_image(rng.random((5, 6, 40, 48)), name="my cells")
    paint(dock, viewer, qtbot, (1, 2))
    assert [dock.spread.axis.itemData(i) for i in range(dock.spread.axis.count())] == ["Z", "T"]
    dock.spread.axis.setCurrentIndex(1)
    dock.spread.spread()
    settle(dock)
    assert "25 frames belong to series without paint" in dock.spread.words.text()
    viewer.dims.set_current_step(1, 2)
    assert len(dock.spread.plot._points.points()) == 2


def test_another_image_forgets_the_last(
    painted: Any, viewer: Any, executor: Any, settle: Any, rng: np.random.Generator
) -> None:
    painted.spread.spread()
    settle(painted)
    painted.state.source = None
    assert painted.spread.plot.isHidden()
    assert painted.spread.words.text() == ""


def test_the_command_does_the_same(painted: Any, settle: Any) -> None:
    painted.spread.stop.setValue(0.7)
    painted.spread.spread()
    settle(painted)
    done = done_in(painted.state, painted.keeping.session.steps)
    words = segment_words(done)
    assert words[:2] == ["infoleak", "propagate"]
    assert words[words.index("--axis") + 1] == "Z"
    assert words[words.index("--stop-below") + 1] == "0.7"
    assert "il.propagate(image, axis='Z', stop_below=0.7, annotations=" in python_script(done)


def test_a_model_may_learn_on_the_way_and_be_stopped(
    painted: Any, executor: Any, settle: Any
) -> None:
    painted.spread.spread()
    assert not executor.asked[-1][1]["fine_tune"]
    settle(painted)
    assert painted.spread.keep.isHidden()
    painted.spread.learn.setChecked(True)
    executor.waits = True
    painted.spread.spread()
    asked = executor.asked[-1][1]
    assert asked["fine_tune"]
    assert not painted.spread.keep.isHidden()
    painted.spread.keep.click()
    assert asked["stop"].is_file()
    assert not painted.spread.keep.isEnabled()
    painted.worker.cancel()
    settle(painted)
    assert painted.spread.keep.isHidden()
    assert not asked["stop"].parent.exists()


def test_what_is_labelled_stays_when_learning_is_stopped(tmp_path: Path) -> None:
    grey = np.kron(np.random.default_rng(0).random((4, 4, 4)), np.ones((1, 8, 8)))
    paint = np.zeros(grey.shape, np.uint8)
    paint[0] = 1 + (grey[0] > 0.5)
    stop = tmp_path / "stop"

    def told(done: int, total: int, message: str = "") -> None:
        if message == "Z = 1":
            stop.touch()

    asked: dict[str, Any] = {"axis": "Z", "model": "membrane", "channel": None, "leak": 1.0}
    asked |= {"stop_below": 0.0, "fine_tune": True, "stop": stop, "progress": told}
    spread = jobs.propagate(Pixels(grey, "ZYX"), paint, [], **asked)
    assert spread.cancelled
    assert spread.labels[0].all()
    assert not spread.labels[3].any()
    assert not stop.exists()


def test_the_command_tells_that_a_model_learned(painted: Any, settle: Any) -> None:
    painted.spread.learn.setChecked(True)
    painted.spread.spread()
    settle(painted)
    done = done_in(painted.state, painted.keeping.session.steps)
    assert "--fine-tune" in segment_words(done)
    assert "True" not in segment_words(done)
    assert "fine_tune=True" in python_script(done)


def test_closing_all_layers_is_no_error(painted: Any, viewer: Any, settle: Any) -> None:
    painted.spread.spread()
    settle(painted)
    viewer.layers.clear()
    assert painted.spread.plot.isHidden()


def test_nothing_to_say_of_a_whole_spread() -> None:
    frames = tuple(
        SpreadFrame(0, z, z, 0.9 - z / 10, "accepted" if z else "annotated") for z in range(3)
    )
    labels = np.ones((3, 4, 4), np.uint8)
    result = Spread(labels, None, None, (1,), ClassTable(), "ZYX", axis="Z", frames=frames)
    assert in_words(result) == "Least certain is z = 2 (0.70)."
