"""How much of the image each class takes: of the slice on screen, and of all slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QGridLayout, QLabel

from napari_infoleak.core.arraylike import lazy_or_numpy
from napari_infoleak.core.axes import labels_to_canonical
from napari_infoleak.widgets.fold import Fold
from napari_infoleak.widgets.layers import position
from napari_infoleak.widgets.section import quiet_label, say

if TYPE_CHECKING:
    from napari_infoleak.widgets.results import Results
    from napari_infoleak.widgets.state import DockState

_ROWS = 2048  # of a slice that are counted between two events of the window
_IDS = 256


class ClassShares(Fold):
    """A table of per cents, counted slice by slice while the window has nothing else to do.

    Parameters
    ----------
    state : DockState
    results : Results
        Has the layer of labels.
    """

    def __init__(self, state: DockState, results: Results) -> None:
        super().__init__("Class shares", "shares.fold")
        self._state, self._results = state, results
        self._of: Any = None
        self._counts: dict[tuple[int, int], np.ndarray[Any, Any]] = {}
        self._left: list[tuple[int, int]] = []
        self.news = quiet_label()
        self._grid = QGridLayout()
        self._grid.setColumnStretch(0, 1)
        self.texts: dict[int, tuple[str, str, str]] = {}
        self._next = QTimer(self)
        self._next.setInterval(0)
        self._next.timeout.connect(self._count_one)
        self.add(self.news)
        self.add(self._grid)
        self.opened.connect(self.refresh)
        state.events.answer.connect(self._begin)
        state.events.classes.connect(self.refresh)
        results.viewer.dims.events.current_step.connect(self.refresh)

    def disconnect_viewer(self) -> None:
        """Stop following the viewer."""
        self._next.stop()
        self._results.viewer.dims.events.current_step.disconnect(self.refresh)

    def refresh(self, value: Any = None) -> None:
        """Show what is counted, and count the rest."""
        if not self.is_open:
            self._next.stop()
            return
        labels = self._labels()
        if labels is None:
            say(self.news, "Segment first; then there is something to count.")
            self._show(np.zeros(_IDS), np.zeros(_IDS))
            return
        if self._of is None:
            self._of = labels
            self._left = [(t, z) for t in range(labels.shape[0]) for z in range(labels.shape[1])]
            self._counts = {}
        source = self._state.source
        here = (0, 0) if source is None else position(self._results.viewer, source)
        if here in self._left:
            self._left.remove(here)
            self._counts[here] = _count(labels[here])
        if self._left:
            self._next.start()
        whole = np.sum(list(self._counts.values()), axis=0)
        say(self.news, f"Counting: {len(self._left)} slices to go" if self._left else "")
        self._show(self._counts.get(here, np.zeros(_IDS)), whole)

    def _labels(self) -> Any:
        """Return the labels as TZYX."""
        source, answer = self._state.source, self._state.answer
        values = None if source is None else self._results.values(source, "labels")
        if source is None or answer is None or values is None:
            return None
        return labels_to_canonical(lazy_or_numpy(values), source.axes)

    def _begin(self, answer: Any = None) -> None:
        self._of = None
        self._next.stop()
        self.refresh()

    def _count_one(self) -> None:
        if self._of is None or not self._left:
            self._next.stop()
            return
        at = self._left.pop(0)
        self._counts[at] = _count(self._of[at])
        if not self._left:
            self._next.stop()
            self.refresh()

    def _show(self, here: Any, whole: Any) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            item.widget().deleteLater()
        self.texts = {}
        total, on_slice = float(np.sum(whole)), float(np.sum(here))
        if not total:
            return
        for column, words in enumerate(("", "this slice", "all")):
            self._grid.addWidget(quiet_label(words, role="caption"), 0, column)
        for row, number in enumerate(np.flatnonzero(whole).tolist(), 1):
            texts = (
                self._name(number),
                _share(here[number], on_slice),
                _share(whole[number], total),
            )
            self.texts[number] = texts
            for column, text in enumerate(texts):
                self._grid.addWidget(QLabel(text), row, column)

    def _name(self, number: int) -> str:
        if not number:
            return "not answered"
        return self._state.classes.with_ids((number,))[number].name


def _count(plane: Any) -> np.ndarray[Any, Any]:
    counts = np.zeros(_IDS, np.int64)
    for start in range(0, plane.shape[0], _ROWS):
        block = np.asarray(plane[start : start + _ROWS]).astype(np.uint8, copy=False)
        counts += np.bincount(block.ravel(), minlength=_IDS)
    return counts


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
