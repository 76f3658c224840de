"""Feedback attention: the second look reads the first."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_infoleak.nets.feedback_attention import FeedbackAttentionUNet


def net(gamma: float = 0.8, **options: Any) -> FeedbackAttentionUNet:
    torch.manual_seed(0)
    made = FeedbackAttentionUNet(
        1, 3, widths=(4, 6, 8), features=4, dimensions=4, window=16, **options
    )
    with torch.no_grad():
        made.feedback.gamma.fill_(gamma)  # type: ignore[operator, union-attr]
    return made.eval()


def image() -> torch.Tensor:
    return torch.randn(2, 1, 16, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("asks", ["input", "output", "nobody"])
def test_before_it_has_learned_every_look_is_that_of_the_unet(asks: str) -> None:
    made = net(0.0, asks=asks)
    first, second = made.looks(image())
    assert torch.equal(first, made.head(made.body(image())))
    assert torch.equal(first, second)


@pytest.mark.parametrize("asks", ["input", "output", "nobody"])
def test_the_second_look_reads_the_first(asks: str) -> None:
    made, x = net(asks=asks), image()
    first, last = made.round(x, None)
    own, other = made.round(x, last)[0], made.round(x, last.flip(0))[0]
    assert (first - own).abs().max() > 1e-3
    assert (own - other).abs().max() > 1e-4
    assert torch.equal(made.round(x, last, leak=0.0)[0], first)


def test_gradients_return_into_the_first_look() -> None:
    made, x = net(), image()
    last = made.round(x, None)[1]
    (gradient,) = torch.autograd.grad(made.round(x, last)[0].sum(), last)
    assert gradient.abs().max() > 0
