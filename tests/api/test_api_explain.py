"""Reasons, support scores and doubtful places, as a script asks for them."""

from __future__ import annotations

import numpy as np
import pytest

import napari_infoleak as il


@pytest.fixture
def leak(monkeypatch):
    """Answer with a small network of annotation leakage that has learned nothing."""
    import torch

    from napari_infoleak.api import _segment
    from napari_infoleak.nets.leakage_net import LeakageNet
    from napari_infoleak.segmenters import registry
    from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage

    torch.manual_seed(0)
    net = LeakageNet(widths=(4, 4, 8), features=8, dimensions=8)
    monkeypatch.setattr(registry, "load", lambda model, device="cpu": AnnotationLeakage(net))
    _segment._ready.cache_clear()
    yield
    _segment._ready.cache_clear()


def test_why_names_places_of_the_image_and_of_others(leak, stack, strokes):
    image, _ = stack
    other = il.SupportSet().add(image[2], strokes[1], axes="YX", name="other")
    found = il.why(image, (0, 30, 22), other, annotations=strokes, axes="ZYX", top=50)
    assert {patch.source for patch in found.patches} == {"image", "other"}
    for patch in found.patches:
        painted = strokes[1] if patch.source == "other" else strokes[patch.z]
        assert painted[patch.y, patch.x] == patch.class_id


def test_why_agrees_with_segment(leak, stack, strokes):
    image, _ = stack
    answer = il.segment(image, annotations=strokes, axes="ZYX", device="cpu", leak=0.7)
    found = il.why(image, (2, 11, 40), annotations=strokes, axes="ZYX", device="cpu", leak=0.7)
    assert found.class_ids == answer.class_ids
    expected = answer.probabilities[:, 2, 11, 40]
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("place", "message"),
    [((1, 2), "one for each of the axes ZYX"), ((1, 2, 64), "X = 64"), ((-1, 2, 3), "Z = -1")],
)
def test_why_refuses_places_outside(leak, stack, strokes, place, message):
    with pytest.raises(il.BadInput, match=message):
        il.why(stack[0], place, annotations=strokes, axes="ZYX")


def test_why_needs_paint(leak, stack):
    with pytest.raises(il.BadInput, match="nothing is annotated"):
        il.why(stack[0], (0, 0, 0), axes="ZYX")


def test_review_lists_planes_and_strokes(leak, stack, strokes):
    image, _ = stack
    strokes[0] = strokes[1]
    found = il.review(il.SupportSet().add(image, strokes, axes="ZYX", name="stack"))
    assert sorted((one.source, one.z) for one in found.planes) == [("stack", 0), ("stack", 1)]
    for one in found.strokes:
        assert strokes[one.z, one.y, one.x] == one.class_id
        assert one.effect is None or -1 <= one.effect <= 1


def test_review_refuses_what_is_no_support_set(leak, stack):
    with pytest.raises(il.BadInput, match="SupportSet"):
        il.review(stack[0])
    with pytest.raises(il.BadInput, match="nothing is annotated"):
        il.review(il.SupportSet())


def test_doubtful_looks_where_it_is_told(leak, stack, strokes):
    image, _ = stack
    region = il.Region.from_slices((1, 3, 48, 64), z=slice(1, 3), y=slice(8, 48))
    places = il.doubtful(image, annotations=strokes, axes="ZYX", region=region, count=4)
    assert places
    for place in places:
        assert place.z in (1, 2)
        assert place.y >= 8
        assert not strokes[place.z, place.y, place.x]


def test_doubtful_keeps_off_paint_under_whatever_name(leak, stack):
    image, membranes = stack
    dense = np.where(membranes, 2, 1).astype(np.uint8)
    dense[2] = 0
    support = il.SupportSet().add(image, dense, axes="ZYX", name="another name")
    assert {place.z for place in il.doubtful(image, support, axes="ZYX")} == {2}


def test_doubtful_looks_at_some_planes_of_many(leak, stack):
    image = np.concatenate([stack[0]] * 4)
    told = []
    places = il.doubtful(image, axes="ZYX", planes=3, progress=lambda *step: told.append(step))
    assert {place.z for place in places} <= {2, 6, 10}
    assert told[-1][1] == 3
    with pytest.raises(il.BadInput, match="planes"):
        il.doubtful(image, axes="ZYX", planes=0)


def test_models_without_a_memory_say_so(tiny, stack, strokes):
    support = il.SupportSet().add(stack[0], strokes, axes="ZYX")
    for ask in (
        lambda: il.why(stack[0], (0, 0, 0), support, axes="ZYX"),
        lambda: il.review(support),
        lambda: il.doubtful(stack[0], support, axes="ZYX"),
    ):
        with pytest.raises(il.BadInput, match="from its weights alone"):
            ask()
