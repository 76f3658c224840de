"""Section 6: membranes to cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QSizePolicy, QSpinBox

from napari_infoleak.api._result import membrane_index
from napari_infoleak.widgets import jobs, steps
from napari_infoleak.widgets.cell_table import CellTable
from napari_infoleak.widgets.cell_tools import CellTools
from napari_infoleak.widgets.class_row import in_thousands
from napari_infoleak.widgets.correcting import Correcting
from napari_infoleak.widgets.section import ActionButton, Section, quiet_label, say
from napari_infoleak.widgets.shares import ClassShares
from napari_infoleak.widgets.tooltips import TIPS

if TYPE_CHECKING:
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.results import Results
    from napari_infoleak.widgets.state import Basis, DockState
    from napari_infoleak.widgets.worker import Worker

_METHODS = (("Watershed", "watershed"), ("Multicut, for faint membranes", "multicut"))
_FILLED, _OUTLINED = 0.5, 0.9  # opacity: thin lines need more of it


class CellsPanel(Section):
    """Turns membranes into numbered cells.

    Parameters
    ----------
    state : DockState
        Holds the answer that cells are made of.
    worker : Worker
        The child process.
    results : Results
        The layers that show them.
    """

    said = Signal(str, str)

    def __init__(self, state: DockState, worker: Worker, results: Results) -> None:
        super().__init__(6, "Cells")
        self._state, self._worker, self._results = state, worker, results
        self.correcting = Correcting(state, results.viewer, results)
        self.tools = CellTools(state, self.correcting)
        self.table = CellTable(state, worker, results, self.correcting)
        self.shares = ClassShares(state, results)
        self.outlines = QCheckBox("Outlines only")
        self.outlines.setToolTip(TIPS["cells.outlines"])
        self.method = QComboBox()
        for words, name in _METHODS:
            self.method.addItem(words, name)
        self.method.setToolTip(TIPS["cells.method"])
        self.method.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.min_size = QSpinBox()
        self.min_size.setRange(0, 1_000_000)
        self.min_size.setSpecialValueText("automatic")
        self.min_size.setSuffix(" px")
        self.min_size.setToolTip(TIPS["cells.min_size"])
        self.make = ActionButton("Make cells", "cells.make")
        self.reason = quiet_label()
        self.add_row("Method", self.method)
        self.add_row("Min size", self.min_size)
        self.add_row("", self.make)
        self.add_row("", self.reason)
        self.add_row("", self.outlines)
        self.add_row("", self.tools)
        self.add_row("", self.table)
        self.add_row("", self.shares)
        self.make.clicked.connect(self.make_cells)
        self.outlines.toggled.connect(self._outline)
        self.correcting.said.connect(self.said)
        self.correcting.changed.connect(self.refresh)
        self.table.said.connect(self.said)
        events = state.events
        for signal in (events.source, events.refusal, events.answer, events.cells, events.busy):
            signal.connect(self.refresh)
        for signal in (events.model, events.leak, events.channel, events.supports, events.count):
            signal.connect(self.refresh)
        for signal in (events.live, events.cells_of):
            signal.connect(self.refresh)
        self.refresh()

    def make_cells(self) -> None:
        """Make cells of the membrane probability of the whole image."""
        source, answer = self._state.source, self._state.answer
        if source is None or answer is None:
            return
        membrane = membrane_index(answer.class_ids, self._state.classes.with_ids(answer.class_ids))
        finished = sorted(self.correcting.finished())
        of = answer.basis, answer.oldest
        self._worker.start(
            steps.MAKING_CELLS,
            f"{jobs.HERE}.make_cells",
            lambda cells: self._take(source, cells, of),
            membranes=answer.probabilities[membrane],
            axes=source.image.label_axes,
            description=source.description() | {"rgb": False},
            method=str(self.method.currentData()),
            min_size=self.min_size.value() or None,
            before=self._results.values(source, "cells") if finished else None,
            finished=finished,
        )

    def disconnect_viewer(self) -> None:
        """Stop following the viewer."""
        self.correcting.disconnect_viewer()
        self.table.disconnect_viewer()
        self.shares.disconnect_viewer()

    def refresh(self, value: Any = None) -> None:
        """Say what can be done."""
        reason = steps.why_not_cells(self._state)
        self.make.set_reason(reason)
        self.make.set_primary(steps.next_step(self._state) == "cells")
        quiet = self._state.busy or self._state.source is None
        words = (steps.stale_cells(self._state), _at_stake(self.correcting.corrections))
        say(self.reason, "" if quiet else reason or " ".join(filter(None, words)))
        self.outlines.setVisible(self._state.cells is not None)
        found = self._state.cells
        self.set_summary("" if found is None else f"{in_thousands(found)} cells")

    def _outline(self, value: Any = None) -> None:
        """Draw the cells as outlines, or filled."""
        source = self._state.source
        layer = None if source is None else self._results.find(source, "cells")
        if layer is not None:
            alone = self.outlines.isChecked()
            if layer.contour != int(
                alone
            ):  # napari colours all of it anew, even if nothing changes
                layer.contour = int(alone)
                layer.opacity = _OUTLINED if alone else _FILLED

    def _take(self, source: Source, found: jobs.Cells, of: tuple[Basis, Basis]) -> None:
        if source.layer not in self._results.viewer.layers or not source.stands:
            return
        if source is not self._state.source or not self.correcting.make_anew(found, of):
            self._results.show(source, "cells", found.labels)
        if source is self._state.source:
            self._outline()
            self._state.cells_of = of
            self._state.cells = found.count
            # Labels under cells would mix their colours.
            self._state.overlays = self._state.overlays - {"labels"} | {"cells"}
        self.said.emit(in_words(found), "good")


def in_words(found: jobs.Cells) -> str:
    """Say how many cells there are, and whether a cell is counted on each slice anew."""
    number = f"{in_thousands(found.count)} cells found"
    if found.planes == 1:
        return f"{number}."
    return f"{number} on {found.planes} slices; a cell has another number on each of them."


def _at_stake(corrections: int) -> str:
    """Say what becomes of corrections if cells are made again."""
    if not corrections:
        return ""
    what = "1 correction goes" if corrections == 1 else f"{corrections} corrections go"
    return (
        f"{what} if cells are made again, and Undo brings the cells back; cells marked as "
        f"finished stay."
    )
