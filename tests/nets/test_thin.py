"""The centreline Dice: breaks cost, width does not."""

from __future__ import annotations

import torch

from napari_infoleak.nets.thin import soft_cldice, soft_skeleton


def bar(width: int) -> torch.Tensor:
    picture = torch.zeros(1, 40, 60)
    top = 20 - width // 2
    picture[:, top : top + width, 5:55] = 1
    return picture


def test_a_line_is_its_own_skeleton() -> None:
    torch.testing.assert_close(soft_skeleton(bar(1)), bar(1))


def test_the_skeleton_of_a_bar_lies_on_its_axis() -> None:
    skeleton = soft_skeleton(bar(5))[0]
    assert skeleton[20, 15:45].min() > 0.9
    skeleton[18:23] = 0
    assert not skeleton.any()


def test_nothing_has_no_skeleton() -> None:
    assert not soft_skeleton(torch.zeros(1, 9, 9)).any()


def test_a_perfect_answer_costs_nothing() -> None:
    assert float(soft_cldice(bar(3), bar(3))) < 1e-6


def test_a_break_costs_what_a_thinner_flank_does_not() -> None:
    broken, thinner = bar(3), bar(3)
    broken[:, :, 30:33] = 0
    thinner[:, 19, 20:29] = 0
    assert float(soft_cldice(broken, bar(3))) > 0.02
    assert float(soft_cldice(thinner, bar(3))) < 1e-3


def test_a_picture_without_lines_is_left_out_and_has_gradients() -> None:
    answer = torch.rand(2, 16, 16, requires_grad=True)
    truth = torch.zeros(2, 16, 16)
    loss = soft_cldice(answer, truth)
    loss.backward()
    assert float(loss.detach()) == 0
    assert answer.grad is not None
    assert torch.isfinite(answer.grad).all()
