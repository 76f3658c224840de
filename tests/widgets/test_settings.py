"""What is set in napari's Preferences counts in the dock, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManifest

import napari_infoleak
from napari_infoleak.widgets import settings as module
from napari_infoleak.widgets.dock import InfoleakDock
from napari_infoleak.widgets.settings import Settings, read_settings

MANIFEST = PluginManifest.from_file(Path(napari_infoleak.__file__).parent / "napari.yaml")


def configured() -> dict[str, Any]:
    """Return the defaults that the manifest shows to the user."""
    parts = getattr(MANIFEST.contributions, "configurations", {})
    return {name: one.default for part in parts.values() for name, one in part.properties.items()}


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Any:
    """napari's own object with our settings, made of the manifest, apart from the user's file."""
    generator = pytest.importorskip(
        "napari.settings._plugin_config_generator", reason="napari before 0.9 has no such settings"
    )

    class Known:
        def iter_manifests(self, disabled: bool = False) -> list[PluginManifest]:
            return [MANIFEST]

    model = generator.plugin_configuration_generator(Known())["napari-infoleak"]
    made = model(config_path=None)
    monkeypatch.setattr(module, "_of_napari", lambda: made)
    return made


def test_the_manifest_shows_the_same_defaults() -> None:
    if not configured():
        pytest.skip("this npe2 knows no such settings")
    assert Settings(**configured()) == Settings()


def test_nothing_set_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_of_napari", lambda: None)
    assert read_settings() == Settings()
    assert Settings().environment() == {}


def test_the_child_gets_what_is_set_before(
    chosen: Any, viewer: Any, executor: Any, qtbot: Any
) -> None:
    chosen.computing.device = "cpu"
    chosen.computing.memory_gb = 3.5
    dock = InfoleakDock(viewer, executor)
    qtbot.addWidget(dock)
    assert executor.environment == {"INFOLEAK_DEVICE": "cpu", "INFOLEAK_MEMORY_GB": "3.5"}
    chosen.computing.threads = 2
    chosen.computing.cache_gb = 0.0
    chosen.computing.cache_folder = "/data/cache"
    assert executor.environment == {
        "INFOLEAK_DEVICE": "cpu",
        "INFOLEAK_MEMORY_GB": "3.5",
        "INFOLEAK_CACHE_GB": "0",
        "INFOLEAK_CACHE_FOLDER": "/data/cache",
        "OMP_NUM_THREADS": "2",
        "MKL_NUM_THREADS": "2",
    }
    dock.shut()
    chosen.computing.threads = 7
    assert executor.environment["OMP_NUM_THREADS"] == "2", "a closed dock listens no more"


def test_colours_change_on_screen(
    chosen: Any, viewer: Any, executor: Any, qtbot: Any, settle: Any, rng: np.random.Generator
) -> None:
    chosen.colours.interior = "#102030"
    dock = InfoleakDock(viewer, executor)
    qtbot.addWidget(dock)
    viewer.add_image(rng.random((5, 40, 48)), name="cells")
    dock.annotate.make_layer()
    assert dock.state.classes[1].colour == "#102030"
    dock.segment.segment_stack()
    settle(dock)
    chosen.colours.membrane = "#00ff00"
    chosen.colours.membrane_probability = "#0000ff"
    layer = dock.state.annotation.layer
    assert layer.colormap.map(2)[:3] == pytest.approx([0, 1, 0], abs=0.01)
    glow = viewer.layers["cells membrane"].colormap.colors
    assert glow[-1][:3] == pytest.approx([0, 0, 1])
    chosen.colours.membrane_probability = "no colour"
    assert viewer.layers["cells membrane"].colormap.colors[-1][:3] == pytest.approx(
        [1, 0xB0 / 255, 0]
    )
    dock.shut()
