"""The dock: seven panels above each other, one line of words below, a child process behind."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.scale.executor import Executor
from napari_infoleak.widgets.activity import Activity
from napari_infoleak.widgets.explaining import Explaining
from napari_infoleak.widgets.fold import Fold
from napari_infoleak.widgets.footer import Footer
from napari_infoleak.widgets.handing import Handing
from napari_infoleak.widgets.keeping import Keeping
from napari_infoleak.widgets.live import Live
from napari_infoleak.widgets.panel_annotate import AnnotatePanel
from napari_infoleak.widgets.panel_cells import CellsPanel
from napari_infoleak.widgets.panel_export import ExportPanel
from napari_infoleak.widgets.panel_image import ImagePanel
from napari_infoleak.widgets.panel_segment import SegmentPanel
from napari_infoleak.widgets.panel_spread import SpreadPanel
from napari_infoleak.widgets.panel_train import TrainPanel
from napari_infoleak.widgets.restoring import Restoring
from napari_infoleak.widgets.results import Results
from napari_infoleak.widgets.resume import Resume
from napari_infoleak.widgets.section import quiet_label
from napari_infoleak.widgets.segmenting import Segmenting
from napari_infoleak.widgets.session_row import SessionRow
from napari_infoleak.widgets.settings import follow_settings, read_settings
from napari_infoleak.widgets.spreading import Spreading
from napari_infoleak.widgets.state import DockState
from napari_infoleak.widgets.steps import next_step
from napari_infoleak.widgets.storing import Storing
from napari_infoleak.widgets.style import style_sheet
from napari_infoleak.widgets.tooltips import TIPS
from napari_infoleak.widgets.training import Training
from napari_infoleak.widgets.undo_row import UndoRow
from napari_infoleak.widgets.worker import Worker

if TYPE_CHECKING:
    from napari import Viewer

    from napari_infoleak.widgets.section import Section

_PRELOAD = ("napari_infoleak.api", "napari_infoleak.segmenters.annotation_leakage")


_WIDTH = 316
_PLACES = {"": "image", "paint": "annotate", "view": "segment", "stack": "segment"}


class InfoleakDock(QWidget):
    """Segment membranes and cells from a few strokes.

    Parameters
    ----------
    napari_viewer : napari Viewer
        The viewer that the dock lives in; napari hands it over.
    executor : Executor, optional
        The child process to work in; by default one of our own, started once there is an image.
    """

    def __init__(self, napari_viewer: Viewer, executor: Executor | None = None) -> None:
        self._open = False  # Qt sends events before all parts are there
        super().__init__(objectName="infoleak")
        self.viewer = napari_viewer
        self.settings = read_settings()
        self.state = DockState(classes=self.settings.recoloured(ClassTable.membrane()))
        executor = executor or Executor(preload=_PRELOAD)
        executor.configure(self.settings.environment())
        self.destroyed.connect(executor.close)  # a window that is torn down sends no other word
        self.worker = Worker(executor, self)
        self.activity = Activity(self.worker)
        self.results = Results(napari_viewer)
        self.results.use_colours(self.settings.overlays())
        self.handing = Handing(self.state, self.worker, napari_viewer)
        self.segmenting = Segmenting(self.state, self.worker, self.results)
        self.live = Live(self.state, napari_viewer, self.worker, self.segmenting)
        self.spreading = Spreading(self.state, self.worker, self.segmenting, napari_viewer)
        self.training = Training(self.state, self.worker)
        self.explaining = Explaining(self.state, self.worker, napari_viewer)
        self.keeping = Keeping(self.state, self.worker, napari_viewer)
        self.image = ImagePanel(self.state, napari_viewer, self.results)
        self.annotate = AnnotatePanel(self.state, napari_viewer, self.explaining)
        self.segment = SegmentPanel(self.state, napari_viewer, self.segmenting, self.explaining)
        self.spread = SpreadPanel(self.state, napari_viewer, self.spreading)
        self.train = TrainPanel(self.state, self.training)
        self.cells = CellsPanel(self.state, self.worker, self.results)
        self.export = ExportPanel(self.state, self.worker, self.results, self.keeping)
        self.storing = Storing(self.state, self.keeping, self.results, self.cells, self.spreading)
        self.restoring = Restoring(
            self.state,
            napari_viewer,
            self.keeping,
            self.storing,
            self.image,
            self.annotate,
            self.segment,
        )
        self.resume = Resume(self.keeping, self.storing, self.restoring)
        self.session = SessionRow(self.state, self.keeping, self.storing, self.restoring)
        self.footer = Footer()
        self._open = True
        self.destroyed.connect(lambda: self.shut())  # a bound method of what is gone is not called
        self._lay_out()
        self._connect()
        self._restyle()
        self._step_changed()
        self._warm_up(self.state.source)
        self.resume.offer(self.keeping.unfinished)

    @property
    def is_open(self) -> bool:
        """Whether it follows its viewer; not after `shut`."""
        return self._open

    @property
    def panels(self) -> dict[str, Section]:
        """The panels by name, top to bottom."""
        return {
            "image": self.image,
            "annotate": self.annotate,
            "segment": self.segment,
            "spread": self.spread,
            "train": self.train,
            "cells": self.cells,
            "export": self.export,
        }

    def shut(self) -> None:
        """End the child and stop following the viewer; nothing of the layers is touched."""
        if not self._open:
            return
        self._open = False
        try:
            self.storing.close()
            self.keeping.close()
        finally:  # the child ends, whatever could not be written
            self.worker.close()
            self.training.close()
            self.spreading.close()
        self.activity.end()
        self._ignore_settings()
        self.viewer.events.theme.disconnect(self._restyle)
        self.viewer.layers.events.removed.disconnect(self._layer_removed)
        self.handing.disconnect_viewer()
        self.live.disconnect_viewer()
        self.image.disconnect_viewer()
        self.annotate.disconnect_viewer()
        self.segment.disconnect_viewer()
        self.spread.disconnect_viewer()
        self.cells.disconnect_viewer()

    def event(self, event: QEvent) -> bool:
        """End the child when the dock is closed, taken out of its window, or deleted."""
        gone = event.type() in (QEvent.Type.DeferredDelete, QEvent.Type.Close)
        taken_out = event.type() == QEvent.Type.ParentChange and self.parent() is None
        if gone or taken_out:
            self.shut()
        handled: bool = super().event(event)
        return handled

    def _lay_out(self) -> None:
        page = QWidget(objectName="infoleak_page")
        column = QVBoxLayout(page)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(6)
        column.addLayout(_title())
        column.addWidget(self.resume)
        for panel in self.panels.values():
            column.addWidget(panel)
        self.annotate.brushwork.put_first(UndoRow(self.keeping))
        self.export.add_row("", self.session)
        column.addStretch(1)
        self._scroll = scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.footer)
        self.setMinimumWidth(_WIDTH)

    def _connect(self) -> None:
        worker, footer, events = self.worker, self.footer, self.state.events
        worker.started.connect(self._started)
        worker.stepped.connect(footer.show_step)
        worker.ended.connect(self._ended)
        worker.failed.connect(self._failed)
        worker.cancelled.connect(lambda what: footer.say(f"Cancelled: {what.lower()}."))
        footer.cancel.clicked.connect(self._cancel)
        self.live.said.connect(self.segment.show_live)
        self.explaining.said.connect(footer.say)
        self.explaining.explained.connect(lambda why: self._bring_up(self.segment.why))
        for part in (*self.panels.values(), *self.findChildren(Fold)):
            part.opened.connect(partial(self._unfolded, part))
        self.spread.said.connect(footer.say)
        self.train.said.connect(footer.say)
        self.train.trained.connect(self.segment.use_model)
        self.cells.said.connect(footer.say)
        self.image.rescaled.connect(self.cells.table.look_at_scale)
        self.export.said.connect(footer.say)
        self.keeping.said.connect(footer.say)
        self.storing.said.connect(footer.say)
        self.cells.correcting.corrected.connect(self.keeping.note_correction)
        self.resume.said.connect(footer.say)
        self.session.said.connect(footer.say)
        for signal in (events.source, events.annotation, events.answer, events.cells, events.busy):
            signal.connect(self._step_changed)
        for signal in (events.count, events.model, events.leak, events.channel, events.live):
            signal.connect(self._step_changed)
        for signal in (events.supports, events.cells_of):
            signal.connect(self._step_changed)
        events.source.connect(self._warm_up)
        events.source.connect(self._forget_answer)
        self._ignore_settings = follow_settings(self._use_settings)
        self.viewer.events.theme.connect(self._restyle)
        self.viewer.layers.events.removed.connect(self._layer_removed)

    def _unfolded(self, part: QWidget, is_open: bool) -> None:
        if is_open:
            self._bring_up(part)

    def _bring_up(self, part: QWidget) -> None:
        """Bring what was opened into sight, once it has its size."""

        def show() -> None:
            if self._open:
                self._scroll.ensureWidgetVisible(part)

        QTimer.singleShot(0, show)

    def _warm_up(self, source: Any) -> None:
        """Start the child while the user is still painting."""
        if source is not None and self._open:
            self.worker.executor.start()

    def _use_settings(self) -> None:
        """Take over what was changed in the Preferences."""
        before, self.settings = self.settings, read_settings()
        self.worker.executor.configure(self.settings.environment())
        self.results.use_colours(self.settings.overlays())
        if self.settings.recoloured(ClassTable.membrane()) != before.recoloured(
            ClassTable.membrane()
        ):
            self.annotate.use_colours(self.settings)

    def _started(self, what: str) -> None:
        self.state.busy = what
        self.footer.begin(what)

    def _ended(self) -> None:
        self.state.busy = ""
        self.footer.end()

    def _failed(self, message: str) -> None:
        """Say what went wrong, in the dock and as napari says it."""
        self.footer.say(message, "error")
        show_error(message)

    def _cancel(self) -> None:
        self.footer.stopping()
        self.worker.cancel()

    def _forget_answer(self, source: Any) -> None:
        """Another image, or another meaning of its axes: old answers do not count."""
        answer = self.state.answer
        if answer is not None and answer.source is not source:
            self.state.answer = None
            self.state.cells = self.state.cells_of = None

    def _layer_removed(self, event: Any) -> None:
        """A result that was thrown away is no result any more."""
        source = self.state.source
        if source is None:
            return
        if self.state.answer is not None and self.results.find(source, "labels") is None:
            self.state.answer = None
        if self.state.cells is not None and self.results.find(source, "cells") is None:
            self.state.cells = self.state.cells_of = None

    def _step_changed(self, value: Any = None) -> None:
        """Light up the number of the section where the next step is."""
        following = next_step(self.state)
        where = _PLACES.get(following, following)
        for name, panel in self.panels.items():
            panel.set_active(name == where and not self.state.busy)
        self.annotate.new.set_primary(following == "annotate")

    def _restyle(self, event: Any = None) -> None:
        self.setStyleSheet(style_sheet(self.viewer.theme))


def _title() -> QHBoxLayout:
    name = QLabel("infoleak", objectName="infoleak_title")
    motto = quiet_label("your strokes, leaked on purpose", role="small")
    motto.setToolTip(TIPS["header.leak"])
    name.setToolTip(TIPS["header.leak"])
    row = QHBoxLayout()
    row.setContentsMargins(6, 2, 6, 2)
    row.addWidget(name)
    row.addWidget(motto, 1, Qt.AlignmentFlag.AlignBottom)
    return row
