from __future__ import annotations

import copy
import logging

import numpy as np
import torch
from infer_fakes import FakeSegmenter, Spec, tiny
from torch import nn

from napari_infoleak.core.errors import BadInput
from napari_infoleak.infer.backends import device_of, prepare


def norms(segmenter):
    return [part for part in segmenter.net.modules() if isinstance(part, nn.BatchNorm2d)]


def test_a_prepared_segmenter_answers_alike_without_its_norms():
    plain = tiny(3)
    ready = prepare(plain, "cpu")
    assert norms(plain)
    assert not norms(ready)
    x = torch.randn(2, 1, 32, 48)
    torch.testing.assert_close(
        ready.scores(x, ready.remember(None)), plain.net(x), atol=1e-5, rtol=1e-5
    )


def test_preparing_leaves_the_segmenter_as_it_was():
    plain = tiny(3)
    plain.net.train()
    before = copy.deepcopy(plain.net.state_dict())
    prepare(plain, "cpu")
    assert plain.net.training
    assert all(parameter.requires_grad for parameter in plain.net.parameters())
    after = plain.net.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_weights_are_laid_out_channels_last():
    weight = prepare(tiny(), "cpu").net.bottom[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.requires_grad


def test_the_first_convolution_answers_channels_last_too():
    net = prepare(tiny(), "cpu").net  # of one channel, which is laid out both ways at once
    assert net.top.conv(torch.randn(1, 1, 16, 16)).stride()[1] == 1


def test_a_prepared_segmenter_can_be_prepared_again():
    once = prepare(tiny(), "cpu")
    x = torch.randn(1, 1, 16, 16)
    assert torch.equal(prepare(once, "cpu").net(x), once.net(x))


class Skipping(nn.Module):
    """The assignments suggest conv, bn; the forward pass does otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.bn = nn.BatchNorm2d(2)
        self.bn.running_var.fill_(0.1)

    def forward(self, x):
        y = self.conv(x)
        return y + self.bn(y.relu())


def test_a_network_that_folding_would_change_stays_plain(caplog):
    segmenter = FakeSegmenter(Skipping(), Spec(halo=1, multiple_of=1))
    with caplog.at_level(logging.WARNING):
        ready = prepare(segmenter, "cpu")
    assert norms(ready)
    assert "not folded" in caplog.text


class Choosy(FakeSegmenter):
    def remember(self, support):
        raise BadInput("not this one")


def test_what_cannot_be_checked_is_not_folded():
    plain = tiny()
    assert norms(prepare(Choosy(plain.net, plain.spec), "cpu"))


def test_a_segmenter_without_weights_can_be_prepared():
    segmenter = FakeSegmenter(nn.Identity(), Spec())
    assert device_of(prepare(segmenter, "cpu")) is None


def test_a_network_that_gives_numbers_that_are_none_is_not_folded_silently():
    segmenter = tiny()
    segmenter.net.head.bias.data.fill_(np.nan)
    assert norms(prepare(segmenter, "cpu"))
