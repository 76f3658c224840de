"""A segmenter that looks several times, and is judged by every look."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from napari_infoleak.segmenters.leaky import LeakySegmenter, wrongness

if TYPE_CHECKING:
    from typing import Self

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

    @property
    def rounds(self) -> int:
        """How often it looks."""
        return int(self.net.rounds)

    def after(self, rounds: int) -> Self:
        """Return the same segmenter, which answers after so many looks: what it thought then."""
        other = copy.copy(self)
        other.net = copy.copy(self.net)  # the weights are shared
        other.net.rounds = rounds
        return other
