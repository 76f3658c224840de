"""Mutual leakage: the network and its judge leak into each other, see `nets.mutual_leakage`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from napari_infoleak.nets.losses import cross_entropy
from napari_infoleak.nets.modes import as_at_test
from napari_infoleak.nets.mutual_leakage import (
    Judgement,
    MutualLeakageNet,
    Pass,
    shown_to_judge,
    verdict_loss,
)
from napari_infoleak.segmenters.leaky import LeakySegmenter, wrongness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn

    from napari_infoleak.segmenters.batch import Batch

_ADVERSARIAL = 0.01  # for each class; the published 0.01 goes with a loss divided by their number


class MutualLeakageSegmenter(LeakySegmenter):
    """A U-Net that is told by its judge where to look again, and tells the judge in turn."""

    method = "mutual-leakage"
    network = MutualLeakageNet

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """What is wrong with the second pass and the early answers, and what the judge says.

        The judge learns from patches that hold an annotated pixel; where nothing is annotated it
        is shown the network's own answer.
        """
        net: MutualLeakageNet = self.net
        judged = None
        if net.attention:
            with as_at_test(net):
                judged = net.judged(batch.images)
        found: Pass = net.answer(batch.images, judged, batch.truth)
        made = net.familiar(found.scores)
        real = shown_to_judge(made.detach(), batch.truth)

        def verdict(answer: Tensor) -> Tensor:
            judgement: Judgement = net.judge(batch.images, answer, found.difficulty)
            return judgement.verdict

        weight = _ADVERSARIAL * len(self.classes)
        terms = {
            "answer": wrongness(found.scores, batch.truth),
            "convince": weight * verdict_loss(verdict(made), True, batch.truth),
            "judge/real": verdict_loss(verdict(real), True, batch.truth) / 2,
            "judge/made": verdict_loss(verdict(made.detach()), False, batch.truth) / 2,
        }
        for number, scores in enumerate(found.early, 1):
            terms[f"early answer {number}"] = cross_entropy(scores, batch.truth)
        return terms

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        """The network, and its adversary the judge."""
        net: MutualLeakageNet = self.net
        parts = (net.body, net.head, net.attention, net.early)
        network = itertools.chain.from_iterable(part.parameters() for part in parts)
        return {"network": network, "judge": net.judge.parameters()}
