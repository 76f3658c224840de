"""What a model that looks several times thought after each look."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import napari_infoleak as il
from napari_infoleak.api._segment import _ready
from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput
from napari_infoleak.io.weights import save_weights
from napari_infoleak.segmenters import registry

TINY = {
    "feedback-unet": {"widths": (4, 6, 8), "features": 6, "rounds": 3},
    "feedback-attention": {"widths": (4, 6, 8), "features": 6, "dimensions": 4, "window": 32},
    "loop-resnet-3d": {"widths": (4, 6, 8), "flat": 1},
}


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).random((3, 40, 48)).astype(np.float32)


def model_file(folder, method):
    torch.manual_seed(0)
    segmenter = registry.fresh(method, ClassTable.membrane(), **TINY[method])
    for one in segmenter.net.parameters():
        torch.nn.init.normal_(one, 0, 0.2)  # fresh leaks are closed
    path = folder / f"{method}.safetensors"
    save_weights(path, segmenter.tensors(), segmenter.header())
    return path


@pytest.mark.parametrize("method", TINY)
def test_the_last_look_is_the_answer_and_the_first_is_another(tmp_path, image, method):
    _ready.cache_clear()
    path = model_file(tmp_path, method)
    plain = il.segment(image, model=path, axes="ZYX")
    assert plain.rounds == ()
    result = il.segment(image, model=path, axes="ZYX", rounds=True)
    loaded = registry.load(path)
    assert len(result.rounds) == loaded.rounds > 1
    for thought in result.rounds:
        assert thought.shape == (2, 3, 40, 48)
        assert np.allclose(thought.sum(0), 1, atol=1e-5)
    assert np.array_equal(result.rounds[-1], plain.probabilities)
    assert not np.array_equal(result.rounds[0], result.rounds[-1])
    assert np.array_equal(result.labels, plain.labels)


def test_the_looks_are_those_of_the_network(tmp_path, image):
    loaded = registry.load(model_file(tmp_path, "feedback-unet"))
    tiles = torch.from_numpy(image[:1, None, :40, :48])
    with torch.inference_mode():
        looks = loaded.net.looks(tiles)
        memory = loaded.remember(None)
        for count, wanted in enumerate(looks, 1):
            assert torch.allclose(loaded.after(count).scores(tiles, memory), wanted, atol=1e-5)
    assert loaded.rounds == 3


def test_a_model_that_looks_once_says_so(tiny, image):
    with pytest.raises(BadInput, match="looks once"):
        il.segment(image, axes="ZYX", rounds=True)
