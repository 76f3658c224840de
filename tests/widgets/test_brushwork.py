"""Brushes that suit the image, strokes that find the membrane, paint that goes to other slices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_infoleak.widgets.strokes import lay_down


@pytest.fixture
def ringed(dock: Any, viewer: Any) -> Any:
    """A dock on three slices with a dark ring of radius 30 around (48, 48), and an annotation."""
    y, x = np.indices((96, 96))
    far = np.abs(np.hypot(y - 48, x - 48) - 30)
    plane = (200 - 120 * np.exp(-((far / 2) ** 2))).astype(np.float32)
    viewer.add_image(np.stack([plane] * 3), name="img", scale=(2, 0.5, 0.5))
    dock.annotate.make_layer()
    return dock


def arc(radius: float, z: int = 1) -> list[tuple[float, float, float]]:
    angle = np.linspace(0.3, 2.2, 30)
    return [(z, 48 + radius * np.sin(a), 48 + radius * np.cos(a)) for a in angle]


def test_each_class_has_a_brush_of_its_own(ringed: Any) -> None:
    layer = ringed.annotate.layer.layer
    interior = layer.brush_size
    ringed.annotate.use_class(2)
    membrane = layer.brush_size
    assert 2 <= membrane <= 5, "no wider than the ring"
    assert interior == 2 * membrane
    layer.brush_size = 7
    layer.selected_label = 1
    assert layer.brush_size == interior
    layer.selected_label = 2
    assert layer.brush_size == 7, "what the user chose for a class stays"


def test_a_stroke_moves_onto_the_membrane_and_undo_brings_it_back(
    ringed: Any, viewer: Any, qtbot: Any, drag: Any
) -> None:
    layer = ringed.annotate.layer.layer
    ringed.annotate.use_class(2)
    ringed.annotate.brushwork.grow.setChecked(True)
    layer.data[1, 40, 60:70] = 1
    drag(viewer, layer, arc(34))
    qtbot.wait(20)
    y, x = np.nonzero(layer.data[1] == 2)
    assert len(y) > 60
    radius = np.hypot(y - 48, x - 48)
    assert np.abs(radius - 30).max() <= 4
    assert abs(radius.mean() - 30) < 1
    assert (layer.data[1, 40, 60:70] == 1).all(), "other paint stays"
    assert not layer.data[[0, 2]].any()
    layer.undo()
    y, x = np.nonzero(layer.data[1] == 2)
    assert np.hypot(y - 48, x - 48).mean() == pytest.approx(34, abs=0.6)
    layer.undo()
    assert not (layer.data == 2).any()


def test_other_classes_and_a_toggle_that_is_off_leave_strokes_alone(
    ringed: Any, viewer: Any, qtbot: Any, drag: Any
) -> None:
    layer = ringed.annotate.layer.layer
    ringed.annotate.use_class(2)
    drag(viewer, layer, arc(36))
    ringed.annotate.brushwork.grow.setChecked(True)
    ringed.annotate.use_class(1)
    drag(viewer, layer, arc(36, z=2))
    qtbot.wait(20)
    for z in (1, 2):
        y, x = np.nonzero(layer.data[z])
        assert np.hypot(y - 48, x - 48).mean() == pytest.approx(36, abs=0.6)


def test_paint_is_copied_to_the_next_slice_where_nothing_is_painted(
    ringed: Any, viewer: Any
) -> None:
    layer, brushwork = ringed.annotate.layer.layer, ringed.annotate.brushwork
    viewer.dims.set_current_step(0, 0)
    ringed.annotate.count_now()
    assert brushwork.copy.toolTip() == "Nothing is painted on this slice."
    layer.data[0, 5, 5:10] = 2
    layer.data[1, 5, 5] = 1
    ringed.annotate.count_now()
    brushwork.copy.click()
    assert layer.data[1, 5, 4:11].tolist() == [0, 1, 2, 2, 2, 2, 0]
    assert viewer.dims.current_step[0] == 1
    layer.undo()
    assert layer.data[1, 5, 4:11].tolist() == [0, 1, 0, 0, 0, 0, 0]
    viewer.dims.set_current_step(0, 2)
    layer.data[2, 5, 5] = 1
    ringed.annotate.count_now()
    assert brushwork.copy.toolTip() == "This is the last slice."


def test_paint_that_is_hidden_is_copied_and_shown(ringed: Any, viewer: Any) -> None:
    layer, brushwork = ringed.annotate.layer.layer, ringed.annotate.brushwork
    viewer.dims.set_current_step(0, 0)
    layer.data[0, 70, 5:10] = 2
    brushwork.hide_paint.click()
    viewer.dims.order = (1, 2, 0)  # of a hidden layer napari keeps no slice
    viewer.dims.order = (0, 1, 2)
    ringed.annotate.count_now()
    brushwork.copy.click()
    assert layer.visible
    assert layer.data[1, 70, 4:11].tolist() == [0, 2, 2, 2, 2, 2, 0]


def test_painted_slices_are_listed_with_their_classes(ringed: Any, viewer: Any) -> None:
    layer, brushwork = ringed.annotate.layer.layer, ringed.annotate.brushwork
    layer.data[0, 5, 5:10] = 2
    layer.data[2, 5, 5:9] = 1
    brushwork.slices.set_open(True)
    ringed.annotate.count_now()
    assert [row.text() for row in brushwork.rows] == [
        "slice 0 · membrane 5",
        "slice 2 · interior 4",
    ]
    brushwork.rows[0].click()
    assert viewer.dims.current_step[0] == 0
    ringed.annotate.count_now()
    assert ringed.annotate.rows_of_classes[1].painted.text() == "5 px"
    layer.data[1, 5, 5:10] = 2
    ringed.annotate.count_now()
    assert ringed.annotate.rows_of_classes[1].painted.text() == "5 of 10 px"


def test_paint_on_other_slices_is_counted_in_a_large_stack(
    dock: Any, viewer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_infoleak.widgets.annotation._SMALL", 0)
    viewer.add_image(np.random.default_rng(0).random((6, 40, 48)), name="img")
    dock.annotate.make_layer()
    layer, annotation = dock.annotate.layer.layer, dock.state.annotation
    viewer.dims.set_current_step(0, 3)
    dock.annotate.count_now()
    for z in (1, 4):
        lay_down(annotation, 0, z, np.full(9, 5), np.arange(9), np.full(9, 2))
    dock.annotate.count_now()
    assert annotation.by_slice() == {(0, 1): {2: 9}, (0, 4): {2: 9}}
    viewer.dims.order = (1, 0, 2)  # the brush crosses slices
    layer.brush_size = 3
    layer.paint((2, 10, 20), 1)
    dock.annotate.count_now()
    assert {z for _, z in annotation.by_slice()} == {1, 2, 3, 4}
    assert dock.state.count.total == {1: 9, 2: 18}


def test_paint_is_hidden_and_shown(ringed: Any) -> None:
    brushwork, layer = ringed.annotate.brushwork, ringed.annotate.layer.layer
    brushwork.hide_paint.click()
    assert not layer.visible
    assert brushwork.hide_paint.text() == "Show (H)"
    brushwork.toggle()
    assert layer.visible


@pytest.mark.parametrize("kind", ["multiscale", "dask", "dask file"])
def test_strokes_on_lazy_and_multiscale_images_find_the_membrane_too(
    dock: Any, viewer: Any, qtbot: Any, drag: Any, kind: str
) -> None:
    array = pytest.importorskip("dask.array")
    y, x = np.indices((96, 96))
    far = np.abs(np.hypot(y - 48, x - 48) - 30)
    data = np.stack([200 - 120 * np.exp(-((far / 2) ** 2))] * 3).astype(np.float32)
    lazy = array.from_array(data, chunks=(1, 40, 40))
    if kind == "multiscale":
        viewer.add_image([lazy, lazy[:, ::2, ::2]], multiscale=True, name="img")
    else:
        viewer.add_image(lazy, name="img")
    dock.annotate.make_layer()
    layer = dock.annotate.layer.layer
    if kind == "dask file":
        layer.data = np.zeros((3, 96, 96), np.uint8)
    dock.annotate.use_class(2)
    dock.annotate.brushwork.grow.setChecked(True)
    drag(viewer, layer, arc(33))
    qtbot.wait(20)
    y, x = np.nonzero(layer.data[1] == 2)
    assert abs(np.hypot(y - 48, x - 48).mean() - 30) < 1
    qtbot.waitUntil(lambda: dock.state.count.total.get(2, 0) == len(y), timeout=2000)
