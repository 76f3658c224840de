"""The segmenter of test-time annotations, with random weights: its laws, not its accuracy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_infoleak.core.errors import BadInput, BadModelFile
from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.support import SupportSet
from napari_infoleak.nets.leakage_net import LeakageNet
from napari_infoleak.segmenters import encoding, encodings
from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage

if TYPE_CHECKING:
    from napari_infoleak.core.support import SupportPlane
    from napari_infoleak.segmenters.encoding import EncodedPlane
    from napari_infoleak.segmenters.features import Features


def small(stride: int = 4) -> LeakageNet:
    return LeakageNet(widths=(4, 4, 8), features=8, dimensions=8, stride=stride)


@pytest.fixture
def segmenter() -> AnnotationLeakage:
    torch.manual_seed(0)
    net = small()
    for parameter in net.fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return AnnotationLeakage(net)


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


@pytest.mark.parametrize("ids", [(), (1, 2), (1, 2, 3)])
@pytest.mark.parametrize("window", [(0, 40, 5, 41), (100, 171, 88, 200), (0, 200, 0, 200)])
def test_a_window_is_answered_as_the_whole(
    segmenter: AnnotationLeakage, ids: tuple[int, ...], window: tuple[int, int, int, int]
) -> None:
    memory = segmenter.remember(supported(*ids) if ids else None)
    whole = segmenter.scores(tile(side=200), memory)
    rows, columns = slice(*window[:2]), slice(*window[2:])
    for again in (False, True):
        part = segmenter.scores_within(tile(side=200), memory, (rows, columns), again=again)
        torch.testing.assert_close(part, whole[..., rows, columns], atol=1e-4, rtol=1e-4)


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
    fresh = AnnotationLeakage(segmenter.net)
    first, second = segmenter.remember(grown), fresh.remember(grown)
    for name in ("keys", "values", "bias", "rule", "affinity", "places"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name
    assert first.version == second.version


def test_a_new_stroke_costs_its_own_plane_alone(
    segmenter: AnnotationLeakage, monkeypatch: pytest.MonkeyPatch
) -> None:
    support = SupportSet()
    for seed in range(70):
        support = support.add(picture(seed, 16), np.eye(16, dtype=np.uint8) + 1, axes="YX")
    calls = counted(monkeypatch)
    segmenter.remember(support)
    assert len(calls) == 70
    segmenter.remember(support.add(picture(99), strokes(1, 2), axes="YX"))
    assert len(calls) == 71


def test_encoded_planes_do_not_pile_up(
    segmenter: AnnotationLeakage, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch)
    first = segmenter.remember(supported(1, 2))
    monkeypatch.setattr(encodings, "_KEPT_BYTES", 0)
    for _ in range(2):
        again = segmenter.remember(supported(1, 2))
        assert torch.equal(first.keys, again.keys)
    assert len(calls) == 2  # kept once, then forgotten


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hashes of the planes that are encoded from now on."""
    seen: list[str] = []
    encode = encoding.encode

    def count(net: LeakageNet, features: Features, plane: SupportPlane) -> EncodedPlane:
        seen.append(plane.hash)
        return encode(net, features, plane)

    monkeypatch.setattr(encodings, "encode", count)
    return seen


