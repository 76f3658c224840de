"""3-D Loop ResNet: the second look, any number of planes, and clips."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_infoleak.nets.loop3d import LoopClassifier, LoopNet3D, loop_loss, with_neighbours


def net(gain: float = 0.7, **options: Any) -> LoopNet3D:
    torch.manual_seed(0)
    made = LoopNet3D(1, 3, widths=(4, 6, 8), **options)
    torch.nn.init.constant_(made.feedback.gain, gain)
    return made.eval()


def volume(planes: int = 4) -> torch.Tensor:
    shape = (2, 1, planes, 16, 24)
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("form", ["plain", "bottleneck"])
@pytest.mark.parametrize("target", [0, 1])
def test_before_it_has_learned_every_look_is_the_first(form: str, target: int) -> None:
    first, second = net(0.0, form=form, target=target).looks(volume())
    assert torch.equal(first, second)
    first, second = net(form=form, target=target).looks(volume())
    assert (first - second).abs().max() > 1e-3


def test_without_the_leak_the_second_look_is_the_first() -> None:
    made = net()
    first, second = made.looks(volume(), leak=0.0)
    assert torch.equal(first, second)
    assert torch.equal(net(rounds=1)(volume()), first)


@pytest.mark.parametrize("planes", [1, 3, 5])
@pytest.mark.parametrize("flat", [0, 2])
def test_any_number_of_planes_is_answered(planes: int, flat: int) -> None:
    assert net(flat=flat)(volume(planes)).shape == (2, 3, planes, 16, 24)


def test_planes_as_channels_are_a_convolution_in_3d() -> None:
    torch.manual_seed(0)
    x, flat = torch.randn(2, 5, 3, 6, 7), torch.nn.Conv2d(9, 4, 3, padding=1)
    solid = torch.nn.Conv3d(3, 4, 3, padding=1)
    with torch.no_grad():
        solid.weight.copy_(flat.weight.view(4, 3, 3, 3, 3).transpose(1, 2))
        solid.bias.copy_(flat.bias)  # type: ignore[union-attr, arg-type]
    found = flat(with_neighbours(x, 3)).unflatten(0, (2, 5))
    torch.testing.assert_close(found.transpose(1, 2), solid(x.transpose(1, 2)))


def test_flat_levels_do_not_mix_planes() -> None:
    x = volume()
    changed = x.clone()
    changed[:, :, 3] += 1
    flat, solid = net(flat=3), net(flat=0)
    assert torch.equal(flat(x)[:, :, 0], flat(changed)[:, :, 0])
    assert not torch.equal(solid(x)[:, :, 0], solid(changed)[:, :, 0])


def test_gradients_return_through_the_feedback() -> None:
    made = net()
    (gradient,) = torch.autograd.grad(made(volume()).sum(), made.feedback.back[0].weight)
    assert gradient.abs().max() > 0


def test_more_times_with_the_same_weights() -> None:
    once, twice = net(times=1), net(times=2)
    assert sum(p.numel() for p in once.parameters()) == sum(p.numel() for p in twice.parameters())
    assert not torch.equal(once(volume()), twice(volume()))


def test_a_clip_gets_one_class_and_learns_it() -> None:
    torch.manual_seed(0)
    made = LoopClassifier(1, 2, widths=(4, 6, 8))
    clips, classes = torch.randn(8, 1, 3, 8, 8), torch.arange(8) % 2
    clips[classes == 1] *= torch.linspace(0.2, 2, 3).view(1, 3, 1, 1)  # it grows brighter
    optimiser = torch.optim.Adam(made.parameters(), lr=0.02)
    for _ in range(40):
        optimiser.zero_grad()
        loop_loss(made.looks(clips), classes).backward()
        optimiser.step()
    found = made.eval()(clips)
    assert found.shape == (8, 2)
    assert (found.argmax(1) == classes).float().mean() > 0.8
    assert not torch.equal(made(clips, leak=0.0), found)
