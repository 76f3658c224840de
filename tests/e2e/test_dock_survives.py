"""The dock with its real child process: stopped, killed, closed, and none the worse for it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

WAIT_MS = 240_000


@pytest.fixture
def dock(make_napari_viewer: Callable[..., Any]) -> Iterator[Any]:
    """A painted stack, long enough to be interrupted at."""
    from napari_infoleak.widgets.dock import InfoleakDock

    viewer = make_napari_viewer()
    widget = InfoleakDock(viewer)
    viewer.window.add_dock_widget(widget, name="Infoleak")
    noise = np.random.default_rng(0).random((60, 512, 512), dtype=np.float32)
    viewer.add_image(noise, name="long")
    widget.annotate.make_layer()
    layer = widget.annotate.layer.layer
    layer.data[0, 20:24, 20:200], layer.data[0, 60:64, 20:200] = 1, 2
    layer.refresh()
    widget.annotate.count_now()
    yield widget
    if not widget.worker.executor.closed:
        widget.shut()


@pytest.fixture
def running(dock: Any, qtbot: Any) -> Any:
    """The same, in the middle of the work."""
    dock.segment.segment_stack()
    qtbot.waitUntil(lambda: dock.footer.bar.value() > 0, timeout=WAIT_MS)
    return dock


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_child_that_the_system_kills_is_one_sentence(running: Any, qtbot: Any) -> None:
    before = running.state.annotation.layer.data.copy()
    os.kill(running.worker.executor.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: not running.worker.busy, timeout=WAIT_MS)
    text = running.footer.text.text()
    assert "was killed" in text
    assert "memory was full" in text
    assert "Traceback" not in text
    assert "\n" not in text
    assert np.array_equal(running.state.annotation.layer.data, before)
    assert "long labels" not in running.viewer.layers
    running.segment.segment_view()
    qtbot.waitUntil(lambda: not running.worker.busy, timeout=WAIT_MS)
    assert "long labels" in running.viewer.layers


def test_closing_in_the_middle_leaves_no_process_and_no_files(running: Any, qtbot: Any) -> None:
    executor = running.worker.executor
    pid, folder = executor.pid, executor._folder.path
    assert folder.is_dir()
    running.viewer.close()
    qtbot.waitUntil(lambda: not alive(pid), timeout=10_000)
    assert not folder.exists()


def test_training_is_cancelled_and_leaves_nothing(
    dock: Any, qtbot: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_infoleak.widgets import training

    monkeypatch.setattr(training, "models_folder", lambda: tmp_path)
    dock.train.minutes.setValue(30)
    dock.train.train()
    qtbot.waitUntil(lambda: dock.footer.bar.value() > 0, timeout=WAIT_MS)
    begin = time.monotonic()
    dock.footer.cancel.click()
    qtbot.waitUntil(lambda: not dock.worker.busy, timeout=WAIT_MS)
    took = time.monotonic() - begin
    assert took < 5, "a busy machine may take longer than the second it should be"
    assert "Cancelled" in dock.footer.text.text()
    assert not list(tmp_path.glob("*.safetensors"))
    assert dock.train.start.isEnabled()
