"""Continual learning: classes join a trained model, and it keeps what it knew."""

from __future__ import annotations

import copy
import itertools
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from napari_infoleak.nets.background_shift import (
    unbiased_cross_entropy,
    unbiased_distillation,
    woven,
)
from napari_infoleak.nets.class_vectors import contrast, drawn, relation_divergence, with_margin
from napari_infoleak.nets.continual import ContinualNet
from napari_infoleak.nets.losses import cross_entropy, dice
from napari_infoleak.nets.modes import as_at_test
from napari_infoleak.segmenters.leaky import LeakySegmenter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_infoleak.core.classes import ClassEntry, ClassTable
    from napari_infoleak.segmenters.batch import Batch

_MARGIN = 0.1
_CONTRAST = 0.1
_RELATION = 0.1
_KEEP = 10.0


class ContinualSegmenter(LeakySegmenter):
    """A U-Net with learnable class vectors.

    Once classes have joined, the model from before teaches it: what it said of pixels that are not
    annotated as new is kept, and its first levels and statistics no longer change.

    Attributes
    ----------
    old : ContinualNet or None
        The network from before the last classes joined.
    only_new : bool
        Whether the annotations mark the new classes alone and call all else host.
    """

    method = "continual"
    network = ContinualNet

    def __init__(self, net: Any, classes: ClassTable) -> None:
        super().__init__(net, classes)
        self.old: ContinualNet | None = None
        self.only_new = False

    @property
    def host(self) -> int:
        """Place of the class that pixels of the new classes were called before."""
        return 0 if self.old is None else int(self.old.get_buffer("host"))

    @property
    def _known(self) -> int:
        """Number of classes that were there before."""
        return 0 if self.old is None else int(self.old.config["classes"])

    def _learn_from(self, old: ContinualNet) -> None:
        """Let a network teach; the host is kept with it, so that a checkpoint holds it."""
        old.register_buffer("host", torch.tensor(0))
        self.old = old.eval()

    def modules(self) -> Iterable[nn.Module]:
        """The network, and the one from before while it teaches."""
        return [self.net] if self.old is None else [self.net, self.old]

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        """All parameters; once classes have joined, all but those of the first two levels."""
        if self.old is None:
            return super().groups()
        net: ContinualNet = self.net
        first = itertools.chain(net.body.stem.parameters(), net.body.down[0].parameters())
        fixed = {id(one) for one in first}
        return {"network": [one for one in net.parameters() if id(one) not in fixed]}

    @torch.no_grad()
    def begin(self, sample: Batch) -> None:
        """Give classes that are new the look of their pixels, and find the host."""
        net: ContinualNet = self.net
        with as_at_test(net):
            embeddings = net.embed(sample.images)[0].movedim(1, 0).flatten(1)
        for place in range(self._known, len(self.classes)):
            own = embeddings[:, (sample.truth == place).flatten()].T
            if len(own):
                some = torch.linspace(0, len(own) - 1, min(len(own), 2048)).long()
                net.head.imprint(place, own[some.to(own.device)])
        if self.old is not None:
            with as_at_test(self.old):
                said = self.old(sample.images).argmax(1)[sample.truth >= self._known]
            if len(said):
                self.old.get_buffer("host").fill_(int(said.mode().values))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Likeness to the own vectors with a margin, contrast, and what was known before."""
        net: ContinualNet = self.net
        if self.old is not None:
            for part in net.modules():
                if isinstance(part, _BatchNorm):
                    part.eval()
        embeddings, shallow = net.embed(batch.images)
        scores = net.head(embeddings)
        harder = with_margin(scores, batch.truth, _MARGIN)
        places = drawn(batch.truth, len(self.classes))
        own = embeddings.movedim(1, -1).flatten(0, -2)[places]
        labels = batch.truth.flatten()[places]
        terms = {
            "cross entropy": self._cross_entropy(harder, batch.truth),
            "dice": dice(scores, batch.truth),
            "contrast": _CONTRAST * contrast(own, labels, net.head.vectors, _MARGIN),
        }
        if net.teaches:
            below = shallow.movedim(1, -1).flatten(0, -2)[places]
            terms["from below"] = _RELATION * relation_divergence(below, own)
        if self.old is not None:
            with as_at_test(self.old):
                before = self.old(batch.images)
            where = batch.truth < self._known
            terms["kept"] = _KEEP * unbiased_distillation(scores, before, self.host, where)
        return terms

    def _cross_entropy(self, scores: Tensor, truth: Tensor) -> Tensor:
        if self.only_new and self.old is not None:
            return unbiased_cross_entropy(scores, truth, self.host, self._known)
        return cross_entropy(scores, truth)

    def grow(self, entries: Sequence[ClassEntry]) -> None:
        """Append classes, and keep the network as it was, to be taught by it."""
        self._learn_from(copy.deepcopy(self.net))
        super().grow(entries)

    def adopt(self, tensors: Mapping[str, Tensor], classes: ClassTable) -> list[str]:
        """As any; a model of this method with fewer classes teaches what it knew."""
        taken = super().adopt(tensors, classes)
        if len(classes) < len(self.classes) and classes.ids == self.classes.ids[: len(classes)]:
            old = ContinualNet(**(self.net.config | {"classes": len(classes)}))
            with suppress(RuntimeError):  # of another method or size: nothing to be kept
                old.load_state_dict(dict(tensors))
                self._learn_from(old)
        return taken

    @torch.no_grad()
    def settle(self) -> None:
        """Average with the weights from before, once what is new is learned, and forget them."""
        if self.old is None:
            return
        new = len(self.classes) - self._known
        mixed = woven(self.old.state_dict(), self.net.state_dict(), self._known, new)
        self.net.load_state_dict(mixed)
        self.old = None
