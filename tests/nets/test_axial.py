"""Axial attention: what a pass over rows sees, with and without local embedding."""

from __future__ import annotations

import torch
from torch import nn

from napari_infoleak.nets.axial import AxialBlock, AxialUNet, RowAttention


def maps(height: int = 8, width: int = 12) -> torch.Tensor:
    return torch.randn(2, 8, height, width, generator=torch.Generator().manual_seed(0))


def rows(span: int = 4) -> RowAttention:
    torch.manual_seed(0)
    return RowAttention(8, 2, span).eval()


def seen(found: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Where a change of the input changes the answer at (5, 6) of the first image."""
    (gradient,) = torch.autograd.grad(found[0, :, 5, 6].sum(), x)
    return gradient.abs().amax((0, 1)) > 0


def test_weights_sum_to_one() -> None:
    query, key = torch.randn(2, 5, 2, 4, 4)
    torch.testing.assert_close(rows().weights(query, key).sum(3), torch.ones(5, 2, 4))


def test_a_pass_sees_its_row_within_the_window() -> None:
    x = maps().requires_grad_()
    expected = torch.zeros(8, 12, dtype=torch.bool)
    expected[5, 4:8] = True
    assert torch.equal(seen(rows()(x), x), expected)


def test_with_local_embedding_it_sees_three_rows() -> None:
    torch.manual_seed(0)
    local = nn.Conv2d(8, 8, 3, padding=1, groups=8)
    x = maps().requires_grad_()
    found = seen(rows()(x + local(x)), x)
    assert found.any(1).nonzero().flatten().tolist() == [4, 5, 6]


def test_it_starts_by_changing_nothing_and_as_plain_axial_attention() -> None:
    torch.manual_seed(0)
    block = AxialBlock(8, 2, 4).eval()
    assert torch.equal(block(maps()), maps())
    nn.init.normal_(block.out.weight)
    assert torch.equal(block(maps()), block(maps(), leak=0.0))


def test_any_height_and_a_constant_are_answered() -> None:
    for x in (maps(1), maps(5, 4), torch.full((1, 8, 4, 4), 3.0)):
        assert rows()(x).shape == x.shape
        assert torch.isfinite(rows()(x)).all()


def test_where_along_the_row_something_lies_matters() -> None:
    x = maps()
    swapped = x[..., [1, 0, *range(2, 12)]]
    assert not torch.allclose(rows()(x)[..., 2], rows()(swapped)[..., 2])


def test_a_fresh_one_is_a_plain_unet() -> None:
    made = AxialUNet(1, 3, widths=(4, 6, 8), features=4, levels=(2,), heads=2, window=16).eval()
    x = torch.randn(1, 1, 16, 32)
    assert torch.equal(made(x), made.head(made.body(x)))
