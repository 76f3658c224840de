"""Section 7: results to files, and the command that does the same without napari."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QApplication, QComboBox, QFileDialog, QSizePolicy

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.widgets import jobs, steps
from napari_infoleak.widgets.command import command_lines, done_in, python_script, stem
from napari_infoleak.widgets.layers import beside, write_note
from napari_infoleak.widgets.section import ActionButton, Section, quiet_label, say, side_by_side
from napari_infoleak.widgets.tooltips import TIPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_infoleak.widgets.annotation import Annotation
    from napari_infoleak.widgets.command import Done
    from napari_infoleak.widgets.keeping import Keeping
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.results import Results
    from napari_infoleak.widgets.state import DockState
    from napari_infoleak.widgets.worker import Worker

_WHAT = (
    ("Labels", "labels"),
    ("Probabilities", "probabilities"),
    ("Cells", "cells"),
    ("Uncertainty", "uncertainty"),
    ("Annotation", "annotation"),
)
_FORMATS = (
    ("OME-TIFF", ".ome.tif"),
    ("TIFF for Fiji", ".tif"),
    ("OME-Zarr", ".ome.zarr"),
    ("PNG", ".png"),
    ("NumPy", ".npy"),
)
_ENDINGS = {".tif", ".tiff", ".zarr", ".png", ".npy"}


class ExportPanel(Section):
    """Writes files in the child process, and copies commands.

    Parameters
    ----------
    state : DockState
        Holds what can be written.
    worker : Worker
        The child process.
    results : Results
        The layers that hold results.
    keeping : Keeping
        Knows what was done.
    """

    said = Signal(str, str)

    def __init__(
        self, state: DockState, worker: Worker, results: Results, keeping: Keeping
    ) -> None:
        super().__init__(7, "Export and session")
        self._state, self._worker, self._results = state, worker, results
        self._keeping = keeping
        self.what = QComboBox()
        for words, name in _WHAT:
            self.what.addItem(words, name)
        self.what.setToolTip(TIPS["export.what"])
        self.what.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.format = QComboBox()
        for words, ending in _FORMATS:
            self.format.addItem(words, ending)
        self.format.setToolTip(TIPS["export.format"])
        self.format.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.save = ActionButton("Save…", "export.save")
        self.command = ActionButton("Copy as command", "export.command")
        self.python = ActionButton("Copy as Python", "export.python")
        self.reason = quiet_label()
        self.add_row("Result", self.what)
        self.add_row("Format", side_by_side(self.format, self.save))
        self.add_row("", self.reason)
        self.add_row("", side_by_side(self.command, self.python, stretch=-1))
        self.save.clicked.connect(self.ask_and_save)
        self.command.clicked.connect(self.copy_command)
        self.python.clicked.connect(self.copy_python)
        self.what.currentIndexChanged.connect(self.refresh)
        events = state.events
        for signal in (events.source, events.answer, events.cells, events.busy, events.count):
            signal.connect(self.refresh)
        for signal in (events.model, events.leak, events.channel, events.supports):
            signal.connect(self.refresh)
        for signal in (events.live, events.cells_of):
            signal.connect(self.refresh)
        for signal in (events.cells_of, events.cells, events.answer):
            signal.connect(self._offer)
        self.refresh()

    def ask_and_save(self) -> None:
        """Ask for a file name and write what is chosen."""
        source = self._state.source
        if source is None:
            return
        what = str(self.what.currentData())
        ending = str(self.format.currentData())
        offered = beside(source.layer, f"{stem(source.name)}_{what}{ending}")
        shown = f"{self.format.currentText()} (*{ending})"
        path, _ = QFileDialog.getSaveFileName(self, f"Save {what}", offered, shown)
        if path:
            self.save_to(with_ending(path, ending), what)

    def save_to(self, path: str | Path, what: str) -> bool:
        """Write a result to a file in the child process; False if that is not possible now."""
        source = self._state.source
        if source is None or steps.why_not_export(self._state, what):
            return False
        values, annotation = self._values(source, what), self._state.annotation
        packed = None if annotation is None else annotation.digest
        return self._worker.start(
            f"Saving the {what}",
            f"{jobs.HERE}.save",
            lambda written: self._saved_as(what, str(written), annotation, packed),
            path=str(path),
            values=values,
            kind="labels" if what == "annotation" else what,
            axes=source.image.label_axes,
            scale=source.scale,
            translate=source.translate,
            units=source.units,
            classes=self._classes(what).to_json(),
            provenance=self._provenance(what),
        )

    def copy_command(self) -> None:
        """Put the command lines that do the same on the clipboard."""
        self._copy(command_lines)

    def copy_python(self) -> None:
        """Put a script that does the same on the clipboard."""
        self._copy(python_script)

    def _copy(self, written: Callable[[Done], str]) -> None:
        session = self._keeping.session
        done = done_in(self._state, session.steps)
        if done is None:
            return
        QApplication.clipboard().setText(written(done))
        if done.missing:
            self.said.emit(f"Copied. It needs files: save {', '.join(done.missing)}.", "")
        elif session.painted_since:
            self.said.emit("Copied. It answers with the paint as it is now.", "good")
        else:
            self.said.emit("Copied.", "good")

    def refresh(self, value: Any = None) -> None:
        """Say what can be done."""
        what = str(self.what.currentData())
        reason = steps.why_not_export(self._state, what)
        self.save.set_reason(reason)
        self.save.set_primary(steps.next_step(self._state) == "export")
        for copy in (self.command, self.python):
            copy.set_reason(steps.why_not_command(self._state))
        quiet = self._state.busy or self._state.source is None
        say(self.reason, "" if quiet else reason or steps.stale_export(self._state, what))

    def _offer(self, value: Any = None) -> None:
        """Choose cells once there are new ones, and labels once these are newer."""
        none = self._state.cells is None or steps.older_cells(self._state)
        before, after = ("cells", "labels") if none else ("labels", "cells")
        if self.what.currentData() == before:
            self.what.setCurrentIndex(self.what.findData(after))

    def _values(self, source: Source, what: str) -> Any:
        answer, annotation = self._state.answer, self._state.annotation
        if what == "probabilities" and answer is not None:
            return answer.probabilities
        if what == "annotation" and annotation is not None:
            return annotation.pack()
        return self._results.values(source, what)

    def _classes(self, what: str) -> ClassTable:
        """Return the classes, for probabilities those of the planes in their order."""
        answer, classes = self._state.answer, self._state.classes
        if what != "probabilities" or answer is None:
            return classes
        known = classes.with_ids(answer.class_ids)
        return ClassTable(tuple(known[number] for number in answer.class_ids))

    def _provenance(self, what: str) -> Any:
        answer = self._state.answer
        return None if answer is None or what == "annotation" else answer.provenance

    def _saved_as(
        self, what: str, path: str, annotation: Annotation | None, packed: int | None
    ) -> None:
        """Note the file of the paint that was written, and whether it was painted on since."""
        if what == "annotation" and annotation is not None and annotation.source.stands:
            annotation.recount_all()
            write_note(annotation.layer, file=path, changed=annotation.digest != packed)
        self.said.emit(f"Saved {path}", "good")


def with_ending(path: str, ending: str) -> str:
    """Return the path with the ending of the chosen format, unless another one was typed."""
    return path if Path(path).suffix.lower() in _ENDINGS else path + ending
