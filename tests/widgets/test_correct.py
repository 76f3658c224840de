"""Cells are corrected by strokes of the mouse, on whatever slice, and everything comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_infoleak.widgets.correcting import TOOLS
from napari_infoleak.widgets.layers import note


@pytest.fixture
def celled(dock: Any, viewer: Any, settle: Any) -> Any:
    """A dock with two cells in each of three slices, and a membrane between."""
    image = np.zeros((3, 40, 48))
    image[:, 5:35, 5:20] = image[:, 5:35, 24:44] = 1
    viewer.add_image(image, name="img", scale=(0.9, 0.3, 0.2), translate=(1, 2, 3))
    dock.segment.segment_stack()
    settle(dock)
    dock.cells.make_cells()
    settle(dock)
    return dock


def tool(name: str) -> Any:
    return next(tool for tool in TOOLS if tool.name == name)


@pytest.fixture
def draw(drag: Any) -> Any:
    """Take a tool up and drag the mouse over places (z, y, x)."""
    return lambda *given: take_up_and_draw(drag, *given)


def take_up_and_draw(
    drag: Any, dock: Any, qtbot: Any, name: str, *places: tuple[float, float, float]
) -> None:
    correcting = dock.cells.correcting
    if correcting.tool is None or correcting.tool.name != name:
        dock.cells.tools.tools[name].click()
    assert correcting.tool.name == name
    drag(dock.viewer, dock.viewer.layers.selection.active, places)
    qtbot.wait(20)


def test_a_line_splits_and_undo_brings_the_cell_back_on_another_slice(
    celled: Any, viewer: Any, qtbot: Any, draw: Any
) -> None:
    cells = viewer.layers["img cells"]
    before = cells.data.copy()
    draw(celled, qtbot, "split", (1, 15, 2), (1, 15, 22))
    assert celled.state.cells == 3
    one, other = cells.data[1, 10, 10], cells.data[1, 30, 10]
    assert one != other
    assert (cells.data[0, 10, 10], cells.data[0, 30, 10]) == (one, other), "in all its slices"
    assert np.array_equal(cells.data[..., 22:], before[..., 22:])
    assert not viewer.layers["img correction"].data.any(), "the stroke is wiped"
    viewer.dims.set_current_step(0, 2)
    assert celled.cells.tools.undo.isEnabled()
    celled.cells.tools.undo.click()
    assert np.array_equal(cells.data, before)
    assert celled.state.cells == 2
    celled.cells.tools.redo.click()
    assert cells.data[1, 10, 10] != cells.data[1, 30, 10]


def test_no_cell_is_corrected_while_cells_are_made(
    celled: Any, viewer: Any, qtbot: Any, draw: Any, settle: Any, executor: Any
) -> None:
    draw(celled, qtbot, "merge", (0, 20, 10), (0, 20, 30))
    draw(celled, qtbot, "split", (1, 15, 2), (1, 15, 46))
    correcting, tools = celled.cells.correcting, celled.cells.tools
    steps = correcting.steps
    before = viewer.layers["img cells"].data.copy()
    executor.waits = True
    celled.cells.make_cells()
    words = "Making cells: wait, or press Cancel."
    assert tools.tools["finish"].toolTip() == tools.undo.toolTip() == words
    correcting.draw(np.array([(0, 1, 8, 10), (0, 1, 8, 30)]), np.zeros((0, 4), int))
    correcting.undo()
    assert np.array_equal(viewer.layers["img cells"].data, before)
    assert correcting.steps == steps
    assert celled.footer.text.text() == words
    celled.worker.cancel()
    settle(celled)
    assert tools.tools["finish"].isEnabled()
    tools.undo.click()
    assert correcting.steps == steps - 1


def test_every_tool_does_its_work(celled: Any, viewer: Any, qtbot: Any, draw: Any) -> None:
    cells = viewer.layers["img cells"]
    left, right = int(cells.data[0, 20, 10]), int(cells.data[0, 20, 30])
    before = cells.data.copy()
    draw(celled, qtbot, "merge", (0, 20, 10), (0, 20, 30))
    assert set(np.unique(cells.data)) == {0, min(left, right)}
    assert (cells.data[:, 10:30, 20:24] > 0).all(), "the membrane between is filled"
    celled.cells.correcting.undo()
    draw(celled, qtbot, "delete", (2, 20, 10))
    assert set(np.unique(cells.data)) == {0, right}
    celled.cells.correcting.undo()
    draw(celled, qtbot, "split_by_seeds", (1, 8, 10))
    assert "other part" in celled.footer.text.text()
    draw(celled, qtbot, "split_by_seeds", (1, 32, 10))
    assert cells.data[1, 8, 10] != cells.data[1, 32, 10]
    celled.cells.correcting.undo()
    draw(celled, qtbot, "close_gap", (1, 20, 4), (1, 20, 20))
    assert (cells.data[1] == 0).sum() > (before[1] == 0).sum()
    celled.cells.correcting.undo()
    draw(celled, qtbot, "paint", (1, 20, 10), (1, 20, 22))
    assert cells.data[1, 20, 22] == left
    celled.cells.correcting.undo()
    draw(celled, qtbot, "paint", (1, 2, 2))
    assert celled.state.cells == 3
    draw(celled, qtbot, "erase", (1, 2, 2))
    assert celled.state.cells == 2
    while celled.cells.correcting.steps:
        celled.cells.correcting.undo()
    assert np.array_equal(cells.data, before)


def test_what_cannot_be_done_is_said_in_words(
    celled: Any, viewer: Any, qtbot: Any, draw: Any
) -> None:
    before = viewer.layers["img cells"].data.copy()
    draw(celled, qtbot, "split", (1, 15, 8), (1, 15, 9))
    assert "from one edge of the cell to the other" in celled.footer.text.text()
    draw(celled, qtbot, "merge", (1, 15, 8), (1, 15, 9))
    assert "fewer than two cells" in celled.footer.text.text()
    assert np.array_equal(viewer.layers["img cells"].data, before)
    assert not celled.cells.tools.undo.isEnabled()
    assert celled.cells.tools.undo.toolTip() == "Nothing is corrected yet."


def test_finished_cells_stay_when_all_is_answered_and_made_again(
    celled: Any, viewer: Any, qtbot: Any, settle: Any, executor: Any, draw: Any
) -> None:
    from napari_infoleak.widgets import jobs

    def real_keeping(membranes: Any, before: Any, finished: Any, **rest: Any) -> Any:
        from napari_infoleak.instances.union import keep_finished

        fresh = (np.asarray(membranes) < 0.5).astype(np.uint32)
        kept = keep_finished(fresh, before, finished) if finished else fresh
        return jobs.Cells(kept, int(np.count_nonzero(np.unique(kept))))

    cells = viewer.layers["img cells"]
    draw(celled, qtbot, "split", (1, 15, 2), (1, 15, 22))
    draw(celled, qtbot, "finish", (1, 10, 10))
    cell = int(cells.data[1, 10, 10])
    where = cells.data == cell
    outline = viewer.layers["img finished"]
    assert np.array_equal(outline.data > 0, where)
    assert outline.contour > 0
    draw(celled, qtbot, "delete", (1, 10, 10))
    assert "only finished cells" in celled.footer.text.text()
    executor.answers["make_cells"] = real_keeping
    celled.segment.segment_stack()
    settle(celled)
    assert viewer.layers.selection.active is not None
    celled.cells.make_cells()
    settle(celled)
    again = viewer.layers["img cells"].data
    assert np.array_equal(again == cell, where)
    assert note(viewer.layers["img cells"])["finished"] == [cell]
    draw(celled, qtbot, "finish", (1, 10, 10))
    assert not outline.data.any()
    celled.cells.correcting.undo()
    assert np.array_equal(outline.data > 0, where)


def test_the_tool_is_put_down_when_another_layer_is_chosen(
    celled: Any, viewer: Any, qtbot: Any
) -> None:
    button = celled.cells.tools.tools["merge"]
    button.click()
    assert button.isChecked()
    viewer.layers.selection.active = viewer.layers["img"]
    qtbot.wait(20)
    assert not button.isChecked()
    assert "img correction" not in viewer.layers
    button.click()
    button.click()
    assert celled.cells.correcting.tool is None
    assert viewer.layers.selection.active is viewer.layers["img cells"]


def test_live_answers_do_not_take_the_cells_out_of_the_hand(celled: Any, viewer: Any) -> None:
    celled.segment.live.setChecked(True)
    celled.cells.tools.tools["merge"].click()
    assert not celled.state.live
    assert not celled.segment.live.isChecked()


def test_what_making_cells_again_would_lose_is_said_before(
    celled: Any, qtbot: Any, settle: Any, draw: Any
) -> None:
    assert celled.cells.reason.text() == ""
    draw(celled, qtbot, "split", (1, 15, 2), (1, 15, 22))
    assert celled.cells.reason.text().startswith("1 correction goes if cells are made again")
    celled.cells.make_cells()
    settle(celled)
    assert celled.cells.reason.text() == ""


def test_cells_that_were_made_again_are_taken_back_with_one_step(
    celled: Any, viewer: Any, qtbot: Any, settle: Any, draw: Any
) -> None:
    made = viewer.layers["img cells"].data.copy()
    draw(celled, qtbot, "split", (1, 15, 2), (1, 15, 22))
    corrected = viewer.layers["img cells"].data.copy()
    celled.segment.segment_stack()
    settle(celled)
    assert np.array_equal(viewer.layers["img cells"].data, corrected), "an answer takes no cells"
    assert celled.state.cells == 3
    celled.cells.make_cells()
    settle(celled)
    assert celled.state.cells == 2
    assert np.array_equal(viewer.layers["img cells"].data, made)
    assert not celled.cells.tools.teach.isEnabled()
    celled.cells.tools.undo.click()
    assert np.array_equal(viewer.layers["img cells"].data, corrected)
    assert celled.state.cells == 3
    assert celled.cells.correcting.corrections == 1
    celled.cells.tools.undo.click()
    assert np.array_equal(viewer.layers["img cells"].data, made)
    celled.cells.tools.redo.click()
    celled.cells.tools.redo.click()
    assert celled.state.cells == 2
    draw(celled, qtbot, "merge", (0, 20, 10), (0, 20, 30))
    assert celled.state.cells == 1
    for _ in range(2):
        celled.cells.tools.undo.click()
    assert np.array_equal(viewer.layers["img cells"].data, corrected)
    names = [step.name for step in celled.keeping.session.steps]
    assert names == ["segment", "cells", "correct", "segment", "correct", "correct"]


def test_corrections_become_annotation(celled: Any, viewer: Any, qtbot: Any, draw: Any) -> None:
    tools = celled.cells.tools
    draw(celled, qtbot, "split", (1, 15, 2), (1, 15, 22))
    assert "annotation layer" in tools.teach.toolTip()
    celled.annotate.make_layer()
    paint = celled.annotate.layer.layer
    paint.data_setitem((np.array([1]), np.array([8]), np.array([10])), 2)
    tools.teach.click()
    assert set(np.unique(paint.data)) == {0, 1, 2}
    assert not paint.data[[0, 2]].any(), "only the slice that was corrected on"
    assert paint.data[1, 8, 10] == 2, "what is painted stays"
    assert (paint.data[1, 14:17, 12] == 2).any()
    qtbot.waitUntil(lambda: celled.state.count.total.get(1, 0) > 50, timeout=2000)
    paint.undo()
    assert paint.data.sum() == 2


def test_tools_wait_for_cells(dock: Any, viewer: Any) -> None:
    button = dock.cells.tools.tools["split"]
    assert not button.isEnabled()
    assert "Open an image" in button.toolTip()
    viewer.add_image(np.zeros((40, 48)))
    assert button.toolTip() == "Make cells first."
    dock.cells.correcting.take_up(tool("split"))
    assert dock.footer.text.text() == "Make cells first."


def test_a_closed_dock_leaves_no_tools_on_the_cells(celled: Any, viewer: Any) -> None:
    cells = viewer.layers["img cells"]
    assert cells.keymap
    celled.shut()
    assert not cells.keymap
    assert not [each for each in cells.mouse_drag_callbacks if "infoleak" in each.__module__]


@pytest.mark.parametrize("shape", [(40, 48), (4, 40, 48)])
def test_cells_of_another_shape_are_no_cells_to_correct(
    celled: Any, viewer: Any, qtbot: Any, draw: Any, shape: tuple[int, ...], replace_data: Any
) -> None:
    replace_data(viewer.layers["img cells"], np.zeros(shape, np.uint32))
    draw(celled, qtbot, "split", (1, 15, 2), (1, 15, 22))
    assert "make them again" in celled.footer.text.text()
    assert celled.cells.correcting.steps == 0
