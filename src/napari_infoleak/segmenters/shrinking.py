"""A trained model, or several of different classes, teach one small network; see `distillation`."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput
from napari_infoleak.nets.distillation import classwise_divergence
from napari_infoleak.segmenters.growing import Codes
from napari_infoleak.segmenters.leaky import wrongness
from napari_infoleak.segmenters.wrapped import Wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.segmenters.batch import Batch
    from napari_infoleak.segmenters.protocol import Segmenter, SegmenterSpec, Trainable

_LEAST = 1e-6


@dataclass(frozen=True)
class _Said:
    """What each teacher made of a support set, and the classes of all."""

    class_ids: tuple[int, ...]
    memories: tuple[Any, ...]
    version: str


class Teachers:
    """Models whose answers become one.

    Each is asked for its own classes. A class that several have is as likely as the least of them
    says, for it holds what the others tell apart; then all are made to sum to 1.

    Parameters
    ----------
    each : sequence of Segmenter
        For planes.
    known : SupportSet
        What those of them read that read annotations.

    Raises
    ------
    BadInput
        If two of them call one id by different names.
    """

    def __init__(self, each: Sequence[Segmenter], known: SupportSet) -> None:
        self.each = tuple(each)
        self._known = known
        self._memory: _Said | None = None
        memories = [one.remember(known) for one in self.each]
        tables = [
            known.classes.with_ids(memory.class_ids)
            if memory.class_ids != one.classes.ids
            else one.classes
            for one, memory in zip(self.each, memories, strict=True)
        ]
        self.classes = _joined(tables)

    @property
    def spec(self) -> SegmenterSpec:
        """Of the first; tiles are multiples of what all need."""
        most = max(one.spec.multiple_of for one in self.each)
        return replace(self.each[0].spec, multiple_of=most)

    def modules(self) -> Iterable[nn.Module]:
        """The networks of all."""
        return [module for one in self.each for module in one.modules()]

    def remember(self, support: SupportSet | None) -> _Said:
        """Let each read what was given at first; `support` adds nothing."""
        if self._memory is None:
            memories = tuple(one.remember(self._known) for one in self.each)
            version = " ".join(memory.version for memory in memories)
            self._memory = _Said(self.classes.ids, memories, version)
        return self._memory

    @torch.inference_mode()
    def scores(self, tiles: Tensor, memory: _Said) -> Tensor:
        """(B C Y X) -> (B K Y X), logarithms of probabilities."""
        ids = memory.class_ids
        least = torch.ones(len(tiles), len(ids), *tiles.shape[2:], device=tiles.device)
        for one, own in zip(self.each, memory.memories, strict=True):
            shares = one.scores(tiles, own).float().softmax(1)
            places = [ids.index(number) for number in own.class_ids]
            least[:, places] = torch.minimum(least[:, places], shares)
        least = least.clamp(min=_LEAST)
        return (least / least.sum(1, keepdim=True)).log()


class Shrinking(Wrapped):
    """A small segmenter that is taught; learns as any segmenter does.

    Annotations are `Codes`: what is known counts more than what a teacher says; what one said says
    where to look alone, for its answer is asked for anew in each crop.

    Parameters
    ----------
    segmenter : Trainable
        The small one.
    teachers : Teachers
        Of the same classes.
    """

    def __init__(self, segmenter: Trainable, teachers: Teachers) -> None:
        super().__init__(segmenter)
        self.teachers = teachers
        self.codes = Codes(len(segmenter.classes))

    def __deepcopy__(self, memo: dict[int, Any]) -> Shrinking:
        """Copy the small one; the teachers never change."""
        return Shrinking(copy.deepcopy(self.segmenter, memo), self.teachers)

    @property
    def spec(self) -> SegmenterSpec:
        """Of the small one, but tiles must suit the teachers as well."""
        most = max(self.segmenter.spec.multiple_of, self.teachers.spec.multiple_of)
        return replace(super().spec, multiple_of=most)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """How far the small network is from what it is taught, and from annotations."""
        net: Any = next(iter(self.segmenter.modules()))
        for module in self.teachers.modules():
            module.to(batch.images.device).eval()
        logs = self.teachers.scores(batch.images, self.teachers.remember(None))
        share = logs.clone().exp().clamp(_LEAST, 1 - _LEAST)  # a copy that may be learned from
        scores = net(batch.images)
        taught = torch.ones(len(self.classes), dtype=torch.bool, device=scores.device)
        known, _, _ = self.codes.read(batch.truth)
        truth = torch.where(known >= 0, known, share.argmax(1))
        return {
            "distilled": classwise_divergence(scores, share.logit(), taught),
            "answer": wrongness(scores, truth),  # its Dice is what rare classes are heard by
        }


def _joined(tables: Sequence[ClassTable]) -> ClassTable:
    """Join class tables; one id must mean one class."""
    found = {entry.id: entry for entry in tables[0]}
    for entry in (entry for table in tables[1:] for entry in table):
        known = found.setdefault(entry.id, entry)
        if known.name != entry.name:
            raise BadInput(
                f"class {entry.id} is {known.name} in one model and {entry.name} in another; "
                f"models that are joined need ids of the same meaning"
            )
    return ClassTable(tuple(found[number] for number in sorted(found)))
