"""A monkey plays with the dock for a moment; `benchmarks/monkey.py` lets it play for longer."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
if not FOLDER.is_dir():
    pytest.skip("not a checkout", allow_module_level=True)

ACTIONS = 40


def test_no_traceback_and_no_process_is_left(
    make_napari_viewer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from napari_infoleak.widgets import training
    from napari_infoleak.widgets.dock import InfoleakDock

    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(training, "models_folder", lambda: tmp_path)
    monkey = importlib.import_module("monkey")
    viewer = make_napari_viewer()
    dock = InfoleakDock(viewer)
    viewer.window.add_dock_widget(dock, name="Infoleak")
    with monkey.Faults() as faults, monkey.no_questions():
        player = monkey.Monkey(viewer, dock, np.random.default_rng(7), tmp_path)
        viewer.add_image(np.random.default_rng(7).integers(0, 255, (5, 80, 90), dtype=np.uint8))
        for _ in range(ACTIONS):
            player.act()
            assert not faults.found, "\n".join([*player.last, *faults.found])
    executor = dock.worker.executor
    dock.shut()
    assert executor.pid is None
    assert sum(player.done.values()) == ACTIONS
