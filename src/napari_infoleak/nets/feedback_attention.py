"""Feedback attention: maps near the output are read near the input in a second look.

After Tsuda, Shibuya, Hotta 2020, arXiv 2008.06474. Confirmed by the paper: feature maps of a layer
near the output are fed back to a layer near the input by position attention, in several variants.
Reconstructed here: which layers, who asks and who answers, two rounds with the same weights, and
the loss of both. Attention is kept within windows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from napari_infoleak.nets.attention import WindowedAttention
from napari_infoleak.nets.heads import grown
from napari_infoleak.nets.stages import decode, encode
from napari_infoleak.nets.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Sequence


class Addition(nn.Module):
    """The control: the map is added without any attention."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.out = nn.Conv2d(channels, width, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, asking: Tensor, answering: Tensor) -> Tensor:
        """(B W Y X), (B F Y X) -> (B W Y X), of the second map alone."""
        scaled: Tensor = self.gamma * self.out(answering)
        return scaled


class FeedbackAttentionUNet(nn.Module):
    """A U-Net whose second look reads the last map of the first.

    Parameters
    ----------
    channels, classes : int
    widths, features
        See `UNet`.
    rounds : int
        How often the image is looked at.
    asks : {"input", "output", "nobody"}
        Who gives the queries: the map near the input of this round, or the map near the output of
        the round before, which then attends to itself; "nobody" is plain addition.
    dimensions : int
        Of queries, keys and values.
    pool : int
        By how much they are pooled.
    window : int
        Side of the field that a place sees, in pixels.
    early : float
        Weight of the loss of the rounds before the last.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: Sequence[int] = (16, 32, 64, 128),
        features: int = 32,
        rounds: int = 2,
        asks: Literal["input", "output", "nobody"] = "input",
        dimensions: int = 32,
        pool: int = 4,
        window: int = 64,
        early: float = 1.0,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "classes": classes,
            "widths": list(widths),
            "features": features,
            "rounds": rounds,
            "asks": asks,
            "dimensions": dimensions,
            "pool": pool,
            "window": window,
            "early": early,
        }
        self.rounds = rounds
        self.input_asks = asks != "output"
        self.body = UNet(channels, widths, features)
        self.head = nn.Conv2d(features, classes, 1)
        width = widths[0]
        self.feedback: nn.Module = (
            Addition(features, width)
            if asks == "nobody"
            else WindowedAttention(
                width if asks == "input" else features, features, width, dimensions, pool, window
            )
        )
        self.multiple_of: int = math.lcm(self.body.multiple_of, window)

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on: every round looks as far again."""
        between = 2 * int(self.config["window"])
        total = self.rounds * self.body.reach + (self.rounds - 1) * between
        return -(-total // self.multiple_of) * self.multiple_of

    def round(self, x: Tensor, last: Tensor | None, leak: float = 1.0) -> tuple[Tensor, Tensor]:
        """Look once.

        Parameters
        ----------
        x : Tensor, shape (B, C, Y, X)
        last : Tensor, shape (B, F, Y, X), optional
            Map of the round before that its head took.
        leak : float
            Strength of what is read from it.

        Returns
        -------
        scores : Tensor, shape (B, K, Y, X)
        last : Tensor, shape (B, F, Y, X)
            What the head took.
        """

        def read(level: int, found: Tensor) -> Tensor:
            if level > 0 or last is None:
                return found
            added: Tensor = self.feedback(found if self.input_asks else last, last)
            return found + leak * added

        features = decode(self.body, encode(self.body, x, read))
        return self.head(features), features

    def looks(self, x: Tensor, leak: float = 1.0) -> list[Tensor]:
        """Scores of every round, (B C Y X) -> (B K Y X) each."""
        found = []
        last: Tensor | None = None
        for _ in range(self.rounds):
            scores, last = self.round(x, last, leak)
            found.append(scores)
        return found

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X) -> (B K Y X), of the last round."""
        return self.looks(x, leak)[-1]

    def grow(self, count: int) -> None:
        """Append classes."""
        self.head = grown(self.head, count)
