"""Class vectors: contrast, margin, and the head for pixels."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from napari_infoleak.nets.class_vectors import (
    TAU,
    VectorHead,
    contrast,
    drawn,
    relation_divergence,
    with_margin,
)


def samples() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return F.normalize(torch.randn(8, 4, generator=generator), dim=1), torch.arange(8) % 3


def test_without_vectors_and_margin_it_is_supervised_contrast() -> None:
    z, y = samples()
    total = 0.0
    for i in range(8):
        others = [j for j in range(8) if j != i]
        bottom = sum(torch.exp(z[i] @ z[j] / TAU) for j in others)
        positive = [j for j in others if y[j] == y[i]]
        total -= sum(torch.log(torch.exp(z[i] @ z[p] / TAU) / bottom) for p in positive) / len(
            positive
        )
    torch.testing.assert_close(contrast(z, y), total / 8)


def test_a_vector_gives_a_lonely_sample_an_equal() -> None:
    z, y = samples()
    alone, label = z[:1], y[:1]
    assert contrast(alone, label).item() == 0
    vectors = F.normalize(torch.eye(4)[:3], dim=1)[:, None]
    assert contrast(alone, label, vectors) > 0


def test_vectors_of_a_class_do_not_draw_each_other() -> None:
    z, y = samples()
    weight = torch.randn(4, 2, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    before = F.cosine_similarity(*weight[3].detach(), dim=0)
    optimiser = torch.optim.SGD([weight], 0.1)
    for _ in range(100):  # of class 3 there is no sample
        optimiser.zero_grad()
        contrast(z, y, F.normalize(weight, dim=2)).backward()
        optimiser.step()
    after = F.cosine_similarity(*weight[3].detach(), dim=0)
    assert float(after) < float(before) + 0.3


def test_a_sample_is_drawn_to_the_nearest_vector_of_its_class_alone() -> None:
    z, y = samples()
    vectors = F.normalize(torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(1)), dim=2)
    nearest = (z[:1] @ vectors[y[0]].T).argmax()
    vectors.requires_grad_()
    contrast(z[:1], y[:1], vectors).backward()
    assert bool(vectors.grad[y[0], nearest].any())  # type: ignore[index]
    assert not bool(vectors.grad[y[0], 1 - nearest].any())  # type: ignore[index]


def test_a_margin_asks_for_more() -> None:
    z, y = samples()
    assert contrast(z, y, margin=0.2) > contrast(z, y)
    scores, truth = torch.zeros(1, 2, 1, 2), torch.tensor([[[1, -1]]])
    harder = with_margin(scores, truth, 0.2)
    assert harder[0, :, 0].T.tolist() == [[0, pytest.approx(-2)], [0, 0]]


def test_layers_that_agree_on_likeness_owe_nothing() -> None:
    z, _ = samples()
    turned = z @ torch.linalg.qr(torch.randn(4, 4)).Q
    assert relation_divergence(z, 3 * turned).item() == pytest.approx(0, abs=1e-5)
    teacher, student = z.clone().requires_grad_(), z.flip(0)[:, :3].requires_grad_()
    relation_divergence(teacher, student).backward()
    assert teacher.grad is None
    assert relation_divergence(z[:1], z[:1]).item() == 0


def test_a_class_looks_like_its_pixels_once_imprinted() -> None:
    head = VectorHead(4, 3)
    head.grow(1)
    two = F.normalize(torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0]]), dim=1)
    pixels = two.repeat(5, 1)
    assert head(pixels.T[None, :, :, None]).argmax(1).ne(3).all(), "not heard before"
    head.imprint(3, pixels)
    assert head(pixels.T[None, :, :, None])[:, 3].min().item() == pytest.approx(1 / TAU)
    head.imprint(3, pixels[:1])
    assert torch.isfinite(head.vectors).all()


def test_so_many_pixels_of_a_class_are_drawn_and_no_more() -> None:
    truth = torch.tensor([[[0, 0, 0, 0, 1, -1]]])
    found = drawn(truth, 3, most=2)
    assert truth.flatten()[found].tolist() == [0, 0, 1]
    assert len(set(found.tolist())) == 3
