"""What a newcomer does with mouse and keys comes to its end, and pictures come of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "images"
if not FOLDER.is_dir():
    pytest.skip("not a checkout", allow_module_level=True)

TASKS = ("membranes", "mitochondria", "cells", "time", "fiji")

pytestmark = [pytest.mark.slow, pytest.mark.recorded]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return a screen that is large enough, and a user who has done nothing yet."""
    display = pytest.importorskip("pyvirtualdisplay", reason="there is no screen of our own")
    own = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("DATA", "STATE", "CACHE")}
    with display.Display(size=(1600, 1200), manage_global_env=False) as screen:
        yield {**os.environ, **screen.env(), **own, "NAPARI_CONFIG": str(tmp_path / "napari.yaml")}


def run(environment: dict[str, str], *words: str | Path) -> str:
    """Run a script of the pictures in a process of its own."""
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("task", TASKS)
def test_a_newcomer_gets_there(task: str, environment: dict[str, str], tmp_path: Path) -> None:
    assert run(environment, FOLDER / "tasks.py", tmp_path, "--only", task).startswith(f"{task}: ")
    assert (tmp_path / f"task-{task}.png").stat().st_size > 10_000


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_journey_goes_on_after_a_kill(environment: dict[str, str], tmp_path: Path) -> None:
    run(environment, FOLDER / "journey.py", tmp_path)
    assert (tmp_path / "journey-resume.png").is_file()
