"""The floor's promises hold for the real segmenter, not only for small fakes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_infoleak.core.image import Image
from napari_infoleak.core.support import SupportSet
from napari_infoleak.infer.backends import prepare
from napari_infoleak.infer.pipeline import answer
from napari_infoleak.nets.leakage_net import LeakageNet
from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage


@pytest.fixture(scope="module")
def segmenter():
    """Untrained, with a fusion that does something."""
    torch.manual_seed(0)
    net = LeakageNet()
    for parameter in net.parameters():
        parameter.data.mul_(1.5)
    for parameter in net.fusion.parameters():
        if not parameter.any():
            parameter.data.normal_()
    return AnnotationLeakage(net)


@pytest.fixture(scope="module")
def image():
    # Wide enough that torch computes tiles as it computes the whole, not as it does tiny ones.
    noise = np.random.default_rng(0).normal(size=(430, 160))
    return Image.from_array(gaussian_filter(noise, 3).astype(np.float32), "YX")


@pytest.fixture(scope="module")
def support(image):
    strokes = np.zeros((430, 160), np.uint8)
    strokes[100, 10:150], strokes[300, 10:150] = 1, 2
    return SupportSet().add(image, strokes)


@pytest.mark.parametrize("strokes", [True, False], ids=["support", "alone"])
def test_tiles_answer_as_the_whole_plane_does(segmenter, image, support, strokes):
    ready = prepare(segmenter, "cpu")
    memory = ready.remember(support if strokes else None)
    whole = answer(image, ready, memory)
    tiled = answer(image, ready, memory, tile=240)
    assert len(np.unique(whole.labels)) == 2
    # The untrained fusion amplifies the rounding of the read-out.
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, atol=1e-4)


def test_folding_changes_no_answer(segmenter, image, support):
    ready = prepare(segmenter, "cpu")
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in ready.net.modules())
    fast = answer(image, ready, ready.remember(support)).probabilities
    plain = answer(image, segmenter, segmenter.remember(support)).probabilities
    # Some pixel may read another of two equally near neighbours.
    assert (np.abs(fast - plain) < 1e-3).mean() > 0.99
