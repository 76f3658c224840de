"""Train a segmenter on what is annotated: the recipe of every method that needs no other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.core.support import SupportSet
from napari_infoleak.infer.tiles import up_to
from napari_infoleak.learn.batches import Annotated, Crops, annotated, counts
from napari_infoleak.learn.held_out import hold_out
from napari_infoleak.learn.loop import Listen, Loop, Outcome, ignore
from napari_infoleak.learn.ranks import ranks
from napari_infoleak.learn.state import State
from napari_infoleak.learn.validation import HeldOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.core.config import TrainConfig
    from napari_infoleak.learn.checkpoints import Store
    from napari_infoleak.segmenters.protocol import Trainable

_SAMPLE = 32  # crops that a method sees before it begins


def supervised(
    segmenter: Trainable,
    support: SupportSet,
    settings: TrainConfig,
    *,
    validation: SupportSet | None = None,
    store: Store | None = None,
    resume: bool = False,
    began: float | None = None,
    listen: Listen = ignore,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Outcome:
    """Train a segmenter.

    Parameters
    ----------
    segmenter : Trainable
        Its table holds every class that is painted. It will be changed.
    support : SupportSet
        What to learn from.
    settings : TrainConfig
    validation : SupportSet, optional
        What to be judged by; by default a part of `support` is kept from training for it.
    store : Store, optional
        Where checkpoints and the log go.
    resume : bool
        Whether to go on from the last state in `store`.
    began : float, optional
        When the time began, as `time.monotonic` has it; now by default.
    listen, progress, cancel
        See `Loop.run`.

    Returns
    -------
    Outcome

    Raises
    ------
    BadInput
        If less than two classes are painted, or the training to be resumed is another one.
    """
    began = time.monotonic() if began is None else began
    spec, classes = segmenter.spec, segmenter.classes
    dims = 2 if 2 in spec.dims else 3
    training, held = _parts(support, validation, classes, dims, settings)
    size = _size(settings, spec.multiple_of, dims)
    with ranks(settings.device) as own:
        crops = Crops(training, len(classes), size, dims=dims, seed=settings.seed, rank=own.rank)
        if not resume:
            segmenter.begin(crops.draw(2**32, _SAMPLE))
        state = State.of(segmenter, settings.batch, own.device)
        if store and resume:
            store.resume(state)
        elif store and own.first:
            store.begin()
        own.same(state.tensors().values())
        step = (spec.multiple_of, spec.multiple_of)
        judged = HeldOut(held, _seen(training, classes), dims=dims, multiple_of=step)
        loop = Loop(
            state,
            crops,
            settings,
            ranks=own,
            held_out=judged if held else None,
            store=store,
            began=began,
        )
        return loop.run(listen, progress, cancel)


def _parts(
    support: SupportSet,
    validation: SupportSet | None,
    classes: ClassTable,
    dims: int,
    settings: TrainConfig,
) -> tuple[list[Annotated], list[Annotated]]:
    """What to learn from, and what to be judged by."""
    data = annotated(support, classes, dims)
    painted = [
        number for number, n in zip(classes.ids, counts(data, len(classes)), strict=True) if n
    ]
    if len(painted) < 2:
        raise BadInput(
            f"only class {painted[0]} is annotated; paint at least one stroke of a second class"
            if painted
            else "nothing is annotated; paint at least one stroke of each of two classes"
        )
    if validation is not None:
        return data, annotated(validation, classes, dims)
    return hold_out(data, len(classes), settings.seed) if settings.hold_out else (data, [])


def _size(settings: TrainConfig, multiple_of: int, dims: int) -> tuple[int, int, int]:
    """(z, y, x) of a crop, as the network takes it."""
    side = up_to(settings.crop, multiple_of)
    return (up_to(settings.depth, multiple_of) if dims == 3 else 1, side, side)


def _seen(training: Sequence[Annotated], classes: ClassTable) -> SupportSet:
    """What is trained on, as a support set, for segmenters that read one when they answer."""
    ids = np.array([0, *classes.ids], np.uint8)
    support = SupportSet(classes)
    for one in training:
        if bool(one.labels.any()):
            support = support.add(
                one.image[0].numpy(), ids[one.labels.numpy()], axes="ZYX", weight=one.weight
            )
    return support
