"""Classes that join: what counts as wrong, and what is kept."""

from __future__ import annotations

import pytest
import torch

from napari_infoleak.nets.background_shift import (
    unbiased_cross_entropy,
    unbiased_distillation,
    woven,
)


def scores(classes: int) -> torch.Tensor:
    return torch.randn(2, classes, 3, 4, generator=torch.Generator().manual_seed(classes))


def test_of_some_classes_any_will_do() -> None:
    given, where = scores(4), torch.zeros(2, 3, 4, dtype=torch.bool)
    where[0], where[1, 0, 1:] = True, True
    q = given.softmax(1)
    by_hand = torch.cat([q[0, [1, 3]].sum(0).flatten(), q[1, [1, 3], 0, 1:].sum(0)]).log()
    torch.testing.assert_close(unbiased_cross_entropy(given, [1, 3], where), -by_hand.mean())


def test_who_splits_the_host_keeps_all_that_was_known() -> None:
    before, where = scores(3), torch.ones(2, 3, 4, dtype=torch.bool)
    part = torch.log(torch.tensor(0.3))
    split = torch.cat([before, before[:, 1:2] + part], 1)
    split[:, 1] += torch.log(torch.tensor(0.7))
    split = split.requires_grad_()
    kept = unbiased_distillation(split, before, 1, where)
    entropy = -(before.softmax(1) * before.log_softmax(1)).mean(1)
    said = before.argmax(1)
    by_class = torch.stack([entropy[said == k].mean() for k in said.unique()])
    torch.testing.assert_close(kept, by_class.mean())
    (gradient,) = torch.autograd.grad(kept, split)
    assert gradient.abs().max() < 1e-6, "it is the least that it can be"
    assert unbiased_distillation(split, before, 0, where) > kept


def test_where_nothing_is_asked_nothing_is_owed() -> None:
    nowhere = torch.zeros(2, 3, 4, dtype=torch.bool)
    assert unbiased_distillation(scores(4), scores(3), 0, nowhere).item() == 0
    assert unbiased_cross_entropy(scores(4), [0], nowhere).item() == 0


def test_weights_are_averaged_and_new_rows_stay() -> None:
    before = {"a": torch.zeros(3), "head": torch.zeros(3, 2), "count": torch.tensor(1)}
    after = {"a": torch.ones(3), "head": torch.ones(4, 2), "count": torch.tensor(9)}
    mixed = woven(before, after, 3, 1)
    assert mixed["a"].tolist() == [0.5] * 3
    assert mixed["head"][:, 0].tolist() == pytest.approx([0.5, 0.5, 0.5, 1])
    assert mixed["count"] == 9
    assert woven(before, before, 3, 1)["a"].tolist() == [0] * 3
