"""Train a segmenter with batches that are already cut out: the common end of all recipes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.learn.loop import Listen, Loop, Outcome, ignore
from napari_infoleak.learn.ranks import ranks
from napari_infoleak.learn.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_infoleak.core.config import TrainConfig
    from napari_infoleak.learn.checkpoints import Store
    from napari_infoleak.learn.learner import Learner
    from napari_infoleak.learn.validation import HeldOut
    from napari_infoleak.segmenters.batch import Batch

_SAMPLE = 16  # crops that a method sees before it begins
_BEFORE = 2**32  # the step that these are drawn for: none that is ever taken


class Draw(Protocol):
    """Where batches come from, see `batches.Crops`."""

    size: tuple[int, int, int]

    def draw(self, step: int, batch: int, share: float = 0.0) -> Batch:
        """Cut the crops of a step; the same for the same step."""


def fit(
    segmenter: Learner,
    crops: Callable[[int], Draw],
    settings: TrainConfig,
    *,
    held_out: HeldOut | None = None,
    store: Store | None = None,
    resume: bool = False,
    began: float | None = None,
    listen: Listen = ignore,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Outcome:
    """Train a segmenter, alone or with other processes.

    Parameters
    ----------
    segmenter : Learner
        It will be changed.
    crops : callable
        Gives the source of batches for the number of a process.
    settings : TrainConfig
    held_out : HeldOut, optional
        What the segmenter is judged by.
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
        If the training to be resumed is another one, or none.
    """
    began = time.monotonic() if began is None else began
    with ranks(settings.device) as own:
        source = crops(own.rank)
        if not resume:
            segmenter.begin(source.draw(_BEFORE, _SAMPLE))
        state = State.of(segmenter, settings.batch, own.device)
        if store and resume:
            store.resume(state)
        elif store and own.first:
            store.begin()
        own.same(state.tensors().values())
        loop = Loop(state, source, settings, ranks=own, held_out=held_out, store=store, began=began)
        return loop.run(listen, progress, cancel)
