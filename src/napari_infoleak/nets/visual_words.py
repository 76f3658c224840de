"""Word patches: typical patches of the training images are read beside the image.

After Takama, Kato, Kamiya, Hotta 2023 (VISAPP, SciTePress 117329). Confirmed by the paper: patches
cropped from training images are clustered by k-means as in a bag of visual words and put into a
vision transformer; as parameters that are trained they help more than as fixed centres. That they
are pixels and pass the same embedding as the image's patches is inferred from its figures. Ours are
the hybrid with a U-Net for segmentation, the sizes, windows, and how the leak is weakened.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from napari_infoleak.nets.attention import from_windows, into_windows
from napari_infoleak.nets.heads import grown
from napari_infoleak.nets.silent import silent
from napari_infoleak.nets.stages import decode, encode
from napari_infoleak.nets.transformer import Block
from napari_infoleak.nets.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 5.0
"""Words stay within the range of normalised grey values."""


class WordsNet(nn.Module):
    """A U-Net with a transformer at its bottom that reads visual words.

    Parameters
    ----------
    channels, classes : int
    widths, features
        See `UNet`. A patch is as large as a pixel of the lowest level; its width is that of tokens.
    words : int
        How many; 0 is a plain transformer.
    kind : {"trainable", "clustered", "free"}
        Whether words are patches that are trained, patches that stay, or, as a control, vectors
        that are no patches at all.
    depth : int
        Blocks.
    window : int
        Side of the field in which patches read from one another, in pixels of the image.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: Sequence[int] = (16, 32, 64, 128),
        features: int = 32,
        words: int = 64,
        kind: Literal["trainable", "clustered", "free"] = "trainable",
        depth: int = 2,
        window: int = 64,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "classes": classes,
            "widths": list(widths),
            "features": features,
            "words": words,
            "kind": kind,
            "depth": depth,
            "window": window,
        }
        self.body = UNet(channels, widths, features)
        self.head = nn.Conv2d(features, classes, 1)
        self.patch: int = self.body.multiple_of
        self.side = window // self.patch
        dimensions = widths[-1]
        self.embed = nn.Conv2d(channels, dimensions, self.patch, stride=self.patch)
        self.position = nn.Parameter(0.02 * torch.randn(self.side**2, dimensions))
        self.blocks = nn.ModuleList(Block(dimensions) for _ in range(depth))
        self.out = silent(nn.Linear(dimensions, dimensions))
        shape = (dimensions,) if kind == "free" else (channels, self.patch, self.patch)
        first = torch.randn(words, *shape)
        self.words: Tensor
        self.mark: nn.Parameter | None = None
        if words:
            self.mark = nn.Parameter(0.02 * torch.randn(dimensions))
        if kind == "clustered" or not words:
            self.register_buffer("words", first)
        else:
            self.words = nn.Parameter(first)
        self.multiple_of: int = math.lcm(window, self.patch)

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on."""
        beyond = self.body.reach + self.config["window"]
        return int(-(-beyond // self.multiple_of) * self.multiple_of)

    def embedded_words(self) -> Tensor:
        """Words as tokens, (K D)."""
        if self.mark is None:
            return self.position.new_zeros(0, self.position.shape[1])
        if self.config["kind"] == "free":
            return self.words + self.mark
        tokens: Tensor = self.embed(self.words.clamp(-LIMIT, LIMIT))[..., 0, 0]
        return tokens + self.mark

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X) -> (B K Y X).

        `leak` is how much a word counts beside a patch of the image; at 0 none is read.
        """
        maps = encode(self.body, x)
        lowest = len(maps) - 1

        def read(level: int, found: Tensor) -> Tensor:
            return self.read(x, found, leak) if level == lowest else found

        scores: Tensor = self.head(decode(self.body, maps, read))
        return scores

    def read(self, x: Tensor, found: Tensor, leak: float) -> Tensor:
        """Let the patches of the image read from one another and from the words.

        Parameters
        ----------
        x : Tensor, shape (B, C, Y, X)
        found : Tensor, shape (B, D, Y/patch, X/patch)
            The lowest map.
        leak : float

        Returns
        -------
        Tensor, shape (B, D, Y/patch, X/patch)
        """
        patches = into_windows(found + self.embed(x), self.side) + self.position
        count = patches.shape[1]
        tokens, bias = patches, None
        words = self.embedded_words()
        if len(words) and leak > 0:
            tokens = torch.cat([patches, words.expand(len(patches), -1, -1)], 1)
            bias = tokens.new_zeros(tokens.shape[1])
            bias[count:] = math.log(leak)
        for block in self.blocks:
            tokens = block(tokens, bias)
        added = from_windows(self.out(tokens[:, :count]), self.side, *found.shape[-2:])
        return found + added

    def grow(self, count: int) -> None:
        """Append classes."""
        self.head = grown(self.head, count)


def patches_of(
    images: Tensor, truth: Tensor, side: int, count: int, generator: torch.Generator
) -> Tensor:
    """Cut patches at random, half of them where classes meet.

    Parameters
    ----------
    images : Tensor, shape (B, C, Y, X)
    truth : Tensor, shape (B, Y, X), int64
        -1 where nothing is annotated.
    side : int
        Of a patch; at most that of the images.
    count : int
        How many.
    generator : Generator

    Returns
    -------
    Tensor, shape (count, C, side, side)
        Fewer where classes meet nowhere.
    """
    height, width = (length - side + 1 for length in images.shape[-2:])
    boxes = truth.unfold(1, side, 1).unfold(2, side, 1).flatten(3)
    high, low = boxes.amax(3), torch.where(boxes < 0, torch.iinfo(boxes.dtype).max, boxes).amin(3)
    meeting = ((high >= 0) & (high > low)).nonzero()
    half = torch.randint(max(1, len(meeting)), (count // 2,), generator=generator)
    anywhere = torch.stack(
        [
            torch.randint(most, (count - count // 2,), generator=generator)
            for most in (len(images), height, width)
        ],
        1,
    )
    places = torch.cat(
        [meeting[half.to(meeting.device)].cpu() if len(meeting) else meeting.cpu(), anywhere]
    )
    cut = images.unfold(2, side, 1).unfold(3, side, 1)
    found: Tensor = cut[places[:, 0], :, places[:, 1], places[:, 2]]
    return found
