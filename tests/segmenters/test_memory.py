"""Which entries a memory keeps, and what they weigh."""

from __future__ import annotations

import torch

from napari_infoleak.segmenters.memory import balance, choose


def patches(of_class: list[int], classes: int = 3) -> torch.Tensor:
    values = torch.zeros(len(of_class), classes, 4)
    for i, k in enumerate(of_class):
        if k >= 0:
            values[i, k] = 1
    return values


def test_all_labelled_entries_are_kept_while_there_is_room() -> None:
    kept = choose(patches([0, -1, 1, 2, -1]).sum(2), 10)
    assert kept.tolist() == [0, 2, 3]


def test_a_rare_class_is_not_crowded_out() -> None:
    values = patches([0] * 500 + [1] * 500 + [2] * 5)
    kept = choose(values.sum(2), 100, torch.Generator().manual_seed(0))
    counts = torch.bincount(values[kept].sum(2).argmax(1), minlength=3)
    assert len(kept) == 100
    assert counts[2] == 5
    assert abs(int(counts[0]) - int(counts[1])) <= 1


def test_borders_between_classes_get_half_of_the_room() -> None:
    values = patches([0] * 400 + [1] * 400, 2)
    values[:30, 1, 0], values[:30, 0, 0] = 1, 0  # 30 cells of class 0 touch class 1
    kept = choose(values.sum(2), 100, torch.Generator().manual_seed(0))
    assert (kept < 30).sum() >= 25


def test_lines_thinner_than_half_a_cell_are_not_crowded_out() -> None:
    values = patches([0] * 500 + [1] * 500)
    values[:5, 0, 0], values[:5, 2, 0] = 0, 1  # class 2 has one pixel of four in five cells
    kept = choose(values.sum(2), 100, torch.Generator().manual_seed(0))
    assert (kept < 5).sum() == 5


def test_choice_is_the_same_each_time() -> None:
    values = patches([0] * 300 + [1] * 300)
    first, second = (choose(values.sum(2), 64, torch.Generator().manual_seed(0)) for _ in range(2))
    assert torch.equal(first, second)


def test_classes_weigh_the_same_whatever_was_painted_more() -> None:
    values = patches([0] * 9 + [1])
    weights = balance(values).exp()
    torch.testing.assert_close(weights[:9].sum(), weights[9:].sum())
