"""One class in the table: its key, colour, name, and how much of it is painted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QColorDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
)

from napari_infoleak.widgets.section import set_property
from napari_infoleak.widgets.tooltips import TIPS

if TYPE_CHECKING:
    from napari_infoleak.core.classes import ClassEntry

_LAST_KEY = 9


class ClassRow(QFrame):
    """A row of the class table.

    Parameters
    ----------
    entry : ClassEntry
        The class.
    """

    picked = Signal(int)
    renamed = Signal(int, str)
    recoloured = Signal(int, str)

    def __init__(self, entry: ClassEntry) -> None:
        super().__init__()
        self.class_id = entry.id
        self._name = entry.name
        key = QLabel(str(entry.id) if entry.id <= _LAST_KEY else "", objectName="key")
        key.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.swatch = QPushButton()
        self.swatch.setFixedSize(16, 16)
        self.swatch.setToolTip(TIPS["annotate.colour"])
        self.swatch.clicked.connect(self._ask_colour)
        self._paint_swatch(entry.colour)
        self.name = QLineEdit(entry.name)
        self.name.setReadOnly(True)
        self.name.setToolTip(TIPS["annotate.class"])
        self.name.installEventFilter(self)
        self.name.editingFinished.connect(self._finish_name)
        self.painted = QLabel()
        self.painted.setProperty("role", "dim")
        self.painted.setToolTip(TIPS["annotate.count"])
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 3, 8, 3)
        layout.setSpacing(8)
        layout.addWidget(key)
        layout.addWidget(self.swatch)
        layout.addWidget(self.name, 1)
        layout.addWidget(self.painted)
        self.setToolTip(TIPS["annotate.class"])
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def set_chosen(self, chosen: bool) -> None:
        """Mark the class that is painted with."""
        set_property(self, "chosen", chosen)

    def set_count(self, pixels: int, here: int) -> None:
        """Say how much is painted on all slices, and how much of it on the one on screen."""
        part = f"{in_thousands(here)} of " if 0 < here < pixels else ""
        self.painted.setText(f"{part}{in_thousands(pixels)} px" if pixels else "none yet")

    def mousePressEvent(self, event: Any) -> None:
        """Paint with this class."""
        self.picked.emit(self.class_id)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Choose on a click in the name, and edit it on two."""
        if watched is self.name and self.name.isReadOnly():
            if event.type() == QEvent.Type.MouseButtonPress:
                self.picked.emit(self.class_id)
            elif event.type() == QEvent.Type.MouseButtonDblClick:
                self.edit_name()
                return True
        return False

    def edit_name(self) -> None:
        """Let the name be typed."""
        self.name.setReadOnly(False)
        set_property(self.name, "editing", True)
        self.name.setFocus()
        self.name.selectAll()

    def _finish_name(self) -> None:
        if self.name.isReadOnly():
            return
        self.name.setReadOnly(True)
        self.name.deselect()
        set_property(self.name, "editing", False)
        text = self.name.text().strip()
        self.name.setText(self._name)
        if text and text != self._name:
            self.renamed.emit(self.class_id, text)

    def _ask_colour(self) -> None:
        colour = QColorDialog.getColor(QColor(self._colour), self, f"Colour of {self._name}")
        if colour.isValid():
            self.recoloured.emit(self.class_id, colour.name())

    def _paint_swatch(self, colour: str) -> None:
        self._colour = colour
        self.swatch.setStyleSheet(
            f"background: {colour}; border-radius: 4px; padding: 0; min-width: 0;"
        )


def in_thousands(number: int) -> str:
    """Return a number with narrow spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f")
