"""Classes, keys, the annotation layer and the count of what is painted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_infoleak.widgets import annotation as annotation_module
from napari_infoleak.widgets import steps
from napari_infoleak.widgets.annotation import Annotation, blank
from napari_infoleak.widgets.layers import KEY, source_of


@pytest.fixture
def painted(dock: Any, viewer: Any, rng: np.random.Generator) -> Any:
    """A dock on a z-stack with an empty annotation layer."""
    viewer.add_image(
        rng.random((5, 40, 48)), scale=(0.9, 0.3, 0.2), translate=(1, 2, 3), name="cells"
    )
    dock.annotate.make_layer()
    return dock


def test_new_layer_is_ready_to_paint(painted: Any, viewer: Any) -> None:
    layer = painted.annotate.layer.layer
    assert layer.data.shape == (5, 40, 48)
    assert layer.data.dtype == np.uint8
    assert tuple(layer.scale) == (0.9, 0.3, 0.2)
    assert tuple(layer.translate) == (1, 2, 3)
    assert (layer.mode, layer.brush_size, layer.selected_label) == ("paint", 4, 1)
    assert viewer.layers.selection.active is layer


def test_strokes_are_counted_per_class_and_slice(painted: Any, viewer: Any, qtbot: Any) -> None:
    layer = painted.annotate.layer.layer
    viewer.dims.set_current_step(0, 2)
    layer.data_setitem((np.full(7, 2), np.arange(7), np.arange(7)), 1)
    layer.data_setitem((np.full(3, 2), np.arange(3), np.arange(3) + 20), 2)
    qtbot.waitUntil(lambda: painted.state.count.total == {1: 7, 2: 3}, timeout=2000)
    assert painted.state.count.slices == 1
    assert painted.annotate.rows_of_classes[0].painted.text() == "7 px"
    assert "1 of 5 slices" in painted.annotate.painted.text()
    layer.undo()
    qtbot.waitUntil(lambda: painted.state.count.total == {1: 7}, timeout=2000)


@pytest.mark.parametrize("key", ["2", "3"])
def test_number_keys_choose_the_class(window: Any, key: str) -> None:
    viewer = window.viewer
    viewer.add_image(np.zeros((40, 48)))
    window.annotate.make_layer()
    window.annotate.append_class()
    layer = window.annotate.layer.layer
    layer.mode = "pan_zoom"
    viewer.window._qt_viewer.canvas.native.setFocus()
    for provider in (layer,):
        provider.keymap[_binding(key)](provider)
    assert layer.selected_label == int(key)
    assert layer.mode == "paint"
    assert window.state.chosen == int(key)
    chosen = [row.class_id for row in window.annotate.rows_of_classes if row.property("chosen")]
    assert chosen == [int(key)]


def _binding(key: str) -> Any:
    from app_model.types import KeyBinding

    return KeyBinding.from_str(key)


def test_ids_stay_when_classes_are_added_and_renamed(painted: Any) -> None:
    painted.annotate.append_class()
    painted.annotate.rows_of_classes[2].renamed.emit(3, "nucleus")
    painted.annotate.rows_of_classes[0].renamed.emit(1, "cytosol")
    painted.annotate.rows_of_classes[0].recoloured.emit(1, "#112233")
    table = painted.state.classes
    assert table.ids == (1, 2, 3)
    assert table.names == ("cytosol", "membrane", "nucleus")
    layer = painted.annotate.layer.layer
    assert layer.metadata[KEY]["classes"] == table.to_json()
    assert layer.colormap.map(1)[:3] == pytest.approx(np.array([0x11, 0x22, 0x33]) / 255, abs=0.01)


def test_a_label_of_napari_that_is_painted_becomes_a_class(painted: Any) -> None:
    layer = painted.annotate.layer.layer
    layer.selected_label = 3  # as napari's key M does
    layer.data_setitem((np.zeros(7, int), np.arange(7), np.arange(7)), 3)
    painted.annotate.count_now()
    table = painted.state.classes
    assert table.ids == (1, 2, 3)
    assert layer.metadata[KEY]["classes"] == table.to_json()
    row = painted.annotate.rows_of_classes[2]
    assert (row.painted.text(), row.property("chosen")) == ("7 px", True)
    assert layer.colormap.map(3)[:3] != pytest.approx(np.full(3, 0x80) / 255, abs=0.01)


def test_choosing_a_class_shows_hidden_paint(painted: Any) -> None:
    layer = painted.annotate.layer.layer
    painted.annotate.brushwork.toggle()
    assert not layer.visible
    painted.annotate.rows_of_classes[1].picked.emit(2)
    assert layer.visible
    assert (layer.mode, layer.selected_label) == ("paint", 2)


def test_a_name_that_is_taken_is_refused_in_words(painted: Any) -> None:
    painted.annotate.rows_of_classes[0].renamed.emit(1, "membrane")
    assert "membrane" in painted.annotate.trouble.text()
    assert painted.state.classes.names == ("interior", "membrane")


def test_double_click_lets_a_name_be_typed(painted: Any, qtbot: Any) -> None:
    from qtpy.QtCore import Qt

    row = painted.annotate.rows_of_classes[1]
    assert row.name.isReadOnly()
    qtbot.mouseDClick(row.name, Qt.MouseButton.LeftButton)
    assert not row.name.isReadOnly()
    row.name.setText("sheath")
    row.name.editingFinished.emit()
    assert painted.state.classes[2].name == "sheath"


def test_a_ground_truth_is_offered_but_not_taken(
    dock: Any, viewer: Any, rng: np.random.Generator
) -> None:
    viewer.add_image(rng.random((40, 48)))
    truth = viewer.add_labels(np.ones((40, 48), np.int32), name="truth")
    assert dock.state.annotation is None
    dock.annotate.layer.choose(truth)
    assert dock.state.annotation.layer is truth
    assert dock.state.count.total == {1: 40 * 48}


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (np.arange(40 * 48).reshape(40, 48), "from 0 to 1919"),
        (np.arange(40 * 48).reshape(40, 48) % 60, "look like cells"),
        (np.full((40, 48), -1), "from -1 to -1"),
    ],
)
def test_numbers_that_are_no_classes_are_refused_in_words(
    dock: Any, viewer: Any, rng: np.random.Generator, numbers: np.ndarray[Any, Any], words: str
) -> None:
    viewer.add_image(rng.random((40, 48)))
    layer = viewer.add_labels(numbers, name="cells")
    dock.annotate.layer.choose(layer)
    assert words in dock.annotate.trouble.text()
    assert dock.state.annotation is None
    assert len(dock.state.classes) == 2


def test_labels_of_another_shape_are_not_offered(
    dock: Any, viewer: Any, rng: np.random.Generator
) -> None:
    viewer.add_image(rng.random((40, 48)))
    viewer.add_labels(np.ones((30, 48), np.int32))
    assert dock.annotate.layer.count() == 0


def test_annotations_follow_their_images(dock: Any, viewer: Any, rng: np.random.Generator) -> None:
    first = viewer.add_image(rng.random((40, 48)), name="first")
    second = viewer.add_image(rng.random((40, 48)), name="second")
    dock.image.layer.choose(first)
    dock.annotate.make_layer()
    mine = dock.state.annotation.layer
    dock.image.layer.choose(second)
    assert dock.state.annotation is None
    dock.image.layer.choose(first)
    assert dock.state.annotation.layer is mine


def test_a_deleted_annotation_is_forgotten(painted: Any, viewer: Any) -> None:
    viewer.layers.remove(painted.annotate.layer.layer)
    assert painted.state.annotation is None
    assert painted.state.count.total == {}
    assert not painted.annotate.new.isHidden()


def test_painted_slices_alone_are_packed(painted: Any) -> None:
    layer = painted.annotate.layer.layer
    layer.data[1, 3:6, 4:9] = 1
    layer.data[4, 0, 0] = 2
    packed = painted.state.annotation.pack()
    assert [(patch.z, patch.ids.shape) for patch in packed.patches] == [(1, (3, 5)), (4, (1, 1))]
    assert np.array_equal(packed.whole("ZYX"), layer.data)
    layer.data[1] = 0
    assert packed.patches[0].ids.sum() == 15, "a packed annotation does not follow the layer"


def test_a_layer_that_is_too_large_takes_room_where_it_is_painted(
    viewer: Any, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotation_module, "LARGEST_IN_MEMORY", 1000)
    source = source_of(viewer.add_image(rng.random((3, 5, 40, 48))), "TZYX")
    layer = viewer.add_labels(blank((3, 5, 40, 48), np.uint8))
    annotation = Annotation(layer, source)
    layer.data[2, 1, 5:8, 5:9] = 2
    packed = annotation.pack()
    assert [(patch.t, patch.z) for patch in packed.patches] == [(2, 1)]
    assert annotation.count(2, 1).total == {2: 12}
    assert packed.whole("TZYX").sum() == 24


def shown_another(dock: Any, viewer: Any, rng: np.random.Generator) -> Any:
    """Add an annotated image to the support of a new one; return its annotation."""
    known = viewer.add_image(rng.random((3, 30, 30)), name="known")
    paint = np.zeros((3, 30, 30), np.int64)
    paint[1, :5], paint[1, 9:] = 1, 2
    labels = viewer.add_labels(paint, name="known paint")
    dock.image.layer.choose(viewer.add_image(rng.random((40, 48)), name="new"))
    dock.annotate.support.open_form.setChecked(True)
    dock.annotate.support.image.choose(known)
    assert dock.annotate.support.labels.layer is labels
    dock.annotate.support.add_pair()
    return labels


def test_another_annotated_image_is_used_as_support(
    dock: Any, viewer: Any, executor: Any, settle: Any, rng: np.random.Generator
) -> None:
    labels = shown_another(dock, viewer, rng)
    paint = labels.data.copy()
    assert len(dock.state.supports) == 1
    dock.segment.segment_stack()
    settle(dock)
    ((pixels, packed),) = executor.asked[-1][1]["supports"]
    assert pixels.axes == "ZYX"
    assert np.array_equal(packed.whole("ZYX"), paint)
    viewer.layers.remove(labels)
    assert dock.state.supports == ()


def test_labels_are_older_than_new_paint_on_another_image(
    dock: Any, viewer: Any, settle: Any, qtbot: Any, rng: np.random.Generator
) -> None:
    labels = shown_another(dock, viewer, rng)
    dock.segment.segment_stack()
    settle(dock)
    labels.name = "named otherwise"
    dock.annotate.support.count_now()
    assert steps.stale_labels(dock.state) == ""
    labels.data_setitem((np.zeros(9, int), np.arange(9), np.arange(9)), 1)
    qtbot.waitUntil(lambda: bool(steps.stale_labels(dock.state)), timeout=3000)
    assert "older than the other images or their paint" in dock.segment.reason.text()
    assert steps.next_step(dock.state) == "view"
    labels.data_setitem((np.zeros(9, int), np.arange(9), np.arange(9)), 2)
    dock.segment.segment_stack()
    settle(dock)
    dock.annotate.support.count_now()
    assert steps.stale_labels(dock.state) == "", "it was asked with the last stroke"


def test_cells_are_no_paint_of_another_image(
    dock: Any, viewer: Any, rng: np.random.Generator
) -> None:
    known = viewer.add_image(rng.random((30, 30)), name="known")
    viewer.add_labels(np.arange(900).reshape(30, 30), name="cells")
    dock.image.layer.choose(viewer.add_image(rng.random((40, 48)), name="new"))
    dock.annotate.support.image.choose(known)
    dock.annotate.support.add_pair()
    assert dock.state.supports == ()
    assert "class ids" in dock.annotate.support.trouble.text()


def test_nothing_fits_as_support_is_said(dock: Any, viewer: Any, rng: np.random.Generator) -> None:
    viewer.add_image(rng.random((3, 30, 30)), name="known")
    dock.image.layer.choose(viewer.add_image(rng.random((40, 48)), name="new"))
    form = dock.annotate.support
    form.open_form.setChecked(True)
    assert not form.confirm.isEnabled()
    assert "known" in form.confirm.toolTip()


def test_one_annotation_is_in_sight_at_a_time(dock: Any, viewer: Any) -> None:
    viewer.add_image(np.zeros((3, 20, 20)))
    dock.annotate.make_layer()
    first = dock.annotate.layer.layer
    dock.annotate.make_layer()
    second = dock.annotate.layer.layer
    assert (first.visible, second.visible) == (False, True)
    dock.annotate.layer.choose(first)
    assert first.visible
