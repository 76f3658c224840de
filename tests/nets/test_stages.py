"""The U-Net step by step is the U-Net."""

from __future__ import annotations

import torch

from napari_infoleak.nets.stages import decode, encode
from napari_infoleak.nets.unet import UNet


def test_the_two_halves_are_the_whole() -> None:
    body = UNet(1, (4, 6, 8), 5).eval()
    x = torch.randn(1, 1, 16, 24)
    assert torch.equal(decode(body, encode(body, x)), body(x))


def test_every_level_is_visited_down_and_up() -> None:
    body = UNet(1, (4, 6, 8), 5).eval()
    seen: list[tuple[int, int]] = []

    def note(level: int, x: torch.Tensor) -> torch.Tensor:
        seen.append((level, x.shape[-1]))
        return x

    decode(body, encode(body, torch.randn(1, 1, 16, 16), note), note)
    assert seen == [(0, 16), (1, 8), (2, 4), (2, 4), (1, 8), (0, 16)]
