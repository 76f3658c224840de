"""Shuffle mixing: who changes places with whom."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_infoleak.nets.shuffle_mixing import (
    ShuffleMixing,
    ShuffleNet,
    exchange,
    group_shift,
)


def image(channels: int = 8) -> torch.Tensor:
    return torch.randn(2, channels, 6, 10, generator=torch.Generator().manual_seed(0))


def test_exchange_done_twice_is_undone_and_loses_nothing() -> None:
    x = image()
    assert torch.equal(exchange(exchange(x)), x)
    assert torch.equal(exchange(x).flatten().sort().values, x.flatten().sort().values)


def test_exchange_is_the_transpose_of_a_cell() -> None:
    x = torch.arange(16.0).view(1, 4, 2, 2)
    assert torch.equal(exchange(x).view(4, 4), x.view(4, 4).T)


def test_groups_move_by_a_pixel() -> None:
    x = torch.zeros(1, 5, 3, 3)
    x[..., 1, 1] = 1
    places = group_shift(x)[0].flatten(1).argmax(1).tolist()
    assert places == [1, 7, 3, 5, 4]


@pytest.mark.parametrize("channels", [5, 8, 16, 32])
def test_a_fifth_of_the_channels_stays(channels: int) -> None:
    x = torch.randn(1, channels, 6, 6)
    still = [bool(torch.equal(a, b)) for a, b in zip(x[0], group_shift(x)[0], strict=True)]
    assert 0 < sum(still) <= -(-channels // 5)


@pytest.mark.parametrize("shift", ["exchange", "group", "none"])
def test_without_the_shift_it_is_a_separable_convolution(shift: str) -> None:
    made = ShuffleMixing(8, 3, shift)  # type: ignore[arg-type]
    plain = made.after(made.mix(made.before(image())))
    torch.testing.assert_close(made(image(), leak=0.0), plain)
    assert torch.equal(made(image()), plain) == (shift == "none")


def test_the_exchange_lets_channels_see_one_another() -> None:
    for shift in ("exchange", "none"):
        made = ShuffleMixing(8, 3, shift)  # type: ignore[arg-type]
        for layer in (made.before, made.after):
            nn.init.dirac_(layer.weight)
        x, other = image(), image()
        other[:, 0] += 1
        changed = (made(x) - made(other)).abs().amax((0, 2, 3)) > 1e-6
        assert changed[0]
        assert bool(changed[1:].any()) == (shift == "exchange")


def test_the_shift_costs_no_weight() -> None:
    sizes = [
        sum(p.numel() for p in ShuffleNet(shift=shift).parameters())  # type: ignore[arg-type]
        for shift in ("exchange", "none")
    ]
    assert sizes[0] == sizes[1]


def test_an_image_moved_by_whole_cells_is_answered_moved() -> None:
    torch.manual_seed(0)
    made = ShuffleMixing(4, 3).eval()
    x = torch.zeros(1, 4, 16, 16)
    x[..., 6:10, 6:10] = torch.randn(1, 4, 4, 4)
    found, moved = made(x), made(x.roll((2, 2), (2, 3)))
    torch.testing.assert_close(moved[..., 4:14, 4:14], found.roll((2, 2), (2, 3))[..., 4:14, 4:14])
