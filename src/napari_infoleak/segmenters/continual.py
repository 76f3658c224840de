"""Continual learning: a head that classes can join, see `growing` for how they do."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_infoleak.nets.class_vectors import contrast, drawn, relation_divergence, with_margin
from napari_infoleak.nets.continual import ContinualNet
from napari_infoleak.nets.losses import cross_entropy, dice
from napari_infoleak.nets.modes import has_measured
from napari_infoleak.segmenters.leaky import LeakySegmenter

if TYPE_CHECKING:
    from napari_infoleak.segmenters.batch import Batch
    from napari_infoleak.segmenters.supervised import Weights

_MARGIN = 0.1
_CONTRAST = 0.1
_RELATION = 0.1


class ContinualSegmenter(LeakySegmenter):
    """A U-Net with learnable class vectors."""

    method = "continual"
    network = ContinualNet

    @torch.no_grad()
    def begin(self, sample: Batch) -> None:
        """Give classes the look of their pixels, which without statistics is that of training."""
        net: ContinualNet = self.net
        looking: ContinualNet = copy.deepcopy(net).train(not has_measured(net))
        embeddings = looking.embed(sample.images)[0].movedim(1, 0).flatten(1)
        for place in range(len(self.classes)):
            own = embeddings[:, (sample.truth == place).flatten()].T
            if len(own):
                some = torch.linspace(0, len(own) - 1, min(len(own), 2048)).long()
                net.head.imprint(place, own[some.to(own.device)])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Likeness to the own vectors with a margin, and contrast."""
        net: ContinualNet = self.net
        embeddings, shallow = net.embed(batch.images)
        scores = net.head(embeddings)
        harder = with_margin(scores, batch.truth, _MARGIN)
        places = drawn(batch.truth, len(self.classes))
        own = embeddings.movedim(1, -1).flatten(0, -2)[places]
        labels = batch.truth.flatten()[places]
        terms = {
            "cross entropy": cross_entropy(harder, batch.truth),
            "dice": dice(scores, batch.truth),
            "contrast": _CONTRAST * contrast(own, labels, net.head.vectors, _MARGIN),
        }
        if net.teaches:
            below = shallow.movedim(1, -1).flatten(0, -2)[places]
            terms["from below"] = _RELATION * relation_divergence(below, own)
        return terms

    @torch.inference_mode()
    def strangeness(self, tiles: Tensor, memory: Weights) -> Tensor:
        """How unlike every class pixels are, (B C Y X) -> (B Y X).

        One less the likeness to the nearest vector of any class: 0 is what a class looks like,
        from 1 on it looks like none.
        """
        net: ContinualNet = self.net
        likeness: Tensor = net.head.likeness(net.embed(tiles, self.leak)[0]).amax(1)
        return 1 - likeness
