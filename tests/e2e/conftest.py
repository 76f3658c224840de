"""A dock with its real child process, in a napari window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WAIT_MS = 240_000


@pytest.fixture
def dock(
    make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Any]:
    """Open the dock as napari does, child process and all, away from the user's folders."""
    from napari_infoleak.session import places
    from napari_infoleak.widgets import training
    from napari_infoleak.widgets.dock import InfoleakDock

    models = tmp_path / "models"
    models.mkdir()
    monkeypatch.setattr(training, "models_folder", lambda: models)
    monkeypatch.setattr(places, "user_folder", lambda: tmp_path / "own")
    viewer = make_napari_viewer()
    widget = InfoleakDock(viewer)
    viewer.window.add_dock_widget(widget, name="Infoleak")
    yield widget
    widget.shut()


@pytest.fixture
def finish(qtbot: Any) -> Callable[[Any], None]:
    """Wait until the dock has done what it was asked."""

    def wait(dock: Any) -> None:
        qtbot.waitUntil(lambda: not dock.worker.busy, timeout=WAIT_MS)
        assert dock.footer.message.property("level") != "error", dock.footer.text.text()

    return wait
