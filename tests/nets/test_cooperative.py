"""Two networks side by side: what one gives, the other gets."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_infoleak.nets.cooperative import Connection, CooperativeNet
from napari_infoleak.nets.wide_unet import WideUNet


def net(connected: bool = True, **options: Any) -> CooperativeNet:
    torch.manual_seed(0)
    made = CooperativeNet(1, 3, widths=(4, 6, 8), features=4, **options)
    if connected:  # as if they had learned to help each other
        for connection in made.connections.values():
            for projection in connection.children():
                torch.nn.init.ones_(projection[1].weight)  # type: ignore[index]
    return made.eval()


def image() -> torch.Tensor:
    return torch.randn(2, 1, 16, 24, generator=torch.Generator().manual_seed(1))


def test_unconnected_they_are_two_networks_and_their_mean() -> None:
    made, x = net(connected=False), image()
    first, second = made.both(x)
    assert torch.equal(first, made.head(made.body(x)))
    assert torch.equal(second, made.second_head(made.second_body(x)))
    mean = (first.softmax(1) + second.softmax(1)) / 2
    torch.testing.assert_close(made(x).softmax(1), mean)


@pytest.mark.parametrize("places", [("bottom",), ("decoder",)])
@pytest.mark.parametrize("ways", ["both", "one"])
def test_each_learns_from_the_other_where_they_are_connected(
    places: tuple[str, ...], ways: str
) -> None:
    made, x = net(places=places, ways=ways), image()
    first, second = made.both(x)
    other = list(made.second_body.stem.parameters())
    own = list(made.body.stem.parameters())
    to_first = torch.autograd.grad(first.sum(), other, allow_unused=True, retain_graph=True)
    to_second = torch.autograd.grad(second.sum(), own, allow_unused=True)
    assert all(one is not None for one in to_first) == (ways == "both")
    assert all(one is not None for one in to_second)


def test_what_is_given_is_the_unmodified_map() -> None:
    torch.manual_seed(0)
    connection = Connection(4, "both").eval()
    maps = torch.randn(2, 1, 4, 5, 5)
    for projection in (connection.to_first, connection.to_second):
        torch.nn.init.ones_(projection[1].weight)  # type: ignore[index]
    before = connection(*maps, 1.0)[1]
    torch.nn.init.normal_(connection.to_first[0].weight)  # type: ignore[index]
    assert torch.equal(connection(*maps, 1.0)[1], before)


def test_nothing_beyond_the_reach_changes_an_answer_of_the_wide_one() -> None:
    torch.manual_seed(0)
    made = WideUNet(1, (4, 4, 4), 4).eval()
    side = 2 * made.reach + 8
    x = torch.randn(1, 1, 8, side, requires_grad=True)
    middle = made.reach + 4
    (gradient,) = torch.autograd.grad(made(x)[..., middle].sum(), x)
    seen = gradient.abs().amax((0, 1, 2)).nonzero().flatten()
    assert seen.min() >= middle - made.reach
    assert seen.max() <= middle + made.reach
