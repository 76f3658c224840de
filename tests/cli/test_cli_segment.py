from __future__ import annotations

import sys

import numpy as np
import pytest

import napari_infoleak as il
from napari_infoleak.core.errors import WriteFailed


def files(folder):
    return {path.name for path in folder.iterdir()}


def test_the_command_gives_what_python_gives(run, tiny, folder):
    words = "segment stack.tif --annotations strokes.tif --output labels.ome.tif"
    done = run(
        *words.split(), "--probabilities", "p.ome.tif", "--uncertainty", "u.tif", "--axes", "zyx"
    )
    assert done.status == 0, done.err
    expected = il.segment("stack.tif", annotations="strokes.tif", axes="ZYX", uncertainty=True)
    labels, axes = il.read_labels("labels.ome.tif")
    np.testing.assert_array_equal(np.asarray(labels), expected.labels)
    assert axes == "ZYX"
    probabilities = il.read("p.ome.tif")
    np.testing.assert_array_equal(
        np.asarray(probabilities.data)[0].transpose(0, 1, 2, 3), expected.probabilities
    )
    doubt = il.read("u.tif")
    np.testing.assert_array_equal(np.asarray(doubt.data)[0, 0], expected.uncertainty)
    for written in (probabilities, doubt, il.read("labels.ome.tif")):
        assert dict(written.scale) == pytest.approx({"Z": 8.0, "Y": 4.0, "X": 4.0})
        assert written.units["Z"] == "nanometer"
    assert "labels.ome.tif" in done.out
    assert done.err == ""


def test_json_says_what_was_made(run, tiny, folder):
    done = run(
        "segment", "stack.tif", "--annotations", "strokes.tif", "--output", "l.tif", "--json"
    )
    assert done.status == 0, done.err
    report = done.json
    assert report["axes"] == "ZYX"
    assert report["shape"] == [3, 48, 64]
    assert [one["id"] for one in report["classes"]] == [1, 2]
    assert sum(one["pixels"] for one in report["classes"]) == 3 * 48 * 64
    assert report["outputs"] == {"labels": "l.tif"}
    assert report["provenance"]["model"]["name"] == "membrane"


@pytest.mark.parametrize("name", ["l.tif", "l.ome.tif", "l.npy", "l.ome.zarr", "l.zarr", "L.TIF"])
def test_every_format_is_written(run, tiny, folder, name):
    done = run("segment", "stack.tif", "--output", name)
    assert done.status == 0, done.err
    labels, axes = il.read_labels(name)
    assert (labels.shape, axes) == ((3, 48, 64), "ZYX")


def test_a_plane_can_be_a_png(run, tiny, folder):
    done = run(
        "segment", "plane.png", "--annotations", "plane_strokes.png", "--output", "labels.png"
    )
    assert done.status == 0, done.err
    labels, _ = il.read_labels("labels.png")
    assert set(np.unique(labels)) == {1, 2}


def test_support_repeats_and_reaches_the_answer(run, tiny, folder):
    image = np.asarray(il.read("stack.tif").data)[0, 0]
    swapped, _ = il.read_labels("strokes.tif")
    il.write(
        "swapped.tif", np.where(np.asarray(swapped) > 0, 3 - np.asarray(swapped), 0), axes="ZYX"
    )
    il.write("other.tif", image, axes="ZYX", kind="image")
    assert run("segment", "stack.tif", "--output", "plain.tif").status == 0
    pairs = ["--support", "other.tif", "swapped.tif", "--support", "plane.png", "p3.png"]
    third = np.zeros((48, 64), np.uint8)
    third[13:20, 2:10] = 3
    il.write("p3.png", third, axes="YX")
    done = run("segment", "stack.tif", *pairs, "--output", "taught.tif", "--json")
    assert done.status == 0, done.err
    assert [one["id"] for one in done.json["classes"]] == [1, 2, 3]
    assert done.json["provenance"]["support"]["images"] == ["other", "plane"]


def test_support_takes_the_axes_where_they_fit(run, tiny, folder):
    done = run("segment stack.tif --axes TYX --support stack.tif strokes.tif --output l.tif --json")
    assert done.status == 0, done.err
    assert done.json["axes"] == "TYX"
    flat = run("segment stack.tif --axes TYX --support plane.png plane_strokes.png --output l.tif")
    assert flat.status == 0, flat.err
    told = run(
        "segment stack.tif --support stack.tif strokes.tif --support-axes TYX --output l.tif"
    )
    assert told.status == 0, told.err


