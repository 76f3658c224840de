"""Object queries: they ask a window, and its places read them."""

from __future__ import annotations

from typing import Any

import torch

from napari_infoleak.nets.object_queries import QueriesNet


def net(**options: Any) -> QueriesNet:
    torch.manual_seed(0)
    made = QueriesNet(1, 3, widths=(4, 6, 8), features=4, window=16, **{"queries": 5, **options})
    for block in made.blocks:  # as if it had learned to read
        torch.nn.init.normal_(block.read.out.weight)  # type: ignore[union-attr, arg-type]
    return made.eval()


def image() -> torch.Tensor:
    return torch.randn(2, 1, 16, 32, generator=torch.Generator().manual_seed(1))


def test_a_fresh_one_and_one_without_queries_are_plain_unets() -> None:
    fresh = QueriesNet(1, 3, widths=(4, 6, 8), features=4, window=16).eval()
    for made in (fresh, net(queries=0)):
        assert torch.equal(made(image()), made.head(made.body(image())))


def test_their_order_does_not_matter_but_they_do() -> None:
    made = net()
    before = made(image())
    with torch.no_grad():
        made.queries.copy_(made.queries.flip(0))  # type: ignore[union-attr]
        torch.testing.assert_close(made(image()), before)
        made.queries.normal_()  # type: ignore[union-attr]
    assert (made(image()) - before).abs().max() > 1e-4


def test_what_they_found_in_one_window_reaches_all_of_it_and_no_other() -> None:
    made = net(depth=1)
    found = torch.randn(1, 8, 4, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(made.asked(found, 1.0)[0, :, 0, 0].sum(), found)
    seen = gradient[0].abs().amax(0) > 0
    assert seen[:, :4].all()
    assert not seen[:, 4:].any()
