"""The only place of the window that starts work; a timer waits for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.core.progress import Rate
from napari_infoleak.scale.events import CancelledEvent, Done, Failed, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_infoleak.scale.executor import Executor, Job

POLL_MS = 40
STEP_SECONDS = 0.2
"""Steps are told no more often: napari draws the whole window for each."""
PATIENCE = 5.0
"""Seconds that work in the background gets to stop by itself; a new process would take longer."""
LENT = 1_000_000
"""Bytes from which an array is written by a thread of its own."""


@dataclass(frozen=True)
class Step:
    """How far the work is.

    Parameters
    ----------
    done, total : int
        Steps behind us and in all; both 0 while nothing is known.
    left : float or None
        Seconds to go, None while nothing is known.
    text : str
        What is being done.
    """

    done: int = 0
    total: int = 0
    left: float | None = None
    text: str = ""


class Worker(QObject):
    """Runs one function at a time in the child process and reports on the window's thread.

    Work in the background, which nobody pressed a button for, gives way to any other and reports
    nothing but its result.

    Parameters
    ----------
    executor : Executor
        The child process; ended by `close`.
    parent : QObject, optional
        Owner.
    """

    asked = Signal(str, object)  # name of the function, and its arguments
    answered = Signal(object)
    started = Signal(str)
    stepped = Signal(object)
    ended = Signal()
    failed = Signal(str)
    cancelled = Signal(str)

    def __init__(self, executor: Executor, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.executor = executor
        self._job: Job | None = None
        self._what = ""
        self._take: Callable[[Any], None] | None = None
        self._background, self._noted = False, True
        self._lent: list[np.ndarray[Any, Any]] = []
        self._rate = Rate()
        self._untold: Progress | None = None
        self._tell_from = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def busy(self) -> bool:
        """Whether a function runs that was asked for."""
        return self._job is not None and not self._background

    @property
    def in_background(self) -> bool:
        """Whether work runs in the background."""
        return self._job is not None and self._background

    def start(
        self,
        what: str,
        function: str,
        take: Callable[[Any], None],
        /,
        *,
        background: bool = False,
        noted: bool = True,
        **kwargs: Any,
    ) -> bool:
        """Run a function in the child.

        Parameters
        ----------
        what : str
            What it does, for the user: "Segmenting the view".
        function : str
            Dotted name of the function.
        take : callable
            Gets the result, on the window's thread.
        background : bool
            Whether any other work may take its place.
        noted : bool
            Whether it is told to those who write down what was done.
        **kwargs
            Arguments of the function. Arrays must stay as they are until it has ended.

        Returns
        -------
        bool
            False if something else runs, or the arguments could not be sent (then `failed` says
            why).
        """
        if self.busy:
            return False
        self.drop_background()
        try:
            self._lend(kwargs.values())
            job = self.executor.submit(function, **kwargs)
        except InfoleakError as error:
            self._take_back()
            self.failed.emit(str(error))
            return False
        self._job, self._what, self._take, self._rate = job, what, take, Rate()
        self._background, self._noted = background, noted
        self._untold, self._tell_from = None, 0.0
        if noted:
            self.asked.emit(function, kwargs)
        if not background:
            self.started.emit(what)
            self.stepped.emit(Step(text=what))
        self._timer.start()
        return True

    def cancel(self) -> None:
        """Ask what runs to stop; it does within a second."""
        if self._job is not None:
            self._job.cancel()

    def drop_background(self) -> None:
        """Forget the work in the background: nothing of it will be shown."""
        if self.in_background and self._job is not None:
            job = self._job
            self._job = self._take = None
            self._timer.stop()
            job.cancel(PATIENCE)

    def close(self) -> None:
        """Forget what runs and end the child."""
        self._timer.stop()
        self._job = self._take = None
        self.executor.close()

    def _lend(self, arguments: Iterable[Any]) -> None:
        """Have large arrays written by a thread of the executor: that may take seconds."""
        for array in arguments:
            if isinstance(array, np.ndarray) and array.nbytes >= LENT:
                self.executor.hold(array)
                self._lent.append(array)

    def _take_back(self) -> None:
        """The child has read them, or never will."""
        while self._lent:
            self.executor.release(self._lent.pop())

    def _poll(self) -> None:
        """Pass on what the child said since the last time; only the newest step counts."""
        job = self._job
        if job is None:
            self._timer.stop()
            return
        events = job.poll()
        steps = [event for event in events if isinstance(event, Progress)]
        last = self._untold = steps[-1] if steps else self._untold
        if last is not None and not self._background and time.monotonic() >= self._tell_from:
            self._untold, self._tell_from = None, time.monotonic() + STEP_SECONDS
            left = self._rate(last.done, last.total)
            self.stepped.emit(Step(last.done, last.total, left, last.message or self._what))
            if (
                self._job is not job
            ):  # napari's bar lets the window live: anything may have happened
                return
        for event in events:
            if isinstance(event, Done | Failed | CancelledEvent):
                self._end(event)
                return

    def _end(self, event: Done | Failed | CancelledEvent) -> None:
        take, what, background = self._take, self._what, self._background
        self._job = self._take = None
        self._timer.stop()
        self._take_back()
        if not background:
            self.ended.emit()
        if isinstance(event, Failed):
            self.failed.emit(event.message)
        elif isinstance(event, CancelledEvent):
            if not background:
                self.cancelled.emit(what)
        elif take is not None:
            if self._noted:
                self.answered.emit(event.result)
            self._hand_over(take, event.result)

    def _hand_over(self, take: Callable[[Any], None], result: Any) -> None:
        try:
            take(result)
        except InfoleakError as error:
            self.failed.emit(str(error))
