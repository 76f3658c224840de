"""What a segmenter learns from in one step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops of annotated images. B crops, C channels, *S is Y X or Z Y X.

    Attributes
    ----------
    images : Tensor, shape (B, C, *S), float32
        Grey values brought to range by `core.normalise`, as at test time.
    truth : Tensor, shape (B, *S), int64
        Place of the class in the segmenter's table, from 0; -1 where nothing is annotated. Few
        pixels may be annotated: every loss must leave the others out.
    share : float
        Part of the budget that is spent, 0 at the first step, below 1 at the last.
    """

    images: Tensor
    truth: Tensor
    share: float = 0.0

    def __len__(self) -> int:
        """Number of crops."""
        return len(self.images)

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("images", "truth")}
        return replace(self, **moved)
