"""The page of keys tells all the keys that the dock binds, and no others."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.utils.key_bindings import coerce_keybinding

from napari_infoleak.widgets.correcting import TOOLS
from napari_infoleak.widgets.keys import KEYS
from napari_infoleak.widgets.tooltips import TIPS

PAGE = Path(__file__).parents[2] / "docs" / "shortcuts.md"


def told(where: str) -> set[Any]:
    """Return the keys that the page tells for a place."""
    keys: list[str] = []
    for cell, place in re.findall(r"^\| (`.+?) \| (\w+) \|", PAGE.read_text("utf-8"), re.M):
        if place == where:
            ends = re.findall(r"`(.+?)`", cell)
            between = " to " in cell
            keys += map(str, range(int(ends[0]), int(ends[1]) + 1)) if between else ends
    on_a_mac = sys.platform == "darwin" and where != "anywhere"
    return {coerce_keybinding(key.replace("Ctrl", "Cmd") if on_a_mac else key) for key in keys}


def test_keys_that_work_anywhere() -> None:
    assert told("anywhere") == {coerce_keybinding(key) for key in KEYS.values()}


def test_keys_of_the_layers(dock: Any, viewer: Any, settle: Any) -> None:
    image = np.zeros((3, 40, 48))
    image[:, 5:35, 5:20] = 1
    viewer.add_image(image, name="img")
    dock.annotate.make_layer()
    for _ in range(7):
        dock.annotate.append_class()
    assert set(viewer.layers["img annotation"].keymap) == told("annotation")
    viewer.layers.remove(viewer.layers["img annotation"])
    dock.segment.segment_stack()
    settle(dock)
    dock.cells.make_cells()
    settle(dock)
    assert set(viewer.layers["img cells"].keymap) == told("cells")
    dock.cells.tools.tools["split"].click()
    assert set(viewer.layers["img correction"].keymap) == told("cells")


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_tool_tells_its_key(tool: Any) -> None:
    assert re.search(rf"key {tool.key}\b", TIPS[f"correct.{tool.name}"])
