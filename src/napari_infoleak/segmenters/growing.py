"""A class joins a trained segmenter, whatever its method: learn the new one, keep the old ones.

The network from before is the teacher. What it says of pixels that are not known to be new is kept,
its sure answers are learned from like annotations, and all statistics stay as they were. Rare
classes, the new one among them, count as much as frequent ones, in what is learned and in what is
kept. The parts are those of `nets.background_shift`; sure answers as labels are after Cha et al.
2021 (SSUL, arXiv 2106.11562), where it is asked is ours.
"""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from napari_infoleak.core.errors import BadInput
from napari_infoleak.nets.background_shift import (
    unbiased_cross_entropy,
    unbiased_distillation,
    woven,
)
from napari_infoleak.nets.class_vectors import VectorHead, drawn, relation_divergence
from napari_infoleak.nets.heads import evidence, imprint
from napari_infoleak.nets.losses import cross_entropy
from napari_infoleak.nets.modes import as_at_test
from napari_infoleak.segmenters.wrapped import Wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from napari_infoleak.core.classes import ClassEntry
    from napari_infoleak.segmenters.batch import Batch
    from napari_infoleak.segmenters.supervised import SupervisedSegmenter

KEEP = 10.0
EVENLY = 1.0
_SURE = 0.7  # from this probability on, or the median of its class, an old answer is a label
_MOST = 2048  # pixels of a class that these are found from


