"""Shuffle mixing: channels see one another because their pixels change places.

After Furukawa, Hotta 2023, doi 10.5220/0011720200003417. Confirmed by the paper: self-attention is
replaced by a depth-wise convolution on channels that were shifted in space, at no more cost, and
patches are embedded with overlap wherever the size is reduced. Reconstructed here: which pixel goes
where, in two readings, and all sizes. The encoder-decoder for segmentation is ours.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from napari_infoleak.nets.blocks import ConvNormAct

if TYPE_CHECKING:
    from collections.abc import Sequence

Shift = Literal["exchange", "group", "none"]


def exchange(x: Tensor) -> Tensor:
    """Exchange channel and place: four channels swap the pixels of each cell of 2 x 2.

    Parameters
    ----------
    x : Tensor, shape (B, C, Y, X)
        C a multiple of 4, sizes even. The channels are four groups; pixel p of a cell in group g
        and pixel g of the same cell in group p change places.

    Returns
    -------
    Tensor, shape (B, C, Y, X)
        Done twice, it is undone.
    """
    swapped: Tensor = rearrange(
        x, "b (gy gx c) (y py) (x px) -> b (py px c) (y gy) (x gx)", gy=2, gx=2, py=2, px=2
    )
    return swapped


def group_shift(x: Tensor) -> Tensor:
    """Move four of five groups of channels by a pixel: up, down, left, right; (B C Y X) -> same."""
    parts = list(x.tensor_split(5, 1))
    for index, (dy, dx) in enumerate([(-1, 0), (1, 0), (0, -1), (0, 1)]):
        padded = F.pad(parts[index], (1, 1, 1, 1))
        height, width = x.shape[-2:]
        parts[index] = padded[..., 1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
    return torch.cat(parts, 1)


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel; (B C Y X) -> (B C Y X)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        found: Tensor = self.norm(x.movedim(1, -1)).movedim(-1, 1)
        return found


class ShuffleMixing(nn.Module):
    """Mix the pixels of a neighbourhood, and by the shift the channels too.

    Parameters
    ----------
    channels : int
    kernel : int
        Odd.
    shift : {"exchange", "group", "none"}
    """

    def __init__(self, channels: int, kernel: int = 5, shift: Shift = "exchange") -> None:
        super().__init__()
        self.before = nn.Conv2d(channels, channels, 1)
        self.mix = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.after = nn.Conv2d(channels, channels, 1)
        self.shift = shift

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X) -> (B C Y X); at a leak of 0 nothing is shifted."""
        found = self.before(x)
        if self.shift == "group":
            found = self.mix(found.lerp(group_shift(found), leak))
        elif self.shift == "exchange":
            found = self.mix(found.lerp(exchange(found), leak))
            found = found.lerp(exchange(found), leak)
        else:
            found = self.mix(found)
        mixed: Tensor = self.after(found)
        return mixed


class Block(nn.Module):
    """Shuffle mixing, then work on each pixel.

    Parameters
    ----------
    channels, kernel, shift
        See `ShuffleMixing`.
    ratio : int
        Width of the work, in channels.
    """

    def __init__(self, channels: int, kernel: int, shift: Shift, ratio: int = 2) -> None:
        super().__init__()
        self.first = ChannelNorm(channels)
        self.mixing = ShuffleMixing(channels, kernel, shift)
        self.second = ChannelNorm(channels)
        self.work = nn.Sequential(
            nn.Conv2d(channels, ratio * channels, 1),
            nn.GELU(),
            nn.Conv2d(ratio * channels, channels, 1),
        )

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X) -> (B C Y X)."""
        x = x + self.mixing(self.first(x), leak)
        worked: Tensor = self.work(self.second(x))
        return x + worked


class ShuffleNet(nn.Module):
    """Features for every pixel, by shuffle mixing at every size.

    Parameters
    ----------
    channels : int
        Channels of the image.
    widths : sequence of int
        Channels at half, quarter ... size; multiples of 4.
    features : int
        Channels of the answer.
    depths : sequence of int
        Blocks at each size on the way down; one on the way up.
    kernel, shift
        See `ShuffleMixing`.
    overlap : bool
        Whether patches overlap where the size is halved.
    """

    def __init__(
        self,
        channels: int = 1,
        widths: Sequence[int] = (16, 32, 64, 128),
        features: int = 32,
        depths: Sequence[int] = (1, 2, 2, 2),
        kernel: int = 5,
        shift: Shift = "exchange",
        overlap: bool = True,
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.depths = list(depths)
        side, margin = (3, 1) if overlap else (2, 0)
        self.embed = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, side, stride=2, padding=margin), ChannelNorm(b))
            for a, b in itertools.pairwise((channels, *widths))
        )
        self.down = nn.ModuleList(
            nn.ModuleList(Block(width, kernel, shift) for _ in range(depth))
            for width, depth in zip(widths, depths, strict=True)
        )
        pairs = list(itertools.pairwise(widths))
        self.narrow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in reversed(pairs))
        self.join = nn.ModuleList(nn.Conv2d(2 * a, a, 1) for a, _ in reversed(pairs))
        self.up = nn.ModuleList(Block(a, kernel, shift) for a, _ in reversed(pairs))
        self.last = nn.Sequential(
            ConvNormAct(widths[0] + channels, features), ConvNormAct(features, features)
        )
        self.multiple_of: int = 2 ** (len(widths) + 1)  # cells of 2 x 2 at the lowest size

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on."""
        block = self.kernel // 2 + 2  # and the cell, there and back
        total = 2
        for level, depth in enumerate(self.depths, 1):
            ways_up = 1 if level < len(self.depths) else 0
            total += 2**level * (block * (depth + ways_up) + 1)  # and what upsampling reads
            total += 2 ** (level - 1)  # embedding
        return -(-total // self.multiple_of) * self.multiple_of

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X), sizes multiples of `multiple_of` -> (B features Y X)."""
        maps, found = [], x
        for embed, blocks in zip(self.embed, self.down, strict=True):
            found = embed(found)
            for block in blocks:  # type: ignore[attr-defined]
                found = block(found, leak)
            maps.append(found)
        maps.pop()
        for narrow, join, block in zip(self.narrow, self.join, self.up, strict=True):
            found = _double(narrow(found))
            found = block(join(torch.cat([found, maps.pop()], 1)), leak)
        features: Tensor = self.last(torch.cat([_double(found), x], 1))
        return features


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
