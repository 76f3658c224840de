"""Feedback U-Net: rounds, their state, and what is fed back."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_infoleak.nets.feedback import FeedbackUNet


def net(**options: Any) -> FeedbackUNet:
    torch.manual_seed(0)
    made = FeedbackUNet(1, 3, widths=(4, 6, 8), features=4, **options)
    with torch.no_grad():  # as if it had learned to use its leaks
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made.eval()


def image(batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 1, 16, 24, generator=torch.Generator().manual_seed(1))


def test_one_round_without_memory_is_a_plain_unet() -> None:
    once, x = net(rounds=1, memory=()), image()
    plain = torch.cat([x, torch.zeros(2, 3, 16, 24)], 1)
    assert torch.equal(once(x), once.head(once.body(plain)))


def test_a_fresh_one_starts_as_a_plain_unet_in_every_round() -> None:
    torch.manual_seed(0)
    fresh = FeedbackUNet(1, 3, widths=(4, 6, 8), features=4).eval()
    first, second = fresh.looks(image())
    assert torch.equal(first, second)


@pytest.mark.parametrize("joint", ["add", "replace"])
def test_nothing_is_kept_from_image_to_image(joint: str) -> None:
    made, x = net(joint=joint), image()
    first = made(x)
    made(torch.flip(x, (-1,)))
    assert torch.equal(first, made(x))
    single = torch.cat([made(x[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(first, single)


@pytest.mark.parametrize("memory", [(), (0, 1)])
def test_without_the_leak_every_round_is_the_first(memory: tuple[int, ...]) -> None:
    made, x = net(memory=memory), image()
    first, second = made.looks(x, leak=0.0)
    assert torch.equal(first, second)
    assert not torch.allclose(*made.looks(x))


def test_the_answer_of_another_image_misleads_the_second_round() -> None:
    made, x = net(memory=()), image()
    first, state = made.round(x, torch.zeros(2, 3, 16, 24), {})
    own = made.round(x, made.familiar(first), state)[0]
    other = made.round(x, made.familiar(first.flip(0)), state)[0]
    assert (own - other).abs().max() > 1e-3


def test_gradients_return_through_the_answer_unless_detached() -> None:
    for detach in (False, True):
        made = net(memory=(), detach=detach)
        rounds = made.looks(image())
        gradient = torch.autograd.grad(rounds[1].sum(), rounds[0], allow_unused=True)[0]
        assert (gradient is None) == detach


def test_a_class_that_joins_changes_no_old_score() -> None:
    made, x = net(), image()
    before = made(x)
    made.grow(2)
    torch.testing.assert_close(made(x)[:, :3], before)
    assert made(x).shape[1] == 5


def test_three_rounds_can_be_looked_at() -> None:
    assert len(net(rounds=3).looks(image())) == 3
