from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tiny segmenter

from napari_infoleak.api import _segment
from napari_infoleak.segmenters import registry
from tiny_segmenter import TinySegmenter


@pytest.fixture
def tiny(monkeypatch):
    """Answer with the tiny segmenter, whatever model is asked for."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    loaded = []

    def load(model, device="cpu"):
        loaded.append(model)
        return TinySegmenter()

    monkeypatch.setattr(registry, "load", load)
    _segment._ready.cache_clear()
    yield loaded
    _segment._ready.cache_clear()
    torch.set_num_threads(before)


@pytest.fixture
def stack():
    """Three planes of bright cells with dark membranes, and the membranes' place."""
    rng = np.random.default_rng(0)
    membranes = np.zeros((3, 48, 64), bool)
    membranes[:, ::12, :] = membranes[:, :, ::16] = True
    image = np.where(membranes, 40, 200) + rng.normal(0, 5, membranes.shape)
    return image.astype(np.float32), membranes


@pytest.fixture
def strokes(stack):
    """A few strokes of both classes on the second plane."""
    _, membranes = stack
    painted = np.zeros(membranes.shape, np.uint8)
    painted[1, :, 20:24] = np.where(membranes[1], 2, 1)[:, 20:24]
    return painted
