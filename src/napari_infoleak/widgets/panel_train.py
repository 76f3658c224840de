"""Section 5: a model of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QSizePolicy

from napari_infoleak.segmenters.registry import methods
from napari_infoleak.widgets import jobs, steps
from napari_infoleak.widgets.curves import CurvePlot
from napari_infoleak.widgets.section import ActionButton, Section, quiet_label, say, side_by_side
from napari_infoleak.widgets.tooltips import TIPS
from napari_infoleak.widgets.training import joining

if TYPE_CHECKING:
    from napari_infoleak.widgets.state import DockState
    from napari_infoleak.widgets.training import Training

_FIRST_METHOD = "unet"
_MINUTES = 10.0


class TrainPanel(Section):
    """Trains a model on what is painted, and shows how it goes.

    Parameters
    ----------
    state : DockState
        Holds what is painted.
    training : Training
        Does it.
    """

    said = Signal(str, str)
    trained = Signal(str)

    def __init__(self, state: DockState, training: Training) -> None:
        super().__init__(5, "Train")
        self._state, self._training = state, training
        self._origin = ""  # what the last class has joined, or what taught the last small model
        self.method = _choice("train.method")
        self.sentence = quiet_label()
        self.minutes = QDoubleSpinBox()
        self.minutes.setRange(0.1, 1440)
        self.minutes.setDecimals(1)
        self.minutes.setValue(_MINUTES)
        self.minutes.setSuffix(" min")
        self.minutes.setToolTip(TIPS["train.minutes"])
        self.init = _choice("train.init")
        self.start = ActionButton("Train", "train.start")
        self.keep = ActionButton("Stop and keep", "train.keep")
        self.add = ActionButton("Add class", "train.add")
        self.small = ActionButton("Make it small", "train.small")
        self.back = ActionButton("Back to the model before", "train.back")
        self.reason = quiet_label()
        self.curves = CurvePlot()
        self.result = quiet_label(role="")
        self._lay_out()
        self._fill()
        self._connect()
        self.set_open(False)
        self.refresh()

    def train(self) -> None:
        """Train on all that is painted."""
        self.curves.forget()
        say(self.result, "")
        method, init = str(self.method.currentData()), str(self.init.currentData())
        if self._training.start(method, self.minutes.value(), init):
            self.set_open(True)
        self.refresh()

    def add_class(self) -> None:
        """Let a painted class join the chosen model."""
        joins = joining(self._state)
        if joins is None:
            return
        self.curves.forget()
        say(self.result, "")
        if self._training.add_class(joins, self.minutes.value()):
            self.set_open(True)
        self.refresh()

    def make_small(self) -> None:
        """Let the chosen model teach a small one."""
        self.curves.forget()
        say(self.result, "")
        if self._training.shrink(self.minutes.value()):
            self.set_open(True)
        self.refresh()

    def go_back(self) -> None:
        """Use the model from before; nothing is lost."""
        self.trained.emit(self._origin)
        self.said.emit(f"{Path(self._origin).stem} answers again.", "good")
        self._origin = ""
        self.refresh()

    def stop_and_keep(self) -> None:
        """End the training before its time, and use what was learned."""
        self._training.stop_and_keep()
        self.keep.set_reason("It is about to stop.")

    def refresh(self, value: Any = None) -> None:
        """Say what can be done."""
        running = self._training.running
        reason = steps.why_not_train(self._state)
        self.start.set_reason(reason)
        self.keep.set_reason("" if running else "Nothing is being trained.")
        joins = joining(self._state)
        if joins is not None:
            self.add.setText(f"Add {self._state.classes[joins].name} to {self._model}")
        self.add.setVisible(joins is not None)
        self.add.set_reason(steps.why_not_add_class(self._state))
        self.small.setText(f"Make {self._model} small")
        self.small.set_reason(steps.why_not_shrink(self._state))
        self.back.setVisible(bool(self._origin))
        self.back.set_reason("")
        quiet = self._state.busy or self._state.source is None
        say(self.reason, "" if quiet else reason)

    @property
    def _model(self) -> str:
        return Path(self._state.model).stem

    def _lay_out(self) -> None:
        self.add_row("Method", self.method)
        self.add_row("", self.sentence)
        self.add_row("Time", self.minutes)
        self.add_row("Start", self.init)
        self.add_row("", side_by_side(self.start, self.keep, stretch=-1))
        self.add_row("", self.add)
        self.add_row("", self.small)
        self.add_row("", self.reason)
        self.add_row("", self.curves)
        self.add_row("", self.result)
        self.add_row("", self.back)

    def _fill(self) -> None:
        for info in methods():
            if info.trains and 2 in info.dims:  # slices are what the dock segments
                self.method.addItem(info.title, info.name)
                last = self.method.count() - 1
                self.method.setItemData(last, info.summary, Qt.ItemDataRole.ToolTipRole)
        self.method.setCurrentIndex(max(0, self.method.findData(_FIRST_METHOD)))
        self._method_chosen()
        for words, name in (("What suits the method", "default"), ("Nothing", "none")):
            self.init.addItem(words, name)

    def _connect(self) -> None:
        self.method.currentIndexChanged.connect(self._method_chosen)
        self.start.clicked.connect(self.train)
        self.keep.clicked.connect(self.stop_and_keep)
        self.add.clicked.connect(self.add_class)
        self.small.clicked.connect(self.make_small)
        self.back.clicked.connect(self.go_back)
        self._training.moved.connect(self.curves.show_curves)
        self._training.ended.connect(self._take)
        events = self._state.events
        for signal in (events.source, events.refusal, events.count, events.supports):
            signal.connect(self.refresh)
        events.busy.connect(self.refresh)
        for event in (events.annotation, events.model, events.classes):
            event.connect(self.refresh)

    def _method_chosen(self, index: int = 0) -> None:
        name = self.method.currentData()
        summary = next((info.summary for info in methods() if info.name == name), "")
        say(self.sentence, summary)
        self.set_summary(self.method.currentText())

    def _take(self, trained: jobs.Trained | jobs.Small) -> None:
        """Show before and after, and offer the model."""
        if isinstance(trained, jobs.Small):
            done, words = "Made small", small_in_words(trained)
        else:
            done, words = "Trained", in_words(trained)
        say(self.result, words)
        name = Path(trained.path).stem
        with QSignalBlocker(self.init):
            self.init.addItem(name, trained.path)
        self._origin = trained.origin
        self.trained.emit(trained.path)
        self.refresh()
        self.said.emit(f"{done}: {name} answers from now on.", "good")


def in_words(trained: jobs.Trained) -> str:
    """Say what a training brought, a class a line."""
    lines = ["Overlap with held-out paint, before and after:"] if trained.after else []
    for name, iou in trained.after.items():
        before = trained.before.get(name)
        lines.append(f"{name}: {'-' if before is None else f'{before:.2f}'} → {iou:.2f}")
    if not lines:
        lines = ["Too little is painted to hold some back, so nobody knows how good it is."]
    if trained.agreement:
        kept = ", ".join(f"{name} {iou:.2f}" for name, iou in trained.agreement.items())
        lines.append(f"Answered as before: {kept}.")
    return "\n".join(lines)


def small_in_words(small: jobs.Small) -> str:
    """Say what became of a model that was made small, a class a line, and which are rare."""
    lines = [
        "Before and after:",
        f"size: {small.size[0]:.2f} → {small.size[1]:.2f} MB",
        f"time: {small.seconds[0]:.2f} → {small.seconds[1]:.2f} s a megapixel",
    ]
    for row in small.rows:
        if row["before"] is not None and row["after"] is not None:
            lines.append(f"overlap of {row['name']}: {row['before']:.2f} → {row['after']:.2f}")
    agreed = [f"{r['name']} {r['agreement']:.2f}" for r in small.rows if r["agreement"] is not None]
    if agreed:
        lines.append(f"Both answer the same: {', '.join(agreed)}.")
    rare = [row["name"] for row in small.rows if row["rare"]]
    if rare:
        lines.append(f"Rare in this image, so look at it before you rely on it: {', '.join(rare)}.")
    return "\n".join(lines)


def _choice(tip: str) -> QComboBox:
    box = QComboBox()
    box.setToolTip(TIPS[tip])
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return box
