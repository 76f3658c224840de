"""The U-Net: sizes, and how far an answer looks."""

from __future__ import annotations

import pytest
import torch

from napari_infoleak.nets.leakage_net import LeakageNet, prior_scores
from napari_infoleak.nets.unet import UNet


@pytest.mark.parametrize("widths", [(4, 8), (4, 6, 8), (4, 4, 4, 4)])
def test_answers_at_full_size(widths: tuple[int, ...]) -> None:
    net = UNet(2, widths, 5).eval()
    size = 3 * net.multiple_of
    assert net(torch.randn(1, 2, size, 2 * size)).shape == (1, 5, size, 2 * size)


def test_nothing_beyond_the_reach_changes_an_answer() -> None:
    net = LeakageNet(widths=(4, 4, 4, 4), features=4, dimensions=4).eval()
    side = 2 * net.reach + 64
    image = torch.randn(1, 1, side, side)
    middle = slice(net.reach, side - net.reach)
    other = torch.randn_like(image)
    other[..., middle, middle] = image[..., middle, middle]
    kept = slice(side // 2 - 4, side // 2 + 4)
    inside = torch.zeros_like(image, dtype=torch.bool)
    low, high = kept.start - net.reach, kept.stop + net.reach
    inside[..., low:high, low:high] = True
    changed = torch.where(inside, image, other)
    with torch.no_grad():
        before, after = net.body(image), net.body(changed)
    torch.testing.assert_close(before[..., kept, kept], after[..., kept, kept])


def test_nothing_beyond_the_reach_changes_what_is_fused() -> None:
    torch.manual_seed(0)
    net = LeakageNet(widths=(2, 2, 2), features=3, dimensions=4).eval()
    for parameter in net.fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.3)

    def answer(image: torch.Tensor) -> torch.Tensor:
        features = net.body(image)
        own = net.own(features).log_softmax(1)
        keys = torch.eye(4)
        values = torch.rand(4, 2, 16, generator=torch.Generator().manual_seed(1))
        read, likeness = net.read(net.key_head.keys(features), keys, values, torch.zeros(4))
        rule = torch.ones(2, 5) * torch.tensor([[1.0], [-1.0]])
        linear = net.key_head.ruled(features, rule)
        affinity, often = torch.tensor([[0.2, 0.8]]), torch.zeros(1, 2)
        return net.fuse(features, own, own, affinity, often, read, likeness, linear)[-1]

    image = torch.randn(1, 1, 240, 240)
    other = torch.randn_like(image)
    start, stop = 112, 128
    kept = slice(start - net.reach, stop + net.reach)
    assert kept.start > 0
    other[..., kept, kept] = image[..., kept, kept]
    with torch.no_grad():
        before, after = answer(image), answer(other)
    part = slice(start, stop)
    torch.testing.assert_close(before[..., part, part], after[..., part, part])
    assert not torch.allclose(before, after)


def test_every_parameter_of_the_body_gets_a_gradient() -> None:
    net = UNet(1, (4, 4, 4), 4)
    net(torch.randn(2, 1, 32, 32)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_prior_goes_to_the_class_whose_paint_is_membrane() -> None:
    own = torch.tensor([0.1, 0.9]).log().reshape(1, 2, 1, 1)
    scores = prior_scores(own, torch.tensor([0.05, 0.95, 0.1])).flatten()
    assert int(scores.argmax()) == 1
    assert torch.isfinite(prior_scores(own, torch.tensor([0.0, 1.0]))).all()
