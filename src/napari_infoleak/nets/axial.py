"""Axial attention with local embedding: first the neighbours leak in, then rows, then columns.

Inspired by Furukawa, Hotta, "Local Embedding for Axial Attention" (ICIP), of which nothing beyond
title, authors and venue is known to us: all of it is reconstruction. Axial attention sees a row and
then a column; a diagonal neighbour is reached by detours only, and thin oblique membranes suffer. A
depth-wise convolution before it puts each pixel's neighbourhood into the pixel. The position terms
are those of Wang et al. 2020 (Axial-DeepLab, arXiv 2003.07853).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange
from torch import Tensor, nn

from napari_infoleak.nets.heads import grown
from napari_infoleak.nets.silent import silent
from napari_infoleak.nets.stages import decode, encode
from napari_infoleak.nets.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Sequence


class RowAttention(nn.Module):
    """Each place reads from the places of its row, within a window.

    Parameters
    ----------
    channels, heads : int
    span : int
        Width of a window, in places.
    """

    def __init__(self, channels: int, heads: int, span: int) -> None:
        super().__init__()
        self.heads = heads
        self.span = span
        self.read = nn.Sequential(
            nn.Conv2d(channels, 3 * channels, 1, bias=False),
            nn.BatchNorm2d(3 * channels, momentum=0.03),
        )
        depth = channels // heads
        self.position = nn.Parameter(depth**-0.5 * torch.randn(3, heads, 2 * span - 1, depth))
        self.balance = nn.BatchNorm2d(3 * heads, momentum=0.03)
        steps = torch.arange(span)
        self.offset: Tensor
        self.register_buffer("offset", steps[None] - steps[:, None] + span - 1, persistent=False)

    def weights(self, query: Tensor, key: Tensor) -> Tensor:
        """(N H S D) each -> (N H S S); rows sum to 1."""
        by_query, by_key = self.position[0][:, self.offset], self.position[1][:, self.offset]
        terms = torch.stack(
            [
                torch.einsum("nhod,nhpd->nhop", query, key),
                torch.einsum("nhod,hopd->nhop", query, by_query),
                torch.einsum("nhpd,hopd->nhop", key, by_key),
            ],
            1,
        )
        balanced = self.balance(terms.flatten(1, 2)).view_as(terms)
        return balanced.sum(1).softmax(3)  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """(B C Y X) -> (B C Y X), X a multiple of the span."""
        height = x.shape[2]
        query, key, value = rearrange(
            self.read(x),
            "b (t h d) y (w s) -> t (b y w) h s d",
            t=3,
            h=self.heads,
            s=self.span,
        )
        weights = self.weights(query, key)
        found = weights @ value
        found = found + torch.einsum("nhop,hopd->nhod", weights, self.position[2][:, self.offset])
        joined: Tensor = rearrange(
            found, "(b y w) h s d -> b (h d) y (w s)", b=len(x), y=height, s=self.span
        )
        return joined


class AxialBlock(nn.Module):
    """Local embedding, rows, columns, then work on each place; starts by changing nothing.

    Parameters
    ----------
    channels, heads, span : int
        See `RowAttention`.
    local : bool
        Whether there is a local embedding.
    """

    def __init__(self, channels: int, heads: int, span: int, local: bool = True) -> None:
        super().__init__()
        self.local: nn.Conv2d | None = None
        if local:
            self.local = silent(nn.Conv2d(channels, channels, 3, padding=1, groups=channels))
        self.rows = RowAttention(channels, heads, span)
        self.columns = RowAttention(channels, heads, span)
        self.out = silent(nn.Conv2d(channels, channels, 1))
        self.work = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 1),
            nn.ReLU(),
            silent(nn.Conv2d(2 * channels, channels, 1)),
        )

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X) -> (B C Y X); `leak` is the strength of the local embedding."""
        found = self.rows(x if self.local is None else x + leak * self.local(x))
        found = self.columns(found.mT).mT
        x = x + self.out(found)
        worked: Tensor = self.work(x)
        return x + worked


class AxialUNet(nn.Module):
    """A U-Net with axial blocks at its lower levels.

    Parameters
    ----------
    channels, classes : int
    widths, features
        See `UNet`.
    levels : sequence of int
        Levels of the encoder that have a block, 0 is full size.
    heads : int
    window : int
        Side of the field of the attention, in pixels.
    local : bool
        Whether there is a local embedding.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: Sequence[int] = (16, 32, 64, 128),
        features: int = 32,
        levels: Sequence[int] = (2, 3),
        heads: int = 4,
        window: int = 64,
        local: bool = True,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "classes": classes,
            "widths": list(widths),
            "features": features,
            "levels": list(levels),
            "heads": heads,
            "window": window,
            "local": local,
        }
        self.body = UNet(channels, widths, features)
        self.head = nn.Conv2d(features, classes, 1)
        self.axial = nn.ModuleDict(
            {
                str(level): AxialBlock(widths[level], heads, window // 2**level, local)
                for level in levels
            }
        )
        self.multiple_of: int = max(window, self.body.multiple_of)

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on."""
        window = int(self.config["window"])
        blocks = sum(window + 2 ** int(level) for level in self.axial)
        return -(-int(self.body.reach + blocks) // self.multiple_of) * self.multiple_of

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X) -> (B K Y X)."""

        def attend(level: int, found: Tensor) -> Tensor:
            if str(level) not in self.axial:
                return found
            attended: Tensor = self.axial[str(level)](found, leak)
            return attended

        scores: Tensor = self.head(decode(self.body, encode(self.body, x, attend)))
        return scores

    def grow(self, count: int) -> None:
        """Append classes."""
        self.head = grown(self.head, count)
