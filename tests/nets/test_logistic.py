"""The head that is fitted in closed steps."""

from __future__ import annotations

import torch

from napari_infoleak.nets.logistic import fit_logistic


def task(seed: int = 0, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(400, 5, generator=generator, dtype=torch.float64)
    rule = torch.randn(classes, 5, generator=generator, dtype=torch.float64)
    noise = torch.randn(400, classes, generator=generator, dtype=torch.float64)
    return inputs, (inputs @ rule.T + 0.2 * noise).argmax(1), torch.zeros(400, classes).double()


def test_finds_a_linear_rule() -> None:
    inputs, index, scores = task()
    head = fit_logistic(inputs, index, scores, torch.ones(400).double(), 1e-3)
    assert ((inputs @ head.T).argmax(1) == index).double().mean() > 0.85


def test_is_at_the_bottom() -> None:
    inputs, index, scores = task()
    head = fit_logistic(inputs, index, scores, torch.ones(400).double(), 0.1).requires_grad_()
    logs = (inputs @ head.T).log_softmax(1)
    loss = -logs.gather(1, index[:, None]).mean() + 0.05 * head.square().sum()
    loss.backward()
    assert head.grad is not None
    assert head.grad.abs().max() < 1e-4


def test_scores_that_are_right_are_left_alone() -> None:
    inputs, index, _ = task()
    right = 20 * torch.nn.functional.one_hot(index, 3).double()
    head = fit_logistic(inputs, index, right, torch.ones(400).double(), 0.1)
    assert head.abs().max() < 1e-6


def test_a_heavy_penalty_changes_nothing() -> None:
    inputs, index, scores = task()
    head = fit_logistic(inputs, index, scores, torch.ones(400).double(), 1e9)
    assert head.abs().max() < 1e-6


def test_stays_finite_where_classes_part_perfectly() -> None:
    inputs = torch.tensor([[-1.0], [1.0]], dtype=torch.float64).repeat(50, 1)
    index = (inputs[:, 0] > 0).long()
    head = fit_logistic(inputs, index, torch.zeros(100, 2).double(), torch.ones(100).double(), 1e-4)
    assert torch.isfinite(head).all()
    assert ((inputs @ head.T).argmax(1) == index).all()
