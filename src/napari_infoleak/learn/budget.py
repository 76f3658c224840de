"""How much of a training's time and steps is spent."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from napari_infoleak.core.progress import CancelToken

ENDING = 0.5  # seconds to write what was learned
_MOST = 0.25  # of the time that may be kept for the end


@dataclass
class Budget:
    """Steps, seconds, or both; what is reached first ends the training.

    Attributes
    ----------
    steps : int or None
    seconds : float or None
    began : float
        When the training began, as `time.monotonic` has it, less what earlier runs took.
    validating : float
        Seconds that a validation takes: the last one must fit in.
    """

    steps: int | None
    seconds: float | None
    began: float
    validating: float = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    @property
    def end(self) -> float:
        """When all must be over, as `time.monotonic` has it."""
        return math.inf if self.seconds is None else self.began + self.seconds

    @property
    def last_step(self) -> float:
        """When the last step must be over; the last validation and writing follow."""
        if self.seconds is None:
            return math.inf
        return self.end - min(ENDING + 1.5 * self.validating, _MOST * self.seconds)

    def share(self, step: int) -> float:
        """Part that is spent after some steps, 0 to 1 and beyond."""
        steps = 0.0 if self.steps is None else step / self.steps
        return max(steps, self._time_share())

    def _time_share(self) -> float:
        return 0.0 if self.seconds is None else self.elapsed / (self.last_step - self.began)


class Deadline(CancelToken):
    """A token that another one raises, or the clock."""

    def __init__(self, cancel: CancelToken, end: float) -> None:
        super().__init__()
        self._other, self._end = cancel, end

    @property
    def cancelled(self) -> bool:
        """Whether the other is raised or the time has come."""
        return self._other.cancelled or time.monotonic() > self._end
