"""Small segmenters with which this floor is tested."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Spec:
    name: str = "fake"
    dims: tuple[int, ...] = (2,)
    halo: int = 16
    multiple_of: int = 4
    channels: int = 1
    needs_support: bool = False


@dataclass(frozen=True)
class Memory:
    class_ids: tuple[int, ...] = (1, 2)
    version: str = "fake"


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class TinyUNet(nn.Module):
    """Two poolings; a pixel depends on less than 32 pixels to each side."""

    def __init__(self, channels: int = 1, classes: int = 2, width: int = 4) -> None:
        super().__init__()
        self.top = Block(channels, width)
        self.middle = nn.Sequential(Block(width, width))
        self.bottom = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.up = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.up_bn = nn.BatchNorm2d(width)
        self.head = nn.Conv2d(width, classes, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        top = self.top(x)
        middle = self.middle(F.max_pool2d(top, 2))
        bottom = self.bottom(F.max_pool2d(middle, 2))
        middle = middle + self.up_bn(self.up(bottom))
        return self.head(top + F.interpolate(middle, scale_factor=2.0, mode="bilinear"))


class FakeSegmenter:
    """A network and a spec, and a record of the tiles that were asked about."""

    def __init__(self, net: nn.Module, spec: Spec, classes: tuple[int, ...] = (1, 2)) -> None:
        self.net = net
        self.spec = spec
        self.classes = classes
        self.shapes: list[tuple[int, ...]] = []

    def modules(self) -> list[nn.Module]:
        return [self.net]

    def remember(self, support: Any) -> Memory:
        return Memory(self.classes)

    def scores(self, tiles: Tensor, memory: Memory) -> Tensor:
        self.shapes.append(tuple(tiles.shape))
        return self.net(tiles)


def tiny(seed: int = 0, channels: int = 1, **spec: Any) -> FakeSegmenter:
    """A U-Net with random weights and lively batch norms, in evaluation mode."""
    torch.manual_seed(seed)
    net = TinyUNet(channels)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2.0)
    wanted = replace(Spec(halo=32, multiple_of=4, channels=channels), **spec)
    return FakeSegmenter(net.eval(), wanted)


class Limited(FakeSegmenter):
    """Runs out of memory for batches of more than so many pixels."""

    def __init__(self, inner: FakeSegmenter, pixels: int, error: Exception) -> None:
        super().__init__(inner.net, inner.spec, inner.classes)
        self.pixels = pixels
        self.error = error

    def scores(self, tiles: Tensor, memory: Memory) -> Tensor:
        if tiles.shape[0] * tiles.shape[2] * tiles.shape[3] > self.pixels:
            raise self.error
        return super().scores(tiles, memory)
