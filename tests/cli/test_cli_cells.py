from __future__ import annotations

import csv
import os

import numpy as np
import pytest

import napari_infoleak as il
from napari_infoleak.instances.measure import measure


@pytest.fixture
def walls(folder):
    """Files of membranes around 4 x 4 cells on three planes."""
    plane = np.full((64, 64), 0.05, np.float32)
    plane[::16, :] = plane[:, ::16] = plane[1::16, :] = plane[:, 1::16] = 0.95
    stack = np.stack([plane] * 3)
    made = {
        "axes": "ZYX",
        "scale": {"Z": 8.0, "Y": 4.0, "X": 4.0},
        "units": dict.fromkeys("ZYX", "nanometer"),
    }
    classes = il.ClassTable.membrane()
    planes = np.stack([1 - stack, stack])
    il.write("p.ome.tif", planes, kind="probabilities", classes=classes, **made)
    il.write("l.ome.tif", np.where(stack > 0.5, 2, 1), kind="labels", **made)
    il.write("flat.npy", plane, axes="YX", kind="uncertainty")
    return folder


@pytest.mark.parametrize("source", ["p.ome.tif", "l.ome.tif"])
def test_cells_are_those_of_python_and_carry_the_scale(run, walls, source):
    done = run("cells", source, "--output", "c.ome.tif", "--json")
    assert done.status == 0, done.err
    cells, axes = il.read_labels("c.ome.tif")
    np.testing.assert_array_equal(np.asarray(cells), il.cells(source))
    assert axes == "ZYX"
    written = il.read("c.ome.tif")
    assert dict(written.scale) == {"Z": 8.0, "Y": 4.0, "X": 4.0}
    assert written.units["Z"] == "nanometer"
    assert done.json["cells"] == 16
    assert done.json["outputs"] == {"cells": "c.ome.tif"}


def test_the_table_has_a_row_for_each_cell_in_the_images_units(run, walls):
    done = run("cells p.ome.tif --output c.tif --table table.csv")
    assert done.status == 0, done.err
    assert "16 cells" in done.out
    rows = list(csv.DictReader((walls / "table.csv").read_text().splitlines()))
    assert len(rows) == 16
    assert rows[0]["unit"] == "nanometer"
    expected = measure(il.cells("p.ome.tif"), axes="ZYX", scale={"Z": 8, "Y": 4, "X": 4}).columns[
        "volume"
    ]
    assert [float(row["volume"]) for row in rows] == pytest.approx(list(expected), rel=1e-5)


def test_the_table_says_how_bright_cells_are_where_an_image_is_given(run, walls):
    image = np.zeros((3, 64, 64), np.float32)
    image[:, :16, :16] = 5
    il.write("i.ome.tif", image, axes="ZYX", kind="uncertainty")
    done = run("cells p.ome.tif --output c.tif --table t.csv --image i.ome.tif")
    assert done.status == 0, done.err
    rows = list(csv.DictReader((walls / "t.csv").read_text().splitlines()))
    assert [float(row["intensity"]) for row in rows] == [5] + 15 * [0]
    done = run("cells p.ome.tif --axes TYX --output c.tif --table t.csv --image i.ome.tif")
    assert done.status == 0, done.err  # the image has the axes of its membranes
    wrong = run("cells p.ome.tif --output c.tif --table t.csv --image flat.npy")
    assert wrong.status == 2
    assert "expected the image that they are of" in wrong.err
    assert "--table" in run("cells p.ome.tif --output c.tif --image i.ome.tif").err


def test_options_reach_the_work(run, walls):
    assert run("cells p.ome.tif --output c.tif --dims 2 --json").json["cells"] == 48
    assert run("cells p.ome.tif --output c.tif --method multicut --json").json["cells"] == 16
    assert run("cells p.ome.tif --output c.tif --min-size 100000 --json").json["cells"] < 16
    assert run("cells p.ome.tif --output c.tif --axes TYX --json").json["cells"] == 48
    assert run("cells p.ome.tif --output c.tif --fill").status == 0
    assert (np.asarray(il.read_labels("c.tif")[0]) > 0).all()
    assert run("cells l.ome.tif --output c.tif --membrane 1").status == 0


