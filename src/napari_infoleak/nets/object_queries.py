"""Object queries: a few learned vectors ask an image what it holds, and every place reads them.

Inspired by Takama, Hotta, MIRU 2022 (vision transformer improved by object queries), of which
nothing beyond title, authors and venue is known to us: all of it is reconstruction. Vectors that
ask an image are those of Carion et al. 2020 (DETR, arXiv 2005.12872); that places read them back is
what a dense answer needs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from napari_infoleak.nets.attention import from_windows, into_windows
from napari_infoleak.nets.heads import grown
from napari_infoleak.nets.silent import silent
from napari_infoleak.nets.stages import decode, encode
from napari_infoleak.nets.transformer import Attention
from napari_infoleak.nets.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Sequence


class QueryBlock(nn.Module):
    """Queries ask the places of a window, are worked on, and are read by the places.

    Parameters
    ----------
    dimensions, heads : int
    """

    def __init__(self, dimensions: int, heads: int = 4) -> None:
        super().__init__()
        self.normal = nn.ModuleList(nn.LayerNorm(dimensions) for _ in range(4))
        self.ask = Attention(dimensions, heads)
        self.work = nn.Sequential(
            nn.Linear(dimensions, 2 * dimensions), nn.GELU(), nn.Linear(2 * dimensions, dimensions)
        )
        self.read = Attention(dimensions, heads)
        silent(self.read.out)

    def forward(self, places: Tensor, queries: Tensor, leak: float) -> tuple[Tensor, Tensor]:
        """(N P D), (N Q D) -> the same, `leak` is the strength of what the places read."""
        first, second, third, fourth = self.normal
        queries = queries + self.ask(first(queries), second(places))
        queries = queries + self.work(third(queries))
        places = places + leak * self.read(second(places), fourth(queries))
        return places, queries


class QueriesNet(nn.Module):
    """A U-Net with object queries at its bottom.

    Parameters
    ----------
    channels, classes : int
    widths, features
        See `UNet`.
    queries : int
        How many; 0 is a plain U-Net.
    depth : int
        Blocks.
    window : int
        Side of the field that the queries ask, in pixels.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: Sequence[int] = (16, 32, 64, 128),
        features: int = 32,
        queries: int = 32,
        depth: int = 2,
        window: int = 64,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "classes": classes,
            "widths": list(widths),
            "features": features,
            "queries": queries,
            "depth": depth,
            "window": window,
        }
        self.body = UNet(channels, widths, features)
        self.head = nn.Conv2d(features, classes, 1)
        self.queries: nn.Parameter | None = None
        self.blocks = nn.ModuleList()
        if queries:
            self.queries = nn.Parameter(torch.randn(queries, widths[-1]))
            self.blocks.extend(QueryBlock(widths[-1]) for _ in range(depth))
        self.multiple_of: int = math.lcm(window, self.body.multiple_of)

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on."""
        beyond = self.body.reach + int(self.config["window"])
        return -(-beyond // self.multiple_of) * self.multiple_of

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X) -> (B K Y X)."""
        maps = encode(self.body, x)
        lowest = len(maps) - 1

        def ask(level: int, found: Tensor) -> Tensor:
            return self.asked(found, leak) if level == lowest else found

        scores: Tensor = self.head(decode(self.body, maps, ask))
        return scores

    def asked(self, found: Tensor, leak: float) -> Tensor:
        """Let queries ask the lowest map and its places read them; (B D y x) -> (B D y x)."""
        if self.queries is None:
            return found
        side = int(self.config["window"]) // self.body.multiple_of
        places = into_windows(found, side)
        queries = self.queries.expand(len(places), -1, -1)
        for block in self.blocks:
            places, queries = block(places, queries, leak)
        return from_windows(places, side, *found.shape[-2:])

    def grow(self, count: int) -> None:
        """Append classes."""
        self.head = grown(self.head, count)
