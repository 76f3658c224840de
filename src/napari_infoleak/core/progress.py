"""How long work reports, is stopped and is timed, whoever listens."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

from napari_infoleak.core.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable


class Progress(Protocol):
    """Called by long work once a tile, a batch or a plane. It must be cheap and must not raise."""

    def __call__(self, done: int, total: int, message: str = "") -> None:
        """Take note that `done` of `total` steps are behind us."""


def _silent(done: int, total: int, message: str = "") -> None:
    """Listen to nothing."""


NULL: Final[Progress] = _silent
"""The progress of those who do not care."""


class CancelToken:
    """A flag that one thread raises and the working thread looks at."""

    def __init__(self) -> None:
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked to stop."""
        return self._cancelled

    def cancel(self) -> None:
        """Ask the work that looks at this token to stop. It cannot be taken back."""
        self._cancelled = True

    def check(self) -> None:
        """Raise `Cancelled` if somebody asked to stop; the work calls this once a step."""
        if self.cancelled:
            raise Cancelled


class _Never(CancelToken):
    """The token of work that nobody can stop; shared, so it must not be cancelled."""

    def cancel(self) -> None:
        raise RuntimeError("NEVER is shared by all work that cannot be stopped: use a CancelToken")


NEVER: Final[CancelToken] = _Never()
"""The token to pass where nobody can cancel."""


class Rate:
    """Estimate the time left from the pace so far, smoothed.

    Parameters
    ----------
    smoothing : float
        Share of the newest pace in the estimate, 0 (never changes) to 1 (newest alone).
    clock : callable
        Returns seconds; replaced in tests.

    Examples
    --------
    >>> ticks = iter([0.0, 1.0, 2.0])
    >>> rate = Rate(clock=lambda: next(ticks))
    >>> rate(0, 4), rate(1, 4), rate(2, 4)
    (None, 3.0, 2.0)
    """

    def __init__(self, smoothing: float = 0.3, clock: Callable[[], float] = time.monotonic) -> None:
        self._smoothing = smoothing
        self._clock = clock
        self._last: tuple[int, float] | None = None
        self._pace: float | None = None  # seconds a step

    def __call__(self, done: int, total: int) -> float | None:
        """Return the seconds left, or None as long as nothing is known.

        Parameters
        ----------
        done, total : int
            Steps done and to do. When `done` falls back, a new piece of work has begun and the
            estimate starts anew.
        """
        now = self._clock()
        if self._last is None or done < self._last[0]:
            self._last, self._pace = (done, now), None
            return None
        steps = done - self._last[0]
        if steps > 0:
            pace = (now - self._last[1]) / steps
            old = pace if self._pace is None else self._pace
            self._pace = old + self._smoothing * (pace - old)
            self._last = (done, now)
        if self._pace is None:
            return None
        return max(0.0, (total - done) * self._pace)
