"""Undo and redo of strokes, on whatever slice they were painted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_infoleak.widgets.section import flat_button

if TYPE_CHECKING:
    from napari_infoleak.widgets.keeping import Keeping


class UndoRow(QWidget):
    """Two buttons; the keys Ctrl+Z and Ctrl+Shift+Z do the same while the annotation is active.

    Parameters
    ----------
    keeping : Keeping
        Knows the strokes.
    """

    def __init__(self, keeping: Keeping) -> None:
        super().__init__()
        self._keeping = keeping
        self.undo = flat_button("↶ Undo", "annotate.undo")
        self.redo = flat_button("↷ Redo", "annotate.redo")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.undo)
        row.addWidget(self.redo)
        self.undo.clicked.connect(lambda: keeping.undo())
        self.redo.clicked.connect(lambda: keeping.redo())
        keeping.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Say what can be done; without an annotation layer nothing is shown."""
        self.setVisible(self._keeping.tracked is not None)
        for button, count in (
            (self.undo, self._keeping.can_undo),
            (self.redo, self._keeping.can_redo),
        ):
            button.setEnabled(bool(count))
