"""napari's activity dock shows what runs, how long it takes, and can stop it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.utils import progress

from napari_infoleak.scale.events import Done, Progress


@pytest.fixture
def running(dock: Any, viewer: Any, executor: Any, rng: np.random.Generator) -> Any:
    viewer.add_image(rng.random((5, 40, 48)), name="cells")
    executor.waits = True
    dock.segment.segment_stack()
    return dock


def bars() -> list[Any]:
    return [bar for bar in progress._all_instances if "Segmenting" in bar.desc]


def test_it_shows_what_runs_and_the_time_left(running: Any, executor: Any, qtbot: Any) -> None:
    (bar,) = bars()
    said: list[str] = []
    bar.events.eta.connect(lambda event: said.append(event.value))
    qtbot.waitUntil(lambda: (bar.n, bar.total) == (1, 4), timeout=5000)
    executor.jobs[0].events.append(Progress(3, 4, "slice 3 of 4"))
    qtbot.waitUntil(lambda: bar.n == 3, timeout=5000)
    assert said[-1].endswith(" left")
    executor.jobs[0].events.append(Done(executor.answers["segment"](**executor.asked[0][1])))
    qtbot.waitUntil(lambda: not running.worker.busy, timeout=5000)
    assert bars() == []


def test_its_cancel_stops_the_work(running: Any, settle: Any) -> None:
    (bar,) = bars()
    bar.cancel()
    settle(running)
    assert bars() == []
    assert "Cancelled" in running.footer.text.text()


def test_closing_the_dock_takes_it_away(running: Any) -> None:
    running.shut()
    assert bars() == []


def test_nothing_is_written_into_the_terminal(running: Any, qtbot: Any, capfd: Any) -> None:
    qtbot.wait(300)
    assert "Segmenting" not in capfd.readouterr().err
    running.worker.cancel()
