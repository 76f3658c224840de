"""Undo and redo of strokes, wherever they were painted."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_infoleak.session.paint import Difference

STEPS = 500
PIXELS = 20_000_000
"""Pixels that all steps together may hold, about 200 MB; a last step is always kept."""


class History:
    """Strokes that can be taken back, oldest first, and those that were."""

    def __init__(self) -> None:
        self._done: deque[Difference] = deque()
        self._undone: list[Difference] = []

    def __len__(self) -> int:
        """Return the number of steps that can be undone."""
        return len(self._done)

    @property
    def undone(self) -> int:
        """Number of steps that can be done again."""
        return len(self._undone)

    def push(self, difference: Difference) -> None:
        """Remember a stroke; what was undone before it is gone."""
        if not len(difference):
            return
        self._undone.clear()
        self._done.append(difference)
        while len(self._done) > 1 and (
            len(self._done) > STEPS or sum(map(len, self._done)) > PIXELS
        ):
            self._done.popleft()

    def undo(self) -> Difference | None:
        """Return the difference that takes the last stroke back; None if there is none."""
        if not self._done:
            return None
        last = self._done.pop()
        self._undone.append(last)
        return last.undone()

    def redo(self) -> Difference | None:
        """Return the difference that was taken back last; None if there is none."""
        if not self._undone:
            return None
        again = self._undone.pop()
        self._done.append(again)
        return again
