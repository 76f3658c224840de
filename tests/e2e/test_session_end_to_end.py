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


def test_command_python_and_replay_give_what_the_dock_gave(
    dock: Any, finish: Any, tmp_path: Path
) -> None:
    from qtpy.QtWidgets import QApplication

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

    assert dock.training.start("unet", 0.05, "none")
    finish(dock)
    dock.segment.leak.setValue(0.5)
    dock.segment.segment_stack()
    finish(dock)
    dock.cells.method.setCurrentIndex(0)
    dock.cells.min_size.setValue(30)
    dock.cells.make_cells()
    finish(dock)
    labels = np.asarray(dock.viewer.layers["my cells labels"].data).tobytes()
    cells = np.asarray(dock.viewer.layers["my cells cells"].data)
    assert Path(dock.state.model).parent == tmp_path / "models"

    def assert_same(labels_file: Path, cells_file: Path) -> None:
        assert np.asarray(read_labels(labels_file)[0]).tobytes() == labels
        assert np.array_equal(read_labels(cells_file)[0], cells)

    made = [tmp_path / f"my cells_{what}.ome.tif" for what in ("labels", "cells")]
    dock.export.copy_command()
    assert "# infoleak train" in QApplication.clipboard().text()
    pasted(QApplication.clipboard().text())
    assert_same(*made)
    for file in made:
        file.unlink()
    dock.export.copy_python()
    run("-c", QApplication.clipboard().text())
    assert_same(*made)

    assert dock.session.save_to(tmp_path / "a.infoleak")
    (tmp_path / "models").rename(tmp_path / "gone")  # as on another computer
    run("-m", "napari_infoleak", "replay", tmp_path / "a.infoleak", "--output", tmp_path / "out")
    assert_same(*(tmp_path / "out" / file.name.replace(" ", "_") for file in made))


PAINTER = """
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


def test_a_killed_window_loses_no_stroke(tmp_path: Path) -> None:
    path = tmp_path / "cells.npy"
    np.save(path, np.random.default_rng(0).random((4, 64, 64)))
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "XDG_DATA_HOME": str(tmp_path)}
    told = -1
    with subprocess.Popen(
        [sys.executable, "-c", PAINTER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            told = int(line)
            if told == 200:
                child.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    (journal,) = tmp_path.glob("*.infoleak-journal")
    paint = Session(read_journal(journal)[0]).layers[1].paint.whole("ZYX")
    rows = np.array([(n % 4, n // 4) for n in range(told + 1)])
    assert paint[rows[:, 0], rows[:, 1]].all()
    assert told >= 200
