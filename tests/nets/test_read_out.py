"""The parts by which annotations leak in."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from napari_infoleak.nets import read_out
from napari_infoleak.nets.read_out import (
    Fusion,
    attend,
    class_moments,
    label_patches,
    over_others,
    ridge,
)

TAU = torch.tensor(0.1)


def unit(count: int, dimensions: int = 8, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, dimensions, generator=generator), dim=1)


def one_hot(count: int, classes: int = 3, pixels: int = 4, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    index = torch.randint(0, classes, (count, pixels), generator=generator)
    return F.one_hot(index, classes).permute(0, 2, 1).float()


def test_reading_is_the_weighted_mean_of_labels() -> None:
    queries, keys, values = unit(5), unit(20, seed=2), one_hot(20)
    bias = torch.linspace(-1, 0, 20)
    read, likeness = attend(queries, keys, values, bias, TAU)
    weights = (queries @ keys.T / TAU + bias).softmax(1)
    torch.testing.assert_close(
        read, torch.einsum("nm,mkp->nkp", weights, values), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(likeness, (weights * (queries @ keys.T)).sum(1))


def test_reading_sums_to_one_and_does_not_depend_on_the_order_of_entries() -> None:
    queries, keys, values = unit(5), unit(20, seed=2), one_hot(20)
    bias = torch.zeros(20)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(3))
    read, _ = attend(queries, keys, values, bias, TAU)
    again, _ = attend(queries, keys[order], values[order], bias, TAU)
    torch.testing.assert_close(read.sum(1), torch.ones(5, 4))
    torch.testing.assert_close(read, again)


def test_reading_in_chunks_is_reading_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, keys, values = unit(33), unit(20, seed=2), one_hot(20)
    whole = attend(queries, keys, values, torch.zeros(20), TAU)
    monkeypatch.setattr(read_out, "_CHUNK", 7 * 20)
    for one, other in zip(attend(queries, keys, values, torch.zeros(20), TAU), whole, strict=True):
        torch.testing.assert_close(one, other)


def test_unlabelled_pixels_of_a_patch_say_nothing() -> None:
    keys = unit(2)
    values = torch.zeros(2, 2, 4)
    values[0, 0, :2] = 1  # entry 0 labels two of its four pixels, entry 1 the same pixels
    values[1, 1, :2] = 1
    read, _ = attend(keys[:1], keys, values, torch.zeros(2), TAU)
    assert float(read[0, 0, 0]) > 0.9
    torch.testing.assert_close(read[0, :, 3], torch.tensor([0.5, 0.5]))


def test_label_patches_hold_the_pixels_of_their_cell() -> None:
    annotation = torch.full((4, 8), -1)
    annotation[0, 5] = 1
    annotation[3, 0] = 0
    patches = label_patches(annotation, 4, 2)
    assert patches.shape == (2, 2, 16)
    assert patches.sum() == 2
    assert patches[1, 1, 1] == 1  # second cell, first row, second column
    assert patches[0, 0, 12] == 1


def test_moments_of_two_images_add_up_to_those_of_both() -> None:
    phi, index = torch.randn(40, 5).double(), torch.arange(40) % 3
    whole = class_moments(phi, index, 3)
    parts = [class_moments(phi[s], index[s], 3) for s in (slice(0, 13), slice(13, 40))]
    for all_, first, second in zip(whole, *parts, strict=True):
        torch.testing.assert_close(all_, first + second)


def test_ridge_finds_a_linear_rule_and_weighs_classes_alike() -> None:
    generator = torch.Generator().manual_seed(0)
    rare, common = (
        torch.randn(10, 1, generator=generator),
        torch.randn(1000, 1, generator=generator),
    )
    phi = torch.cat([rare + 4, common - 4]).double()
    phi = torch.cat([phi, torch.ones_like(phi)], 1)
    index = torch.tensor([0] * 10 + [1] * 1000)
    weights = ridge(*class_moments(phi, index, 2), torch.tensor(1e-3).double())
    assert ((phi @ weights.T).argmax(1) == index).float().mean() > 0.99
    middle = phi.new_tensor([[0.0, 1.0]]) @ weights.T
    assert float((middle[0, 0] - middle[0, 1]).abs()) < 0.2


def test_the_weight_of_a_class_does_not_change_the_linear_rule() -> None:
    generator = torch.Generator().manual_seed(0)
    phi = torch.randn(40, 5, generator=generator).double()
    outer, first, count = class_moments(phi, torch.arange(40) % 2, 2)
    light = torch.tensor([1.0, 1e-4]).double()
    penalty = torch.tensor(0.1).double()
    torch.testing.assert_close(
        ridge(outer * light[:, None, None], first * light[:, None], count * light, penalty),
        ridge(outer, first, count, penalty),
    )


def test_a_class_without_pixels_changes_no_other_score() -> None:
    phi = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)).double()
    weights = ridge(*class_moments(phi, torch.arange(40) % 2, 3), torch.tensor(0.1).double())
    assert torch.isfinite(weights).all()
    assert not weights[2].any()


def test_a_lead_is_measured_against_the_best_other_class() -> None:
    scores = torch.tensor([3.0, 1.0, 2.0]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(over_others(scores).flatten(), torch.tensor([1.0, -2.0, -1.0]))
    torch.testing.assert_close(over_others(scores[:, :2]).flatten(), torch.tensor([2.0, -2.0]))
    assert torch.equal(over_others(scores[:, :1]), scores[:, :1])


def test_an_untrained_fusion_changes_nothing() -> None:
    fusion = Fusion(6)
    added = fusion(torch.randn(2, 16, 8, 8), torch.randn(2, 3, Fusion.EVIDENCE, 8, 8))
    assert added.shape == (2, 3, 8, 8)
    assert not added.any()


def test_fusion_treats_classes_alike() -> None:
    fusion = Fusion(6)
    for parameter in fusion.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    features, evidence = torch.randn(1, 16, 8, 8), torch.randn(1, 3, Fusion.EVIDENCE, 8, 8)
    order = [2, 0, 1]
    torch.testing.assert_close(
        fusion(features, evidence)[:, order], fusion(features, evidence[:, order])
    )


@pytest.mark.parametrize("strength", [0.0, 100.0])
def test_temperature_stays_within_bounds(strength: float) -> None:
    from napari_infoleak.nets.read_out import TAU_RANGE, KeyHead

    head = KeyHead()
    head.log_tau.data.fill_(strength - 50)
    assert TAU_RANGE[0] - 1e-6 <= float(head.tau.detach()) <= TAU_RANGE[1] + 1e-6
