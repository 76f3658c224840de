"""The only place of the window that starts work; a timer waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.core.progress import Rate
from napari_infoleak.scale.events import CancelledEvent, Done, Failed, Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_infoleak.scale.executor import Executor, Job

POLL_MS = 40


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

    Parameters
    ----------
    executor : Executor
        The child process; ended by `close`.
    parent : QObject, optional
        Owner.
    """

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
        self._rate = Rate()
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def busy(self) -> bool:
        """Whether a function runs."""
        return self._job is not None

    def start(
        self, what: str, function: str, take: Callable[[Any], None], /, **kwargs: Any
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
        **kwargs
            Arguments of the function.

        Returns
        -------
        bool
            False if something else runs, or the arguments could not be sent (then `failed` says
            why).
        """
        if self.busy:
            return False
        try:
            job = self.executor.submit(function, **kwargs)
        except InfoleakError as error:
            self.failed.emit(str(error))
            return False
        self._job, self._what, self._take, self._rate = job, what, take, Rate()
        self.started.emit(what)
        self.stepped.emit(Step(text=what))
        self._timer.start()
        return True

    def cancel(self) -> None:
        """Ask what runs to stop; it does within a second."""
        if self._job is not None:
            self._job.cancel()

    def close(self) -> None:
        """Forget what runs and end the child."""
        self._timer.stop()
        self._job = self._take = None
        self.executor.close()

    def _poll(self) -> None:
        """Pass on what the child said since the last time; only the newest step counts."""
        if self._job is None:
            self._timer.stop()
            return
        events = self._job.poll()
        steps = [event for event in events if isinstance(event, Progress)]
        if steps:
            last = steps[-1]
            left = self._rate(last.done, last.total)
            self.stepped.emit(Step(last.done, last.total, left, last.message or self._what))
        for event in events:
            if isinstance(event, Done | Failed | CancelledEvent):
                self._end(event)
                return

    def _end(self, event: Done | Failed | CancelledEvent) -> None:
        take, what = self._take, self._what
        self._job = self._take = None
        self._timer.stop()
        self.ended.emit()
        if isinstance(event, Failed):
            self.failed.emit(event.message)
        elif isinstance(event, CancelledEvent):
            self.cancelled.emit(what)
        elif take is not None:
            self._hand_over(take, event.result)

    def _hand_over(self, take: Callable[[Any], None], result: Any) -> None:
        try:
            take(result)
        except InfoleakError as error:
            self.failed.emit(str(error))
