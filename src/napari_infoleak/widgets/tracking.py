"""What changed in an annotation layer since it was looked at last, whoever changed it.

napari tells that something was painted, but other tools write into the data of a layer and have it
drawn again. So planes are compared with what they held before, which costs a moment and misses
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_infoleak.session.history import History
from napari_infoleak.session.paint import Difference, Paint, joined

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_infoleak.widgets.annotation import Annotation

SMALL = 32 << 20
"""Bytes of an annotation that is compared as a whole at each stroke."""


class Tracked:
    """An annotation layer as it was when it was looked at last, with its strokes to be undone.

    Parameters
    ----------
    annotation : Annotation
        The layer on its image.
    """

    def __init__(self, annotation: Annotation) -> None:
        self.annotation = annotation
        self.paint = Paint(annotation.source.image.label_shape)
        self.history = History()
        self.number: int | None = None  # in the journal, once it is there
        self._stroke: list[Difference] = []
        self.look()

    @property
    def in_memory(self) -> bool:
        """Whether it can be followed; a file's paint is in its file already."""
        return self.annotation.in_memory

    def look(self, planes: Iterable[tuple[int, int]] | None = None) -> Difference:
        """Return what changed since the last time, in some planes or in all."""
        if not self.in_memory:
            return joined([])
        places = self.annotation.places() if planes is None else planes
        places = sorted({*places, *(self.paint.planes if planes is None else ())})
        found = [self.paint.become(t, z, self.annotation.plane(t, z)) for t, z in places]
        return joined([each for each in found if len(each)])

    def go_on(self, difference: Difference) -> None:
        """Add to the stroke that is being painted."""
        if len(difference):
            self._stroke.append(difference)

    def end_stroke(self) -> None:
        """Let what was painted since the last end be one step of undo."""
        if self._stroke:
            whole = self._stroke[0]
            for later in self._stroke[1:]:
                whole = whole.then(later)
            self._stroke.clear()
            self.history.push(whole)

    def undo(self) -> Difference | None:
        """Take the last stroke back; None if there is none."""
        return self._put(self.history.undo())

    def redo(self) -> Difference | None:
        """Do again what was taken back last; None if there is nothing."""
        return self._put(self.history.redo())

    def near(self, t: int, z: int) -> list[tuple[int, int]] | None:
        """Return the planes that may have changed; None for all, where that is soon done."""
        size = int(np.prod(self.paint.shape, dtype=np.int64))
        return None if size <= SMALL else [(t, z)]

    def _put(self, difference: Difference | None) -> Difference | None:
        if difference is None:
            return None
        self.paint.apply(difference)
        for t, z in self.paint.places(difference):
            self.annotation.put(t, z, self.paint.plane(t, z))
        self.annotation.layer.refresh()
        return difference
