"""Mutual leakage: both leaks, two passes, and what the judge is shown."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_infoleak.nets.mutual_leakage import (
    MutualLeakageNet,
    difficulty_of,
    shown_to_judge,
    verdict_loss,
)


def net(**options: Any) -> MutualLeakageNet:
    torch.manual_seed(0)
    made = MutualLeakageNet(1, 3, widths=(4, 6, 8), features=4, window=16, **options)
    with torch.no_grad():  # as if it had learned to use its leaks
        for attention in made.attention.values():
            attention.gamma.fill_(0.7)
    return made.eval()


def image(batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 1, 16, 32, generator=torch.Generator().manual_seed(1))


def test_a_fresh_attention_changes_nothing() -> None:
    made = net(leaks="ata")
    for attention in made.attention.values():
        torch.nn.init.zeros_(attention.gamma)
    assert torch.equal(made(image()), made.head(made.body(image())))


def test_without_leaks_it_is_a_plain_unet() -> None:
    plain = net(leaks="none")
    assert torch.equal(plain(image()), plain.head(plain.body(image())))
    cut = net()
    assert torch.equal(cut(image(), leak=0.0), cut.head(cut.body(image())))


def test_features_of_another_image_mislead_the_second_pass() -> None:
    made, x = net(), image()
    judged = made.judged(x)
    own = made.answer(x, judged).scores
    assert torch.equal(own, made(x))
    other = made.answer(x, {level: one.flip(0) for level, one in judged.items()}).scores
    assert (own - other).abs().max() > 1e-4


def test_difficulty_leaks_into_the_judge() -> None:
    made, x = net(), image()
    found = made.answer(x)
    shares = made.familiar(found.scores)
    assert set(found.difficulty) == {1}
    with_maps, without = (made.judge(x, shares, maps) for maps in (found.difficulty, {}))
    assert not torch.allclose(with_maps.verdict, without.verdict)


def test_difficulty_is_what_is_missing_to_certainty() -> None:
    shares = torch.tensor([[0.7, 0.3], [0.4, 0.6]]).T.reshape(1, 2, 1, 2)
    truth = torch.tensor([[[1, -1]]])
    assert difficulty_of(shares).flatten().tolist() == pytest.approx([0.3, 0.4])
    assert difficulty_of(shares, truth).flatten().tolist() == pytest.approx([0.7, 0.4])
    perfect = torch.tensor([0.0, 1.0]).reshape(1, 2, 1, 1)
    assert difficulty_of(perfect, torch.tensor([[[1]]])).item() == 0


def test_difficulty_varies_within_bounds() -> None:
    for one in net().answer(image()).difficulty.values():
        assert one.min() >= 0
        assert one.max() <= 1
        assert one.std() > 0


def test_the_judge_sees_the_annotation_where_there_is_one() -> None:
    answer = torch.full((1, 2, 1, 3), 0.5)
    shown = shown_to_judge(answer, torch.tensor([[[1, -1, 0]]]))
    assert shown[0, :, 0].T.tolist() == [[0, 1], [0.5, 0.5], [1, 0]]


def test_only_patches_with_paint_count_for_the_judge() -> None:
    verdict = torch.tensor([[[[-20.0, 20.0]]]])
    truth = torch.full((1, 4, 8), -1)
    truth[0, 0, 6] = 1
    assert verdict_loss(verdict, True, truth).item() == pytest.approx(0, abs=1e-5)
    assert verdict_loss(verdict, False, truth).item() == pytest.approx(20, abs=1e-3)
    assert verdict_loss(verdict, True, torch.full((1, 4, 8), -1)).item() == 0


def test_a_class_that_joins_changes_no_old_score() -> None:
    made, x = net(), image()
    before = made(x)
    made.grow(1)
    torch.testing.assert_close(made(x)[:, :3], before)
