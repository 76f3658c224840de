"""The same progress in napari's own activity dock, with time left and a Cancel of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from napari.utils import cancelable_progress

from napari_infoleak.widgets.footer import time_left

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_infoleak.widgets.worker import Step, Worker


class Activity:
    """Shows what runs in the activity dock, bottom right of the napari window.

    Parameters
    ----------
    worker : Worker
        What runs; its `cancel` is what the bar's button presses.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._bar: _Bar | None = None
        worker.started.connect(self._begin)
        worker.stepped.connect(self._show)
        worker.ended.connect(self.end)

    def end(self) -> None:
        """Take the bar away."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()

    def _begin(self, what: str) -> None:
        self.end()
        self._bar = _Bar(what, self._worker.cancel)

    def _show(self, step: Step) -> None:
        if self._bar is not None:
            self._bar.show_step(step)


class _Bar(cancelable_progress):
    """A bar that is told how far the work is, and never writes into a terminal."""

    def __init__(self, what: str, stop: Callable[[], None]) -> None:
        # Nothing else holds the file: napari has no way to ask for a bar without one.
        self._nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - closed below
        self._left = ""
        self._shown = (0, 0)
        super().__init__(desc=what, total=0, cancel_callback=stop, file=self._nowhere)

    def show_step(self, step: Step) -> None:
        """Show how far it is, if that has changed: napari draws the whole window for it."""
        if step.total > 0 and (step.done, step.total) != self._shown:
            self._shown = step.done, step.total
            self.total = step.total
            self._left = time_left(step.left)
            self.update(step.done - self.n)
            self.display()

    def display(self, msg: Any = None, pos: Any = None) -> None:
        """Say the time left as the dock does."""
        self.events.eta(value=getattr(self, "_left", ""))

    def cancel(self) -> None:
        """Stop the work now: nothing is iterated here that could look at a flag."""
        super().cancel()
        self.cancel_callback()

    def close(self) -> None:
        """Take the bar away."""
        super().close()
        self._nowhere.close()
