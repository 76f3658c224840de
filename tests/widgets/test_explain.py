"""Why here, next doubtful place, support scores: by mouse and key, in words, and undone again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_infoleak.core.region import Region
from napari_infoleak.explain.reasons import DoubtfulPlace, LeakedPatch, Why
from napari_infoleak.explain.review import PlaneScore, Review, StrokeScore
from napari_infoleak.widgets import questions
from napari_infoleak.widgets.layers import note

OWN_CALLBACKS = ViewerModel().mouse_drag_callbacks
PLACES = [
    DoubtfulPlace(0, 2, 30, 11, (2, 1), (0.52, 0.48), 0.9, 120.0),
    DoubtfulPlace(0, 4, 8, 40, (1, 2), (0.6, 0.4), 0.8, 60.0),
]
WHY = Why(
    class_ids=(1, 2),
    probabilities=(0.1, 0.9),
    alone=(0.6, 0.4),
    read=(0.2, 0.8),
    patches=(
        LeakedPatch("0", 0, 1, 3, 9, 2, 0.7, 0.95),
        LeakedPatch("1", 0, 0, 5, 6, 1, 0.2, 0.4),
    ),
)
REVIEW = Review(
    planes=(
        PlaneScore("1", 0, 0, 4, -0.2, 0.3, True),
        PlaneScore("0", 0, 0, 6, 0.1, 0.8, False),
    ),
    strokes=(
        StrokeScore("0", 0, 3, 12, 20, 2, 40, -0.1, 0.1, True),
        StrokeScore("0", 0, 0, 3, 20, 1, 40, 0.1, 0.9, False),
    ),
)


@pytest.fixture(autouse=True)
def answers(executor: Any) -> None:
    for name, answer in (("why", WHY), ("review", REVIEW), ("doubtful", PLACES)):
        executor.answers[name] = lambda answer=answer, **asked: answer


@pytest.fixture
def stack(dock: Any, viewer: Any, rng: np.random.Generator) -> Any:
    """A painted stack."""
    viewer.add_image(rng.random((5, 40, 48)), name="cells", scale=(4.0, 0.5, 0.5))
    dock.annotate.make_layer()
    layer = dock.annotate.layer.layer
    layer.data[0, 3, 2:30], layer.data[0, 9, 2:30] = 1, 2
    layer.refresh()
    dock.annotate.count_now()
    return dock


@pytest.fixture
def other(stack: Any, viewer: Any, rng: np.random.Generator) -> Any:
    """The same dock with another annotated image."""
    image = viewer.add_image(rng.random((20, 24)), name="other")
    labels = viewer.add_labels(np.ones((20, 24), np.uint8), name="other paint")
    stack.image.layer.choose(viewer.layers["cells"])
    stack.annotate.support.open_form.setChecked(True)
    stack.annotate.support.image.choose(image)
    stack.annotate.support.labels.choose(labels)
    stack.annotate.support.add_pair()
    return stack


def click(viewer: Any, *world: float, drag: float = 0.0) -> None:
    """Press and release the mouse, as the canvas would."""
    event = SimpleNamespace(type="mouse_press", pos=np.array([9.0, 9.0]), position=world)
    for callback in viewer.mouse_drag_callbacks[len(OWN_CALLBACKS) :]:
        steps = callback(viewer, event)
        next(steps)
        event.type, event.pos = "mouse_move", event.pos + drag
        next(steps)
        event.type = "mouse_release"
        next(steps, None)


def markers(viewer: Any, kind: str) -> Any:
    found = [layer for layer in viewer.layers if note(layer).get("kind") == kind]
    return found[0] if found else None


# ------------------------------------------------------------------ next doubtful place


def keys(viewer: Any) -> dict[str, Any]:
    return {str(key): action for key, action in viewer.keymap.items()}


def press_n(viewer: Any) -> None:
    keys(viewer)["N"](viewer)


def centre(viewer: Any) -> tuple[float, ...]:
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    return tuple(camera.center[-2:])


def test_n_goes_to_the_place_and_asks_for_a_class(stack: Any, viewer: Any, settle: Any) -> None:
    press_n(viewer)
    settle(stack)
    assert viewer.dims.current_step[0] == 2
    assert centre(viewer) == pytest.approx((30 * 0.5, 11 * 0.5))
    assert "Place 1 of 2: “membrane” or “interior”?" in stack.footer.text.text()
    np.testing.assert_array_equal(markers(viewer, "doubtful places").data, [[2, 30, 11]])
    assert viewer.layers.selection.active is stack.state.annotation.layer


def test_n_walks_through_the_places_and_asks_anew_after_paint(
    stack: Any, viewer: Any, executor: Any, settle: Any
) -> None:
    for slice_ in (2, 4, 2):
        press_n(viewer)
        settle(stack)
        assert viewer.dims.current_step[0] == slice_
    assert len(executor.asked) == 1
    layer = stack.state.annotation.layer
    layer.data[2, 30, 11:15] = 2
    stack.annotate.count_now()
    press_n(viewer)
    settle(stack)
    assert len(executor.asked) == 2
    sent = executor.asked[-1][1]["annotation"].whole("ZYX")
    np.testing.assert_array_equal(sent, layer.data)


def test_large_planes_are_looked_for_in_the_view(dock: Any, viewer: Any, executor: Any) -> None:
    viewer.add_image(np.zeros((3, 2048, 2048), np.uint8), name="large")
    press_n(viewer)
    sent = executor.asked[-1][1]
    assert (sent["region"], sent["planes"]) == (Region(0, 1, 1, 2, 0, 2048, 0, 2048), 1)


def test_n_is_given_back_when_the_dock_closes(stack: Any, viewer: Any) -> None:
    assert "N" in keys(viewer)
    stack.shut()
    assert "N" not in keys(viewer)


def test_n_does_nothing_where_nothing_can_be_asked(dock: Any, viewer: Any, executor: Any) -> None:
    press_n(viewer)
    assert executor.asked == []
    assert "Open an image" in dock.segment.next.toolTip()


# ------------------------------------------------------------------ why here


def test_a_click_is_a_question_and_paints_nothing(
    stack: Any, viewer: Any, executor: Any, settle: Any
) -> None:
    layer = stack.state.annotation.layer
    assert layer.mode == "paint"
    stack.segment.why.toggle.setChecked(True)
    assert layer.mode == "pan_zoom"
    click(viewer, 8.0, 5.0, 7.6)
    name, sent = executor.asked[-1]
    assert name == f"{questions.HERE}.why"
    assert sent["place"] == (2, 10, 15)
    settle(stack)
    assert "membrane 90 %; 40 % without your paint" in stack.segment.why.answer.text()
    assert [row.weight.text() for row in stack.segment.why.rows] == ["70 %", "20 %"]
    np.testing.assert_array_equal(markers(viewer, "why here").data, [[2, 10, 15], [1, 3, 9]])
    stack.segment.why.toggle.setChecked(False)
    assert layer.mode == "paint"
    assert markers(viewer, "why here") is None
    assert viewer.mouse_drag_callbacks == OWN_CALLBACKS


def test_panning_and_clicks_beside_the_image_ask_nothing(
    stack: Any, viewer: Any, executor: Any
) -> None:
    stack.segment.why.toggle.setChecked(True)
    click(viewer, 8.0, 5.0, 7.6, drag=30)
    click(viewer, 8.0, 500.0, 7.6)
    assert executor.asked == []
    assert "beside the image" in stack.segment.why.answer.text()


def test_a_row_leads_to_its_paint(stack: Any, viewer: Any, settle: Any) -> None:
    stack.segment.why.toggle.setChecked(True)
    click(viewer, 8.0, 5.0, 7.6)
    settle(stack)
    stack.segment.why.rows[0].mouseReleaseEvent(None)
    assert viewer.dims.current_step[0] == 1
    assert centre(viewer) == pytest.approx((3 * 0.5, 9 * 0.5))


def test_paint_on_another_image_is_shown_and_put_away_again(
    other: Any, viewer: Any, settle: Any
) -> None:
    before = {layer.name: layer.visible for layer in viewer.layers}
    why = other.segment.why
    why.toggle.setChecked(True)
    click(viewer, 8.0, 5.0, 7.6)
    settle(other)
    assert "other" in why.rows[1].text.text()
    why.rows[1].mouseReleaseEvent(None)
    shown = {layer.name for layer in viewer.layers if layer.visible}
    assert shown == {"other", "other paint", "why there"}
    assert not why.back.isHidden()
    why.back.click()
    after = {layer.name: layer.visible for layer in viewer.layers if layer.name in before}
    assert after == before
    assert markers(viewer, "why there") is None


def test_a_question_waits_for_the_work_before_it(
    stack: Any, viewer: Any, executor: Any, qtbot: Any
) -> None:
    stack.segment.why.toggle.setChecked(True)
    executor.waits = True
    stack.segment.segment_stack()
    click(viewer, 8.0, 5.0, 7.6)
    assert len(executor.asked) == 1
    executor.waits = False
    executor.jobs[0].cancel()
    qtbot.waitUntil(lambda: bool(stack.segment.why.rows), timeout=3000)
    assert executor.asked[-1][0].endswith(".why")


def test_nothing_painted_leaves_nothing_to_explain(dock: Any, viewer: Any) -> None:
    viewer.add_image(np.random.default_rng(0).random((5, 40, 48)), name="cells")
    assert not dock.segment.why.toggle.isEnabled()
    assert "Nothing is painted" in dock.segment.why.toggle.toolTip()
    assert not dock.annotate.check.ask.isEnabled()
    assert dock.segment.next.isEnabled()


# ------------------------------------------------------------------ support scores


def test_suspects_are_listed_and_lead_there(stack: Any, viewer: Any, settle: Any) -> None:
    stack.annotate.check.ask.click()
    settle(stack)
    assert "2 strokes checked: 2 look wrong" in stack.annotate.check.verdict.text()
    (row,) = stack.annotate.check.rows
    assert row.text() == "⚠ membrane · slice 3, y 12, x 20"
    row.click()
    assert viewer.dims.current_step[0] == 3


def test_an_image_that_hurts_has_a_sign_until_paint_changes(other: Any, settle: Any) -> None:
    def shown() -> str:
        row = other.annotate.support.pairs.itemAt(0).widget()
        return str(row.layout().itemAt(0).widget().text())

    assert not shown().startswith("⚠")
    other.annotate.check.ask.click()
    settle(other)
    assert shown().startswith("⚠ other")
    layer = other.state.annotation.layer
    layer.data[1, 20, 5:9] = 1
    other.annotate.count_now()
    assert not shown().startswith("⚠")
    assert other.annotate.check.isHidden()


# ------------------------------------------------------------------ exact forgetting


def test_an_erased_stroke_is_not_sent_any_more(stack: Any, executor: Any, settle: Any) -> None:
    def sent() -> Any:
        stack.segment.segment_stack()
        settle(stack)
        return executor.asked[-1][1]["annotation"]

    before = sent()
    layer = stack.state.annotation.layer
    layer.data[3, 20, 5:30] = 2  # another slice
    layer.data[0, 30, 5:30] = 2  # and one that stays painted
    stack.annotate.count_now()
    assert len(sent().patches) == 2
    layer.data[3, 20, 5:30] = 0
    layer.data[0, 30, 5:30] = 0
    after = sent()  # even before the paint is counted again
    assert [(p.t, p.z, p.y, p.x, p.ids.tolist()) for p in after.patches] == [
        (p.t, p.z, p.y, p.x, p.ids.tolist()) for p in before.patches
    ]
