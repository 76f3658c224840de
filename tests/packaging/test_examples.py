"""The examples of the README and the tutorial run as they are printed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from napari_infoleak.io import read, write
from napari_infoleak.io.samples import sample_path

ROOT = Path(__file__).parents[2]
if not (ROOT / "docs").is_dir():
    pytest.skip("not a checkout", allow_module_level=True)


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.+?)^```$", text, re.M | re.S)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the files that the examples speak of; small, as two planes are enough."""
    shutil.copytree(sample_path("em_stack").parent, tmp_path / "sample_data")
    for name, part in (("stack.tif", "image"), ("strokes.tif", "strokes")):
        source = read(sample_path("em_stack", part))  # type: ignore[arg-type]
        planes = source.data[0, 0, 5:7, :96, :96]
        write(
            tmp_path / name,
            planes,
            axes="ZYX",
            kind="image" if part == "image" else "labels",
            scale=source.scale,
            units=source.units,
        )
    return tmp_path


def run(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_python_example_runs(page: str, desk: Path) -> None:
    (code,) = blocks(page, "python")
    run([sys.executable, "-c", code], desk)
    assert list(desk.glob("*.ome.tif"))


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_command_line_example_runs(page: str, desk: Path) -> None:
    lines = [
        line
        for block in blocks(page, "sh")
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("infoleak ")
    ]
    assert lines
    for line in lines:
        run([sys.executable, "-m", "napari_infoleak", *shlex.split(line)[1:]], desk)
    assert (desk / "membranes.ome.tif").is_file()
    assert (desk / "cells.ome.tif").is_file()
