"""Asking for answers: what is sent, what comes on screen, what is said when it goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_infoleak.core.region import Region
from napari_infoleak.scale.events import Done


@pytest.fixture
def stack(dock: Any, viewer: Any, rng: np.random.Generator) -> Any:
    viewer.add_image(rng.random((5, 40, 48)), name="cells")
    return dock


def paint(dock: Any, *classes: int) -> None:
    dock.annotate.make_layer()
    layer = dock.annotate.layer.layer
    for row, number in enumerate(classes):
        layer.data[0, 3 * row, 2:30] = number
    layer.refresh()
    dock.annotate.count_now()


def test_nothing_painted_says_so_and_answers_plain_membranes(
    stack: Any, executor: Any, settle: Any
) -> None:
    assert "Nothing painted" in stack.segment.reason.text()
    stack.segment.segment_stack()
    assert executor.asked[-1][1]["annotation"] is None
    settle(stack)
    assert stack.state.answer.complete


def test_one_class_painted_is_refused_in_words(stack: Any) -> None:
    paint(stack, 2)
    assert not stack.segment.view.isEnabled()
    assert "Only “membrane” is painted" in stack.segment.reason.text()
    assert "Only “membrane” is painted" in stack.segment.stack.toolTip()


def test_view_answers_the_slice_on_screen(
    stack: Any, viewer: Any, executor: Any, settle: Any
) -> None:
    paint(stack, 1, 2)
    viewer.dims.set_current_step(0, 3)
    stack.segment.segment_view()
    assert executor.asked[-1][1]["region"] == Region(0, 1, 3, 4, 0, 40, 0, 48)
    settle(stack)
    labels = viewer.layers["cells labels"].data
    assert labels[3].all()
    assert not labels[[0, 1, 2, 4]].any()
    assert not stack.state.answer.complete
    assert not stack.cells.make.isEnabled()
    assert "Segment stack" in stack.cells.make.toolTip()


def test_results_update_their_own_layers(
    stack: Any, viewer: Any, executor: Any, settle: Any
) -> None:
    for step in range(3):
        viewer.dims.set_current_step(0, step)
        stack.segment.segment_view()
        settle(stack)
    stack.segment.segment_stack()
    settle(stack)
    names = [layer.name for layer in viewer.layers]
    assert names == ["cells", "cells labels", "cells membrane"]
    assert viewer.layers["cells labels"].data.all()


def test_painting_goes_on_where_it_was(stack: Any, viewer: Any, settle: Any) -> None:
    paint(stack, 1, 2)
    layer = stack.state.annotation.layer
    before = layer.data.copy()
    stack.segment.segment_stack()
    settle(stack)
    assert viewer.layers.selection.active is layer
    assert viewer.layers[-1] is layer
    assert layer.mode == "paint"
    assert np.array_equal(layer.data, before)


def test_the_newest_of_several_annotations_stays_on_top(
    stack: Any, viewer: Any, settle: Any
) -> None:
    paint(stack, 1, 2)
    stack.segment.segment_stack()
    settle(stack)
    paint(stack, 1, 2)
    stack.cells.make_cells()
    settle(stack)
    names = [layer.name for layer in viewer.layers][-2:]
    assert names == ["cells annotation", "cells annotation [1]"]
    assert viewer.layers[-1] is stack.state.annotation.layer


def test_overlays_show_and_hide_layers(stack: Any, viewer: Any, settle: Any) -> None:
    stack.segment.segment_stack()
    settle(stack)
    assert viewer.layers["cells labels"].visible
    assert not viewer.layers["cells membrane"].visible
    stack.segment.overlays["membrane"].setChecked(True)
    stack.segment.overlays["labels"].setChecked(False)
    assert viewer.layers["cells membrane"].visible
    assert not viewer.layers["cells labels"].visible


def test_uncertainty_ticked_later_is_measured(stack: Any, viewer: Any, settle: Any) -> None:
    stack.segment.segment_stack()
    settle(stack)
    stack.segment.overlays["uncertainty"].setChecked(True)
    settle(stack)
    assert viewer.layers["cells uncertainty"].data.shape == (5, 40, 48)
    assert stack.state.answer.uncertainty


def test_settings_are_sent(stack: Any, executor: Any, settle: Any) -> None:
    stack.segment.leak.setValue(0.4)
    stack.segment.use_model("mine.safetensors")
    stack.segment.segment_stack()
    sent = executor.asked[-1][1]
    assert (sent["leak"], sent["model"]) == (0.4, "mine.safetensors")
    settle(stack)


def test_an_error_is_one_line_and_loses_nothing(
    stack: Any, viewer: Any, executor: Any, settle: Any
) -> None:
    from napari.utils.notifications import notification_manager

    paint(stack, 1, 2)
    before = stack.state.annotation.layer.data.copy()
    executor.fails = "the memory is full: take a smaller image"
    stack.segment.segment_stack()
    settle(stack)
    assert stack.footer.text.text() == executor.fails
    assert stack.footer.message.property("level") == "error"
    assert notification_manager.records[-1].message == executor.fails
    assert np.array_equal(stack.state.annotation.layer.data, before)
    assert "cells labels" not in viewer.layers
    assert stack.segment.stack.isEnabled()


def test_cancel_leaves_no_layer_behind(
    stack: Any, viewer: Any, executor: Any, settle: Any, qtbot: Any
) -> None:
    executor.waits = True
    stack.segment.segment_stack()
    assert not stack.footer.work.isHidden()
    qtbot.waitUntil(lambda: stack.footer.bar.maximum() == 4, timeout=2000)
    assert stack.footer.step.text() == "slice 1 of 4"
    assert not stack.segment.view.isEnabled()
    assert "Segmenting the stack" in stack.segment.view.toolTip()
    stack.footer.cancel.click()
    settle(stack)
    assert "Cancelled" in stack.footer.text.text()
    assert stack.footer.work.isHidden()
    assert [layer.name for layer in viewer.layers] == ["cells"]
    assert stack.segment.view.isEnabled()


def test_the_window_answers_while_work_is_done(
    stack: Any, executor: Any, settle: Any, qtbot: Any
) -> None:
    from qtpy.QtCore import QTimer

    executor.waits = True
    ticks: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(5)
    stack.segment.segment_stack()
    qtbot.waitUntil(lambda: len(ticks) > 10, timeout=5000)
    assert stack.worker.busy
    stack.worker.cancel()
    settle(stack)


def test_an_image_closed_meanwhile_is_no_trouble(
    stack: Any, viewer: Any, executor: Any, settle: Any
) -> None:
    stack.segment.segment_stack()
    viewer.layers.clear()
    settle(stack)
    assert len(viewer.layers) == 0
    assert stack.footer.message.isHidden()


def test_other_letters_make_another_question(stack: Any, executor: Any, settle: Any) -> None:
    stack.segment.segment_stack()
    settle(stack)
    stack.image.axes.boxes[0].setCurrentText("T")
    assert stack.state.source.axes == "TYX"
    assert stack.state.answer is None
    assert stack.segment.stack.text() == "Segment all times"
    stack.segment.segment_stack()
    assert executor.asked[-1][1]["pixels"].axes == "TYX"
    settle(stack)


def test_pixels_are_handed_over_once(stack: Any, viewer: Any, executor: Any) -> None:
    assert executor.started
    assert [id(each) for each in executor.held] == [id(viewer.layers["cells"].data)]
    viewer.layers.clear()
    assert executor.held == []


def test_other_annotated_images_are_handed_over_once_too(
    stack: Any, viewer: Any, executor: Any, settle: Any, rng: np.random.Generator
) -> None:
    other = viewer.add_image(rng.random((3, 30, 30)), name="other")
    viewer.add_labels(np.ones((3, 30, 30), np.uint8), name="its paint")
    stack.image.layer.choose(viewer.layers["cells"])
    stack.annotate.support.image.choose(other)
    stack.annotate.support.add_pair()
    held = [viewer.layers["cells"].data, other.data]
    assert [id(each) for each in executor.held] == [id(each) for each in held]
    stack.segment.segment_stack()
    settle(stack)
    assert [id(each) for each in executor.held] == [id(each) for each in held]
    stack.annotate.support.remove_pair(stack.state.supports[0])
    assert [id(each) for each in executor.held] == [id(held[0])]


def test_an_image_that_is_changed_in_place_is_handed_over_again(
    stack: Any, viewer: Any, executor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[Any] = []
    monkeypatch.setattr(executor, "release", again.append)
    layer = viewer.layers["cells"]
    viewer.dims.set_current_step(0, 1)
    viewer.dims.set_current_step(0, 3)
    assert again == [], "another slice on screen is no change"
    layer.data[...] = 7
    layer.refresh()
    assert [id(each) for each in again] == [id(layer.data)]
    stack.shut()
    layer.refresh()
    assert len(again) == 1


def test_the_child_gets_pixels_as_they_are_now(
    qtbot: Any, viewer: Any, rng: np.random.Generator
) -> None:
    from napari_infoleak.scale.executor import Executor
    from napari_infoleak.widgets import jobs
    from napari_infoleak.widgets.dock import InfoleakDock
    from napari_infoleak.widgets.segmenting import pixels_of

    dock = InfoleakDock(viewer, Executor(threads=1, preload=()))
    qtbot.addWidget(dock)
    layer = viewer.add_image(rng.random((4, 64, 64)), name="cells")
    cells = np.ones((4, 64, 64), np.uint8)

    def brightness() -> float:
        job = dock.worker.executor.submit(
            f"{jobs.HERE}.measure_cells",
            cells=cells,
            pixels=pixels_of(dock.state.source),
            channel=None,
        )
        return float(job.result(60).columns["intensity"][0])

    assert brightness() < 1
    layer.data[...] = 7
    layer.refresh()
    assert brightness() == 7
    dock.shut()


def test_what_a_full_disk_had_no_room_for_is_handed_over_later(
    stack: Any, executor: Any, settle: Any
) -> None:
    executor.held = []
    stack.segment.segment_stack()
    settle(stack)
    assert [id(each) for each in executor.held] == [id(stack.state.source.data)]


def test_next_step_is_marked(stack: Any, settle: Any) -> None:
    def primary() -> list[str]:
        buttons = {
            "annotate": stack.annotate.new,
            "view": stack.segment.view,
            "stack": stack.segment.stack,
            "cells": stack.cells.make,
            "export": stack.export.save,
        }
        return [name for name, button in buttons.items() if button.property("primary")]

    assert primary() == ["annotate"]
    stack.annotate.make_layer()
    assert primary() == []
    layer = stack.annotate.layer.layer
    layer.data[0, 0, :9], layer.data[0, 5, :9] = 1, 2
    stack.annotate.count_now()
    assert primary() == ["view"]
    stack.segment.segment_view()
    settle(stack)
    assert primary() == ["stack"]
    stack.segment.segment_stack()
    settle(stack)
    assert primary() == ["cells"]
    stack.cells.make_cells()
    settle(stack)
    assert primary() == ["export"]


def test_each_look_of_a_model_that_looks_again_is_a_layer(
    stack: Any, viewer: Any, settle: Any, executor: Any, tmp_path: Path
) -> None:
    import torch

    from napari_infoleak.io.weights import save_weights

    assert stack.segment.looks.isHidden()
    path = tmp_path / "again.safetensors"
    save_weights(path, {"one": torch.zeros(1)}, {"method": "feedback-unet", "classes": []})
    stack.segment.use_model(str(path))
    assert not stack.segment.looks.isHidden()
    stack.segment.segment_stack()
    settle(stack)
    name = stack.state.source.name
    assert f"{name} look 1" not in viewer.layers
    stack.segment.looks.setChecked(True)
    stack.segment.segment_view()
    settle(stack)
    stack.segment.segment_stack()
    settle(stack)
    looks = [viewer.layers[f"{name} look {number}"] for number in (1, 2)]
    membrane = viewer.layers[f"{name} membrane"]
    assert all(look.data.shape == membrane.data.shape for look in looks)
    assert all(np.array_equal(look.data, membrane.data / 2) for look in looks)
    assert all(np.allclose(look.scale, membrane.scale) for look in looks)
    stack.segment.use_model("membrane")
    assert stack.segment.looks.isHidden()
    stack.segment.segment_stack()
    assert not executor.asked[-1][1]["rounds"]


def test_an_answer_to_other_pixels_is_dropped(
    stack: Any, viewer: Any, executor: Any, settle: Any, rng: np.random.Generator
) -> None:
    executor.waits = True
    stack.segment.segment_stack()
    name, asked = executor.asked[-1]
    answer = executor.answers[name.rpartition(".")[2]](**asked)
    image = stack.state.source.layer
    image.data = rng.random((image.data.shape[0] + 2, 40, 48))
    executor.jobs[-1].events.append(Done(answer))
    settle(stack)
    assert stack.results.find(stack.state.source, "labels") is None
    assert stack.state.answer is None
    assert "another shape now" in stack.footer.text.text()
