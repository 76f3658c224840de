"""One submitted function: its events, its cancel, its result."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.errors import BadInput, Cancelled, InfoleakError
from napari_infoleak.scale.events import CancelledEvent, Done, Event, Failed

if TYPE_CHECKING:
    from collections.abc import Callable


class Job:
    """A function that runs in the child; made by `Executor.submit`.

    Attributes
    ----------
    number : int
        Counts the jobs of one executor.
    function : str
        Dotted name of the function.
    """

    def __init__(
        self, number: int, function: str, cancel: Callable[[Job, float | None], None]
    ) -> None:
        self.number = number
        self.function = function
        self._cancel = cancel
        self._events: deque[Event] = deque()
        self._end: Event | None = None
        self._ended = threading.Event()
        self._reporting = threading.Lock()

    def __repr__(self) -> str:
        """Name the job and how it stands."""
        state = type(self._end).__name__ if self._end else "waiting or running"
        return f"<Job {self.number} {self.function}: {state}>"

    @property
    def done(self) -> bool:
        """Whether the job has ended: well, with an error or by a cancel."""
        return self._ended.is_set()

    def poll(self) -> list[Event]:
        """Take the events since the last poll, oldest first; never waits.

        The last event of a job is `Done`, `Failed` or `CancelledEvent`; none follows it.
        """
        events = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def cancel(self, patience: float | None = None) -> None:
        """Ask the job to stop; it ends as cancelled within a second. Never waits.

        Parameters
        ----------
        patience : float, optional
            Seconds that it gets to stop by itself before its process is ended, where waiting
            costs less than a new process; by default those of the executor.
        """
        self._cancel(self, patience)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended; False if ``timeout`` seconds were not enough."""
        return self._ended.wait(timeout)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for what the function returns.

        Raises
        ------
        TimeoutError
            If the job has not ended after ``timeout`` seconds.
        Cancelled
            If it was cancelled.
        BadInput, InfoleakError
            If it failed; the message is the one line of `Failed`.
        """
        if not self._ended.wait(timeout):
            raise TimeoutError(f"{self.function} still runs after {timeout} s")
        if isinstance(self._end, Done):
            return self._end.result
        if isinstance(self._end, Failed):
            kind = BadInput if self._end.exit_code == BadInput.exit_code else InfoleakError
            raise kind(self._end.message)
        raise Cancelled("cancelled; nothing was written")

    def report(self, event: Event) -> None:
        """Take an event; for the executor. What comes after the end is dropped."""
        with self._reporting:
            if self._end is not None:
                return
            self._events.append(event)
            if isinstance(event, Done | Failed | CancelledEvent):
                self._end = event
                self._ended.set()
