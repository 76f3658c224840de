"""The training loop: steps, validation, checkpoints, until the budget is spent.

A step depends on the state and on its number alone: its crops and all its random numbers are seeded
by that, so a training that is resumed comes to the weights of one that never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from napari_infoleak.core.errors import Cancelled, InfoleakError, OutOfMemory
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.infer.budget import is_out_of_memory, release
from napari_infoleak.learn.batches import mixed
from napari_infoleak.learn.budget import Budget, Deadline
from napari_infoleak.learn.step import NotANumber, Stepper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from napari_infoleak.core.config import TrainConfig
    from napari_infoleak.learn.checkpoints import Store
    from napari_infoleak.learn.fit import Draw
    from napari_infoleak.learn.ranks import Ranks
    from napari_infoleak.learn.state import State
    from napari_infoleak.learn.validation import HeldOut, Score

WARM_UP = 20  # steps over which the rate rises
LOWEST = 0.01  # of the rate, at the end
VALIDATIONS = 20  # in a training, as far as they take no more than `_VALIDATING` of its time
_VALIDATING = 0.15
_FIRST = 0.3  # of the time, that the first validation may take
_REPORT_STEPS, _REPORT_SECONDS = 10, 1.0
SAVE_SECONDS = 60.0
_PATIENCE = 20  # steps in a row that may come to nothing
_TICKS = 1000  # of the progress


@dataclass(frozen=True)
class Report:
    """How a training stands.

    Attributes
    ----------
    step : int
        Steps taken.
    seconds : float
        Time spent, by all runs of this training together.
    share : float
        Part of the budget that is spent, 0 to 1.
    rate : float
        Rate of learning.
    losses : mapping of str to float
        Means of the terms since the last report; empty if no step was taken.
    score : Score or None
        Of the held-out annotations, where they were looked at.
    """

    step: int
    seconds: float
    share: float
    rate: float
    losses: Mapping[str, float] = field(default_factory=dict)
    score: Score | None = None

    @property
    def row(self) -> dict[str, float]:
        """Itself as a row of the log."""
        row = {
            "step": self.step,
            "seconds": round(self.seconds, 2),
            "rate": float(f"{self.rate:.4g}"),
        }
        row |= {name: float(f"{value:.6g}") for name, value in self.losses.items()}
        if self.score is not None:
            row |= {"validation loss": self.score.loss, "validation mIoU": self.score.miou}
            row |= {f"validation IoU {k}": iou for k, iou in self.score.iou.items()}
        return row


Listen = Callable[[Report], None]


def ignore(report: Report) -> None:
    """Listen to nothing."""


@dataclass(frozen=True)
class Outcome:
    """What a training came to.

    Attributes
    ----------
    tensors : dict of str to Tensor
        Of the best model, or of the last where nothing was held out.
    header : dict
        What belongs to them in a model file.
    step, steps : int
        After which step they were so, and how many were taken.
    seconds : float
    before, score : Score or None
        Of the held-out annotations, by the weights that were started from and by these.
    stopped : bool
        Whether it was cancelled before the budget was spent.
    """

    tensors: dict[str, Tensor]
    header: dict[str, Any]
    step: int
    steps: int
    seconds: float
    before: Score | None
    score: Score | None
    stopped: bool


class Loop:
    """One training.

    Parameters
    ----------
    state : State
        On the device of `ranks`.
    crops : Draw
    settings : TrainConfig
        With a budget.
    ranks : Ranks
    held_out : HeldOut, optional
        Without it the last weights are the result.
    store : Store, optional
        Where checkpoints and the log go.
    began : float, optional
        When the time of this run began, as `time.monotonic` has it; now by default.
    """

    def __init__(
        self,
        state: State,
        crops: Draw,
        settings: TrainConfig,
        *,
        ranks: Ranks,
        held_out: HeldOut | None = None,
        store: Store | None = None,
        began: float | None = None,
    ) -> None:
        self.state = state
        self._crops = crops
        self._settings = settings
        self._ranks = ranks
        self._held_out = held_out if ranks.first else None
        self._store = store if ranks.first else None
        self._stepper = Stepper(state, ranks, mixed=settings.mixed, average=settings.average)
        seconds = None if settings.minutes is None else 60 * settings.minutes
        start = time.monotonic() if began is None else began
        self._budget = Budget(settings.steps, seconds, start - state.seconds)
        self._best: dict[str, Tensor] | None = None
        self._recent: list[dict[str, Tensor]] = []
        self._failed = 0
        self._reported = self._saved = time.monotonic()
        self._listen: Listen = ignore
        self._progress: Progress = NULL
        self._until = 1.0

    def run(
        self,
        listen: Listen = ignore,
        progress: Progress = NULL,
        cancel: CancelToken = NEVER,
        until: float = 1.0,
    ) -> Outcome:
        """Train until the budget is spent or the token is set; what was learned is kept.

        Parameters
        ----------
        listen : callable
            Told how it stands, about once a second and at each validation.
        progress, cancel
            Told of each step; looked at before each layer.
        until : float
            Share of the budget at which it ends; another run goes on from there.

        Returns
        -------
        Outcome

        Raises
        ------
        OutOfMemory
            If not even one crop fits.
        WriteFailed
            If a checkpoint cannot be written; the one before is still there.
        InfoleakError
            If the losses are no numbers any more.
        """
        state, budget = self.state, self._budget
        self._listen, self._progress, self._until = listen, progress, until
        device = self._ranks.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            if state.step == 0 and state.before is None:
                self._save()  # a disk that is full is better known now
                early = budget.began + _FIRST * (budget.end - budget.began)
                self._validate(Deadline(cancel, early))
                state.before = state.best
                self._save()
            with self._stepper.interruptible(Deadline(cancel, budget.last_step)):
                stopped = self._steps(cancel)
            if not stopped and state.best_step != state.step:
                self._validate(Deadline(cancel, budget.end))
            self._save()
        return self._outcome(stopped)

    # --------------------------------------------------------------------------- steps

    def _steps(self, cancel: CancelToken) -> bool:
        """Take steps to the end; say whether it was stopped before."""
        state, budget = self.state, self._budget
        while True:
            share = math.inf if cancel.cancelled else budget.share(state.step)
            share = self._ranks.agree(share)
            if share >= self._until:
                return math.isinf(share)
            rate = self._rate(share)
            try:
                self._step(share, rate)
            except Cancelled:
                return cancel.cancelled
            after = budget.share(state.step)
            self._progress(min(_TICKS, int(_TICKS * after)), _TICKS, self._message())
            due = after < 1 and self._due(share, after)
            if due:
                self._validate(Deadline(cancel, budget.last_step))
            elif self._time_to_report():
                self._report(rate)
            if time.monotonic() - self._saved > SAVE_SECONDS:
                self._save()

    def _step(self, share: float, rate: float) -> None:
        """Take one step, with fewer crops if memory runs out."""
        state, seed = self.state, self._settings.seed
        while True:
            try:
                batch = self._crops.draw(state.step, state.batch, share).to(self._ranks.device)
                own = mixed(seed, state.step, self._ranks.rank, 0)
                self._recent.append(self._stepper.take(batch, rate, own))
                self._failed = 0
                return
            except NotANumber:
                self._fail()
                return
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or self._ranks.size > 1:
                    raise
            # Outside the handler, where the error no longer holds on to the activations.
            release(self._ranks.device)
            self._shrink()

    def _fail(self) -> None:
        """Pass over a step whose losses are no numbers; the next one has other crops."""
        self._failed += 1
        self.state.step += 1
        if self._failed > _PATIENCE:
            raise InfoleakError(
                f"the losses are no numbers any more after {self.state.step} steps; train with a "
                f"lower rate than {self._settings.rate:g}, or start from other weights"
            )

    def _shrink(self) -> None:
        if self.state.batch == 1:
            size = " x ".join(str(side) for side in self._crops.size if side > 1)
            raise OutOfMemory(
                f"not even one crop of {size} pixels fits into the memory of "
                f"{self._ranks.device}: choose a smaller crop, or close other programs"
            )
        self.state.batch //= 2

    def _rate(self, share: float) -> float:
        """Rise, then fall along a cosine that knows the budget."""
        rise = min(1.0, (self.state.step + 1) / WARM_UP)
        fall = LOWEST + (1 - LOWEST) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
        return self._settings.rate * rise * fall

    # ---------------------------------------------------------------------- validation

    def _due(self, before: float, after: float) -> bool:
        """Whether a validation lies between two shares of the budget."""
        times = VALIDATIONS
        if self._budget.seconds is not None and self._budget.validating:
            fitting = _VALIDATING * self._budget.seconds / self._budget.validating
            times = max(1, min(times, int(fitting)))
        return math.floor(before * times) < math.floor(after * times)

    def _validate(self, cancel: CancelToken) -> None:
        """Score the averaged weights, and keep them if they are the best so far."""
        state = self.state
        if self._held_out is None:
            return
        begun = time.monotonic()
        try:
            score = self._held_out.score(state.average, self._ranks.device, cancel)
        except Cancelled:
            return  # the budget or the user; the loop sees to it
        self._budget.validating = time.monotonic() - begun
        if score.beats(state.best):
            state.best, state.best_step = score, state.step
            self._keep()
        self._report(self._rate(self._budget.share(state.step)), score)

    # --------------------------------------------------------------- keeping, reporting

    def _keep(self) -> None:
        """Keep the averaged weights as the best ones."""
        self._best = {
            name: tensor.detach().cpu().clone()
            for name, tensor in self.state.average.tensors().items()
        }
        if self._store:
            self._store.keep(self._best, self.state.average.header())

    def _save(self) -> None:
        self.state.seconds = self._budget.elapsed
        self._saved = time.monotonic()
        if self._held_out is None and self._ranks.first:
            self._keep()
        if self._store:
            self._store.save(self.state)

    def _time_to_report(self) -> bool:
        waited = time.monotonic() - self._reported > _REPORT_SECONDS
        return waited or len(self._recent) >= _REPORT_STEPS

    def _report(self, rate: float, score: Score | None = None) -> None:
        """Tell listener and log how it stands."""
        names = list(dict.fromkeys(name for terms in self._recent for name in terms))
        losses = {
            name: float(torch.stack([t[name].float() for t in self._recent if name in t]).mean())
            for name in names
        }
        share = min(1.0, self._budget.share(self.state.step))
        report = Report(self.state.step, self._budget.elapsed, share, rate, losses, score)
        self._recent.clear()
        self._reported = time.monotonic()
        if self._store:
            self._store.row(report.row)
        if self._ranks.first:
            self._listen(report)

    def _message(self) -> str:
        best = self.state.best
        return f"step {self.state.step}" + (f", IoU {best.miou:.3f}" if best else "")

    def _outcome(self, stopped: bool) -> Outcome:
        """Give the best weights; the last, where no validation came after the beginning."""
        state = self.state
        unjudged = self._held_out is None or (stopped and state.best_step == 0)
        best = None if unjudged else self._best
        if best is None and not unjudged and self._store:
            best = self._store.kept()
        if best is None:
            unjudged, best = True, dict(state.average.tensors())
        return Outcome(
            tensors=best,
            header=state.average.header(),
            step=state.step if unjudged else state.best_step,
            steps=state.step,
            seconds=self._budget.elapsed,
            before=state.before,
            score=None if unjudged else state.best,
            stopped=stopped,
        )
