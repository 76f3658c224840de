"""Attention over wrong pixels: which they are, and what is done to them alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_infoleak.nets.wrong_pixels import SelfTeachingUNet, WrongPixelAttention, wrong


def scores() -> torch.Tensor:
    return 2 * torch.randn(2, 3, 16, 32, generator=torch.Generator().manual_seed(0))


def net(**options: Any) -> SelfTeachingUNet:
    torch.manual_seed(0)
    return SelfTeachingUNet(1, 3, widths=(4, 6, 8), features=4, window=16, **options).eval()


def test_attention_is_that_written_by_hand() -> None:
    torch.manual_seed(0)
    module, given = WrongPixelAttention(3, pool=1, window=16), scores()[:1, :, :, :16]
    query, key, value = (
        layer(given).flatten(2)[0] for layer in (module.query, module.key, module.value)
    )
    by_hand = value @ (query.T @ key).softmax(1).T
    torch.testing.assert_close(module(given).flatten(2)[0], 0.1 * by_hand)


def test_wrong_pixels_are_annotated_and_answered_otherwise() -> None:
    given = scores()
    truth = given.argmax(1)
    assert not wrong(given, truth, 100).any()
    truth[0, 0, :4] = (truth[0, 0, :4] + 1) % 3
    truth[0, 0, 0] = -1
    assert wrong(given, truth, 100).nonzero().tolist() == [[0, 0, 0, x] for x in (1, 2, 3)]
    assert wrong(given, truth, 2).sum() == 2


def test_where_nothing_is_wrong_the_teacher_is_the_pupil() -> None:
    made, given = net(), scores()
    nowhere = torch.zeros(2, 1, 16, 32, dtype=torch.bool)
    assert torch.equal(made.corrected(given, nowhere), given)
    with torch.no_grad():
        made.again.gamma.fill_(-0.1)
    assert torch.equal(made.corrected(given, ~nowhere), given)


def test_only_the_given_pixels_change_and_pass_a_gradient() -> None:
    made, given = net(), scores().requires_grad_()
    where = torch.zeros(2, 1, 16, 32, dtype=torch.bool)
    where[0, 0, 3, 4] = True
    found = made.corrected(given, where)
    assert ((found - given).abs().amax(1, keepdim=True) > 0).equal(where)
    (gradient,) = torch.autograd.grad(found[:, :, 5:].sum(), given)
    assert not gradient.any()


@pytest.mark.parametrize(("sure", "share"), [(0.0, 0.0), (1.0, 1.0)])
def test_pixels_are_thought_about_again_that_it_is_unsure_of(sure: float, share: float) -> None:
    assert net(sure=sure).unsure(scores()).float().mean().item() == share


def test_without_the_leak_it_is_the_plain_unet() -> None:
    made, x = net(sure=0.9), torch.randn(1, 1, 16, 16)
    assert torch.equal(made(x, leak=0.0), made.head(made.body(x)))
