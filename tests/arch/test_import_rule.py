from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import napari_infoleak

PACKAGE = Path(napari_infoleak.__file__).parent
WINDOWS = {
    "PyQt5",
    "PyQt6",
    "PySide2",
    "PySide6",
    "magicgui",
    "napari",
    "pyqtgraph",
    "qtpy",
    "superqt",
    "vispy",
}
FLOORS = (
    ("core",),
    ("io",),
    ("nets",),
    ("segmenters",),
    ("infer", "instances"),
    ("learn", "scale", "evaluate", "explain", "spread"),
    ("session",),
    ("api",),
    ("cli", "widgets"),
)
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}


def imports(path):
    """Dotted names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            yield node.module


def sources(*folders):
    for folder in folders:
        yield from (PACKAGE / folder).rglob("*.py")


def floor_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_part_has_its_floor():
    parts = {floor_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__", "__main__"}
    assert parts <= set(LEVEL)


def test_floors_import_only_floors_below():
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        own = floor_of(path)
        if own not in LEVEL:
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "napari_infoleak" or len(parts) < 2 or parts[1] == own:
                continue
            if LEVEL.get(parts[1], 99) >= LEVEL[own]:
                wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert not wrong


def test_the_core_knows_no_torch():
    for path in sources("core"):
        assert not {name.split(".")[0] for name in imports(path)} & {"torch", "zarr", "tifffile"}


def test_only_the_widgets_know_napari_and_qt():
    for path in PACKAGE.rglob("*.py"):
        if floor_of(path) != "widgets":
            assert not {name.split(".")[0] for name in imports(path)} & WINDOWS, path


def test_the_import_linter_agrees():
    pytest.importorskip("importlinter")
    root = PACKAGE.parents[1]
    if not (root / "pyproject.toml").is_file():
        pytest.skip("the contracts are in the repository, not in the installed package")
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
