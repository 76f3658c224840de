"""``infoleak replay``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))

from recording import Recording

from napari_infoleak.io import read_labels
from napari_infoleak.session import save_session


@pytest.fixture
def session(tmp_path):
    rng = np.random.default_rng(0)
    image = np.full((3, 48, 64), 200.0)
    image[:, ::12] = image[:, :, ::16] = 40
    np.save(tmp_path / "cells.npy", image + rng.normal(0, 5, image.shape))
    np.save(tmp_path / "other.npy", image[:2] + 1)
    recording = Recording(tmp_path / "cells.npy")
    strokes = np.zeros(image.shape, np.uint8)
    strokes[1, :, 20:24] = np.where(image[1, :, 20:24] < 100, 2, 1)
    recording.paint(strokes)
    recording.step("segment")
    recording.step("cells", method="watershed", min_size=20)
    np.save(tmp_path / "strokes.npy", strokes)
    return save_session(tmp_path / "a.infoleak", recording.session)


def test_it_gives_what_segment_and_cells_give(tiny, run, session, tmp_path):
    ran = run("replay", session, "--output", tmp_path / "out", "--json")
    assert ran.status == 0, ran.err
    assert ran.json["steps"] == ["segment", "cells"]
    assert ran.json["same_image"]
    options = ("--annotations", tmp_path / "strokes.npy", "--axes", "ZYX")
    run(
        *("segment", tmp_path / "cells.npy", *options, "--output", tmp_path / "l.tif"),
        *("--probabilities", tmp_path / "p.npy"),
    )
    run("cells", tmp_path / "p.npy", "--output", tmp_path / "c.tif", "--min-size", "20")
    for kind, name in (("labels", "l.tif"), ("cells", "c.tif")):
        mine, _ = read_labels(tmp_path / "out" / f"cells_{kind}.ome.tif")
        theirs, _ = read_labels(tmp_path / name)
        assert np.array_equal(mine, theirs)


def test_results_in_a_folder_are_replaced_on_demand_only(tiny, run, session, tmp_path):
    words = ("replay", session, "--output", tmp_path / "out")
    assert run(*words).status == 0
    before = (tmp_path / "out" / "cells_labels.ome.tif").stat().st_mtime_ns
    ran = run(*words)
    assert ran.status == 2
    assert "--overwrite" in ran.complaint
    assert (tmp_path / "out" / "cells_labels.ome.tif").stat().st_mtime_ns == before
    assert run(*words, "--on", tmp_path / "other.npy", "--axes", "ZYX").status == 2
    assert run(*words, "--overwrite").status == 0


def test_on_another_image(tiny, run, session, tmp_path):
    ran = run(
        *("replay", session, "--on", tmp_path / "other.npy", "--axes", "ZYX"),
        *("--output", tmp_path / "labels.tif", "--cells", tmp_path / "cells.tif"),
    )
    assert ran.status == 0, ran.err
    assert "another image" in ran.out
    assert read_labels(tmp_path / "labels.tif")[0].shape == (2, 48, 64)
    assert read_labels(tmp_path / "cells.tif")[0].any()


def test_what_is_wrong_is_one_line(tiny, run, session, tmp_path):
    (tmp_path / "cells.npy").rename(tmp_path / "moved.npy")
    ran = run("replay", session, "--output", tmp_path / "out")
    assert ran.status == 2
    assert "--image cells=FILE" in ran.complaint
    assert not (tmp_path / "out").exists()
    moved = f"cells={tmp_path / 'moved.npy'}"
    assert run("replay", session, "--image", moved, "--output", tmp_path / "out").status == 0
    assert "OLD=NEW" in run("replay", session, "--image", "x", "--output", "o").complaint
    assert "No such file" in run("replay", tmp_path / "none", "--output", "o").complaint
    ran = run("replay", tmp_path / "strokes.npy", "--output", tmp_path / "out")
    assert ran.status == 2
    assert "no session" in ran.complaint
    early = run("replay", tmp_path / "none", "--output", tmp_path / "o.xyz")
    assert "name a folder" in early.complaint  # before anything is read
    floats = ("--output", tmp_path / "l.tif", "--probabilities", tmp_path / "p.png")
    assert "floating-point" in run("replay", tmp_path / "none", *floats).complaint
    ran = run("replay", session, "--image", moved, "--output", tmp_path / "o.xyz")
    assert ran.status == 2
