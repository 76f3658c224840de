"""A linear head on features whose network takes the strength of its leak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_infoleak.nets.heads import PixelClassifier

if TYPE_CHECKING:
    from torch import Tensor


class LeakyClassifier(PixelClassifier):
    """As `PixelClassifier`; its body takes ``leak``, 0 to 1."""

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C *S) -> (B K *S)."""
        scores: Tensor = self.head(self.body(x, leak))
        return scores
