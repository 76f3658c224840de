"""A combo box of layers that follows the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy, QStyle, QStyleOptionComboBox, QStylePainter

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer
    from napari.layers import Layer


class LayerChoice(QComboBox):
    """Lists the layers of a viewer that pass a test.

    Parameters
    ----------
    viewer : napari Viewer
        The viewer.
    accepts : callable
        Whether a layer is listed.
    empty : str
        Shown where none is chosen.
    takes : callable, optional
        Whether a listed layer is chosen without being asked for; by default any is.
    """

    chosen = Signal(object)

    def __init__(
        self,
        viewer: Viewer,
        accepts: Callable[[Layer], bool],
        empty: str = "no layer",
        takes: Callable[[Layer], bool] = lambda layer: True,
    ) -> None:
        super().__init__()
        self._viewer = viewer
        self._accepts = accepts
        self._takes = takes
        self._layers: list[Layer] = []
        self._last: Layer | None = None
        self.setPlaceholderText(empty)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumContentsLength(8)
        self.currentIndexChanged.connect(self._tell)
        for layer in viewer.layers:
            layer.events.name.connect(self.refresh)
        viewer.layers.events.inserted.connect(self._inserted)
        viewer.layers.events.removed.connect(self._removed)
        viewer.layers.events.reordered.connect(self.refresh)
        self.refresh()

    @property
    def layer(self) -> Layer | None:
        """The chosen layer."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def choose(self, layer: Layer | None) -> None:
        """Choose a layer of the list, or none."""
        self.setCurrentIndex(self._layers.index(layer) if layer in self._layers else -1)

    def refresh(self, event: Any = None) -> None:
        """List the layers anew, newest first, and keep the choice if it still stands."""
        kept = self._last
        self._layers = [layer for layer in reversed(self._viewer.layers) if self._accepts(layer)]
        with QSignalBlocker(self):
            self.clear()
            self.addItems([str(layer.name) for layer in self._layers])
            index = self._layers.index(kept) if kept in self._layers else -1
            self.setCurrentIndex(index)
        self.setEnabled(bool(self._layers))
        if index < 0 and (kept is not None or self._layers):
            self._fall_back()

    def paintEvent(self, event: Any) -> None:
        """Shorten a name that is too long in its middle; Qt would cut its end off."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        control, field = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(control, option, field, self).width()
        middle = Qt.TextElideMode.ElideMiddle
        shown = option.currentText or self.placeholderText()
        option.currentText = self.fontMetrics().elidedText(shown, middle, room)
        painter = QStylePainter(self)
        painter.drawComplexControl(control, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()

    def disconnect_viewer(self) -> None:
        """Stop following the viewer."""
        events = self._viewer.layers.events
        events.inserted.disconnect(self._inserted)
        events.removed.disconnect(self._removed)
        events.reordered.disconnect(self.refresh)
        for layer in self._viewer.layers:
            layer.events.name.disconnect(self.refresh)

    def _fall_back(self) -> None:
        """Choose the newest layer that may be taken, where the choice is gone."""
        taken = (index for index, layer in enumerate(self._layers) if self._takes(layer))
        self.setCurrentIndex(next(taken, -1))
        self._tell()

    def _inserted(self, event: Any) -> None:
        event.value.events.name.connect(self.refresh)
        self.refresh()

    def _removed(self, event: Any) -> None:
        event.value.events.name.disconnect(self.refresh)
        self.refresh()

    def _tell(self) -> None:
        if self.layer is not self._last:
            self._last = self.layer
            self.chosen.emit(self._last)
