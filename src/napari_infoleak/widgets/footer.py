"""The foot of the dock, always in sight: progress with time left, Cancel, and one line of words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout
from superqt import QElidingLabel

from napari_infoleak.widgets.section import WrappedLabel, flat_button, quiet_label, set_property
from napari_infoleak.widgets.tooltips import TIPS

if TYPE_CHECKING:
    from napari_infoleak.widgets.worker import Step

_MINUTE = 60
_HOUR = 3600


class Footer(QFrame):
    """Progress while something runs, a message when it has ended."""

    def __init__(self) -> None:
        super().__init__(objectName="infoleak_footer")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.step = QElidingLabel()
        self.left = quiet_label(role="caption")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip(TIPS["footer.cancel"])
        self.work = QFrame()
        self.message = QFrame(objectName="infoleak_message")
        self.text = WrappedLabel()
        self.dismiss = flat_button("✕", "footer.close")
        self.dismiss.clicked.connect(self.message.hide)
        self._lay_out()
        self.work.hide()
        self.message.hide()

    def begin(self, what: str) -> None:
        """Show that something runs."""
        self.message.hide()
        self.bar.setRange(0, 0)
        self.step.setText(what)
        self.left.setText("")
        self.cancel.setEnabled(True)
        self.cancel.setText("Cancel")
        self.work.show()

    def show_step(self, step: Step) -> None:
        """Show how far it is."""
        if step.total > 0:
            self.bar.setRange(0, step.total)
            self.bar.setValue(min(step.done, step.total))
        if step.text:
            self.step.setText(step.text)
        self.left.setText(time_left(step.left))

    def stopping(self) -> None:
        """Show that Cancel was heard."""
        self.cancel.setEnabled(False)
        self.cancel.setText("Stopping…")

    def end(self) -> None:
        """Show that nothing runs any more."""
        self.work.hide()

    def say(self, text: str, level: str = "") -> None:
        """Show one line: level "error", "good" or none."""
        self.text.setText(" ".join(text.split()))
        set_property(self.message, "level", level)
        self.message.setVisible(bool(text))

    def _lay_out(self) -> None:
        words = QHBoxLayout()
        words.setContentsMargins(0, 0, 0, 0)
        words.addWidget(self.step, 1)
        words.addWidget(self.left)
        progress = QVBoxLayout()
        progress.setContentsMargins(0, 0, 0, 0)
        progress.setSpacing(4)
        progress.addLayout(words)
        progress.addWidget(self.bar)
        row = QHBoxLayout(self.work)
        row.setContentsMargins(4, 4, 4, 4)
        row.setSpacing(10)
        row.addLayout(progress, 1)
        row.addWidget(self.cancel)
        line = QHBoxLayout(self.message)
        line.setContentsMargins(6, 3, 3, 3)
        line.addWidget(self.text, 1)
        line.addWidget(self.dismiss)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(self.work)
        layout.addWidget(self.message)


def time_left(seconds: float | None) -> str:
    """Return a duration in words: "0:42 left", "1 h 05 left", or nothing while unknown."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole >= _HOUR:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} left"
    return f"{whole // _MINUTE}:{whole % _MINUTE:02d} left"
