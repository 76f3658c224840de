"""The table of cells: a row leads to its cell, and a cell to its row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QItemSelectionModel, Signal
from qtpy.QtWidgets import QAbstractItemView, QFileDialog, QTableView

from napari_infoleak.core.axes import labels_to_canonical
from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.instances.remeasure import remeasured
from napari_infoleak.widgets import jobs, steps
from napari_infoleak.widgets.cell_rows import Rows
from napari_infoleak.widgets.command import stem
from napari_infoleak.widgets.fold import Fold
from napari_infoleak.widgets.layers import beside, go_to, pixel_at
from napari_infoleak.widgets.markers import Marker, clear_markers, show_markers
from napari_infoleak.widgets.section import ActionButton, quiet_label, say, side_by_side
from napari_infoleak.widgets.segmenting import pixels_of
from napari_infoleak.widgets.thread import Thread
from napari_infoleak.widgets.tooltips import TIPS
from napari_infoleak.widgets.travel import sendable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari.layers import Labels

    from napari_infoleak.core.image import Image
    from napari_infoleak.instances.changes import Step
    from napari_infoleak.instances.measure import Table
    from napari_infoleak.widgets.correcting import Correcting
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.results import Results
    from napari_infoleak.widgets.state import DockState
    from napari_infoleak.widgets.worker import Worker

_MARK = "chosen cell"
_RING = "#ffffff"
_HEIGHT = 190
_STILL = 4  # points of the screen that a click may move


class CellTable(Fold):
    """Measures the cells, lists them, and goes to them.

    Parameters
    ----------
    state : DockState
    worker : Worker
        The child process.
    results : Results
        Has the layer of cells.
    correcting : Correcting
        Says when cells have changed.
    """

    said = Signal(str, str)
    measured = Signal(object)  # Table

    def __init__(
        self, state: DockState, worker: Worker, results: Results, correcting: Correcting
    ) -> None:
        super().__init__("Table of cells", "table.fold")
        self._state, self._worker, self._results = state, worker, results
        self._source: Source | None = None
        self.calibration: Mapping[str, Any] = {}  # what the table was measured with
        self._thread = Thread("infoleak table", self)
        self._changes: list[Step] = []  # of the cells, that the table does not know yet
        self._measuring = self._old = False
        self.measure = ActionButton("Measure", "table.measure")
        self.save = ActionButton("Save as CSV…", "table.save")
        self.news = quiet_label()
        self.model = Rows()
        self.view = QTableView()
        self.view.setModel(self.model)
        self.view.setToolTip(TIPS["table.rows"])
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setSortingEnabled(True)
        self.view.verticalHeader().hide()
        self.view.setFixedHeight(_HEIGHT)
        self.add(side_by_side(self.measure, self.save, stretch=-1))
        self.add(self.news)
        self.add(self.view)
        self.measure.clicked.connect(self.measure_now)
        self.save.clicked.connect(self.ask_and_save)
        self.view.clicked.connect(lambda index: self.go_to_row(index.row()))
        self.opened.connect(self._opened)
        correcting.corrected.connect(self._follow)
        correcting.made.connect(self._outdated)
        worker.ended.connect(self._ended)
        for signal in (state.events.source, state.events.cells, state.events.busy):
            signal.connect(self.refresh)
        state.events.source.connect(self._forget)
        self.refresh()

    def disconnect_viewer(self) -> None:
        """Stop following the viewer."""
        self._thread.close()
        for layer in self._results.viewer.layers:
            if self._clicked in layer.mouse_drag_callbacks:
                layer.mouse_drag_callbacks.remove(self._clicked)

    def measure_now(self) -> None:
        """Measure the cells as they are."""
        source = self._state.source
        cells = None if source is None else self._results.values(source, "cells")
        if source is None or cells is None:
            return
        self._changes.clear()
        calibration = source.calibration
        self._measuring = self._worker.start(
            "Measuring the cells",
            f"{jobs.HERE}.measure_cells",
            lambda table: self._take(source, table, calibration),
            cells=sendable(cells),
            pixels=pixels_of(source),
            channel=self._state.channel,
        )

    def ask_and_save(self) -> None:
        """Ask for a file name and write the table."""
        table, source = self.model.table, self._source
        if table is None or source is None:
            return
        offered = beside(source.layer, f"{stem(source.name)}_cells.csv")
        path, _ = QFileDialog.getSaveFileName(self, "Save the table", offered, "Table (*.csv)")
        if path:
            self.save_to(path if Path(path).suffix else f"{path}.csv")

    def save_to(self, path: str | Path) -> None:
        """Write the table to a file."""
        if self.model.table is None:
            return
        try:
            self.model.table.write(path)
        except InfoleakError as error:
            self.said.emit(str(error), "error")
        else:
            self.said.emit(f"Saved {path}", "good")

    def go_to_row(self, row: int) -> None:
        """Show the cell of a row, and mark it."""
        source = self._source
        if source is None or source.layer not in self._results.viewer.layers:
            return
        place = _place(self.calibration, self.model.row(row))
        go_to(self._results.viewer, source, place)
        layer = self._results.find(source, "cells")
        if layer is not None:
            layer.selected_label = int(self.model.row(row)["cell"])
        show_markers(self._results.viewer, source, _MARK, [Marker(place, _RING)])

    def choose(self, cell: int) -> bool:
        """Select the row of a cell; False if there is none."""
        row = self.model.row_of(cell)
        if row is None:
            return False
        flags = QItemSelectionModel.SelectionFlag
        self.view.selectionModel().select(
            self.model.index(row, 0), flags.ClearAndSelect | flags.Rows
        )
        self.view.scrollTo(self.model.index(row, 0))
        return True

    def refresh(self, value: Any = None) -> None:
        """Say what can be done."""
        reason = steps.why_not_measure(self._state)
        self.measure.set_reason(reason)
        measured = self.model.table is not None
        self.save.set_reason("" if measured else "Measure the cells first.")
        self.view.setVisible(measured)
        layer = self._layer()
        if layer is not None and self._clicked not in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.append(self._clicked)

    def _layer(self) -> Labels | None:
        source = self._state.source
        return None if source is None else self._results.find(source, "cells")

    def _take(self, source: Source, table: Table, calibration: Mapping[str, Any]) -> None:
        """List what was measured, unless another image was chosen meanwhile."""
        if source is self._state.source:
            self.show(source, table, calibration=calibration)

    def look_at_scale(self) -> None:
        """Say so if the table was measured with another pixel size."""
        source = self._source
        if source is not None and source.calibration != self.calibration:
            self._grow_old("The pixel size has changed since: measure again for new numbers.")

    def show(
        self,
        source: Source,
        table: Table,
        outdated: bool = False,
        calibration: Mapping[str, Any] | None = None,
    ) -> None:
        """List what was measured.

        Parameters
        ----------
        source : Source
            The image.
        table : Table
            What was measured.
        outdated : bool
            Whether cells were corrected since.
        calibration : mapping, optional
            What it was measured with; by default that of the image as it is now.
        """
        self._source, self._measuring, self._old = source, False, False
        self.calibration = source.calibration if calibration is None else calibration
        self.model.show(table)
        self.view.resizeColumnsToContents()
        self.measure.setText("Measure again")
        say(self.news, "No cells to list." if not len(table) else "")
        if outdated:
            self._outdated()
        self.look_at_scale()
        self._go_on()
        self.refresh()
        self.measured.emit(table)

    def _opened(self, is_open: bool) -> None:
        if not is_open:
            clear_markers(self._results.viewer, _MARK)
        elif self.model.table is None and self.measure.isEnabled():
            self.measure_now()

    def _outdated(self) -> None:
        self._grow_old("Cells have changed since: measure again for new numbers.")

    def _grow_old(self, words: str) -> None:
        """Say why the table is out of date; it follows no correction any more."""
        self._changes.clear()
        if self.model.table is not None:
            self._old = True
            say(self.news, words)

    def _follow(self, step: Step, direction: int) -> None:
        """Measure again what a correction has changed."""
        if step.anew is not None:
            self._outdated()
        elif step.change is not None:
            self._changes.append(step)
            self._go_on()

    def _ended(self) -> None:
        """What was measured is here, or was cancelled."""
        self._measuring = False
        self._go_on()

    def _go_on(self) -> None:
        """Let the thread measure what has changed, unless the whole is out of date."""
        table, source, layer = self.model.table, self._source, self._layer()
        waits = self._measuring or self._thread.busy or self._old
        if waits or not self._changes or table is None or source is None or layer is None:
            return
        if source is not self._state.source:
            return
        changes, self._changes = self._changes, []
        cells = labels_to_canonical(source.grid.take_off(layer.data), source.axes)
        image, channel = source.described, self._state.channel
        self._thread.run(
            lambda: _followed(table, cells, changes, image, channel),
            lambda new: self._show_followed(table, new),
        )

    def _show_followed(self, before: Table, new: Table | str) -> None:
        if isinstance(new, str):
            say(self.news, f"Measure again for new numbers: {new}")
        elif self.model.table is before:
            chosen = [
                self.model.row(one.row())["cell"]
                for one in self.view.selectionModel().selectedRows()
            ]
            self.model.show(new, in_order=True)
            for cell in chosen:
                self.choose(int(cell))
            self.measured.emit(new)
        self._go_on()

    def _forget(self, source: Source | None) -> None:
        if source is not self._source:
            self._source = None
            self._changes.clear()
            self.model.show(None)
            self.measure.setText("Measure")
            say(self.news, "")
            self.refresh()

    def _clicked(self, layer: Labels, event: Any) -> Iterator[None]:
        """Find the row of a cell that was clicked, unless the mouse was moved to pan."""
        pressed = np.asarray(event.pos, float)
        yield
        while event.type == "mouse_move":
            yield
        source = self._source
        moved = np.abs(np.asarray(event.pos, float) - pressed).max() > _STILL
        if source is None or not self.is_open or moved:
            return
        place = pixel_at(self._results.viewer, source, event.position)
        cells = self._results.values(source, "cells")
        if place is None or cells is None:
            return
        at = dict(zip("TZYX", place, strict=True))
        cell = int(cells[tuple(at[letter] for letter in source.image.label_axes)])
        if cell and not self.choose(cell):
            say(self.news, f"Cell {cell} is new: measure again to list it.")


def _followed(
    table: Table, cells: Any, changes: list[Step], image: Image, channel: int | None
) -> Table | str:
    """Return a table with what changes have changed; or why it cannot be had."""

    def shown(t: int, box: tuple[slice, ...]) -> Any:
        planes = range(box[0].start, box[0].stop)
        return np.stack([image.plane(t, z, channel)[box[1:]] for z in planes])

    try:
        for step in changes:
            if step.change is not None:
                ids = np.union1d(step.change.before, step.change.after)
                table = remeasured(
                    table,
                    cells,
                    step.place[0],
                    step.change.box,
                    ids.tolist(),
                    scale=image.scale,
                    translate=image.translate,
                    units=image.units,
                    shown=shown,
                )
    except (InfoleakError, OSError, ValueError, IndexError) as error:
        return str(error)
    return table


def _place(calibration: Mapping[str, Any], row: dict[str, Any]) -> tuple[int, int, int, int]:
    """Return the pixel of the middle of a cell."""
    pixels = {}
    for letter in "ZYX":
        if letter.lower() in row:
            start = calibration["translate"].get(letter, 0.0)
            step = calibration["scale"].get(letter, 1.0)
            pixels[letter] = round((float(row[letter.lower()]) - start) / step)
    z = int(row.get("z_plane", pixels.get("Z", 0)))
    return int(row.get("t", 0)), z, pixels["Y"], pixels["X"]
