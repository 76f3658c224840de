"""Localized feature aggregation: the decoder looks for its positions in the encoder's map.

After Furukawa, Hotta 2021, arXiv 2112.01702. Confirmed by the paper: positions are recovered by the
similarity between the encoder's and the decoder's map of a level, within a local range.
Reconstructed here: the decoder asks and the encoder answers, the window, the projections. Ours is
that what is found is added beside the usual skip by default, so that a trained U-Net can be taken
over.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_infoleak.nets.heads import grown
from napari_infoleak.nets.silent import silent
from napari_infoleak.nets.stages import decode, encode
from napari_infoleak.nets.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class LocalAggregation(nn.Module):
    """Each place of the decoder's map reads from a window of the encoder's.

    Parameters
    ----------
    channels : int
        Of both maps.
    window : int
        Odd side of the window, in places.
    similarity : bool
        Whether likeness says how much of each place is read; otherwise all count the same, the
        control.
    """

    def __init__(self, channels: int, window: int = 5, similarity: bool = True) -> None:
        super().__init__()
        self.window = window
        self.query: nn.Conv2d | None = None
        self.key: nn.Conv2d | None = None
        if similarity:
            dimensions = max(16, channels // 2)
            self.query = nn.Conv2d(channels, dimensions, 1)
            self.key = nn.Conv2d(channels, dimensions, 1)
        self.value = nn.Conv2d(channels, channels, 1)

    def weights(self, rising: Tensor, skip: Tensor) -> Tensor:
        """(B C Y X) both -> (B window*window Y X); they sum to 1, 0 beyond the border."""
        inside = torch.cat(list(self._shifted(torch.ones_like(skip[:1, :1]))), 1) > 0
        if self.query is None or self.key is None:
            logits = torch.zeros_like(inside, dtype=skip.dtype).expand(len(skip), -1, -1, -1)
        else:
            query = self.query(rising) / math.sqrt(self.query.out_channels)
            keys = self._shifted(self.key(skip))
            logits = torch.stack([(query * key).sum(1) for key in keys], 1)
        return logits.masked_fill(~inside, -torch.inf).softmax(1)

    def forward(self, rising: Tensor, skip: Tensor) -> Tensor:
        """Decoder's and encoder's map, (B C Y X) both -> (B C Y X)."""
        weights = self.weights(rising, skip)
        found = torch.zeros_like(skip)
        for index, value in enumerate(self._shifted(self.value(skip))):
            found = found + weights[:, index : index + 1] * value
        return found

    def _shifted(self, x: Tensor) -> Iterator[Tensor]:
        """The map as seen from each place of the window."""
        margin = self.window // 2
        height, width = x.shape[-2:]
        padded = F.pad(x, (margin, margin, margin, margin))
        for dy in range(self.window):
            for dx in range(self.window):
                yield padded[..., dy : dy + height, dx : dx + width]


class AggregationUNet(nn.Module):
    """A U-Net whose skips look for what they bring.

    Parameters
    ----------
    channels, classes : int
    widths, features
        See `UNet`.
    levels : sequence of int
        Levels whose skips do, 0 is full size.
    window, similarity
        See `LocalAggregation`.
    joint : {"add", "replace"}
        "add": beside the usual skip; starts by adding nothing. "replace": instead of it.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: Sequence[int] = (16, 32, 64, 128),
        features: int = 32,
        levels: Sequence[int] = (1, 2),
        window: int = 5,
        similarity: bool = True,
        joint: Literal["add", "replace"] = "add",
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "classes": classes,
            "widths": list(widths),
            "features": features,
            "levels": list(levels),
            "window": window,
            "similarity": similarity,
            "joint": joint,
        }
        self.replaces = joint == "replace"
        self.body = UNet(channels, widths, features)
        self.head = nn.Conv2d(features, classes, 1)
        self.aggregate = nn.ModuleDict(
            {str(level): LocalAggregation(widths[level], window, similarity) for level in levels}
        )
        outs = {str(level): nn.Conv2d(widths[level], widths[level], 1) for level in levels}
        self.out = nn.ModuleDict(
            outs if self.replaces else {level: silent(layer) for level, layer in outs.items()}
        )
        self.multiple_of: int = self.body.multiple_of

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on."""
        margin = int(self.config["window"]) // 2
        beyond = self.body.reach + margin * sum(2 ** int(level) for level in self.aggregate)
        return -(-int(beyond) // self.multiple_of) * self.multiple_of

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X) -> (B K Y X); `leak` is the strength of what the skips look for."""

        def join(level: int, rising: Tensor, skip: Tensor) -> Tensor:
            name = str(level)
            if name not in self.aggregate:
                return rising + skip
            found: Tensor = self.out[name](self.aggregate[name](rising, skip))
            return rising + leak * found if self.replaces else rising + skip + leak * found

        maps = encode(self.body, x)
        scores: Tensor = self.head(decode(self.body, maps, join=join))
        return scores

    def grow(self, count: int) -> None:
        """Append classes."""
        self.head = grown(self.head, count)
