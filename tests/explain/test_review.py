"""What is painted wrongly is found, and what is painted well is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, label

from napari_infoleak.core.errors import EmptySupportError
from napari_infoleak.core.support import SupportSet
from napari_infoleak.explain.review import Review, review
from napari_infoleak.learn.strokes import paint


def reviewed(segmenter: Any, support: SupportSet) -> Review:
    return review(segmenter, support, segmenter.remember(support))


def planted(image: Any, truth: Any, strokes: Any, seed: int) -> tuple[SupportSet, Any]:
    """Paint one stroke of membrane where cells are."""
    rng = np.random.default_rng([seed, 1])
    inside = np.where((truth == 1) & (binary_dilation(strokes, iterations=4) == 0), 0, -1)
    pieces, _ = label(paint(inside, 6, rng, width=3, length=40) == 0)
    wrong = pieces == np.bincount(pieces[pieces > 0]).argmax()
    return SupportSet().add(image, np.where(wrong, 2, strokes), axes="YX"), wrong


@pytest.mark.parametrize("seed", [2, 4, 8])
def test_a_wrong_stroke_harms_most(segmenter: Any, scene: Any, brush: Any, seed: int) -> None:
    image, truth = scene(seed)
    support, wrong = planted(image[0], truth[0], brush(truth[0], 6, seed), seed)
    worst = reviewed(segmenter, support).strokes[0]
    assert wrong[worst.y, worst.x]
    assert worst.class_id == 2
    assert (worst.effect or 0) < 0
    assert worst.agreement is not None
    assert worst.agreement < 0.5


def test_wrong_strokes_are_flagged_and_good_ones_seldom(
    segmenter: Any, scene: Any, brush: Any
) -> None:
    """On several scenes: strokes can be so short, or cells so odd, that one cannot tell."""
    found = alarms = strokes = 0
    for seed in range(4, 10):
        image, truth = scene(seed)
        good = brush(truth[0], 6, seed)
        support, wrong = planted(image[0], truth[0], good, seed)
        suspects = [one for one in reviewed(segmenter, support).strokes if one.suspect]
        found += any(wrong[one.y, one.x] for one in suspects)
        clean = reviewed(segmenter, SupportSet().add(image[0], good, axes="YX")).strokes
        alarms += sum(one.suspect for one in clean)
        strokes += len(clean)
    assert found >= 4
    assert alarms <= strokes / 20


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("seed", [0, 2])
def test_a_wrong_mask_among_good_ones_is_flagged(
    segmenter: Any, scene: Any, brush: Any, seed: int, dense: bool
) -> None:
    image, truth = scene(seed)
    support = SupportSet()
    for z in (0, 2, 4, 6):
        mask = truth[z] if dense else brush(truth[z], 5, z)
        if z == 2:
            mask = np.where(mask > 0, 3 - mask, 0)  # membrane and interior swapped
        support = support.add(image[z], mask.astype(np.uint8), axes="YX", name=f"plane {z}")
    planes = reviewed(segmenter, support).planes
    assert [one.source for one in planes if one.suspect] == ["plane 2"]
    assert planes[0].source == "plane 2"


def test_order_does_not_matter(segmenter: Any, scene: Any, brush: Any) -> None:
    image, truth = scene(1)
    pairs = [(image[z], brush(truth[z], 3, z), f"plane {z}") for z in (0, 3)]

    def of(order: Any) -> Review:
        support = SupportSet()
        for pixels, strokes, name in order:
            support = support.add(pixels, strokes, axes="YX", name=name)
        return reviewed(segmenter, support)

    assert of(pairs) == of(pairs[::-1])


def test_one_stroke_of_each_class_cannot_be_judged(segmenter: Any, scene: Any) -> None:
    image, _ = scene(1)
    strokes = np.zeros(image[0].shape, np.uint8)
    strokes[20, 20:60], strokes[120, 20:60] = 1, 2
    found = reviewed(segmenter, SupportSet().add(image[0], strokes, axes="YX"))
    assert len(found.strokes) == 2
    assert [one.agreement for one in found.strokes] == [None, None]
    assert found.suspects == ()
    assert found.planes[0].effect is None


def test_nothing_annotated_is_said(segmenter: Any) -> None:
    with pytest.raises(EmptySupportError, match="paint"):
        reviewed(segmenter, SupportSet())
