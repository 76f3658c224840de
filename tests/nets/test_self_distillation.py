"""Layers near the answer teach those far from it."""

from __future__ import annotations

import pytest
import torch

from napari_infoleak.nets.self_distillation import Pupils, distance, softened_divergence


def scores() -> torch.Tensor:
    return torch.randn(2, 3, 4, 8, generator=torch.Generator().manual_seed(0))


def test_who_says_the_same_owes_nothing() -> None:
    given = scores()
    assert softened_divergence(given, given + 5, 3.0).item() == pytest.approx(0, abs=1e-5)
    assert softened_divergence(given, given.flip(0), 3.0) > 0
    assert distance(given, given).item() == 0


def test_the_teacher_learns_nothing() -> None:
    ours, theirs = scores().requires_grad_(), scores().flip(0).requires_grad_()
    (softened_divergence(ours, theirs, 2.0) + distance(ours, theirs)).backward()
    assert ours.grad is not None
    assert theirs.grad is None


def test_every_map_answers_at_full_size() -> None:
    pupils = Pupils({"up 1": 5, "down 2": 6}, 4, 3)
    maps = {"up 1": torch.randn(2, 5, 4, 8), "down 2": torch.randn(2, 6, 2, 4)}
    said = pupils(maps, (8, 16))
    assert [one.shape[1:] for one in said["up 1"]] == [(3, 8, 16), (4, 8, 16)]
    pupils.grow(1)
    assert pupils(maps, (8, 16))["down 2"][0].shape[1] == 4
