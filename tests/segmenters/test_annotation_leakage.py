"""The segmenter of test-time annotations, with random weights: its laws, not its accuracy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_infoleak.core.errors import BadInput, BadModelFile
from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.support import SupportSet
from napari_infoleak.nets.leakage_net import LeakageNet
from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage

SMALL = {"widths": (4, 4, 8), "features": 8, "dimensions": 8}


@pytest.fixture
def segmenter() -> AnnotationLeakage:
    torch.manual_seed(0)
    net = LeakageNet(**SMALL)
    for parameter in net.fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return AnnotationLeakage(net, SMALL)


def picture(seed: int, side: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(side, side)).astype(np.float32)


def strokes(*ids: int, side: int = 64) -> np.ndarray:
    out = np.zeros((side, side), np.uint8)
    for i, k in enumerate(ids):
        out[8 + 10 * i : 11 + 10 * i, 10:50] = k
    return out


def tile(seed: int = 9, side: int = 64) -> torch.Tensor:
    return torch.from_numpy(normalise(picture(seed, side)))[None, None]


def supported(*ids: int) -> SupportSet:
    return SupportSet().add(picture(1), strokes(*ids), axes="YX", name="one")


def test_answers_without_a_support_set(segmenter: AnnotationLeakage) -> None:
    memory = segmenter.remember(SupportSet())
    assert memory.class_ids == (1, 2)
    own = segmenter.net.own(segmenter.net.body(tile())).log_softmax(1)
    torch.testing.assert_close(segmenter.scores(tile(), memory), own.detach())


@pytest.mark.parametrize("ids", [(1, 2), (2, 5), (1, 2, 3), (7, 1, 4, 3, 2)])
def test_answers_with_any_classes(segmenter: AnnotationLeakage, ids: tuple[int, ...]) -> None:
    memory = segmenter.remember(supported(*ids))
    assert memory.class_ids == tuple(sorted(ids))
    scores = segmenter.scores(tile(), memory)
    assert scores.shape == (1, len(ids), 64, 64)
    assert torch.isfinite(scores).all()


def test_leak_off_is_the_baseline_bit_for_bit(segmenter: AnnotationLeakage) -> None:
    off = segmenter.with_leak(0)
    # Paint that the network's own opinion does not contradict, so that the preset holds.
    support = supported(1, 2)
    memory = off.remember(support)
    if not memory.preset:
        memory = off.remember(supported(2, 1))
    baseline = segmenter.scores(tile(), segmenter.remember(SupportSet()))
    assert torch.equal(off.scores(tile(), memory), baseline)


def test_the_leak_is_used(segmenter: AnnotationLeakage) -> None:
    first = segmenter.scores(tile(), segmenter.remember(supported(1, 2, 3)))
    other = SupportSet().add(picture(1), strokes(3, 1, 2), axes="YX")
    second = segmenter.scores(tile(), segmenter.remember(other))
    assert (first - second).abs().max() > 1e-3


def test_the_order_of_the_support_set_does_not_matter(segmenter: AnnotationLeakage) -> None:
    a = (picture(1), strokes(1, 2))
    b = (picture(2), strokes(2, 3))
    one = SupportSet().add(*a, axes="YX").add(*b, axes="YX")
    two = SupportSet().add(*b, axes="YX").add(*a, axes="YX")
    first, second = (segmenter.scores(tile(), segmenter.remember(s)) for s in (one, two))
    assert torch.equal(first, second)


def test_a_stroke_that_was_erased_leaves_no_trace(segmenter: AnnotationLeakage) -> None:
    before = supported(1, 2)
    more = before.add(picture(3), strokes(2, 1), axes="YX", name="two")
    segmenter.remember(more)
    erased = more.without("two")
    first = segmenter.scores(tile(), segmenter.remember(before))
    second = segmenter.scores(tile(), segmenter.remember(erased))
    assert torch.equal(first, second)


def test_incremental_memory_equals_one_made_afresh(segmenter: AnnotationLeakage) -> None:
    grown = supported(1, 2)
    segmenter.remember(grown)
    grown = grown.add(picture(3), strokes(2, 1), axes="YX", name="two")
    fresh = AnnotationLeakage(segmenter.net, SMALL)
    first, second = segmenter.remember(grown), fresh.remember(grown)
    assert torch.equal(first.keys, second.keys)
    assert torch.equal(first.rule, second.rule)


def test_keys_are_those_of_the_whole_plane(segmenter: AnnotationLeakage) -> None:
    """A plane is encoded around its paint only; that must not change what is remembered."""
    image = picture(4, 200)
    near = np.zeros((200, 200), np.uint8)
    near[100:104, 100:120], near[110:112, 100:120] = 1, 2
    far = near.copy()
    far[4:8, 4:20] = 1
    first = segmenter.remember(SupportSet().add(image, near, axes="YX"))
    second = segmenter.remember(SupportSet().add(image, far, axes="YX"))
    shared = [i for i, place in enumerate(second.places.tolist()) if place in first.places.tolist()]
    torch.testing.assert_close(first.keys, second.keys[shared], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("side", [1, 7, 33])
def test_support_images_of_any_size(segmenter: AnnotationLeakage, side: int) -> None:
    painted = np.ones((side, side), np.uint8)
    support = (
        SupportSet()
        .add(picture(1, side), painted, axes="YX")
        .add(picture(2), strokes(2), axes="YX")
    )
    assert torch.isfinite(segmenter.scores(tile(), segmenter.remember(support))).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_support_images_that_are_not_finite(segmenter: AnnotationLeakage, bad: float) -> None:
    image = picture(1)
    image[20:40, 20:40] = bad
    memory = segmenter.remember(SupportSet().add(image, strokes(1, 2), axes="YX"))
    assert torch.isfinite(segmenter.scores(tile(), memory)).all()


def test_one_class_is_refused_in_words(segmenter: AnnotationLeakage) -> None:
    with pytest.raises(BadInput, match="second class"):
        segmenter.remember(supported(2))


def test_a_memory_of_other_weights_is_refused(segmenter: AnnotationLeakage) -> None:
    other = AnnotationLeakage(LeakageNet(**SMALL), SMALL)
    with pytest.raises(BadInput, match="other weights"):
        segmenter.scores(tile(), other.remember(supported(1, 2)))


@pytest.mark.parametrize("leak", [-0.1, 1.5, float("nan")])
def test_leak_strength_is_checked(segmenter: AnnotationLeakage, leak: float) -> None:
    with pytest.raises(BadInput, match="0 to 1"):
        segmenter.with_leak(leak)


def test_weights_that_do_not_fit_are_refused(segmenter: AnnotationLeakage) -> None:
    tensors = segmenter.tensors()
    tensors.pop("own.weight")
    with pytest.raises(BadModelFile):
        AnnotationLeakage.from_file(tensors, segmenter.header())


def test_weight_of_an_image_counts(segmenter: AnnotationLeakage) -> None:
    base = supported(1, 2)
    light = base.add(picture(3), strokes(2, 1), axes="YX", weight=1e-4)
    heavy = base.add(picture(3), strokes(2, 1), axes="YX", weight=100.0)
    alone, small, large = (
        segmenter.scores(tile(), segmenter.remember(s)) for s in (base, light, heavy)
    )
    assert (alone - small).abs().mean() < (alone - large).abs().mean()
