from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tiny segmenter

import napari_infoleak as il
from napari_infoleak.api import _segment
from napari_infoleak.cli import main
from napari_infoleak.segmenters import registry
from tiny_segmenter import TinySegmenter


@dataclass
class Ran:
    """What a command left on the screen."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def complaint(self):
        """The one line of an error."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("infoleak: ")
        assert self.out == ""
        return lines[0]


@pytest.fixture
def run(capsys):
    """Run the command line in this process."""

    def call(*words):
        """Take words, or one line of them."""
        words = words[0].split() if len(words) == 1 else words
        capsys.readouterr()
        status = main([str(word) for word in words])
        shown = capsys.readouterr()
        return Ran(status, shown.out, shown.err)

    return call


@pytest.fixture
def tiny(monkeypatch):
    """Answer with the tiny segmenter, whatever model is asked for."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(registry, "load", lambda model, device="cpu": TinySegmenter())
    monkeypatch.setattr("napari_infoleak.infer.backends.tune_allocator", bool)
    _segment._ready.cache_clear()
    yield
    _segment._ready.cache_clear()
    torch.set_num_threads(before)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a stack, its strokes and its truth, whose name is not a plain one."""
    place = tmp_path / "my data ü"
    place.mkdir()
    monkeypatch.chdir(place)
    rng = np.random.default_rng(0)
    membranes = np.zeros((3, 48, 64), bool)
    membranes[:, ::12, :] = membranes[:, :, ::16] = True
    image = (np.where(membranes, 40, 200) + rng.normal(0, 5, membranes.shape)).astype(np.float32)
    truth = np.where(membranes, 2, 1).astype(np.uint8)
    strokes = np.zeros_like(truth)
    strokes[1, :, 20:24] = truth[1, :, 20:24]
    units = {"Z": "nanometer", "Y": "nanometer", "X": "nanometer"}
    scale = {"Z": 8.0, "Y": 4.0, "X": 4.0}
    il.write("stack.tif", image, axes="ZYX", kind="image", scale=scale, units=units)
    il.write("strokes.tif", strokes, axes="ZYX")
    il.write("truth.tif", truth, axes="ZYX")
    il.write("plane.png", image[1].clip(0, 255).astype(np.uint8), axes="YX", kind="image")
    il.write("plane_strokes.png", strokes[1], axes="YX")
    (place / "text.txt").write_text("no image")
    (place / "broken.tif").write_bytes((place / "stack.tif").read_bytes()[:300])
    return place
