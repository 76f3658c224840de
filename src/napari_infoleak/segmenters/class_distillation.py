"""Class-wise distillation: specialists teach one small network, see `nets.distillation`.

The teachers learn beside the small network. They are needed for training alone: a model file holds
the small network.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_infoleak.nets.distillation import classwise_divergence, joint_divergence
from napari_infoleak.segmenters.leaky import wrongness
from napari_infoleak.segmenters.supervised import fitting
from napari_infoleak.segmenters.unet import PlainUNet, unet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_infoleak.core.classes import ClassEntry, ClassTable
    from napari_infoleak.segmenters.batch import Batch

_SMALL: dict[str, Any] = {"widths": (8, 16, 32, 64), "features": 16}
_LARGE: dict[str, Any] = {"teacher_widths": (16, 32, 64, 128), "teacher_features": 32}
_LISTENS = 0.25  # share of the training after which the teachers are fully listened to


class Teachers(nn.Module):
    """A network for each class, which tells it from the rest.

    Parameters
    ----------
    channels, classes : int
    widths, features
        See `UNet`.
    """

    def __init__(self, channels: int, classes: int, widths: Sequence[int], features: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(unet(channels, 1, widths, features) for _ in range(classes))
        self.taught: Tensor
        self.register_buffer("taught", torch.zeros(classes, dtype=torch.bool))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B C Y X) -> (B 1 Y X) of each class, the logit against the rest."""
        return [one(x) for one in self.each]

    def grow(self, count: int) -> None:
        """Append teachers: what the first knows of images, and no opinion of their own."""
        for _ in range(count):
            one: Any = copy.deepcopy(self.each[0])
            one.head.reset_parameters()
            self.each.append(one)
        self.taught = F.pad(self.taught, (0, count))


@dataclass(frozen=True)
class Teaching:
    """How the small network is taught.

    Attributes
    ----------
    weight : float
        Of what the teachers say, beside the annotation; 0 is the small network by itself.
    temperature : float
        Above 1 softens what teachers and network say.
    target : {"classwise", "joint"}
        Whether each class is compared by itself or all together.
    """

    weight: float = 1.0
    temperature: float = 1.0
    target: Literal["classwise", "joint"] = "classwise"

    def __call__(self, scores: Tensor, said: Tensor, taught: Tensor) -> Tensor:
        """How far the small network is from its teachers, see `nets.distillation`."""
        if self.target == "joint":
            return self.weight * joint_divergence(scores, said, taught)
        return self.weight * classwise_divergence(scores, said, taught, self.temperature)


class DistillationSegmenter(PlainUNet):
    """A small U-Net that is taught by a larger one for each class.

    Parameters
    ----------
    net : Module
        The small network.
    classes : ClassTable
    teachers : Teachers, optional
        Needed to learn.
    teaching : Teaching, optional
    """

    method = "class-distillation"

    def __init__(
        self,
        net: Any,
        classes: ClassTable,
        teachers: Teachers | None = None,
        teaching: Teaching | None = None,
    ) -> None:
        super().__init__(net, classes)
        self.teachers = teachers
        self.teaching = teaching or Teaching()

    @classmethod
    def fresh(cls, classes: ClassTable, channels: int = 1, **options: Any) -> Self:
        """Make a small network and its teachers.

        Parameters
        ----------
        classes : ClassTable
        channels : int
        **options
            `widths` and `features` of the small network, `teacher_widths` and `teacher_features`
            of each teacher, see `UNet`; `weight`, `temperature` and `target`, see `Teaching`.
        """
        small = _SMALL | {name: options.pop(name) for name in _SMALL if name in options}
        large = _LARGE | {name: options.pop(name) for name in _LARGE if name in options}
        return cls(
            unet(channels, len(classes), **small),
            classes,
            Teachers(channels, len(classes), *large.values()),
            Teaching(**options),
        )

    def modules(self) -> Iterable[nn.Module]:
        """The small network, and its teachers while it learns."""
        return [self.net] if self.teachers is None else [self.net, self.teachers]

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        """The small network, and the teachers, whom it cannot move."""
        groups = super().groups()
        if self.teachers is not None:
            groups["teachers"] = self.teachers.parameters()
        return groups

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """What is wrong by the annotation, by the teachers, and with each teacher.

        The teachers answer for every pixel, annotated or not.
        """
        scores = self.net(batch.images)
        terms = {"answer": wrongness(scores, batch.truth)}
        if self.teachers is None:
            return terms
        seen = torch.bincount(batch.truth[batch.truth >= 0], minlength=len(self.classes)) > 0
        self.teachers.taught |= seen
        said = self.teachers(batch.images)
        for number, (name, logit) in enumerate(zip(self.classes.names, said, strict=True)):
            own = torch.where(batch.truth >= 0, (batch.truth == number).long(), -1)
            terms[f"teachers/{name}"] = wrongness(torch.cat([-logit, logit], 1) / 2, own)
        if self.teaching.weight:
            listens = min(1.0, batch.share / _LISTENS)
            distilled = self.teaching(scores, torch.cat(said, 1), self.teachers.taught)
            terms["distilled"] = listens * distilled
        return terms

    def grow(self, entries: Sequence[ClassEntry]) -> None:
        """Append classes, and a teacher for each."""
        super().grow(entries)
        if self.teachers is not None:
            self.teachers.grow(len(entries))

    @torch.no_grad()
    def adopt(self, tensors: Mapping[str, Tensor], classes: ClassTable) -> list[str]:
        """Let the teachers, and the network where it fits, begin as another model."""
        taken = set(super().adopt(tensors, classes))
        if self.teachers is None:
            return sorted(taken)
        for number, one in zip(self.classes.ids, self.teachers.each, strict=True):
            mine = one.state_dict()
            theirs = _specialist(tensors, classes, number)
            for name in fitting(mine, {name: begin for name, (_, begin) in theirs.items()}):
                source, begin = theirs[name]
                mine[name].copy_(begin)
                taken.add(source)
        return sorted(taken)


def _specialist(
    tensors: Mapping[str, Tensor], classes: ClassTable, number: int
) -> dict[str, tuple[str, Tensor]]:
    """Where a network for one class against the rest takes its weights from, and those weights."""
    found: dict[str, tuple[str, Tensor]] = {}
    for source, one in tensors.items():
        part, _, rest = source.partition(".")
        if part not in ("own", "head"):
            found[source] = source, one
        elif number in classes and len(one) == len(classes) > 1:
            row = one[classes.ids.index(number)]
            others = (one.sum(0) - row) / (len(one) - 1)
            found[f"head.{rest}"] = source, (row - others)[None]
    return found