def test_one_plane_goes_into_a_png(run, walls):
    done = run("cells flat.npy --output c.png")
    assert done.status == 0, done.err
    assert np.asarray(il.read_labels("c.png")[0]).max() == 16


def test_cells_of_a_segmentation_in_one_go(run, tiny, folder):
    done = run("segment stack.tif --annotations strokes.tif --output l.tif --cells c.tif --json")
    assert done.status == 0, done.err
    cells, _ = il.read_labels("c.tif")
    result = il.segment("stack.tif", annotations="strokes.tif")
    np.testing.assert_array_equal(np.asarray(cells), il.cells(result))
    assert done.json["cells"] == np.count_nonzero(np.unique(np.asarray(cells)))
    assert set(done.json["outputs"]) == {"labels", "cells"}


BAD = {
    "missing": ("cells none.tif --output c.tif", "none.tif"),
    "an image": ("cells stack.tif --output c.tif", "0 to 1"),
    "text": ("cells text.txt --output c.tif", "text.txt"),
    "broken": ("cells broken.tif --output c.tif", "broken.tif"),
    "no output": ("cells p.ome.tif", "--output"),
    "over the input": ("cells p.ome.tif --output p.ome.tif", "input"),
    "unknown suffix": ("cells p.ome.tif --output c.csv", "suffix"),
    "table of another kind": ("cells p.ome.tif --output c.tif --table t.xlsx", ".csv"),
    "table into no folder": ("cells p.ome.tif --output c.tif --table no/t.csv", "does not exist"),
    "png of a stack": ("cells p.ome.tif --output c.png", "one plane"),
    "unknown method": ("cells p.ome.tif --output c.tif --method magic", "magic"),
    "unknown class": ("cells p.ome.tif --output c.tif --membrane 9", "no class 9"),
    "unknown class of labels": ("cells l.ome.tif --output c.tif --membrane 9", "class 9"),
    "threshold": ("cells p.ome.tif --output c.tif --threshold 7", "threshold"),
    "dims": ("cells p.ome.tif --output c.tif --dims 5", "dims"),
    "axes": ("cells p.ome.tif --output c.tif --axes YX", "YX"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_2(run, walls, case):
    words, expected = BAD[case]
    before = set(os.listdir())
    done = run(words)
    assert done.status == 2
    assert expected in done.complaint
    assert set(os.listdir()) == before


def test_cells_keep_their_number_and_become_tracks(run, folder):
    done = run("cells", "truth.tif", "--output", "c.ome.tif", "--link", "Z", "--min-size", "20",
               "--tracks", "01_RES", "--json")  # fmt: skip
    assert done.status == 0, done.err
    report = done.json
    cells, _ = il.read_labels("c.ome.tif")
    cells = np.asarray(cells)
    assert cells[0, 4, 4] == cells[2, 4, 4] > 0
    assert report["cells"] == len(np.unique(cells)) - 1
    assert report["events"] == []
    assert report["outputs"]["tracks"] == "01_RES"
    assert (folder / "01_RES" / "mask002.tif").is_file()
    done = run("cells", "truth.tif", "--output", "c.ome.tif", "--link", "Z", "--tracks", "02_RES",
               "--table", "t.csv", "--image", "none.tif")  # fmt: skip
    assert done.status == 2
    assert not (folder / "02_RES").exists()
    done = run("cells", "truth.tif", "--output", "c.ome.tif", "--tracks", "01_RES")
    assert done.status == 2
    assert "--link" in done.complaint
    (folder / "03_RES").mkdir()
    (folder / "03_RES" / "mine.txt").write_text("kept")
    done = run("cells", "none.tif", "--output", "d.ome.tif", "--link", "Z", "--tracks", "03_RES")
    assert done.status == 2
    assert "holds other files" in done.complaint, "said before anything is read"
    done = run("cells", "none.tif", "--output", "d.ome.tif", "--link", "Z", "--tracks", "no/RES")
    assert "does not exist" in done.complaint
