"""Proposed places are doubtful, unpainted, apart from each other, and of different kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_infoleak.core.errors import Cancelled
from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.progress import CancelToken
from napari_infoleak.core.support import SupportSet
from napari_infoleak.explain.doubtful import Field, doubtful
from napari_infoleak.explain.reasons import DoubtfulPlace
from napari_infoleak.infer.tiles import Box
from napari_infoleak.infer.uncertainty import entropy


def field(image: Any, painted: Any = None, z: int = 0, box: Box | None = None) -> Field:
    nothing = np.zeros(image.shape, bool)
    return Field(
        0,
        z,
        normalise(image)[None],
        nothing if painted is None else painted > 0,
        box or Box(0, image.shape[0], 0, image.shape[1]),
    )


def found(segmenter: Any, support: SupportSet | None, *fields: Field, count: int = 6) -> Any:
    memory = segmenter.remember(support)
    return doubtful(segmenter, memory, fields, len(fields), count)


def test_places_are_doubtful_unpainted_and_apart(segmenter: Any, scene: Any, brush: Any) -> None:
    image, truth = scene(0)
    strokes = brush(truth[0], 3, 0)
    support = SupportSet().add(image[0], strokes, axes="YX")
    places: list[DoubtfulPlace] = found(segmenter, support, field(image[0], strokes))
    tile = torch.from_numpy(normalise(image[0]))[None, None]
    scores = segmenter.scores(tile, segmenter.remember(support)).softmax(1)[0].numpy()
    doubt = entropy(scores)
    assert len(places) == 6
    for place in places:
        assert doubt[place.y, place.x] > np.quantile(doubt, 0.9)
        assert not strokes[place.y - 7 : place.y + 8, place.x - 7 : place.x + 8].any()
        shares = scores[:, place.y, place.x]
        np.testing.assert_allclose(sorted(shares)[::-1], place.probabilities, atol=1e-3)
        assert place.class_ids[0] == (1, 2)[shares.argmax()]
    for i, one in enumerate(places):
        for other in places[:i]:
            assert max(abs(one.y - other.y), abs(one.x - other.x)) >= 24
    gains = [place.gain for place in places]
    assert gains == sorted(gains, reverse=True)


def test_paint_at_a_place_moves_the_next_proposal_away(
    segmenter: Any, scene: Any, brush: Any
) -> None:
    image, truth = scene(2)
    strokes = brush(truth[0], 2, 0)
    support = SupportSet().add(image[0], strokes, axes="YX")
    first = found(segmenter, support, field(image[0], strokes), count=1)[0]
    around = np.s_[first.y - 2 : first.y + 3, first.x - 8 : first.x + 9]
    strokes[around] = truth[0][around]
    support = SupportSet().add(image[0], strokes, axes="YX")
    second = found(segmenter, support, field(image[0], strokes), count=1)[0]
    assert max(abs(first.y - second.y), abs(first.x - second.x)) > 8


def test_places_come_from_all_planes_and_from_the_box_alone(
    segmenter: Any, scene: Any, brush: Any
) -> None:
    image, truth = scene(0)
    support = SupportSet().add(image[0], brush(truth[0], 3, 0), axes="YX")
    box = Box(50, 201, 30, 150)
    fields = [field(image[z], z=z, box=box) for z in (2, 4, 6)]
    places = found(segmenter, support, *fields, count=12)
    assert len({place.z for place in places}) > 1
    assert {place.z for place in places} <= {2, 4, 6}
    for place in places:
        assert 50 <= place.y < 201
        assert 30 <= place.x < 150


def test_it_proposes_before_anything_is_painted(segmenter: Any, scene: Any) -> None:
    image, _ = scene(0)
    places = found(segmenter, None, field(image[0]), count=3)
    assert len(places) == 3
    assert all(np.isfinite(place.gain) for place in places)


def test_the_same_question_has_the_same_answer(segmenter: Any, scene: Any, brush: Any) -> None:
    image, truth = scene(0)
    support = SupportSet().add(image[0], brush(truth[0], 3, 0), axes="YX")
    one, other = (found(segmenter, support, field(image[3])) for _ in range(2))
    assert one == other


def test_no_place_in_a_field_that_is_all_painted(segmenter: Any, scene: Any, brush: Any) -> None:
    image, truth = scene(0)
    support = SupportSet().add(image[0], truth[0], axes="YX")
    assert found(segmenter, support, field(image[0], truth[0])) == []


def test_it_can_be_cancelled(segmenter: Any, scene: Any) -> None:
    image, _ = scene(0)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        doubtful(segmenter, segmenter.remember(None), [field(image[0])], 1, cancel=token)
