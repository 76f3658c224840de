"""Localized aggregation: what is read, from where, and how it is weighed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from napari_infoleak.nets.aggregation import AggregationUNet, LocalAggregation


def maps() -> tuple[torch.Tensor, torch.Tensor]:
    first, second = torch.randn(2, 2, 8, 7, 9, generator=torch.Generator().manual_seed(0))
    return first, second


def module(window: int = 3, **options: Any) -> LocalAggregation:
    torch.manual_seed(0)
    return LocalAggregation(8, window, **options)


@pytest.mark.parametrize("similarity", [True, False])
def test_weights_sum_to_one_at_borders_too(similarity: bool) -> None:
    weights = module(5, similarity=similarity).weights(*maps())
    assert weights.shape == (2, 25, 7, 9)
    torch.testing.assert_close(weights.sum(1), torch.ones(2, 7, 9))
    assert weights[:, 0, 0, 0].abs().max() == 0, "beyond the corner"


def test_a_constant_is_read_as_constant() -> None:
    rising, skip = maps()
    found = module()(rising, torch.ones_like(skip))
    torch.testing.assert_close(found, found[:, :, :1, :1].expand_as(found))


def test_a_window_of_one_is_a_projection() -> None:
    rising, skip = maps()
    made = module(1)
    torch.testing.assert_close(made(rising, skip), made.value(skip))


def test_it_is_attention_in_unfolded_windows() -> None:
    rising, skip = maps()
    made = module()
    assert made.query is not None
    assert made.key is not None
    query = made.query(rising) / made.query.out_channels**0.5
    keys = F.unfold(made.key(skip), 3, padding=1).view(2, -1, 9, 7, 9)
    values = F.unfold(made.value(skip), 3, padding=1).view(2, 8, 9, 7, 9)
    inside = F.unfold(torch.ones(1, 1, 7, 9), 3, padding=1).view(1, 9, 7, 9) > 0
    logits = torch.einsum("bdyx,bdnyx->bnyx", query, keys).masked_fill(~inside, -torch.inf)
    by_hand = torch.einsum("bnyx,bcnyx->bcyx", logits.softmax(1), values)
    torch.testing.assert_close(made(rising, skip), by_hand)


def test_only_the_window_is_read() -> None:
    rising, skip = maps()
    skip.requires_grad_()
    (gradient,) = torch.autograd.grad(module()(rising, skip)[0, :, 3, 4].sum(), skip)
    seen = gradient[0].abs().amax(0) > 0
    assert seen[2:5, 3:6].all()
    assert seen.sum() == 9


def test_without_similarity_it_is_a_mean() -> None:
    rising, skip = maps()
    made = module(similarity=False)
    mean = F.avg_pool2d(made.value(skip), 3, 1, 1, count_include_pad=False)
    torch.testing.assert_close(made(rising, skip), mean)


def test_a_fresh_one_is_a_plain_unet() -> None:
    made = AggregationUNet(1, 3, widths=(4, 6, 8), features=4, levels=(0, 1)).eval()
    x = torch.randn(1, 1, 16, 24)
    assert torch.equal(made(x), made.head(made.body(x)))
    other = AggregationUNet(1, 3, (4, 6, 8), 4, levels=(0, 1), joint="replace").eval()
    assert other(x).shape == (1, 3, 16, 24)
