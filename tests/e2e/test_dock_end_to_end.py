"""The dock with its real child process and the shipped model: as good as the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_infoleak.io import read, read_labels
from napari_infoleak.io.samples import sample_path
from napari_infoleak.widgets import samples
from napari_infoleak.widgets.command import done_in, segment_words

WAIT_MS = 240_000


def open_sample(dock: Any, name: str) -> tuple[Any, Any, Any]:
    image, truth, strokes = (
        getattr(dock.viewer, f"add_{kind}")(data, **options)
        for data, options, kind in samples.sample(name)
    )
    return image, truth, strokes


def infoleak(*words: str | Path) -> None:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "napari_infoleak", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr


def test_the_same_strokes_give_the_same_labels_as_the_command_line(
    dock: Any, finish: Any, tmp_path: Path
) -> None:
    image, _, _ = open_sample(dock, "em_stack")
    dock.segment.segment_stack()
    finish(dock)
    words = segment_words(done_in(dock.state))[1:]  # what "Copy as command" copies
    words[words.index("--output") + 1] = str(tmp_path / "labels.tif")
    infoleak(*words, "--probabilities", tmp_path / "probabilities.npy")
    shown = dock.viewer.layers["em_stack labels"]
    labels, axes = read_labels(tmp_path / "labels.tif")
    assert axes == "ZYX"
    assert shown.data.dtype == labels.dtype
    assert np.asarray(shown.data).tobytes() == np.asarray(labels).tobytes()
    planes = np.load(tmp_path / "probabilities.npy")
    assert np.asarray(dock.state.answer.probabilities).tobytes() == planes.tobytes()
    assert tuple(shown.scale) == tuple(image.scale)
    assert shown.units == image.units

    dock.cells.make_cells()
    finish(dock)
    infoleak("cells", tmp_path / "probabilities.npy", "--output", tmp_path / "cells.tif")
    cells, _ = read_labels(tmp_path / "cells.tif")
    assert np.array_equal(dock.viewer.layers["em_stack cells"].data, cells)
    assert dock.state.cells == np.count_nonzero(np.unique(cells))


def test_strokes_on_another_image_give_the_same_labels_as_the_command_line(
    dock: Any, finish: Any, tmp_path: Path
) -> None:
    known, _, strokes = open_sample(dock, "em_stack")
    data = np.asarray(read(sample_path("em_stack")).data)[0, 0, :2, :128, :128]
    np.save(tmp_path / "new.npy", data)
    image = dock.viewer.add_image(data, name="new")
    dock.image.layer.choose(image)
    assert dock.state.annotation is None
    dock.annotate.support.open_form.setChecked(True)
    dock.annotate.support.image.choose(known)
    dock.annotate.support.labels.choose(strokes)
    dock.annotate.support.add_pair()
    dock.segment.segment_stack()
    finish(dock)
    infoleak(
        *("segment", tmp_path / "new.npy", "--output", tmp_path / "labels.npy", "--axes", "ZYX"),
        *("--support", sample_path("em_stack"), sample_path("em_stack", "strokes")),
    )
    labels = np.load(tmp_path / "labels.npy")
    assert np.asarray(dock.viewer.layers["new labels"].data).tobytes() == labels.tobytes()


def test_five_axes_come_back_with_their_scale(dock: Any, finish: Any, tmp_path: Path) -> None:
    image, _, _ = open_sample(dock, "five_axes")
    assert dock.state.source.axes == "TZCYX"
    dock.image.channel.setCurrentIndex(1)
    dock.segment.segment_stack()
    finish(dock)
    shown = dock.viewer.layers["five_axes labels"]
    assert shown.data.shape == (*image.data.shape[:2], 1, *image.data.shape[3:])
    assert shown.scale[[0, 1, 3, 4]] == pytest.approx(image.scale[[0, 1, 3, 4]])

    dock.export.save_to(tmp_path / "dock.ome.tif", "labels")
    finish(dock)
    command = [
        *("segment", sample_path("five_axes"), "--output", tmp_path / "cli.ome.tif"),
        *("--annotations", sample_path("five_axes", "strokes"), "--channel", "1"),
    ]
    infoleak(*command)
    saved, axes = read_labels(tmp_path / "dock.ome.tif")
    told, _ = read_labels(tmp_path / "cli.ome.tif")
    assert axes == "TZYX"
    assert np.array_equal(saved, told)
    assert read(tmp_path / "dock.ome.tif").scale == read(tmp_path / "cli.ome.tif").scale


def test_the_view_agrees_with_the_stack(dock: Any, finish: Any) -> None:
    open_sample(dock, "time_lapse")
    dock.viewer.dims.set_current_step(0, 4)
    dock.segment.segment_view()
    finish(dock)
    labels = dock.viewer.layers["time_lapse labels"]
    seen = np.array(labels.data)
    assert seen[4].all()
    assert not seen[[0, 9]].any()
    dock.segment.segment_stack()
    finish(dock)
    assert dock.viewer.layers["time_lapse labels"] is labels
    assert np.array_equal(labels.data[4], seen[4])
    assert np.asarray(labels.data).all()


def test_cancel_is_quick_and_the_next_answer_comes(
    dock: Any, finish: Any, qtbot: Any, rng: np.random.Generator
) -> None:
    dock.viewer.add_image(rng.random((60, 512, 512), dtype=np.float32), name="long")
    dock.segment.segment_stack()
    qtbot.waitUntil(lambda: dock.footer.bar.value() > 0, timeout=WAIT_MS)
    begin = time.monotonic()
    dock.footer.cancel.click()
    qtbot.waitUntil(lambda: not dock.worker.busy, timeout=10_000)
    took = time.monotonic() - begin
    assert took < 5, "a busy machine may take longer than the second it should be"
    assert [layer.name for layer in dock.viewer.layers] == ["long"]
    assert "Cancelled" in dock.footer.text.text()
    dock.segment.segment_view()
    finish(dock)
    assert dock.viewer.layers["long labels"].data[dock.viewer.dims.current_step[0]].all()


def test_an_error_of_the_child_is_one_line(dock: Any, qtbot: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no model")
    _, _, strokes = open_sample(dock, "many_classes")
    before = strokes.data.copy()
    dock.segment.use_model(str(broken))
    dock.segment.segment_view()
    qtbot.waitUntil(lambda: not dock.worker.busy, timeout=WAIT_MS)
    text = dock.footer.text.text()
    assert dock.footer.message.property("level") == "error"
    assert "broken.safetensors" in text
    assert "Traceback" not in text
    assert "\n" not in text
    assert np.array_equal(strokes.data, before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
