"""A U-Net that classes can join: a vector head, and a leak from its lower layers.

The head is `class_vectors`. Lower-layer leakage is after Nagata, Ono, Hotta 2024, arXiv 2409.11329,
in two readings of the same words, both reconstructed: a shallow layer teaches the deep one, or its
map flows into the last one. Measured on digits, neither brought anything beside the vectors, so
that neither is on by default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_infoleak.nets.class_vectors import VectorHead
from napari_infoleak.nets.stages import decode, encode
from napari_infoleak.nets.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHALLOW = 1  # level of the encoder that leaks


class ContinualNet(nn.Module):
    """Embeddings of pixels, and their likeness to the vectors of each class.

    Parameters
    ----------
    channels, classes : int
    widths, features
        See `UNet`.
    dimensions : int
        Of an embedding.
    vectors : int
        A class.
    lower : {"none", "teach", "forward"}
        How a shallow layer leaks: "teach" is a loss, "forward" adds its map to the features by a
        factor that is learned and starts at 0.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: Sequence[int] = (16, 32, 64, 128),
        features: int = 32,
        dimensions: int = 32,
        vectors: int = 2,
        lower: Literal["none", "teach", "forward"] = "none",
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "classes": classes,
            "widths": list(widths),
            "features": features,
            "dimensions": dimensions,
            "vectors": vectors,
            "lower": lower,
        }
        self.teaches = lower == "teach"
        self.body = UNet(channels, widths, features)
        self.project = nn.Conv2d(features, dimensions, 1)
        self.head = VectorHead(dimensions, classes, vectors)
        self.lower: nn.Conv2d | None = None
        self.alpha: nn.Parameter | None = None
        if lower == "forward":
            self.lower = nn.Conv2d(widths[_SHALLOW], features, 1)
            self.alpha = nn.Parameter(torch.zeros(()))
        self.multiple_of: int = self.body.multiple_of

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on."""
        return self.body.reach

    def embed(self, x: Tensor, leak: float = 1.0) -> tuple[Tensor, Tensor]:
        """Embed pixels.

        Parameters
        ----------
        x : Tensor, shape (B, C, Y, X)
        leak : float
            Of the lower layer's map, where it flows forward.

        Returns
        -------
        embeddings : Tensor, shape (B, D, Y, X)
            Of unit length.
        shallow : Tensor, shape (B, W, Y, X)
            The shallow layer's map, at full size.
        """
        maps = encode(self.body, x)
        shallow = F.interpolate(
            maps[_SHALLOW], scale_factor=2.0**_SHALLOW, mode="bilinear", align_corners=False
        )
        features = decode(self.body, maps)
        if self.lower is not None and self.alpha is not None:
            features = features + leak * self.alpha * self.lower(shallow)
        return F.normalize(self.project(features), dim=1), shallow

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X) -> (B K Y X)."""
        scores: Tensor = self.head(self.embed(x, leak)[0])
        return scores

    def grow(self, count: int) -> None:
        """Append classes; the scores of the old ones stay bit by bit."""
        self.head.grow(count)
