"""What every segmenter must do, whichever method it is of: run over all shipped models."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.support import SupportSet
from napari_infoleak.segmenters import registry
from napari_infoleak.segmenters.protocol import Segmenter

MODELS = [model.name for model in registry.models()]


@pytest.fixture(scope="module", params=MODELS)
def segmenter(request: pytest.FixtureRequest) -> Segmenter:
    return registry.load(request.param)


@pytest.fixture(scope="module")
def support() -> SupportSet:
    image = np.random.default_rng(0).normal(size=(96, 96)).cumsum(0).cumsum(1)
    painted = np.zeros((96, 96), np.uint8)
    painted[20:23, 10:80], painted[60:64, 10:80] = 1, 2
    return SupportSet().add(image, painted, axes="YX")


def tile(segmenter: Segmenter, steps: int = 8, batch: int = 1) -> torch.Tensor:
    side = steps * segmenter.spec.multiple_of
    shape = (batch, segmenter.spec.channels, side, side)
    return torch.from_numpy(np.random.default_rng(1).normal(size=shape).astype(np.float32))


def test_keeps_the_protocol(segmenter: Segmenter) -> None:
    assert isinstance(segmenter, Segmenter)
    assert segmenter.spec.name in registry.METHODS
    assert segmenter.spec.multiple_of >= 1


def test_scores_have_a_plane_a_class(segmenter: Segmenter, support: SupportSet) -> None:
    memory = segmenter.remember(support)
    scores = segmenter.scores(tile(segmenter, batch=2), memory)
    assert scores.shape[:2] == (2, len(memory.class_ids))
    assert torch.isfinite(scores).all()


def test_scoring_is_pure(segmenter: Segmenter, support: SupportSet) -> None:
    memory, given = segmenter.remember(support), tile(segmenter)
    before = given.clone()
    first = segmenter.scores(given, memory)
    segmenter.scores(tile(segmenter, 4), memory)
    assert torch.equal(first, segmenter.scores(given, memory))
    assert torch.equal(given, before)


def test_a_batch_is_answered_as_its_tiles_are(segmenter: Segmenter, support: SupportSet) -> None:
    memory, both = segmenter.remember(support), tile(segmenter, batch=2)
    together = segmenter.scores(both, memory)
    single = torch.cat([segmenter.scores(both[i : i + 1], memory) for i in range(2)])
    torch.testing.assert_close(together, single, atol=1e-4, rtol=1e-4)


def test_a_part_within_the_halo_is_answered_as_the_whole(
    segmenter: Segmenter, support: SupportSet
) -> None:
    if segmenter.spec.halo < 0:
        pytest.skip("sees without bound")
    step, halo = segmenter.spec.multiple_of, segmenter.spec.halo
    whole = tile(segmenter, (2 * halo) // step + 12)
    memory = segmenter.remember(support)
    full = segmenter.scores(whole, memory)
    start = 4 * step
    part = segmenter.scores(whole[..., start:, start:], memory)
    inside = slice(halo, None)
    torch.testing.assert_close(
        part[..., inside, inside], full[..., start:, start:][..., inside, inside], atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("value", [0.0, 5.0, -5.0])
def test_constant_images_are_answered(
    segmenter: Segmenter, support: SupportSet, value: float
) -> None:
    flat = torch.full_like(tile(segmenter), value)
    assert torch.isfinite(segmenter.scores(flat, segmenter.remember(support))).all()


def test_weights_survive_the_way_through_names(segmenter: Segmenter) -> None:
    again = type(segmenter).from_file(segmenter.tensors(), segmenter.header())  # type: ignore[attr-defined]
    given = tile(segmenter)
    answers = [s.scores(given, s.remember(SupportSet())) for s in (segmenter, again)]
    assert torch.equal(*answers)


def test_normalised_values_are_within_range() -> None:
    for plane in (np.zeros((5, 5)), np.full((1, 1), np.nan), np.array([[0, 2**62]])):
        out = normalise(plane)
        assert out.dtype == np.float32
        assert np.abs(out).max() <= 5
