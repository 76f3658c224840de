"""What a small network owes its teachers."""

from __future__ import annotations

import pytest
import torch

from napari_infoleak.nets.distillation import classwise_divergence, joint_divergence, margins

ALL = torch.ones(3, dtype=torch.bool)


def scores(classes: int = 3) -> torch.Tensor:
    return 3 * torch.randn(2, classes, 4, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_margins_are_logits_of_the_same_probabilities(classes: int) -> None:
    given = scores(classes)
    torch.testing.assert_close(margins(given).sigmoid(), given.softmax(1))


def test_who_agrees_with_every_teacher_owes_nothing() -> None:
    given = scores()
    assert classwise_divergence(given, margins(given), ALL).item() == pytest.approx(0, abs=1e-6)
    assert joint_divergence(given, margins(given), ALL).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_disagreement_is_positive_and_finite_however_sure_one_is(temperature: float) -> None:
    for size in (1, 50):
        found = classwise_divergence(size * scores(), -size * scores(), ALL, temperature)
        assert torch.isfinite(found)
        assert found > 0


def test_it_is_the_divergence_of_two_binary_distributions() -> None:
    given, said = scores(), scores().flip(0)
    p, q = given.softmax(1), said.sigmoid()
    by_hand = (q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()).mean()
    torch.testing.assert_close(classwise_divergence(given, said, ALL), by_hand)


def test_no_gradient_reaches_a_teacher() -> None:
    given, said = scores().requires_grad_(), scores().flip(0).requires_grad_()
    (classwise_divergence(given, said, ALL) + joint_divergence(given, said, ALL)).backward()
    assert given.grad is not None
    assert said.grad is None


def test_a_class_without_a_teacher_is_left_out() -> None:
    given, said = scores(), scores().flip(0)
    without = torch.tensor([True, True, False])
    changed = said.clone()
    changed[:, 2] = 7
    assert torch.equal(*(classwise_divergence(given, one, without) for one in (said, changed)))
    assert classwise_divergence(given, said, ~ALL).item() == 0
    assert joint_divergence(given, said, ~ALL).item() == 0