def test_options_reach_the_work(run, tiny, folder):
    done = run(
        "segment stack.tif --annotations strokes.tif --output l.tif --json --leak 0.5 --tile 32 "
        "--threads 1 --device cpu --channel 0 --model some.safetensors"
    )
    assert done.status == 0, done.err
    settings = done.json["provenance"]["settings"]
    assert settings["leak"] == 0.5
    assert settings["tile"] == 32
    assert settings["threads"] == 1
    assert settings["device"] == "cpu"
    assert settings["model"] == "some.safetensors"


def test_an_older_result_is_replaced(run, tiny, folder):
    (folder / "l.tif").write_text("old")
    assert run("segment", "stack.tif", "--output", "l.tif").status == 0
    assert il.read_labels("l.tif")[0].shape == (3, 48, 64)


# ---------------------------------------------------------------------- bad input

BAD = {
    "missing image": ("segment none.tif --output l.tif", "none.tif"),
    "folder as image": ("segment . --output l.tif", "folder"),
    "text as image": ("segment text.txt --output l.tif", "text.txt"),
    "broken image": ("segment broken.tif --output l.tif", "broken.tif"),
    "missing annotation": ("segment stack.tif --annotations no.tif --output l.tif", "no.tif"),
    "image as annotation": ("segment stack.tif --annotations stack.tif --output l.tif", "whole"),
    "annotation of another shape": (
        "segment stack.tif --annotations plane_strokes.png --output l.tif",
        "shape",
    ),
    "support of two shapes": (
        "segment stack.tif --support stack.tif plane_strokes.png --output l.tif",
        "shape",
    ),
    "support of one file": ("segment stack.tif --support stack.tif --output l.tif", "--"),
    "no output": ("segment stack.tif", "--output"),
    "output without suffix": ("segment stack.tif --output labels", "suffix"),
    "output of an unknown suffix": ("segment stack.tif --output labels.jpg", "labels.jpg"),
    "output that is only a suffix": ("segment stack.tif --output .tif", "suffix"),
    "output into no folder": ("segment stack.tif --output nowhere/l.tif", "nowhere"),
    "output over the image": ("segment stack.tif --output stack.tif", "input"),
    "output over the image, spelt otherwise": (
        "segment stack.tif --output ./../{name}/stack.tif",
        "input",
    ),
    "output over the annotation": (
        "segment stack.tif --annotations strokes.tif --output strokes.tif",
        "input",
    ),
    "output over a support image": (
        "segment stack.tif --support plane.png plane_strokes.png --output l.tif --cells plane.png",
        "input",
    ),
    "two outputs in one file": (
        "segment stack.tif --output l.tif --probabilities ./l.tif",
        "same file",
    ),
    "output is a folder": ("segment stack.tif --output folder.tif", "folder"),
    "png for a stack": ("segment stack.tif --output l.png", "one plane"),
    "png for probabilities": ("segment plane.png --output l.png --probabilities p.png", "PNG"),
    "axes of another length": ("segment stack.tif --axes YX --output l.tif", "YX"),
    "unknown axes": ("segment stack.tif --axes QYX --output l.tif", "'Q'"),
    "unknown channel": ("segment stack.tif --channel 4 --output l.tif", "channel 4"),
    "channel that is no number": ("segment stack.tif --channel red --output l.tif", "red"),
    "negative channel": ("segment stack.tif --channel=-1 --output l.tif", "channel"),
    "leak out of range": ("segment stack.tif --leak 3 --output l.tif", "leak"),
    "leak that is no number": ("segment stack.tif --leak much --output l.tif", "much"),
    "tile too small": ("segment stack.tif --tile 2 --output l.tif", "tile"),
    "no threads": ("segment stack.tif --threads 0 --output l.tif", "threads"),
    "too many threads": ("segment stack.tif --threads 99999999999 --output l.tif", "threads"),
    "link in a circle": ("segment loop.tif --output l.tif", "loop.tif"),
    "output through a link in a circle": ("segment stack.tif --output loop.tif/l.tif", "loop.tif"),
    "name that cannot be": ("segment a\0b.tif --output l.tif", "no path"),
    "output that cannot be": ("segment stack.tif --output a\0b.tif", "no path"),
    "unknown device": ("segment stack.tif --device gpu --output l.tif", "gpu"),
    "unknown option": ("segment stack.tif --output l.tif --quick", "--quick"),
    "two images": ("segment stack.tif plane.png --output l.tif", "plane.png"),
    "unknown command": ("sgment stack.tif --output l.tif", "sgment"),
    "network address": ("segment https://example.org/a.tif --output l.tif", "network"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_2(run, tiny, folder, case):
    (folder / "folder.tif").mkdir()
    if "circle" in case:
        if sys.platform == "win32":
            pytest.skip("links need rights there")
        (folder / "loop.tif").symlink_to("loop.tif")
    words, expected = BAD[case]
    before = files(folder)
    done = run(*[word.format(name=folder.name) for word in words.split()])
    assert done.status == 2
    assert expected in done.complaint
    assert files(folder) == before


def test_an_annotation_without_paint_says_what_to_paint(run, tiny, folder):
    il.write("empty.tif", np.zeros((3, 48, 64), np.uint8), axes="ZYX")
    done = run("segment", "stack.tif", "--annotations", "empty.tif", "--output", "l.tif")
    assert done.status == 2
    assert "stroke" in done.complaint


def test_a_model_that_is_not_there(run, folder):
    done = run("segment", "stack.tif", "--model", "membrain", "--output", "l.tif")
    assert done.status == 2
    assert "membrain" in done.complaint


def test_a_file_that_is_no_model(run, folder):
    done = run("segment", "stack.tif", "--model", "text.txt", "--output", "l.tif")
    assert done.status == 2
    assert "text.txt" in done.complaint


def test_a_full_disk_leaves_nothing(run, tiny, folder, monkeypatch):
    def full(*args, **kwargs):
        raise WriteFailed("l.tif was not written: the disk is full")

    monkeypatch.setattr("napari_infoleak.api.write", full)
    before = files(folder)
    done = run("segment", "stack.tif", "--output", "l.tif")
    assert done.status == 1
    assert "disk is full" in done.complaint
    assert files(folder) == before


def test_a_bug_is_one_line_and_a_traceback_when_asked_for(run, folder, monkeypatch):
    def broken(*args, **kwargs):
        raise KeyError("two\nlines")

    monkeypatch.setattr("napari_infoleak.api.segment", broken)
    done = run("segment", "stack.tif", "--output", "l.tif")
    assert done.status == 1
    assert "KeyError" in done.complaint
    told = run("segment", "stack.tif", "--output", "l.tif", "--debug")
    assert told.status == 1
    assert "Traceback" in told.err
    monkeypatch.setenv("INFOLEAK_DEBUG", "1")
    assert "Traceback" in run("segment", "stack.tif", "--output", "l.tif").err


def test_ctrl_c_is_130_and_leaves_nothing(run, tiny, folder, monkeypatch):
    from napari_infoleak.io import output

    def interrupted(self, *args):
        yield np.zeros((48, 64), np.uint8)
        raise KeyboardInterrupt

    monkeypatch.setattr(output.Output, "planes", interrupted)
    before = files(folder)
    done = run("segment", "stack.tif", "--output", "l.tif")
    assert done.status == 130
    assert "cancelled" in done.complaint
    assert files(folder) == before


def test_cells_of_another_program_are_an_annotation(tiny, run, tmp_path):
    image = np.full((48, 64), 200.0)
    cells = np.ones((48, 64), np.uint16)
    cells[:, 32:] = 300
    image[:, 31:33] = 40
    np.save(tmp_path / "image.npy", image)
    content = np.array({"masks": cells, "filename": "x"}, dtype=object)
    np.save(tmp_path / "image_seg.npy", content, allow_pickle=True)
    words = ("segment", tmp_path / "image.npy", "--output", tmp_path / "labels.npy")
    words += ("--annotations", tmp_path / "image_seg.npy")
    assert "300" in run(*words).complaint
    assert run(*words, "--annotations-kind", "instances").status == 0
    labels = np.load(tmp_path / "labels.npy")
    assert (labels[:, 31:33] == 2).all()
    assert (labels[:, :28] == 1).all()
