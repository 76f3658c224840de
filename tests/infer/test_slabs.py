"""Networks that look at volumes: slabs cover a stack, and a part is answered as the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.image import Image
from napari_infoleak.core.region import Region
from napari_infoleak.core.support import SupportSet
from napari_infoleak.infer.pipeline import answer
from napari_infoleak.infer.prepare import prepare
from napari_infoleak.infer.slabs import DEPTH, MARGIN, spans
from napari_infoleak.segmenters.loop_resnet_3d import LoopResNet3DSegmenter


@pytest.mark.parametrize("depth", [1, 47, 48, 49, 200])
def test_slabs_keep_each_plane_once_with_all_around_it(depth: int) -> None:
    found = spans(depth, 0, depth)
    assert [z for first, last, *_ in found for z in range(first, last)] == list(range(depth))
    for first, last, start, stop in found:
        assert stop - start <= DEPTH
        assert start % MARGIN == 0
        assert start == 0 or first - start >= MARGIN
        assert stop == depth or stop - last >= MARGIN


def test_a_part_is_kept_of_the_same_slabs() -> None:
    whole = {(start, stop) for *_, start, stop in spans(200, 0, 200)}
    assert {(start, stop) for *_, start, stop in spans(200, 90, 100)} <= whole


@pytest.fixture(scope="module")
def segmenter() -> LoopResNet3DSegmenter:
    torch.manual_seed(0)
    made = LoopResNet3DSegmenter.fresh(ClassTable.membrane(), widths=(4, 6), flat=0)
    torch.nn.init.constant_(made.net.feedback.gain, 0.5)
    return prepare(made, "cpu")


def test_a_stack_is_answered_as_one_volume(segmenter: LoopResNet3DSegmenter) -> None:
    stack = np.random.default_rng(0).normal(size=(2, 5, 20, 30)).astype(np.float32)
    image, memory = Image.from_array(stack, "TZYX"), segmenter.remember(SupportSet())
    whole = answer(image, segmenter, memory)
    assert whole.labels is not None
    assert whole.labels.shape == (2, 5, 20, 30)
    part = answer(image, segmenter, memory, region=Region(1, 2, 2, 4, 3, 11, 5, 22))
    assert np.array_equal(part.labels, whole.labels[1:2, 2:4, 3:11, 5:22])


def test_tiles_of_a_volume_leave_no_seam(segmenter: LoopResNet3DSegmenter) -> None:
    stack = np.random.default_rng(1).normal(size=(3, 200, 24)).astype(np.float32)
    image, memory = Image.from_array(stack, "ZYX"), segmenter.remember(SupportSet())
    whole, tiled = (answer(image, segmenter, memory, tile=t).probabilities for t in (None, 64))
    np.testing.assert_allclose(tiled, whole, atol=1e-4)
