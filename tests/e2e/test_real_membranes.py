"""The main job on real images: strokes on one plane, membranes of others, by the command line."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_infoleak.cli import main

SHARED = Path(__file__).parents[3] / "shared"
DATA = Path(os.environ.get("INFOLEAK_DATA", SHARED / "data"))
REFEREE = Path(os.environ.get("INFOLEAK_REFEREE", SHARED / "referee"))

# Membrane IoU of a random forest given the same strokes, as docs/benchmarks has it, plus 0.10.
BARS = {"isbi2012": 0.543, "epfl6": 0.583}
LABELS = {"isbi2012": "label", "epfl6": "label7"}


def painted(truth: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    if not (REFEREE / "annotate.py").is_file():
        pytest.skip("no script that paints strokes; name its folder in INFOLEAK_REFEREE")
    monkeypatch.syspath_prepend(str(REFEREE))
    found = importlib.util.spec_from_file_location("annotate", REFEREE / "annotate.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return np.asarray(module.annotate(truth, strokes=10, seed=0))


def run(*words: object) -> None:
    assert not main([str(word) for word in words])


@pytest.mark.parametrize("name", sorted(BARS))
def test_strokes_beat_a_forest(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"no {name} in the data folder; name the folder in INFOLEAK_DATA")

    def truth(part: str) -> np.ndarray:
        label = tifffile.imread(folder / f"{part}_{LABELS[name]}.tif")
        return np.where(label == 1, 2, 1).astype(np.uint8)

    image = tifffile.imread(folder / "train_raw.tif")[0]
    tifffile.imwrite(tmp_path / "image.tif", image)
    tifffile.imwrite(tmp_path / "strokes.tif", painted(truth("train")[0], monkeypatch))
    tifffile.imwrite(tmp_path / "truth.tif", truth("val"), photometric="minisblack")
    monkeypatch.chdir(tmp_path)
    support = ("--support", "image.tif", "strokes.tif")
    val = folder / "val_raw.tif"
    run("segment", val, "--axes", "ZYX", *support, "--output", "out.tif")
    capsys.readouterr()
    run("evaluate", "out.tif", "truth.tif", "--axes", "ZYX", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["iou"]["2"] >= BARS[name]