def test_a_plane_painted_all_over_gives_a_sample_of_every_class(
    segmenter: AnnotationLeakage, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted = np.ones((64, 64), np.uint8)
    painted[:, 40:], painted[8:12, 8:12] = 2, 7
    support = SupportSet().add(picture(1), painted, axes="YX")
    whole = AnnotationLeakage(segmenter.net).remember(support)
    monkeypatch.setattr(encoding, "_MOST", 50)
    part = segmenter.remember(support)
    assert (len(whole), len(part)) == (256, 50)
    assert part.values.sum((0, 2)).all()
    assert torch.equal(part.rule, whole.rule)  # of all pixels, kept or not


def test_as_many_classes_as_there_are_ids(segmenter: AnnotationLeakage) -> None:
    ids = np.random.default_rng(0).permutation(np.arange(1, 256))[:200]
    painted = np.zeros((64, 64), np.uint8)
    painted[:50, :16] = ids.repeat(4).reshape(50, 16)
    memory = segmenter.remember(SupportSet().add(picture(1), painted, axes="YX"))
    assert memory.class_ids == tuple(sorted(ids.tolist()))
    scores = segmenter.scores(tile(), memory)
    assert scores.shape[1] == 200
    assert torch.isfinite(scores).all()


def test_tiles_are_whole_cells_of_the_keys() -> None:
    wide = AnnotationLeakage(small(stride=12))  # the U-Net alone asks for multiples of 4
    assert wide.spec.multiple_of == 12
    assert wide.spec.halo % 12 == 0
    scores = wide.scores(tile(side=48), wide.remember(supported(1, 2)))
    assert scores.shape[-2:] == (48, 48)


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


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_only_proportions_of_weights_count(segmenter: AnnotationLeakage, scale: float) -> None:
    def weighted(by: float) -> torch.Tensor:
        support = SupportSet().add(picture(1), strokes(1, 2), axes="YX", weight=by)
        support = support.add(picture(2), strokes(2, 3), axes="YX", weight=0.5 * by)
        return segmenter.scores(tile(), segmenter.remember(support))

    torch.testing.assert_close(weighted(scale), weighted(1.0))


def test_a_class_of_a_light_image_alone_counts_like_the_others(
    segmenter: AnnotationLeakage,
) -> None:
    def rule(weight: float) -> torch.Tensor:
        support = supported(1, 2).add(picture(2), strokes(3), axes="YX", weight=weight)
        return segmenter.remember(support).rule

    torch.testing.assert_close(rule(1e-4), rule(1.0))


def test_one_class_is_refused_in_words(segmenter: AnnotationLeakage) -> None:
    with pytest.raises(BadInput, match="second class"):
        segmenter.remember(supported(2))


def test_a_memory_of_other_weights_is_refused(segmenter: AnnotationLeakage) -> None:
    other = AnnotationLeakage(small())
    with pytest.raises(BadInput, match="other weights"):
        segmenter.scores(tile(), other.remember(supported(1, 2)))


@pytest.mark.parametrize("leak", [-0.1, 1.5, float("nan")])
def test_leak_strength_is_checked(segmenter: AnnotationLeakage, leak: float) -> None:
    with pytest.raises(BadInput, match="0 to 1"):
        segmenter.with_leak(leak)


def test_weights_that_do_not_fit_are_refused(segmenter: AnnotationLeakage) -> None:
    tensors = segmenter.tensors()
    tensors.pop("own.weight")
    with pytest.raises(BadModelFile) as caught:
        AnnotationLeakage.from_file(tensors, segmenter.header())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("config", [{"widths": []}, {"depth": 3}, [1, 2], {"widths": 3}])
def test_a_header_that_makes_no_sense_is_refused(
    segmenter: AnnotationLeakage, config: object
) -> None:
    with pytest.raises(BadModelFile):
        AnnotationLeakage.from_file(segmenter.tensors(), segmenter.header() | {"config": config})


def test_a_network_of_any_size_is_made_again_from_its_header(segmenter: AnnotationLeakage) -> None:
    header = json.loads(json.dumps(segmenter.header()))
    again = AnnotationLeakage.from_file(segmenter.tensors(), header)
    answers = [s.scores(tile(), s.remember(supported(1, 2))) for s in (segmenter, again)]
    assert torch.equal(*answers)


def test_weight_of_an_image_counts(segmenter: AnnotationLeakage) -> None:
    base = supported(1, 2)
    light = base.add(picture(3), strokes(2, 1), axes="YX", weight=1e-4)
    heavy = base.add(picture(3), strokes(2, 1), axes="YX", weight=100.0)
    alone, small, large = (
        segmenter.scores(tile(), segmenter.remember(s)) for s in (base, light, heavy)
    )
    assert (alone - small).abs().mean() < (alone - large).abs().mean()


def test_leak_off_still_tells_classes_apart_without_the_preset(
    segmenter: AnnotationLeakage,
) -> None:
    off = segmenter.with_leak(0)
    memory = off.remember(supported(3, 5, 9))
    assert not memory.preset
    assert (off.scores(tile(), memory).std(1) > 0).any()


def test_the_preference_for_membranes_survives_the_file(segmenter: AnnotationLeakage) -> None:
    leaning = AnnotationLeakage(segmenter.net, membrane_offset=0.7)
    again = AnnotationLeakage.from_file(leaning.tensors(), leaning.header())
    plain, shifted = (s.scores(tile(), s.remember(SupportSet())) for s in (segmenter, again))
    torch.testing.assert_close(shifted[:, 0], plain[:, 0])
    torch.testing.assert_close(shifted[:, 1], plain[:, 1] + 0.7)
    broken = leaning.header() | {"membrane_offset": float("nan")}
    with pytest.raises(BadModelFile):
        AnnotationLeakage.from_file(leaning.tensors(), broken)


def test_what_nobody_annotated_is_looked_up_and_nothing_else_is_learned_of_it(
    segmenter: AnnotationLeakage,
) -> None:
    own = supported(1, 2)
    labelled = np.where(picture(3) > 0, 1, 2).astype(np.uint8)
    both = own.add(picture(2), labelled, axes="YX", weight=0.5, permanent=False)
    segmenter.cap = 64
    alone, joined = segmenter.remember(own), segmenter.remember(both)
    for name in ("rule", "affinity", "frequency"):
        torch.testing.assert_close(getattr(joined, name), getattr(alone, name))
    assert joined.head is None
    temporary = len(joined) - len(alone)
    assert temporary == segmenter.cap // 2  # they have room of their own
    assert (segmenter.scores(tile(), joined) != segmenter.scores(tile(), alone)).any()
    new_class = own.add(picture(2), np.where(labelled == 1, 5, 0), axes="YX", permanent=False)
    assert segmenter.remember(new_class).class_ids == (1, 2, 5)
