"""What needs a real napari window: the visible field, themes, and the end of the child process."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_infoleak.widgets.layers import visible_region


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _camera(viewer: Any) -> Any:
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


def _draw(viewer: Any, qtbot: Any) -> None:
    viewer.window._qt_viewer.canvas.on_draw(None)
    qtbot.wait(20)


def test_a_short_message_takes_less_room_than_a_long_one(qtbot: Any) -> None:
    from napari_infoleak.widgets.footer import Footer

    footer = Footer()
    qtbot.addWidget(footer)
    footer.resize(300, 100)
    footer.show()
    heights = []
    for text in ("short", "a long message that is told in many words " * 3, "short"):
        footer.say(text)
        qtbot.wait(20)
        heights.append(footer.text.height())
    assert heights[0] == heights[2] < heights[1]


def test_what_is_unfolded_comes_into_sight(window: Any, qtbot: Any) -> None:
    window.viewer.window.resize(900, 500)
    window.viewer.window.show()
    fold = window.cells.shares
    fold.set_open(True)
    port = window._scroll.viewport()
    qtbot.waitUntil(lambda: port.rect().contains(fold.line.mapTo(port, fold.line.rect().center())))


def test_view_is_the_visible_field(window: Any, qtbot: Any) -> None:
    viewer = window.viewer
    viewer.add_image(np.zeros((5, 1000, 1000)), scale=(3, 0.5, 0.5))
    viewer.dims.set_current_step(0, 2)
    source = window.state.source
    _draw(viewer, qtbot)
    assert min(visible_region(viewer, source).shape[2:]) > 900, "almost all of it fits"
    _camera(viewer).center = (0, 125, 300)
    _camera(viewer).zoom = 20
    _draw(viewer, qtbot)
    region = visible_region(viewer, source)
    assert (region.z0, region.z1) == (2, 3)
    assert region.y0 <= 250 < region.y1
    assert region.x0 <= 600 < region.x1
    assert region.y1 - region.y0 < 200


def test_view_of_a_multiscale_image_is_in_full_resolution(window: Any, qtbot: Any) -> None:
    viewer = window.viewer
    full = np.zeros((4096, 4096), np.uint8)
    viewer.add_image([full, full[::2, ::2], full[::4, ::4], full[::8, ::8]], multiscale=True)
    _draw(viewer, qtbot)
    assert min(visible_region(viewer, window.state.source).shape[2:]) > 3600
    _camera(viewer).center = (0, 3000, 3000)
    _camera(viewer).zoom = 8
    _draw(viewer, qtbot)
    region = visible_region(viewer, window.state.source)
    assert region.y0 <= 3000 < region.y1
    assert region.shape[2] < 2048


def test_view_needs_two_dimensions_on_screen(window: Any) -> None:
    viewer = window.viewer
    viewer.add_image(np.zeros((5, 40, 48)))
    viewer.dims.ndisplay = 3
    assert not window.segment.view.isEnabled()
    assert "2-D view" in window.segment.view.toolTip()
    assert window.segment.stack.isEnabled()
    viewer.dims.ndisplay = 2
    viewer.dims.order = (1, 0, 2)
    assert "Y and X" in window.segment.view.toolTip()


def test_both_themes(window: Any) -> None:
    window.viewer.theme = "light"
    light = window.styleSheet()
    window.viewer.theme = "dark"
    assert window.styleSheet() != light


@pytest.mark.parametrize("way", ["window", "dock"])
def test_closing_ends_the_child(
    make_napari_viewer: Callable[..., Any], qtbot: Any, way: str
) -> None:
    from napari_infoleak.scale.executor import Executor
    from napari_infoleak.widgets.dock import InfoleakDock

    viewer = make_napari_viewer()
    executor = Executor()
    dock = InfoleakDock(viewer, executor)
    holder = viewer.window.add_dock_widget(dock, name="Infoleak")
    layer = viewer.add_image(np.zeros((40, 48)))
    dock.annotate.make_layer()
    qtbot.waitUntil(lambda: executor.pid is not None, timeout=20000)
    pid = executor.pid
    assert _alive(pid)
    if way == "window":
        viewer.close()
    else:
        viewer.window.remove_dock_widget(holder)
        assert layer in viewer.layers
        assert len(viewer.layers) == 2
    qtbot.waitUntil(lambda: not _alive(pid), timeout=5000)
    assert executor.closed


@pytest.mark.parametrize("way", ["window", "viewer"])
def test_what_was_done_is_kept_and_let_go_of_when_all_is_torn_down(
    executor: Any, qtbot: Any, way: str
) -> None:
    from napari.components import ViewerModel
    from qtpy.QtWidgets import QWidget

    from napari_infoleak.widgets.dock import InfoleakDock

    pixels = np.random.default_rng(0).random((3, 40, 48))
    dock, window = InfoleakDock(ViewerModel(), executor), QWidget()
    dock.setParent(window)
    dock.viewer.add_image(pixels, name="cells")
    dock.annotate.make_layer()
    layer = dock.annotate.layer.layer
    for row, number in ((2, 1), (9, 2)):
        layer.data_setitem((np.zeros(10, int), np.full(10, row), np.arange(10)), number)
    dock.annotate.count_now()
    dock.segment.segment_stack()
    qtbot.waitUntil(lambda: not dock.worker.busy, timeout=5000)
    if way == "viewer":
        dock.viewer.layers.clear()  # which is how it begins to close
    window.deleteLater()
    qtbot.waitUntil(lambda: not dock.is_open, timeout=5000)
    again = InfoleakDock(ViewerModel(), executor)
    qtbot.addWidget(again)
    again.viewer.add_image(pixels, name="cells")
    assert not again.resume.isHidden()
    again.resume.go_on.click()
    qtbot.waitUntil(lambda: again.state.answer is not None, timeout=5000)
    again.shut()
