"""Self-distillation by attention over wrong pixels, see `nets.wrong_pixels`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional as F

from napari_infoleak.nets.losses import cross_entropy
from napari_infoleak.nets.wrong_pixels import SelfTeachingUNet, wrong
from napari_infoleak.segmenters.leaky import LeakySegmenter, wrongness

if TYPE_CHECKING:
    from torch import Tensor

    from napari_infoleak.segmenters.batch import Batch

_MOST = 25_000  # wrong pixels of a batch that are learned from


class AttentionSelfDistillationSegmenter(LeakySegmenter):
    """A U-Net that corrects its wrong pixels by attention, and learns from the correction."""

    method = "attention-self-distillation"
    network = SelfTeachingUNet

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """What is wrong with the plain answer and with the corrected one, and their distance."""
        net: SelfTeachingUNet = self.net
        net.familiar.meet(len(self.classes))
        scores = net.plain(batch.images)
        teacher = net.corrected(scores, wrong(scores, batch.truth, _MOST))
        return {
            "answer": wrongness(scores, batch.truth),
            "corrected": cross_entropy(teacher, batch.truth),
            "distilled": F.mse_loss(scores.float(), teacher.detach().float()),
        }
