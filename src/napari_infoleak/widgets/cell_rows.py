"""The table of cells as Qt wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

from napari_infoleak.core.units import UNKNOWN_UNIT, unit_symbol

if TYPE_CHECKING:
    from napari_infoleak.instances.measure import Table

_FIRST = ("cell", "volume", "area", "intensity", "neighbours")  # columns to the left
_POWERS = {"area": "²", "volume": "³", "surface": "²", "perimeter": ""}
"""Columns with a unit, and the power of it."""


class Rows(QAbstractTableModel):
    """Rows of cells, sorted by whatever column is clicked."""

    def __init__(self) -> None:
        super().__init__()
        self.table: Table | None = None
        self._names: list[str] = []
        self._order = np.zeros(0, np.intp)
        self._sorted: tuple[int, Qt.SortOrder] | None = None

    def show(self, table: Table | None, in_order: bool = False) -> None:
        """Show another table, maybe sorted as the one before."""
        self.beginResetModel()
        self.table = table
        columns = {} if table is None else table.columns
        first = [name for name in _FIRST if name in columns]
        self._names = first + [name for name in columns if name not in first]
        self._order = np.arange(0 if table is None else len(table))
        self.endResetModel()
        if in_order and self._sorted is not None:
            self.sort(*self._sorted)

    def row(self, row: int) -> dict[str, Any]:
        """Return the values of a row by column."""
        columns = {} if self.table is None else self.table.columns
        return {name: values[self._order[row]] for name, values in columns.items()}

    def row_of(self, cell: int) -> int | None:
        """Return the row of a cell."""
        if self.table is None:
            return None
        found = np.flatnonzero(self.table.columns["cell"][self._order] == cell)
        return int(found[0]) if len(found) else None

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Qt asks."""
        return len(self._order)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Qt asks."""
        return len(self._names)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Qt asks."""
        if self.table is None:
            return None
        value = self.table.columns[self._names[index.column()]][self._order[index.row()]]
        is_text = isinstance(value, str)
        if role == Qt.ItemDataRole.TextAlignmentRole and not is_text:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return f"{value:.5g}" if isinstance(value, float) else str(value)

    def headerData(
        self, section: int, way: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Qt asks."""
        if role == Qt.ItemDataRole.DisplayRole and way == Qt.Orientation.Horizontal:
            return self._heading(self._names[section])
        return None

    def _heading(self, name: str) -> str:
        """Return the name of a column with its unit, where it has one."""
        units = [] if self.table is None else self.table.columns["unit"][:1].tolist()
        if name not in _POWERS or not units:
            return name
        unit = "px" if units[0] == UNKNOWN_UNIT else unit_symbol(units[0])
        return f"{name} {unit}{_POWERS[name]}"

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; equal ones stay as they are."""
        if self.table is None or not 0 <= column < len(self._names):
            return
        self._sorted = column, order
        self.layoutAboutToBeChanged.emit()
        values = self.table.columns[self._names[column]]
        ranks = np.argsort(values, kind="stable")
        self._order = ranks if order == Qt.SortOrder.AscendingOrder else ranks[::-1]
        self.layoutChanged.emit()
