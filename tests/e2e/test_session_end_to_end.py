"""What the dock did can be done again by command, Python and replay; a kill loses no stroke."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_infoleak.io import read, read_labels
from napari_infoleak.io.samples import sample_path
from napari_infoleak.session.journal import read_journal
from napari_infoleak.session.session import Session
from napari_infoleak.widgets.layers import KEY


def run(*words: str | Path) -> None:
    """Run the command line, or Python, in a process of its own."""
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stderr


def pasted(text: str) -> None:
    """Run what lies on the clipboard, as a shell does."""
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words:
            assert words[0] == "infoleak"
            run("-m", "napari_infoleak", *words[1:])


@pytest.fixture
def painted(dock: Any, finish: Any, tmp_path: Path) -> Any:
    """A dock with a small stack and its strokes, both in files."""
    pixels = np.asarray(read(sample_path("em_stack")).data)[0, 0, 4:7, :96, :112]
    strokes = np.asarray(read_labels(sample_path("em_stack", "strokes"))[0])[4:7, :96, :112]
    path = tmp_path / "my cells.npy"
    np.save(path, pixels)
    dock.viewer.add_image(pixels, name="my cells", metadata={KEY: {"file": str(path)}})
    dock.annotate.make_layer()
    paint = dock.annotate.layer.layer
    paint.data[...] = strokes
    paint.refresh()
    dock.annotate.count_now()
    assert set(dock.state.count.total) == {1, 2}
    dock.export.save_to(tmp_path / "paint.tif", "annotation")
    finish(dock)
    return dock


def assert_done_again(dock: Any, folder: Path) -> None:
    """Compare the bytes of layers with those of commands, of Python and of a replay."""
    from qtpy.QtWidgets import QApplication

    shown = [dock.viewer.layers[f"my cells {what}"].data for what in ("labels", "cells")]
    made = [folder / f"my cells_{what}.ome.tif" for what in ("labels", "cells")]

    def assert_same(files: list[Path]) -> None:
        for file, values in zip(files, shown, strict=True):
            array = np.asarray(read_labels(file)[0])
            assert array.astype(values.dtype).tobytes() == np.asarray(values).tobytes()

    dock.export.copy_command()
    pasted(QApplication.clipboard().text())
    assert_same(made)
    for file in made:
        file.unlink()
    dock.export.copy_python()
    run("-c", QApplication.clipboard().text())
    assert_same(made)
    assert dock.session.save_to(folder / "a.infoleak")
    (folder / "models").rename(folder / "gone")  # as on another computer
    run("-m", "napari_infoleak", "replay", folder / "a.infoleak", "--output", folder / "out")
    assert_same([folder / "out" / file.name.replace(" ", "_") for file in made])


def test_training_and_cells_are_done_again(painted: Any, finish: Any, tmp_path: Path) -> None:
    assert painted.training.start("unet", 0.05, "none")
    finish(painted)
    assert Path(painted.state.model).parent == tmp_path / "models"
    painted.segment.leak.setValue(0.5)
    painted.segment.segment_stack()
    finish(painted)
    painted.cells.min_size.setValue(30)
    painted.cells.make_cells()
    finish(painted)
    assert_done_again(painted, tmp_path)


def test_spread_is_done_again(painted: Any, finish: Any, tmp_path: Path) -> None:
    assert painted.spreading.start("Z", 0.25)
    finish(painted)
    painted.cells.make_cells()
    finish(painted)
    assert_done_again(painted, tmp_path)


PAINTER = """
import sys, time
import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
application = QApplication([])
from napari_infoleak.widgets.dock import InfoleakDock
from napari_infoleak.widgets.layers import KEY
viewer = ViewerModel()
dock = InfoleakDock(viewer)
path = sys.argv[1]
viewer.add_image(np.load(path), metadata={KEY: {"file": path}})
dock.annotate.make_layer()
layer = dock.annotate.layer.layer
number = 0
while True:
    z, y = number % 4, (number // 4) % 64
    layer.data_setitem((np.full(64, z), np.full(64, y), np.arange(64)), number // 256 + 1)
    application.processEvents()
    print(number, flush=True)
    number += 1
"""


def killed_at(line: str, program: str, path: Path) -> str:
    """Run a window in a process, kill it once it prints a line, and return the last one."""
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "XDG_DATA_HOME": str(path.parent)}
    last = ""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as child:
        assert child.stdout is not None
        for printed in child.stdout:
            last = printed.strip()
            if last == line:
                child.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    return last


def test_a_killed_window_loses_no_stroke(tmp_path: Path) -> None:
    path = tmp_path / "cells.npy"
    np.save(path, np.random.default_rng(0).random((4, 64, 64)))
    told = int(killed_at("200", PAINTER, path))
    (journal,) = tmp_path.glob("*.infoleak-journal")
    paint = Session(read_journal(journal)[0]).layers[1].paint.whole("ZYX")
    rows = np.array([(n % 4, n // 4) for n in range(told + 1)])
    assert paint[rows[:, 0], rows[:, 1]].all()
    assert told >= 200


WORKER = """
import sys, time
import numpy as np
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
application = QApplication([])
from napari_infoleak.widgets.dock import InfoleakDock
from napari_infoleak.widgets.layers import KEY
viewer = ViewerModel()
dock = InfoleakDock(viewer)
path = sys.argv[1]
viewer.add_image(np.load(path), name="cells", metadata={KEY: {"file": path}})
def wait():
    while dock.worker.busy or dock.storing.busy:
        application.processEvents()
        time.sleep(0.01)
dock.segment.segment_stack()
wait()
dock.cells.make_cells()
wait()
dock.storing.finish()
correcting = dock.cells.correcting
for number in range(20):
    y = 3 * number
    step = correcting._current().paint([(0, 1, y, x) for x in range(5, 20)])
    correcting._show(step, "", 1)
correcting._show(correcting._current().finish([(0, 1, y, 9)]), "", 1)
for kind in ("labels", "cells"):
    np.save(path.replace("cells", kind + " shown"), viewer.layers["cells " + kind].data)
print("done", flush=True)
time.sleep(600)
"""


def test_a_killed_window_loses_no_result_and_no_correction(
    dock: Any, qtbot: Any, tmp_path: Path
) -> None:
    path = tmp_path / "cells.npy"
    np.save(path, np.asarray(read(sample_path("em_stack")).data)[0, 0, 4:7, :96, :112])
    killed_at("done", WORKER, path)
    dock.viewer.add_image(np.load(path), name="cells", metadata={KEY: {"file": str(path)}})
    dock.resume.go_on.click()
    qtbot.waitUntil(lambda: not dock.storing.busy, timeout=10_000)
    for kind in ("labels", "cells"):
        shown = np.load(tmp_path / f"{kind} shown.npy")
        assert np.array_equal(dock.viewer.layers[f"cells {kind}"].data, shown)
    assert len(dock.cells.correcting.finished()) == 1
    assert dock.state.answer.complete
    assert dock.state.cells == len(np.unique(shown)) - 1
