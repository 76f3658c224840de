"""``infoleak add-class``: a class joins a model file, and the file from before undoes it."""

from __future__ import annotations

import numpy as np
import pytest

import napari_infoleak as il

FAST = ("--crop", 16, "--batch", 1, "--device", "cpu", "--threads", 1)
GROW = ("add-class", "own.safetensors", "stack.tif", "new.tif", "--output", "more.safetensors")


@pytest.fixture
def old(run, folder):
    """A model of interior and membrane, and paint of a third class."""
    words = ("train", "stack.tif", "truth.tif", "--output", "own.safetensors", "--init", "none")
    assert run(*words, "--steps", 2, *FAST).status == 0
    new = np.zeros((3, 48, 64), np.uint8)
    new[1, 3:9, 3:13] = new[1, 27:33, 35:45] = 3
    il.write("new.tif", new, axes="ZYX")
    return folder


def test_a_class_joins_and_the_model_is_used(run, old):
    before = (old / "own.safetensors").read_bytes()
    replay = ("--replay", "stack.tif", "truth.tif")
    ran = run(*GROW, "--name", "blobs", *replay, "--complete", "--steps", 2, *FAST, "--json")
    assert ran.status == 0, ran.err
    assert [one["id"] for one in ran.json["classes"]] == [1, 2, 3]
    assert ran.json["added"]["class"] == {"id": 3, "name": "blobs"}
    assert [row["name"] for row in ran.json["added"]["table"]][-1] == "blobs"
    assert (old / "own.safetensors").read_bytes() == before
    used = run(
        "segment", "stack.tif", "--model", "more.safetensors", "--output", "out.tif", "--json"
    )
    assert {one["id"] for one in used.json["classes"]} == {1, 2, 3}


def test_a_person_is_shown_before_and_after_and_how_to_undo(run, old):
    ran = run(*GROW, "--name", "blobs", "--steps", 2, *FAST)
    assert ran.status == 0, ran.err
    for word in ("blobs joined as class 3", "before", "after", "membrane", "to undo"):
        assert word in ran.out
    assert "own.safetensors" in ran.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--name", "membrane"), "already"),
        (("--name", "blobs", "--id", 1), "that of interior"),
        (("--name", "blobs", "--id", 8), "neither of the model"),
        (("--name", "blobs", "--replay", "stack.tif", "text.txt"), "text.txt"),
        (("--name", "blobs", "--output", "own.safetensors"), "overwritten"),
    ],
)
def test_bad_input_is_one_line(run, old, words, says):
    grow = GROW[:-2] if "--output" in words else GROW
    ran = run(*grow, *words, "--steps", 1, *FAST)
    assert ran.status == 2
    assert says in ran.complaint


def test_models_that_cannot_grow_are_told_in_one_line(run, old):
    rest = ("stack.tif", "new.tif", "--name", "blobs", "--output", "x.safetensors", "--steps", 1)
    ran = run("add-class", "nothing.safetensors", *rest)
    assert ran.status == 2
    assert "nothing.safetensors" in ran.complaint
    ran = run("add-class", "membrane", *rest)
    assert ran.status == 2
    assert "needs no training" in ran.complaint
    il.write("empty.tif", np.zeros((3, 48, 64), np.uint8), axes="ZYX")
    ran = run(*GROW[:2], "stack.tif", "empty.tif", *GROW[4:], "--name", "blobs")
    assert ran.status == 2
    assert "no label" in ran.complaint
