"""Keys do what the manifest says, and take nothing from anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.utils.key_bindings import coerce_keybinding
from npe2 import PluginManifest

import napari_infoleak
from napari_infoleak.widgets.dock import InfoleakDock
from napari_infoleak.widgets.keys import KEYS, owner_of

MANIFEST = PluginManifest.from_file(Path(napari_infoleak.__file__).parent / "napari.yaml")


@pytest.fixture
def stack(dock: Any, viewer: Any, rng: np.random.Generator) -> Any:
    viewer.add_image(rng.random((5, 40, 48)), name="cells")
    return dock


def numbers(layer: Any) -> set[str]:
    return {str(key) for key in layer.keymap if str(key).isdigit()}


def press(holder: Any, key: str) -> None:
    holder.keymap[coerce_keybinding(key)](holder)


def test_the_dock_binds_what_the_manifest_lists() -> None:
    listed = {one.command: one.key for one in MANIFEST.contributions.keybindings}
    assert listed == {f"napari-infoleak.{name}": key for name, key in KEYS.items()}


@pytest.mark.parametrize("key", KEYS.values())
def test_no_key_is_one_of_naparis(viewer: Any, key: str) -> None:
    assert owner_of(viewer, key) == ""


def test_keys_press_buttons(stack: Any, viewer: Any, executor: Any, settle: Any) -> None:
    press(viewer, "Shift+Enter")
    assert executor.asked[-1][1]["region"] is not None
    settle(stack)
    press(viewer, "Ctrl+Enter")
    assert executor.asked[-1][1]["region"] is None
    press(viewer, "Ctrl+Enter")
    assert len(executor.asked) == 2, "the button is disabled while it runs"
    settle(stack)


def test_a_key_of_another_plugin_stays_its(viewer: Any, qtbot: Any, executor: Any) -> None:
    def other(viewer: Any) -> None:
        raise AssertionError

    viewer.bind_key("Shift+Enter", other)
    viewer.add_image(np.zeros((40, 48)))
    dock = InfoleakDock(viewer, executor)
    qtbot.addWidget(dock)
    assert viewer.keymap[coerce_keybinding("Shift+Enter")] is other
    assert "belongs to another plugin" in dock.segment.view.toolTip()
    assert "Key: Ctrl+Enter" in dock.segment.stack.toolTip()
    dock.shut()
    assert [str(key) for key in viewer.keymap] == ["Shift+Enter"]


def test_a_shortcut_that_the_user_gave_to_napari_stays_there(
    viewer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_infoleak.widgets import keys

    class Chosen:
        shortcuts = type("", (), {"shortcuts": {"napari:reset_view": ["N"]}})

    monkeypatch.setattr(keys, "get_settings", Chosen)
    assert owner_of(viewer, "N") == "napari, for “reset view”"


def test_numbers_without_a_class_keep_their_meaning(stack: Any) -> None:
    stack.annotate.make_layer()
    layer = stack.state.annotation.layer
    assert numbers(layer) == {"1", "2"}
    stack.annotate.append_class()
    assert numbers(layer) == {"1", "2", "3"}
    stack.shut()
    assert not numbers(layer)


def test_a_number_that_another_plugin_bound_on_the_layer_stays_its(stack: Any, viewer: Any) -> None:
    layer = viewer.add_labels(np.zeros((5, 40, 48), np.uint8))

    def other(layer: Any) -> None:
        """Do something else."""

    layer.bind_key("2", other)
    stack.annotate.layer.choose(layer)
    assert layer.keymap[coerce_keybinding("2")] is other
    assert numbers(layer) == {"1", "2"}
