"""Let a class join a trained segmenter, from a few annotated images of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.support import SupportSet
from napari_infoleak.infer.tiles import up_to
from napari_infoleak.learn.batches import Annotated, Crops, annotated, counts
from napari_infoleak.learn.fit import fit
from napari_infoleak.learn.held_out import hold_out
from napari_infoleak.learn.recipes.supervised import crop_size
from napari_infoleak.learn.validation import HeldOut, Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from napari_infoleak.core.config import TrainConfig
    from napari_infoleak.learn.learner import Learner
    from napari_infoleak.learn.loop import Outcome
    from napari_infoleak.segmenters.growing import Growing

_COMPARED, _SIDE = 8, 384  # planes, and pixels a side, on which old and new answers are compared


@dataclass(frozen=True)
class Kept:
    """How much of what was known is still there.

    Attributes
    ----------
    outcome : Outcome
        Of the training; `before` and `score` are of paint kept apart, by the weights at the
        moment at which the class joined and by those that are kept.
    agreement : Score or None
        Of the new answers with the old ones, on annotated planes, but for paint of the new class.
    """

    outcome: Outcome
    agreement: Score | None


def growing(
    learner: Growing,
    support: SupportSet,
    settings: TrainConfig,
    *,
    replay: SupportSet | None = None,
    complete: bool = False,
    settle: bool = False,
    validation: SupportSet | None = None,
    **run: Any,
) -> Kept:
    """Train a segmenter that a class has joined.

    Parameters
    ----------
    learner : Growing
        It will be changed.
    support : SupportSet
        What is painted of the new class, and perhaps of old ones.
    settings : TrainConfig
    replay : SupportSet, optional
        What the segmenter was trained on before; the new class may hide in it under another name.
    complete : bool
        Whether every pixel of the new class is painted in the planes of `support`.
    settle : bool
        Whether weights are averaged at the end with those from before.
    validation : SupportSet, optional
        What to be judged by; by default a part of `support` and `replay` is kept from training.
    **run
        Whom to tell, see `fit`.

    Returns
    -------
    Kept

    Raises
    ------
    BadInput
        If the new class is not painted.
    """
    size = len(learner.classes)
    own = annotated(support, learner.classes)
    earlier = annotated(replay, learner.classes) if replay else []
    if not bool(counts(own, size)[learner.known :].any()):
        new = learner.classes.entries[-1]
        raise BadInput(
            f"nothing is painted as class {new.id} ({new.name}); paint some of it in the images "
            f"given"
        )
    training, held = _parted(own, size, settings)
    replayed, more = _parted(earlier, size, settings) if earlier else ([], [])
    held += more
    if validation is not None:
        held = annotated(validation, learner.classes)
    data = _coded(learner, own, training, replayed, complete=complete)
    step = learner.spec.multiple_of
    judged = HeldOut(held, SupportSet(learner.classes), multiple_of=(step, step))
    compared = _answered(learner, own)
    before = _score(judged, learner)
    crop = crop_size(settings, step)

    def crops(rank: int) -> Crops:
        new = learner.known
        return Crops(data, learner.codes.count, crop, above_all=new, seed=settings.seed, rank=rank)

    outcome = fit(learner, crops, settings, **run)
    tensors = learner.settled(outcome.tensors) if settle else outcome.tensors
    kind: Any = type(learner.segmenter)
    after: Learner = kind.from_file(tensors, outcome.header)
    outcome = replace(outcome, tensors=tensors, before=before, score=_score(judged, after))
    return Kept(outcome, _score(compared, after))


def _parted(
    data: list[Annotated], classes: int, settings: TrainConfig
) -> tuple[list[Annotated], list[Annotated]]:
    return hold_out(data, classes, settings.seed) if settings.hold_out else (data, [])


def _coded(
    learner: Growing,
    own: Sequence[Annotated],
    training: Sequence[Annotated],
    replayed: Sequence[Annotated],
    *,
    complete: bool,
) -> list[Annotated]:
    """Say of each label what it means, see `Codes`; both parts are drawn as often.

    A plane that is in both parts is one plane: what is painted now counts, then what was before.
    """
    codes = learner.codes
    rest = list(replayed)
    now = []
    for one in training:
        whole = next((w.labels for w in own if w.image is one.image), one.labels)
        labels = one.labels.long() - 1
        twin = next((r for r in rest if torch.equal(r.image, one.image)), None)
        if twin is not None:
            rest = [r for r in rest if r is not twin]
            earlier = twin.labels.long() - 1
            earlier = earlier if complete else codes.earlier(earlier)
            labels = torch.where((labels < 0) & (whole == 0), earlier, labels)
        if complete:
            labels = torch.where((labels < 0) & (whole == 0), codes.old, labels)
        now.append(one.with_labels((labels + 1).byte()))
    before = [one.with_labels((codes.earlier(one.labels.long() - 1) + 1).byte()) for one in rest]
    share = _area(now) / max(_area(before), 1.0)
    return now + [replace(one, weight=one.weight * share) for one in before]


def _area(data: Sequence[Annotated]) -> float:
    return sum(one.weight * float((one.labels > 0).sum()) for one in data)


def _answered(learner: Growing, data: Sequence[Annotated]) -> HeldOut:
    """What the network from before says of some annotated planes, as if it were the truth."""
    step = learner.spec.multiple_of
    memory = learner.remember(None)
    found = []
    for one in data[:: -(-len(data) // _COMPARED)]:
        ys, xs = (slice(*_around(where, up_to(_SIDE, step))) for where in _extents(one.labels[0]))
        image, painted = one.image[:, 0, ys, xs], one.labels[0, ys, xs]
        height, width = painted.shape
        margin = [0, up_to(width, step) - width, 0, up_to(height, step) - height]
        padded = F.pad(image[None], margin, mode="replicate")
        said = learner.scores(padded, memory)[0, : learner.known, :height, :width].argmax(0) + 1
        said = said.masked_fill(painted > learner.known, 0).byte()
        found.append(Annotated(image[:, None], said[None]))
    return HeldOut(found, SupportSet(learner.classes), multiple_of=(step, step))


def _extents(labels: Tensor) -> list[tuple[int, int, int]]:
    """First and last painted row or column, and how many there are in all."""
    found = []
    for painted in (labels.any(1), labels.any(0)):
        places = painted.nonzero()[:, 0]
        found.append((int(places[0]), int(places[-1]) + 1, len(painted)))
    return found


def _around(extent: tuple[int, int, int], side: int) -> tuple[int, int]:
    """A range of a length around the middle of what is painted, as far as there is room."""
    first, last, length = extent
    start = max(0, min((first + last - side) // 2, length - side))
    return start, min(start + side, length)


def _score(judged: HeldOut, learner: Learner) -> Score | None:
    return judged.score(learner, torch.device("cpu")) if len(judged) else None
