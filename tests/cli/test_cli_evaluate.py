from __future__ import annotations

import numpy as np
import pytest

import napari_infoleak as il


@pytest.fixture
def predicted(run, tiny, folder):
    words = "segment stack.tif --annotations strokes.tif --output l.ome.tif --probabilities p.tif"
    assert run(words).status == 0
    return folder


def test_the_scores_are_those_of_python(run, predicted):
    done = run("evaluate", "l.ome.tif", "truth.tif", "--json")
    assert done.status == 0, done.err
    expected = il.evaluate("l.ome.tif", "truth.tif")
    assert done.json == expected
    told = run("evaluate", "l.ome.tif", "truth.tif")
    assert f"{expected['miou']:.4f}" in told.out
    assert "iou of class 2" in told.out


def test_painted_planes_are_mentioned(run, predicted):
    done = run("evaluate", "l.ome.tif", "truth.tif", "--json")
    assert "1 of 3 planes" in done.err
    assert len(done.err.splitlines()) == 1


def test_probabilities(run, predicted):
    done = run("evaluate", "p.tif", "truth.tif", "--kind", "probability", "--json")
    assert done.status == 0, done.err
    assert set(done.json) == {"membrane_iou", "miou", "cldice", "v_rand", "v_info"}


def test_instances_and_other_ids(run, folder):
    cells = (np.arange(3 * 48 * 64).reshape(3, 48, 64) // 500).astype(np.uint16)
    il.write("cells.tif", cells, axes="ZYX", kind="cells")
    done = run("evaluate", "cells.tif", "cells.tif", "--kind", "instances", "--json")
    assert done.json["ap50"] == 1
    truth, _ = il.read_labels("truth.tif")
    il.write("other.tif", np.asarray(truth) + 4, axes="ZYX")
    done = run("evaluate other.tif other.tif --membrane 6 --json")
    assert done.json["cldice"] == 1
    done = run("evaluate truth.tif other.tif --truth-membrane 6 --json")
    assert done.json["cldice"] == 1


def test_details_are_given_when_asked_for(run, folder):
    done = run("evaluate", "truth.tif", "truth.tif", "--details", "--json")
    assert done.json["membrane_f1"] == 1


def test_numbers_that_are_none_are_null(run, folder):
    il.write("ones.tif", np.full((3, 48, 64), 2, np.uint8), axes="ZYX")
    done = run("evaluate", "ones.tif", "ones.tif", "--json")
    assert done.json["v_rand"] is None


def test_an_image_of_the_support_set_is_refused(run, predicted):
    done = run("evaluate l.ome.tif truth.tif --support stack.tif strokes.tif")
    assert done.status == 2
    assert "support set" in done.complaint


def test_another_image_is_scored_with_its_support(run, tiny, folder):
    image = np.asarray(il.read("stack.tif").data)[0, 0]
    il.write("other.tif", image[:, ::-1] + 3, axes="ZYX", kind="image")
    words = "segment other.tif --support stack.tif strokes.tif --output o.tif"
    assert run(words).status == 0
    done = run("evaluate o.tif truth.tif --support stack.tif strokes.tif --json")
    assert done.status == 0, done.err
    assert done.err == ""
    asked = run("evaluate truth.tif truth.tif --support stack.tif strokes.tif --image other.tif")
    assert asked.status == 0, asked.err


BAD = {
    "missing prediction": ("evaluate none.tif truth.tif", "none.tif"),
    "missing truth": ("evaluate truth.tif none.tif", "none.tif"),
    "shapes differ": ("evaluate plane_strokes.png truth.tif", "48 x 64"),
    "image as labels": ("evaluate stack.tif truth.tif", "whole"),
    "labels as probability": ("evaluate truth.tif truth.tif --kind probability", "floating"),
    "unknown kind": ("evaluate truth.tif truth.tif --kind best", "best"),
    "text": ("evaluate text.txt truth.tif", "text.txt"),
    "broken": ("evaluate broken.tif truth.tif", "broken.tif"),
    "one file": ("evaluate truth.tif", "TRUTH"),
    "membrane that is no number": ("evaluate truth.tif truth.tif --membrane wall", "wall"),
    "truth without labels": ("evaluate truth.tif empty.tif", "no labelled"),
    "unknown origin": (
        "evaluate truth.tif truth.tif --support stack.tif strokes.tif",
        "give the image",
    ),
    "missing support": ("evaluate truth.tif truth.tif --support a.tif b.tif", "a.tif"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_2(run, folder, case):
    il.write("empty.tif", np.zeros((3, 48, 64), np.uint8), axes="ZYX")
    words, expected = BAD[case]
    done = run(words)
    assert done.status == 2
    assert expected in done.complaint
