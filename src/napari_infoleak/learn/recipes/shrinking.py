"""Let trained models teach a small network, on images that need no annotation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.support import SupportSet
from napari_infoleak.learn.answers import answer_plane
from napari_infoleak.learn.batches import Annotated, Crops, annotated, counts
from napari_infoleak.learn.fit import fit
from napari_infoleak.learn.held_out import hold_out
from napari_infoleak.learn.recipes.supervised import crop_size
from napari_infoleak.learn.validation import HeldOut, Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from napari_infoleak.core.config import TrainConfig
    from napari_infoleak.core.progress import CancelToken, Progress
    from napari_infoleak.learn.frames import Frame
    from napari_infoleak.learn.learner import Learner
    from napari_infoleak.learn.loop import Outcome
    from napari_infoleak.segmenters.shrinking import Shrinking


@dataclass(frozen=True)
class Shrunk:
    """What a small network has learned of its teachers.

    Attributes
    ----------
    outcome : Outcome
        Of the training; `score` is of its agreement with the teachers on what was held out.
    teachers, student : Score or None
        Of annotations held out; None where none was.
    shares : dict of int to float
        How frequent each class is by the teachers, by its id.
    """

    outcome: Outcome
    teachers: Score | None
    student: Score | None
    shares: dict[int, float]


def shrinking(
    learner: Shrinking,
    frames: Sequence[Frame],
    support: SupportSet,
    settings: TrainConfig,
    *,
    progress: Progress,
    cancel: CancelToken,
    **run: Any,
) -> Shrunk:
    """Teach a small segmenter.

    Parameters
    ----------
    learner : Shrinking
        It will be changed.
    frames : sequence of Frame
        Planes to be taught on.
    support : SupportSet
        Annotated planes, to be taught on and judged by as well; may be empty.
    settings : TrainConfig
    progress, cancel
        Told of each plane and step; looked at likewise.
    **run
        See `fit`.

    Returns
    -------
    Shrunk

    Raises
    ------
    BadInput
        If there is no plane.
    Cancelled
        If it was cancelled before it had begun to learn.
    """
    size = len(learner.classes)
    known = annotated(support, learner.classes) if support else []
    planes = known + [_blank(frame.read()) for frame in frames]
    if not planes:
        raise BadInput("there is no image to be taught on; give at least one")
    answered = []
    for number, plane in enumerate(planes):
        cancel.check()
        progress(number, len(planes), f"the teachers answer plane {number + 1} of {len(planes)}")
        place, _ = answer_plane(learner.teachers, plane.image[:, 0])
        answered.append(plane.with_labels((place + 1).byte()[None]))
    found = counts(answered, size)
    training, held = (
        hold_out(answered, size, settings.seed) if settings.hold_out else (answered, [])
    )
    step = learner.spec.multiple_of
    none = SupportSet(learner.classes)
    judged = HeldOut(held, none, multiple_of=(step, step))
    checked = HeldOut([_true(one, known, answered) for one in held], none, multiple_of=(step, step))
    data = [_coded(learner, one, _true(one, known, answered)) for one in training]
    crop = crop_size(settings, step)

    def crops(rank: int) -> Crops:
        return Crops(data, learner.codes.count, crop, seed=settings.seed, rank=rank)

    outcome = fit(
        learner,
        crops,
        settings,
        held_out=judged if len(judged) else None,
        progress=progress,
        cancel=cancel,
        **run,
    )
    kind: Any = type(learner.segmenter)
    student: Learner = kind.from_file(outcome.tensors, outcome.header)
    shares = (found / found.sum()).tolist()
    return Shrunk(
        replace(outcome, before=None),
        _score(checked, learner.teachers),
        _score(checked, student),
        dict(zip(learner.classes.ids, shares, strict=True)),
    )


def _blank(grey: Tensor) -> Annotated:
    """A plane that nobody annotated, (1 1 Y X) of grey."""
    return Annotated(grey, torch.zeros(grey.shape[1:], dtype=torch.uint8))


def _true(one: Annotated, known: Sequence[Annotated], said: Sequence[Annotated]) -> Annotated:
    """What is annotated where a plane is labelled; nothing if nobody annotated it."""
    for plane, whole in zip(known, said, strict=False):
        if whole.image is one.image:
            return one.with_labels(plane.labels.where(one.labels > 0, 0))
    return one.with_labels(torch.zeros_like(one.labels))


def _coded(learner: Shrinking, said: Annotated, true: Annotated) -> Annotated:
    """Annotations as known, what teachers said as said."""
    place = said.labels.long() - 1
    codes = torch.where(true.labels > 0, true.labels.long() - 1, learner.codes.earlier(place))
    return said.with_labels((codes + 1).byte())


def _score(judged: HeldOut, learner: Any) -> Score | None:
    return judged.score(learner, torch.device("cpu")) if len(judged) else None
