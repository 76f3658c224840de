"""A segmenter that looks several times, and is judged by every look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_infoleak.segmenters.leaky import LeakySegmenter, wrongness

if TYPE_CHECKING:
    from torch import Tensor

    from napari_infoleak.segmenters.batch import Batch


class RoundsSegmenter(LeakySegmenter):
    """Its network has ``looks``: the scores of every round, the last of which is the answer."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The same loss for the answer of every round; those before the last count ``early``."""
        *before, last = self.net.looks(batch.images)
        early = self.net.config["early"]
        terms = {"answer": wrongness(last, batch.truth)}
        if early:
            for number, scores in enumerate(before, 1):
                terms[f"round {number}"] = early * wrongness(scores, batch.truth)
        return terms

    @torch.inference_mode()
    def rounds(self, tiles: Tensor) -> list[Tensor]:
        """Scores of every round, (B C *S) -> (B K *S) each: what it thought first and last."""
        found: list[Tensor] = self.net.looks(tiles, self.leak)
        return found
