"""Reasons are true: the weights are those of the answer, the places are painted as it is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.support import SupportSet
from napari_infoleak.explain.reasons import Why
from napari_infoleak.explain.why import why
from napari_infoleak.segmenters.unet import PlainUNet


@pytest.fixture
def support(scene: Any, brush: Any) -> SupportSet:
    image, truth = scene(0)
    known = SupportSet()
    for z in (0, 2):
        known = known.add(image[z], brush(truth[z], 5, z), axes="YX", name=f"plane {z}")
    return known


def asked(segmenter: Any, support: SupportSet, image: Any, y: int, x: int, top: int = 5) -> Why:
    values = normalise(image)[None]
    return why(segmenter, support, segmenter.remember(support), values, (y, x), top)


def test_places_are_painted_with_the_class_that_is_named(
    segmenter: Any, scene: Any, support: SupportSet
) -> None:
    image, _ = scene(0)
    paint = {plane.source: plane.annotation for plane in support.planes}
    found = asked(segmenter, support, image[5], 100, 93)
    assert 1 <= len(found.patches) <= 5
    for patch in found.patches:
        assert paint[patch.source][patch.y, patch.x] == patch.class_id
        assert (patch.t, patch.z) == (0, 0)


def test_weights_are_shares_of_all_that_was_read(
    segmenter: Any, scene: Any, support: SupportSet
) -> None:
    image, _ = scene(0)
    found = asked(segmenter, support, image[5], 60, 121, top=10_000)
    weights = [patch.weight for patch in found.patches]
    assert weights == sorted(weights, reverse=True)
    assert 0.9 < sum(weights) < 1 + 1e-5  # the weakest of many entries are not looked at
    for class_id, share in zip(found.class_ids, found.read, strict=True):
        own = sum(patch.weight for patch in found.patches if patch.class_id == class_id)
        assert own == pytest.approx(share, abs=0.1)
    assert sum(found.read) == pytest.approx(1)


def test_it_explains_the_answer_of_the_whole_plane(
    segmenter: Any, scene: Any, support: SupportSet
) -> None:
    image, _ = scene(0)
    memory = segmenter.remember(support)
    tile = torch.from_numpy(normalise(image[4]))[None, None]
    whole = segmenter.scores(tile, memory).softmax(1)[0]
    alone = segmenter.with_leak(0).scores(tile, memory).softmax(1)[0]
    for y, x in ((0, 0), (223, 130), (97, 45)):
        found = asked(segmenter, support, image[4], y, x)
        np.testing.assert_allclose(found.probabilities, whole[:, y, x].numpy(), atol=1e-3)
        np.testing.assert_allclose(found.alone, alone[:, y, x].numpy(), atol=1e-3)


def test_a_painted_pixel_reads_its_own_paint_first(
    segmenter: Any, scene: Any, support: SupportSet
) -> None:
    image, _ = scene(0)
    plane = next(one for one in support.planes if one.source == "plane 2")
    y, x = np.argwhere(plane.annotation == 2)[0]
    first = asked(segmenter, support, image[2], int(y), int(x)).patches[0]
    assert first.source == "plane 2"
    assert max(abs(first.y - y), abs(first.x - x)) <= 12
    assert first.likeness == pytest.approx(1, abs=0.1)


def test_a_model_without_a_memory_is_refused_in_words(scene: Any, support: SupportSet) -> None:
    image, _ = scene(0)
    plain = PlainUNet.fresh(support.classes, widths=(4, 4), features=4)
    with pytest.raises(BadInput, match="unet answers from its weights alone"):
        asked(plain, support, image[0], 3, 3)
