"""Live: strokes are answered by themselves, the newest alone, the visible field first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_infoleak.core.region import Region
from napari_infoleak.scale.events import CancelledEvent, Done
from napari_infoleak.widgets import live

SHAPE = (1, 5, 40, 48)
SLICE = Region.from_slices(SHAPE, t=0, z=0)
VIEW = Region(0, 1, 0, 1, 4, 20, 6, 30)


@pytest.fixture
def painted(dock: Any, viewer: Any, rng: np.random.Generator, monkeypatch: Any) -> Any:
    """A stack with two strokes, of which a part is on screen."""
    monkeypatch.setattr(live, "visible_region", lambda viewer, source: part_of_the_slice(viewer))
    viewer.add_image(rng.random(SHAPE[1:]), name="cells")
    dock.annotate.make_layer()
    viewer.dims.set_current_step(0, 0)
    layer = dock.state.annotation.layer
    stroke(layer, 1, 3)
    stroke(layer, 2, 9)
    dock.annotate.count_now()
    return dock


def part_of_the_slice(viewer: Any) -> Region:
    z = viewer.dims.current_step[0]
    return Region(0, 1, z, z + 1, VIEW.y0, VIEW.y1, VIEW.x0, VIEW.x1)


def stroke(layer: Any, number: int, row: int, z: int = 0) -> None:
    layer.data_setitem((np.full(20, z), np.full(20, row), np.arange(2, 22)), number)


def regions(executor: Any) -> list[Region | None]:
    return [asked["region"] for name, asked in executor.asked if name.endswith("segment")]


def rows(asked: dict[str, Any]) -> int:
    return len(np.unique(np.nonzero(asked["annotation"].whole("ZYX"))[1]))


def test_nothing_is_asked_unless_it_is_on(painted: Any, executor: Any, qtbot: Any) -> None:
    stroke(painted.state.annotation.layer, 2, 12)
    qtbot.wait(2 * live.AFTER_MS)
    assert executor.asked == []


def test_the_view_comes_first_then_the_slice_and_no_more(
    painted: Any, executor: Any, qtbot: Any
) -> None:
    painted.segment.live.setChecked(True)
    qtbot.waitUntil(lambda: painted.segment.live_said.text() == "Up to date.", timeout=5000)
    assert regions(executor) == [VIEW, SLICE]
    assert painted.viewer.layers["cells labels"].data[0].all()
    assert painted.state.busy == ""
    assert painted.footer.work.isHidden(), "it is nothing that was asked for"
    qtbot.wait(2 * live.AFTER_MS)
    assert len(executor.asked) == 2


def test_the_stack_follows_if_it_is_wanted(painted: Any, executor: Any, qtbot: Any) -> None:
    painted.segment.live.setChecked(True)
    painted.segment.live_stack.setChecked(True)
    qtbot.waitUntil(lambda: painted.segment.live_said.text() == "Up to date.", timeout=5000)
    assert regions(executor) == [VIEW, SLICE, None]
    assert painted.state.answer.complete


def test_each_stroke_is_answered_anew(painted: Any, executor: Any, qtbot: Any) -> None:
    painted.segment.live.setChecked(True)
    qtbot.waitUntil(lambda: len(executor.asked) == 2, timeout=5000)
    for row in (12, 15, 18):  # three strokes in one go are one question
        stroke(painted.state.annotation.layer, 2, row)
    qtbot.waitUntil(lambda: len(executor.asked) == 4, timeout=5000)
    assert [rows(asked) for _, asked in executor.asked] == [2, 2, 5, 5]


def test_an_undone_stroke_is_answered_too(painted: Any, executor: Any, qtbot: Any) -> None:
    stroke(painted.state.annotation.layer, 2, 12)
    painted.segment.live.setChecked(True)
    qtbot.waitUntil(lambda: len(executor.asked) == 2, timeout=5000)
    painted.state.annotation.layer.undo()
    qtbot.waitUntil(lambda: len(executor.asked) == 4, timeout=5000)
    assert rows(executor.asked[-1][1]) == 2


def test_a_stale_answer_is_never_shown(painted: Any, executor: Any, qtbot: Any) -> None:
    executor.waits = True
    painted.segment.live.setChecked(True)
    qtbot.waitUntil(lambda: len(executor.jobs) == 1, timeout=5000)
    stale = executor.jobs[0]
    stroke(painted.state.annotation.layer, 2, 12)
    assert any(isinstance(event, CancelledEvent) for event in stale.events)
    answer = executor.answers["segment"](**executor.asked[0][1])
    stale.events = [Done(answer)]  # it was ready just before it heard of the stroke
    qtbot.waitUntil(lambda: len(executor.jobs) == 2, timeout=5000)
    assert "cells labels" not in painted.viewer.layers
    executor.jobs[1].events = [Done(answer)]
    qtbot.waitUntil(lambda: "cells labels" in painted.viewer.layers, timeout=5000)
    painted.segment.live.setChecked(False)


def test_what_comes_on_screen_goes_first(painted: Any, executor: Any, qtbot: Any) -> None:
    painted.segment.live_stack.setChecked(True)
    painted.segment.live.setChecked(True)
    qtbot.waitUntil(lambda: len(executor.asked) == 2, timeout=5000)
    executor.waits = True
    qtbot.waitUntil(lambda: len(executor.asked) == 3, timeout=5000)
    executor.waits = False
    painted.viewer.dims.set_current_step(0, 3)
    qtbot.waitUntil(lambda: painted.segment.live_said.text() == "Up to date.", timeout=5000)
    assert [region and region.z0 for region in regions(executor)] == [0, 0, None, 3, 3, None]
    painted.viewer.dims.set_current_step(0, 1)
    qtbot.wait(2 * live.AFTER_MS)
    assert len(executor.asked) == 6, "the stack was answered"


def test_buttons_go_before_it(painted: Any, executor: Any, qtbot: Any, settle: Any) -> None:
    executor.waits = True
    painted.segment.live.setChecked(True)
    qtbot.waitUntil(lambda: len(executor.jobs) == 1, timeout=5000)
    assert painted.segment.stack.isEnabled()
    executor.waits = False
    painted.segment.stack.click()
    assert regions(executor) == [VIEW, None]
    settle(painted)
    assert painted.state.answer.complete


def test_one_class_is_not_asked_about(painted: Any, executor: Any, qtbot: Any) -> None:
    painted.state.annotation.layer.data[:, 9] = 0
    painted.annotate.count_now()
    painted.segment.live.setChecked(True)
    qtbot.waitUntil(lambda: "Only" in painted.segment.live_said.text(), timeout=5000)
    assert executor.asked == []


def test_an_error_is_said_once(painted: Any, executor: Any, qtbot: Any) -> None:
    executor.fails = "the memory is full"
    painted.segment.live.setChecked(True)
    qtbot.waitUntil(lambda: painted.footer.text.text() == executor.fails, timeout=5000)
    qtbot.wait(3 * live.AFTER_MS)
    assert len(executor.asked) == 1
    assert painted.segment.live_said.isHidden()
