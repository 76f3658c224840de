"""The manifest: every command imports, every sample opens, menus and writers are there."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManifest

import napari_infoleak
from napari_infoleak.io.samples import SAMPLES
from napari_infoleak.widgets import samples

MANIFEST = PluginManifest.from_file(Path(napari_infoleak.__file__).parent / "napari.yaml")


@pytest.mark.parametrize("command", MANIFEST.contributions.commands, ids=lambda one: one.id)
def test_every_command_imports(command: Any) -> None:
    module, _, name = command.python_name.partition(":")
    assert callable(getattr(import_module(module), name))


def test_the_menu_leads_to_the_dock() -> None:
    first = MANIFEST.contributions.menus["napari/layers/segment"][0]
    (widget,) = MANIFEST.contributions.widgets
    assert first.command == widget.command == "napari-infoleak.dock"


def test_menus_press_the_buttons_of_the_dock(
    make_napari_viewer: Any, executor: Any, settle: Any
) -> None:
    from napari.utils.notifications import notification_manager

    from napari_infoleak.widgets import commands
    from napari_infoleak.widgets.dock import InfoleakDock

    viewer = make_napari_viewer()
    dock = InfoleakDock(viewer, executor)
    viewer.window.add_dock_widget(dock, name="Infoleak")
    commands.segment_view(viewer)
    assert "Open an image" in notification_manager.records[-1].message
    viewer.add_image(np.random.default_rng(0).random((5, 40, 48)))
    commands.new_annotation(viewer)
    assert dock.state.annotation is not None
    commands.segment_stack(viewer)
    settle(dock)
    commands.make_cells(viewer)
    settle(dock)
    assert dock.state.cells is not None
    menus = MANIFEST.contributions.menus.values()
    pressed = {item.command.partition(".")[2] for items in menus for item in items} - {"dock"}
    assert pressed <= set(vars(commands))
    dock.shut()


def test_the_manifest_lists_all_samples() -> None:
    listed = {(one.key, one.display_name) for one in MANIFEST.contributions.sample_data}
    assert {key for key, _ in listed} == {sample.name for sample in SAMPLES}


@pytest.mark.parametrize("name", [sample.name for sample in SAMPLES])
def test_a_sample_lines_up_and_is_ready_to_be_segmented(dock: Any, viewer: Any, name: str) -> None:
    for data, options, kind in getattr(samples, name)():
        getattr(viewer, f"add_{kind}")(data, **options)
    image, truth, strokes = viewer.layers
    assert dock.state.source.layer is image
    assert dock.state.annotation.layer is strokes
    assert not truth.visible
    assert np.allclose(image.extent.world[0][-2:], strokes.extent.world[0][-2:])
    assert np.allclose(image.extent.world[1][-2:], truth.extent.world[1][-2:])
    assert len(dock.state.count.total) == len(dock.state.classes)
    assert dock.segment.stack.isEnabled()


def test_the_child_needs_neither_qt_nor_napari() -> None:
    code = (
        "import sys; import napari_infoleak.widgets.jobs; "
        "found = {'napari', 'qtpy', 'torch', 'vispy'} & set(sys.modules); sys.exit(str(found))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "set()"


def test_the_window_loads_no_torch() -> None:
    code = (
        "import sys; import napari_infoleak.widgets.dock, napari_infoleak.widgets.reader; "
        "sys.exit(str({'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip().splitlines()[-1] == "set()"


def test_what_the_child_sends_back_is_known_without_torch() -> None:
    """Reading a result imports the module of its class, in a thread of the window's process."""
    folder = Path(napari_infoleak.__file__).parent / "widgets"
    modules: set[str] = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("napari_infoleak."):
                modules.add(str(node.module))
    at_the_top = "explain|scale|core|instances|session|infer|learn|spread"
    wanted = sorted(m for m in modules if m.split(".")[1] in at_the_top.split("|"))
    code = (
        f"import importlib, sys; names = {wanted}; "
        "loaded = [n for n in names if importlib.import_module(n) and 'torch' in sys.modules][:1]; "
        "sys.exit(str(loaded))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip().splitlines()[-1] == "[]"


def test_every_tooltip_is_used() -> None:
    from napari_infoleak.widgets.tooltips import TIPS

    folder = Path(napari_infoleak.__file__).parent / "widgets"
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    for key in TIPS:
        area = key.partition(".")[0]
        named = f'"{key}"' in text.replace(f'        "{key}":', "")
        assert named or f'"{area}.{{name}}"' in text, f"{key} is nowhere in the dock"