@dataclass(frozen=True)
class Codes:
    """How annotations say what they know, where K classes are told apart.

    What was annotated before the new class was thought of may call its pixels something else, so
    that it is not known in the same way.

    Attributes
    ----------
    classes : int
        K.
    """

    classes: int

    @property
    def old(self) -> int:
        """Some class, but not a new one."""
        return 2 * self.classes

    @property
    def count(self) -> int:
        """Number of codes."""
        return self.old + 1

    def earlier(self, place: Tensor) -> Tensor:
        """The class at a place, by an annotation from before; -1 stays."""
        return torch.where(place >= 0, place + self.classes, -1)

    def read(self, codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Part codes: places that are known, those from before (-1: none), and "some old one"."""
        known = torch.where(codes < self.classes, codes, -1)
        before = torch.where((codes >= self.classes) & (codes < self.old), codes - self.classes, -1)
        return known, before, codes == self.old


class Before(nn.Module):
    """The network from before a class joined, and what tells the class from what hid it.

    Parameters
    ----------
    net : Module
        The layer that ends in a score a class is called ``head``.
    classes : int
        That it knows.
    """

    def __init__(self, net: nn.Module, classes: int) -> None:
        super().__init__()
        self.net: Any = net.eval()
        self.host: Tensor
        self.slope: Tensor
        self.offset: Tensor
        self.sure: Tensor
        self.register_buffer("host", torch.tensor(0))  # place of the class that hid the new one
        self.register_buffer("slope", torch.zeros(0))
        self.register_buffer("offset", torch.zeros(()))
        self.register_buffer("sure", torch.full((classes,), _SURE))

    def answer(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores (B O Y X), and what each head reads, (B D Y X)."""
        with as_at_test(self.net), _watched(*_heads(self.net)) as seen:
            scores: Tensor = self.net(images)
        return scores, [_sized(read, images).float() for read, _ in seen]

    def measure(self, scores: Tensor) -> None:
        """See how sure answers are, class by class: a network that learned little never is."""
        share, said = scores.float().softmax(1).max(1)
        medians = [share[said == k].median() for k in range(scores.shape[1])]
        self.sure = torch.stack(medians).nan_to_num(_SURE).clamp(max=_SURE)

    def surely(self, scores: Tensor) -> Tensor:
        """Place of the class of each pixel, -1 where that is not sure; (B O Y X) -> (B Y X)."""
        share, said = scores.float().softmax(1).max(1)
        return torch.where(share >= self.sure[said], said, -1)

    def learn(self, own: Tensor, others: Tensor) -> None:
        """See what the new class looks like, and what of its host does: (N D) each."""
        slope, offset = evidence(own, others)
        self.slope, self.offset = slope.to(own), torch.tensor(offset).to(own)

    def strange(self, features: Tensor) -> Tensor:
        """Whether pixels look more like the new class than like its host, (B D Y X) -> (B Y X)."""
        if not len(self.slope):
            return torch.ones_like(features[:, 0], dtype=torch.bool)
        return torch.einsum("bdyx,d->byx", features, self.slope) + self.offset > 0


class Growing(Wrapped):
    """A segmenter and the network from before a class joined it; learns as any segmenter does.

    Parameters
    ----------
    segmenter : SupervisedSegmenter
        Trained; the classes join it here. Its networks take planes.
    entry : ClassEntry
        The new class.
    lower : float
        Weight of lower-layer leakage: which pixels of a class were alike after the second level
        of the network from before teaches which are alike in the end. After Nagata, Ono, Hotta
        2024, arXiv 2409.11329, reconstructed.

    Raises
    ------
    BadInput
        If the segmenter is of a kind that no class can join.
    """

    def __init__(
        self, segmenter: SupervisedSegmenter, entry: ClassEntry, lower: float = 0.0
    ) -> None:
        net: Any = getattr(segmenter, "net", None)
        head = getattr(net, "head", None)
        if segmenter.spec.dims != (2,) or not isinstance(head, nn.Conv2d | VectorHead):
            raise BadInput(
                f"no class can join a model of {segmenter.spec.name}; train one of another method "
                f"for that, such as continual"
            )
        if lower and _second_level(net) is None:
            raise BadInput(
                f"a model of {segmenter.spec.name} has no lower layer that could teach; leave "
                f"that out"
            )
        super().__init__(segmenter)
        self.known = len(segmenter.classes)
        self.before = Before(copy.deepcopy(segmenter.net), self.known)
        self.lower = lower
        segmenter.grow([entry])
        self.codes = Codes(len(segmenter.classes))

    def modules(self) -> Iterable[nn.Module]:
        """Those of the segmenter, and the network from before."""
        return [*self.segmenter.modules(), self.before]

    @torch.no_grad()
    def begin(self, sample: Batch) -> None:
        """See what the new pixels look like, what they were called before, and begin as that."""
        scores, features = self.before.answer(sample.images)
        self.before.measure(scores)
        known, _, _ = self.codes.read(sample.truth)
        said, new = scores.argmax(1), known >= self.known
        if bool(new.any()):
            self.before.host.fill_(int(said[new].mode().values))
        host = int(self.before.host)
        like = (said == host) & ~new
        if not bool(new.any()) or not bool(like.any()):
            return
        for number, head in enumerate(_heads(self.segmenter.net)):
            pixels = features[number].movedim(1, -1)
            own, others = _some(pixels[new]), _some(pixels[like])
            if number == 0:
                self.before.learn(own, others)
            if isinstance(head, VectorHead):
                head.imprint_beside(self.known, host, own, others)
            else:
                imprint(head, self.known, host, own, others)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """What the method itself learns by, and what was known before."""
        net, host = self.segmenter.net, int(self.before.host)
        for part in net.modules():
            if isinstance(part, _BatchNorm):
                part.eval()
        lower = _second_level(self.before.net) if self.lower else None
        with _watched(*([] if lower is None else [lower])) as shallow:
            before, features = self.before.answer(batch.images)
        known, earlier, old = self.codes.read(batch.truth)
        given = torch.where(known >= 0, known, earlier)
        hidden = (given == host) & (known < 0) & self.before.strange(features[0])
        labels = self._labelled(given, hidden, old, before, features[0])
        told = replace(batch, truth=labels)
        with _watched(*_heads(net)) as seen:
            terms: dict[str, Tensor] = self.segmenter.loss(told)
        each = [_sized(scores, batch.images) for _, scores in seen]
        even, unsaid = _evenly(labels, len(self.classes)), old & (labels < 0)
        terms["kept"] = KEEP * _mean(
            unbiased_distillation(one, before, host, given < self.known) for one in each
        )
        terms["evenly"] = EVENLY * _mean(cross_entropy(one, labels, even) for one in each)
        terms["not new"] = _mean(
            unbiased_cross_entropy(one, range(self.known), unsaid) for one in each
        )
        if shallow:
            own, below = (_sized(one, batch.images) for one in (seen[0][0], shallow[0][1]))
            terms["from below"] = self.lower * _within_classes(below, own, labels, self.codes)
        return terms

    def _labelled(
        self, given: Tensor, hidden: Tensor, old: Tensor, before: Tensor, features: Tensor
    ) -> Tensor:
        """What to learn from: annotations, and what was said before of what is surely not new.

        A pixel that was called host and looks like the new class may be either, and is left out.
        """
        said = self.before.surely(before)
        unsure = (said == self.before.host) & self.before.strange(features) & ~old
        return torch.where(given >= 0, given, said.masked_fill(unsure, -1)).masked_fill(hidden, -1)

    def settled(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Average weights with those from before, once the new class is learned."""
        before = {name: one.cpu() for name, one in self.before.net.state_dict().items()}
        return woven(before, tensors, self.known, 1)


def _evenly(labels: Tensor, classes: int) -> Tensor:
    """Weights with which all classes that are there count the same."""
    return 1 / torch.bincount(labels[labels >= 0], minlength=classes).clamp(min=1)


def _some(points: Tensor) -> Tensor:
    """Points that lie evenly among many, (N D) -> (M D)."""
    chosen = torch.linspace(0, len(points) - 1, min(len(points), _MOST)).long()
    return points[chosen.to(points.device)]


def _heads(net: Any) -> list[nn.Conv2d | VectorHead]:
    """Layers that end in a score a class: one, or two of a pair of networks."""
    return [net.head, *([net.second_head] if hasattr(net, "second_head") else [])]


def _mean(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(tuple(terms)).mean()


def _second_level(net: Any) -> nn.Module | None:
    """What the network has seen after its second level, where it is such a network."""
    down = list(getattr(getattr(net, "body", None), "down", ()))
    return down[0] if down and not isinstance(down[0], nn.ModuleList) else None


def _within_classes(below: Tensor, own: Tensor, truth: Tensor, codes: Codes) -> Tensor:
    """Relations of the lower layer, class by class, see `relation_divergence`."""
    total = own.sum() * 0
    for place in range(codes.classes):
        one = torch.where(truth == place, 0, -1)
        places = drawn(one, 1)
        rows = [m.movedim(1, -1).flatten(0, -2)[places] for m in (below, own)]
        total = total + relation_divergence(*rows)
    return total / codes.classes


def _sized(found: Tensor, images: Tensor) -> Tensor:
    """Bring a map to the size of the images."""
    if found.shape[2:] == images.shape[2:]:
        return found
    return F.interpolate(found, size=images.shape[2:], mode="bilinear", align_corners=False)


@contextmanager
def _watched(*layers: nn.Module) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """See what each layer takes and gives, the last time that it is called."""
    seen: dict[int, tuple[Tensor, Tensor]] = {}
    found: list[tuple[Tensor, Tensor]] = []
    hooks = [
        layer.register_forward_hook(
            lambda _layer, taken, given, number=number: seen.update({number: (taken[0], given)})
        )
        for number, layer in enumerate(layers)
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
        found += [seen[number] for number in range(len(layers))]
