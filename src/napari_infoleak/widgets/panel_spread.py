"""Section 4: labels of one frame to all frames, and where to paint next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox

from napari_infoleak.widgets import steps
from napari_infoleak.widgets.confidence_plot import ConfidencePlot
from napari_infoleak.widgets.layers import position
from napari_infoleak.widgets.section import ActionButton, Section, quiet_label, say, side_by_side
from napari_infoleak.widgets.tooltips import TIPS

if TYPE_CHECKING:
    from napari import Viewer

    from napari_infoleak.api import Spread
    from napari_infoleak.spread.frame import SpreadFrame
    from napari_infoleak.widgets.spreading import Spreading
    from napari_infoleak.widgets.state import DockState

_SUMMARY = "from frame to frame"
_WORDS = {"Z": "Z, plane by plane", "T": "T, time by time"}


class SpreadPanel(Section):
    """Spreads labels, and shows how far they can be trusted.

    Parameters
    ----------
    state : DockState
        Holds what is painted.
    viewer : napari Viewer
        Says which frame is on screen.
    spreading : Spreading
        Does it.
    """

    said = Signal(str, str)

    def __init__(self, state: DockState, viewer: Viewer, spreading: Spreading) -> None:
        super().__init__(4, "Spread")
        self._state, self._viewer, self._spreading = state, viewer, spreading
        self._result: Spread | None = None
        self.axis = QComboBox()
        self.axis.setToolTip(TIPS["spread.axis"])
        self.stop = QDoubleSpinBox()
        self.stop.setRange(0, 1)
        self.stop.setSingleStep(0.05)
        self.stop.setDecimals(2)
        self.stop.setPrefix("confidence < ")
        self.stop.setSpecialValueText("never")
        self.stop.setToolTip(TIPS["spread.stop"])
        self.learn = QCheckBox("Learn on the way")
        self.learn.setToolTip(TIPS["spread.learn"])
        self.keep = ActionButton("Stop and keep", "spread.keep")
        self.start = ActionButton("Spread", "spread.start")
        self.next = ActionButton("Paint here next", "spread.next")
        self.reason = quiet_label()
        self.plot = ConfidencePlot()
        self.words = quiet_label(role="")
        self._lay_out()
        self._connect()
        self.set_open(False)
        self.set_summary(_SUMMARY)
        self._source_changed()

    def spread(self) -> None:
        """Spread what is painted over all frames."""
        axis, learn = str(self.axis.currentData()), self.learn.isChecked()
        if self._spreading.start(axis, self.stop.value(), fine_tune=learn):
            self.set_open(True)
        self.refresh()

    def stop_and_keep(self) -> None:
        """Let no more frames be labelled; those that are stay so."""
        self._spreading.stop_and_keep()
        self.keep.set_reason("It is about to stop.")

    def go_next(self) -> None:
        """Go to the frame on which paint is most needed."""
        frame = None if self._result is None else self._result.paint_next
        if frame is not None:
            self._spreading.show_frame(frame)

    def refresh(self, value: Any = None) -> None:
        """Say what can be done."""
        reason = steps.why_not_spread(self._state)
        self.start.set_reason(reason)
        nowhere = self._result is None or self._result.paint_next is None
        self.next.set_reason("Spread first; then it is known." if nowhere else "")
        self.keep.setVisible(self._spreading.learning)
        self.keep.set_reason("")
        quiet = self._state.busy or self._state.source is None
        again = steps.next_step(self._state) == "spread"
        self.start.set_primary(again)
        say(
            self.reason,
            "" if quiet else reason or (steps.stale_labels(self._state) if again else ""),
        )

    def disconnect_viewer(self) -> None:
        """Stop following the viewer."""
        self._viewer.dims.events.current_step.disconnect(self._moved)

    def _lay_out(self) -> None:
        self.add_row("Along", self.axis)
        self.add_row("Stop at", self.stop)
        self.add_row("", self.learn)
        self.add_row("", side_by_side(self.start, self.next, stretch=-1))
        self.add_row("", self.keep)
        self.add_row("", self.reason)
        self.add_row("", self.plot)
        self.add_row("", self.words)

    def _connect(self) -> None:
        self.start.clicked.connect(self.spread)
        self.next.clicked.connect(self.go_next)
        self.keep.clicked.connect(self.stop_and_keep)
        self.plot.chosen.connect(self._spreading.show_frame)
        self._spreading.spread.connect(self._take)
        self._viewer.dims.events.current_step.connect(self._moved)
        events = self._state.events
        for signal in (events.refusal, events.count, events.supports, events.busy, events.answer):
            signal.connect(self.refresh)
        events.annotation.connect(self.refresh)
        events.source.connect(self._source_changed)

    def _source_changed(self, source: Any = None) -> None:
        """Offer the axes that have more than one frame."""
        known = self._state.source
        sizes = {} if known is None else known.image.sizes
        with QSignalBlocker(self.axis):
            self.axis.clear()
            for letter in "ZT":
                if sizes.get(letter, 1) > 1:
                    self.axis.addItem(_WORDS[letter], letter)
        self.refresh()

    def _take(self, result: Spread | None) -> None:
        """Show a result, or forget the last one."""
        self._result = result
        say(self.words, "" if result is None else in_words(result))
        if result is None:
            self.plot.hide()
            self.set_summary(_SUMMARY)
        else:
            self._moved()
            reused = sum(frame.reused for frame in result.frames)
            kept = f"; {reused} were known before" if reused else ""
            reached = sum(frame.state != "unreached" for frame in result.frames)
            labelled = f"{reached} of {len(result.frames)} frames"
            self.set_summary(labelled)
            self.said.emit(f"{labelled} are labelled{kept}.", "good")
        self.refresh()

    def _moved(self, event: Any = None) -> None:
        """Show the series of the frame on screen, and where in it that is."""
        source, result = self._state.source, self._result
        if source is None or result is None or self._viewer.dims.ndim < source.layer.ndim:
            return  # the last: its layers are being closed
        t, z = position(self._viewer, source)
        along_z = result.axis == "Z"
        own = [one for one in result.frames if (one.t == t if along_z else one.z == z)]
        limit = result.provenance.get("settings", {}).get("stop_below", 0.0)
        self.plot.show_frames(own, result.axis, limit)
        self.plot.show_position(z if along_z else t)


def in_words(result: Spread) -> str:
    """Say how far labels came, and where to paint next."""
    lines = []
    for frame in result.stops[:3]:
        waiting = result.waiting(frame)
        behind = f", {waiting} more wait behind it" if waiting else ""
        lines.append(f"Stopped at {_place(frame, result)} ({frame.confidence:.2f}){behind}.")
    if len(result.stops) > 3:
        lines.append(f"It stopped at {len(result.stops) - 3} more places.")
    bare = sum(frame.distance is None for frame in result.frames)
    if bare:
        lines.append(f"{bare} frames belong to series without paint and stay unlabelled.")
    least = result.paint_next
    if not result.stops and least is not None:
        lines.append(f"Least certain is {_place(least, result)} ({least.confidence:.2f}).")
    return "\n".join(lines)


def _place(frame: SpreadFrame, result: Spread) -> str:
    """Name a frame by the axes that its image has."""
    at = {"T": frame.t, "Z": frame.z}
    return ", ".join(f"{letter.lower()} = {at[letter]}" for letter in "TZ" if letter in result.axes)
