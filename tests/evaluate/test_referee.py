"""The scores of ISBI 2012, StarDist and clDice as an independent implementation computes them."""

from __future__ import annotations

import importlib.util
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_infoleak.evaluate.metrics import evaluate

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("INFOLEAK_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="module")
def referee():
    folder = Path(os.environ.get("INFOLEAK_REFEREE", ROOT.parent / "shared" / "referee"))
    if not (folder / "score.py").is_file():
        pytest.skip("no referee script; name its folder in INFOLEAK_REFEREE")
    found = importlib.util.spec_from_file_location("referee_score", folder / "score.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)

    def score(*args):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it takes means over planes without any cell
            return module.score(*args)

    return score


def same(ours, theirs):
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        if isinstance(value, dict):
            same(ours[name], value)
        else:
            assert ours[name] == pytest.approx(value, abs=1e-6, nan_ok=True), name


def maps(seed, shape):
    rng = np.random.default_rng(seed)
    noise = rng.random(shape).astype(np.float32)
    smooth = ndi.gaussian_filter(noise, (0,) * (len(shape) - 2) + (2, 2))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    truth = np.where(smooth > 0.55, 2, 1).astype(np.uint8)
    truth[rng.random(shape) < 0.05] = 0
    shaky = np.clip(smooth + rng.normal(0, 0.15, shape), 0, 1).astype(np.float32)
    return shaky, truth


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(40, 53), (3, 30, 31), (1, 7, 60)])
def test_random_maps(referee, seed, shape):
    shaky, truth = maps(seed, shape)
    labels = np.where(shaky > 0.5, 2, 1).astype(np.uint8)
    same(evaluate(labels, truth), referee(labels, truth, "semantic"))
    same(evaluate(shaky, truth, "probability"), referee(shaky, truth, "probability"))
    five = np.where(truth == 1, 5, truth)
    same(
        evaluate(shaky, five, "probability", 2, 5),
        referee(shaky, five, "probability", 2, 5),
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [(40, 53), (3, 20, 90)])
def test_random_cells(referee, seed, shape):
    rng = np.random.default_rng(seed)
    shaky, truth = maps(seed, shape)
    cells = ndi.label(truth == 1, np.ones((3,) * len(shape)))[0]
    ours = ndi.label(shaky < rng.uniform(0.3, 0.6))[0] * (seed + 1)
    same(evaluate(ours, cells, "instances"), referee(ours, cells, "instances"))


@pytest.mark.parametrize("kind", ["semantic", "probability", "instances"])
@pytest.mark.parametrize(
    ("prediction", "truth"),
    [
        (np.ones((9, 8), np.uint8), np.full((9, 8), 2, np.uint8)),
        (np.zeros((9, 8), np.uint8), np.ones((9, 8), np.uint8)),
        (np.eye(9, dtype=np.uint8), np.eye(9, dtype=np.uint8)[::-1] + np.uint8(1)),
        (np.pad([[1]], ((0, 40), (0, 40))).astype(np.uint8), np.ones((41, 41), np.uint8)),
    ],
)
def test_corner_cases(referee, kind, prediction, truth):
    given = prediction.astype(np.float32) if kind == "probability" else prediction
    same(evaluate(given, truth, kind), referee(given, truth, kind))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("isbi2012/val_label.tif", None),
        ("vnc_stack1/val_label5.tif", None),
        ("alizarine_cornea/val_label_ignore255.tif", 255),
    ],
)
def test_real_masks(referee, name, label):
    tifffile = pytest.importorskip("tifffile")
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"no {name} in the data folder; name the folder in INFOLEAK_DATA")
    coded = tifffile.imread(path)[:1, 100:400, 150:500]
    truth = coded.astype(np.int64) + 1
    truth[coded == label] = 0
    rng = np.random.default_rng(0)
    shaky = ndi.gaussian_filter((truth == 2).astype(np.float32), (0, 1.5, 1.5))
    shaky = np.clip(shaky * 1.6 + rng.normal(0, 0.08, truth.shape), 0, 1).astype(np.float32)
    labels = np.where(shaky > 0.5, 2, 1)
    same(evaluate(labels, truth), referee(labels, truth, "semantic"))
    same(evaluate(shaky, truth, "probability"), referee(shaky, truth, "probability"))


def test_real_cells(referee):
    tifffile = pytest.importorskip("tifffile")
    path = DATA / "fib25" / "val_bodies.tif"
    if not path.is_file():
        pytest.skip("no fib25 in the data folder; name the folder in INFOLEAK_DATA")
    truth = tifffile.imread(path)[15:18]
    moved = np.roll(truth, (3, -2), axis=(1, 2))
    same(evaluate(moved, truth, "instances"), referee(moved, truth, "instances"))
