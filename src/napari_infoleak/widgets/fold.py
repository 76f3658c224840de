"""A part of a section that is folded away until it is wanted."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLayout, QVBoxLayout, QWidget

from napari_infoleak.widgets.section import flat_button


class Fold(QWidget):
    """A quiet line that opens what lies below it.

    Parameters
    ----------
    title : str
        What is below.
    tip : str
        Its entry in the table of tooltips.
    """

    opened = Signal(bool)

    def __init__(self, title: str, tip: str) -> None:
        super().__init__()
        self._title = title
        self.line = flat_button("", tip)
        self.line.setCheckable(True)
        self.body = QWidget()
        self._rows = QVBoxLayout(self.body)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.line)
        layout.addWidget(self.body)
        self.line.toggled.connect(self._toggled)
        self._toggled(False)

    @property
    def is_open(self) -> bool:
        """Whether what is below is shown."""
        return bool(self.line.isChecked())

    def add(self, content: QWidget | QLayout) -> None:
        """Put a row into it."""
        if isinstance(content, QLayout):
            self._rows.addLayout(content)
        else:
            self._rows.addWidget(content)

    def set_open(self, is_open: bool) -> None:
        """Open or close it."""
        self.line.setChecked(is_open)

    def _toggled(self, is_open: bool) -> None:
        self.line.setText(f"{'▾' if is_open else '▸'} {self._title}")
        self.body.setVisible(is_open)
        self.opened.emit(is_open)
