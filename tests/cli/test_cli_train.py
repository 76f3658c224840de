"""``infoleak train``: what goes in, what comes out, and how it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_infoleak.io.weights import load_weights

FAST = ("--crop", 16, "--batch", 1, "--device", "cpu", "--threads", 1)
TRAIN = ("train", "stack.tif", "truth.tif", "--output", "own.safetensors", "--method", "unet")


def test_a_model_is_trained_listed_and_used(run, folder):
    ran = run(*TRAIN, "--steps", 3, "--init", "none", *FAST, "--json")
    assert ran.status == 0, ran.err
    assert ran.json["method"] == "unet"
    assert ran.json["steps"] == 3
    assert set(ran.json["score"]["iou"]) == {"1", "2"}
    assert not ran.json["stopped"]
    assert (folder / "own.training" / "log.csv").is_file()
    used = run(
        "segment", "stack.tif", "--model", "own.safetensors", "--output", "out.tif", "--json"
    )
    assert used.status == 0, used.err
    assert {one["id"] for one in used.json["classes"]} == {1, 2}


def test_a_person_is_told_before_and_after(run, folder):
    ran = run(*TRAIN, "--steps", 2, *FAST)
    assert ran.status == 0, ran.err
    assert "before" in ran.out
    assert "membrane" in ran.out
    assert "own.safetensors" in ran.out


def test_little_paint_is_trained_on_and_said_to_be_unjudged(run, folder):
    import napari_infoleak as il

    strokes = np.zeros((3, 48, 64), np.uint8)
    strokes[1, 5, 3:12], strokes[1, 12, 3:12] = 1, 2
    il.write("few.tif", strokes, axes="ZYX")
    words = ("train", "stack.tif", "few.tif", "--output", "own.safetensors")
    ran = run(*words, "--steps", 2, "--init", "none", *FAST)
    assert ran.status == 0, ran.err
    assert "too little is annotated" in ran.out


def test_minutes_are_kept_and_leave_a_model(run, folder):
    begin = time.monotonic()
    ran = run(*TRAIN, "--minutes", "0.02", *FAST, "--json")
    assert ran.status == 0, ran.err
    assert time.monotonic() - begin < 60  # however busy the computer is
    assert ran.json["seconds"] <= 1.2 + 2  # a layer of a small network, at most, beyond
    assert (folder / "own.safetensors").is_file()


def test_given_validation_is_used(run, folder):
    import napari_infoleak as il

    image, axes = np.random.default_rng(0).normal(size=(48, 64)).astype(np.float32), "YX"
    labels = np.ones((48, 64), np.uint8)
    labels[20:] = 2
    il.write("other.tif", image, axes=axes, kind="image")
    il.write("other_truth.tif", labels, axes=axes)
    words = (*TRAIN, "--steps", 1, *FAST, "--json", "--validation", "other.tif", "other_truth.tif")
    assert run(*words).json["score"]["iou"].keys() == {"1", "2"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("train --output own.safetensors", "pairs"),
        ("train stack.tif --output own.safetensors", "pairs"),
        ("train stack.tif missing.tif --output own.safetensors", "missing.tif"),
        ("train stack.tif plane_strokes.png --output own.safetensors", "shape"),
        ("train stack.tif truth.tif --output own.pt", "safetensors"),
        ("train stack.tif truth.tif --output no/own.safetensors", "does not exist"),
        ("train stack.tif truth.tif --output own.safetensors --method unett", "did you mean unet"),
        ("train stack.tif truth.tif --output own.safetensors --init nothing", "no model"),
        ("train stack.tif truth.tif --output own.safetensors --steps 0", "steps"),
        ("train stack.tif truth.tif --output own.safetensors --minutes nan", "minutes"),
        ("train stack.tif truth.tif --output own.safetensors --resume", "no training to resume"),
    ],
)
def test_mistakes_are_told_in_one_line(run, folder, words, says):
    ran = run(words)
    assert ran.status == 2
    assert says in ran.complaint
    assert not (folder / "own.safetensors").exists()


PROGRAM = """
import sys
from napari_infoleak.learn import loop
loop.SAVE_SECONDS = 0.0
from napari_infoleak.cli import main
sys.exit(main(sys.argv[1:]))
"""


def start(folder: Path, *words: object) -> subprocess.Popen[str]:
    line = [*TRAIN, "--init", "none", *FAST, "--seed", 3, *words]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, line)],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def wait_for_step(folder: Path, step: int) -> None:
    log = folder / "own.training" / "log.csv"
    end = time.monotonic() + 120
    while time.monotonic() < end:
        rows = log.read_text().splitlines() if log.is_file() else []
        if len(rows) > 1 and int(rows[-1].split(",")[0] or 0) >= step:
            return
        time.sleep(0.01)
    raise AssertionError("it does not get going")


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_killed_at_any_moment_and_resumed_it_gives_the_same_model(run, folder):
    steps = ("--steps", 40)
    killed = start(folder, *steps)
    wait_for_step(folder, int(np.random.default_rng().integers(1, 30)))
    killed.kill()
    killed.communicate()
    assert not (folder / "own.safetensors").exists()
    line = (*TRAIN, "--init", "none", *FAST, "--seed", 3, *steps)
    assert run(*line, "--resume").status == 0
    resumed, _ = load_weights(folder / "own.safetensors")
    assert run(*line).status == 0
    whole, _ = load_weights(folder / "own.safetensors")
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_asked_to_stop_it_keeps_what_was_learned(folder, number, status):
    stopped = start(folder, "--minutes", 10)
    wait_for_step(folder, 1)
    stopped.send_signal(number)
    _, complaint = stopped.communicate(timeout=60)
    assert stopped.returncode == status
    assert "the model holds what was learned" in complaint
    tensors, header = load_weights(folder / "own.safetensors")
    assert tensors
    assert header["provenance"]["steps"] >= 1
