from __future__ import annotations

import csv

import numpy as np

import napari_infoleak as il

WORDS = ("propagate", "stack.tif", "--annotations", "strokes.tif", "--axis", "Z")


def test_the_command_gives_what_python_gives(run, tiny, folder):
    done = run(*WORDS, "--output", "labels.ome.tif", "--probabilities", "p.ome.tif")
    assert done.status == 0, done.err
    expected = il.propagate("stack.tif", "strokes.tif", "Z")
    labels, axes = il.read_labels("labels.ome.tif")
    np.testing.assert_array_equal(np.asarray(labels), expected.labels)
    assert axes == "ZYX"
    assert dict(il.read("labels.ome.tif").scale) == {"Z": 8.0, "Y": 4.0, "X": 4.0}
    np.testing.assert_array_equal(np.asarray(il.read("p.ome.tif").data)[0], expected.probabilities)
    assert "3 of 3 frames" in done.out


def test_json_and_table_tell_each_frame(run, tiny, folder):
    done = run(*WORDS, "--output", "l.tif", "--confidence", "c.csv", "--json")
    assert done.status == 0, done.err
    report = done.json
    assert report["axis"] == "Z"
    assert [frame["state"] for frame in report["frames"]] == ["accepted", "annotated", "accepted"]
    assert report["stops"] == []
    assert report["paint_next"]["z"] in (0, 2)
    assert report["outputs"] == {"labels": "l.tif", "confidence": "c.csv"}
    with (folder / "c.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["z"] for row in rows] == ["0", "1", "2"]
    told = [frame["confidence"] for frame in report["frames"]]
    assert [float(row["confidence"]) for row in rows] == told


def test_a_stop_is_told(run, tiny, folder):
    done = run(*WORDS, "--output", "l.tif", "--stop-below", "1")
    assert done.status == 0, done.err
    assert "stopped at t = 0, z = 0" in done.out
    assert "paint there" in done.out


def test_a_model_learns_on_the_way(run, folder):
    learns = ("--fine-tune", "--steps", 1, "--model", "membrane", "--device", "cpu")
    done = run(*WORDS, "--output", "l.tif", *learns, "--json")
    assert done.status == 0, done.err
    assert not done.json["cancelled"]
    told = done.json["provenance"]["settings"]["fine_tune"]
    assert (told["steps"], told["seed"]) == (1, 0)
    assert (np.asarray(il.read_labels("l.tif")[0]) > 0).all()


def test_bad_input_is_one_line(run, tiny, folder):
    for words, said in (
        (("--output", "l.tif", "--minutes", "1"), "fine_tune"),
        (("--output", "l.tif", "--fine-tune"), "cannot be fine-tuned"),
        (("--output", "l.tif", "--stop-below", "2"), "0 to 1"),
        (("--output", "strokes.tif"), "is an input"),
        (("--output", "l.tif", "--confidence", "c.tif"), ".csv"),
    ):
        done = run(*WORDS, *words)
        assert done.status == 2
        assert said in done.complaint
    done = run("propagate", "stack.tif", "--annotations", "strokes.tif", "--axis", "T",
               "--output", "l.tif")  # fmt: skip
    assert done.status == 2
    assert "nothing to spread" in done.complaint


def test_the_axis_is_known_where_there_is_but_one(run, tiny, folder):
    ask = ("--annotations", "strokes.tif", "--output", "l.tif", "--json")
    done = run("propagate", "stack.tif", *ask)
    assert done.status == 0, done.err
    assert done.json["axis"] == "Z"
    movie = np.asarray(il.read("stack.tif").data)[0, 0].astype(np.uint8)
    il.write("movie.tif", np.stack([movie, movie]), axes="TZYX")
    done = run("propagate", "movie.tif", "--axes", "TZYX", *ask)
    assert done.status == 2
    assert "--axis Z or --axis T" in done.complaint
    il.write("plane.tif", movie[0], axes="YX")
    il.write("paint.tif", (movie[0] > 0).astype(np.uint8), axes="YX")
    done = run("propagate", "plane.tif", "--annotations", "paint.tif", "--output", "l.tif")
    assert done.status == 2
    assert "one frame along Z" in done.complaint
