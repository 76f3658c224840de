"""The commands that explain: what they print, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import napari_infoleak as il


@pytest.fixture
def files(tmp_path, monkeypatch):
    """An image of a lattice of cells and its strokes, with the shipped model."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    membranes = np.zeros((2, 64, 96), bool)
    membranes[:, ::16], membranes[:, :, ::16] = True, True
    image = np.where(membranes, 60, 190) + rng.normal(0, 8, membranes.shape)
    strokes = np.zeros(membranes.shape, np.uint8)
    strokes[0, 16, 20:40], strokes[0, 48, 50:70] = 2, 2
    strokes[0, 24, 18:30], strokes[0, 56, 66:78] = 1, 1
    il.write("image.tif", image.astype(np.float32), axes="ZYX", kind="image")
    il.write("strokes.tif", strokes, axes="ZYX")
    return strokes


def test_why_prints_places_and_json(run, files):
    done = run("why image.tif --annotations strokes.tif --at 1,32,40 --json --device cpu")
    assert done.status == 0, done.err
    found = done.json
    assert found["class_ids"] == [1, 2]
    assert abs(sum(found["probabilities"]) - 1) < 1e-4
    for patch in found["patches"]:
        assert files[patch["z"], patch["y"], patch["x"]] == patch["class_id"]
    shown = run("why image.tif --annotations strokes.tif --at 1,32,40 --top 2")
    assert shown.out.splitlines()[0].split() == ["class", "answer", "without", "paint", "read"]
    assert len(shown.out.splitlines()) == 3 + 1 + 1 + 2


def test_review_prints_strokes_and_json(run, files):
    done = run("review image.tif --annotations strokes.tif --json")
    assert done.status == 0, done.err
    assert len(done.json["strokes"]) == 4
    assert done.json["planes"][0]["effect"] is None
    assert isinstance(done.json["suspects"], int)
    shown = run("review --support image.tif strokes.tif")
    assert shown.status == 0, shown.err
    assert "painted wrongly" in shown.out


def test_doubtful_prints_places_and_json(run, files):
    done = run("doubtful image.tif --annotations strokes.tif --count 3 --json")
    assert done.status == 0, done.err
    assert 1 <= len(done.json) <= 3
    for place in done.json:
        assert sorted(place["class_ids"]) == [1, 2]
    shown = run("doubtful image.tif --count 2")
    assert len(shown.out.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("why image.tif --annotations strokes.tif --at here", "whole numbers"),
        ("why image.tif --annotations strokes.tif --at 0,1", "ZYX"),
        ("why image.tif --annotations strokes.tif --at 0,1,99999", "99999"),
        ("why image.tif --annotations strokes.tif", "--at"),
        ("why image.tif --at 0,1,1", "nothing is annotated"),
        ("why image.tif --annotations strokes.tif --at 0,1,1 --top 0", "top is 0"),
        ("review image.tif", "belong together"),
        ("review", "nothing is annotated"),
        ("doubtful none.tif", "none.tif"),
        ("doubtful image.tif --count 0", "count is 0"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(run, files, words, message):
    done = run(words)
    assert done.status == 2
    assert message in done.complaint


def test_unknown_names_places_and_writes_a_map(run, folder):
    words = ("unknown", "stack.tif", "--annotations", "strokes.tif", "--count", 2)
    ran = run(*words, "--output", "unknown.tif", "--json")
    assert ran.status == 0, ran.err
    assert len(ran.json) == 2
    assert il.read("unknown.tif").axes == "ZYX"
    assert "strangeness" in run(*words).out
    assert "PNG" in run(*words, "--output", "unknown.png").complaint
