"""The confidence of each frame, as a curve whose points lead to the frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_infoleak.widgets.tooltips import TIPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_infoleak.spread.frame import SpreadFrame

_HEIGHT = 132
_COLOURS = {"annotated": "#009e73", "accepted": "#56b4e9", "stopped": "#d55e00"}
_LINE, _LIMIT, _HERE = "#56b4e9", "#d55e00", "#aaaaaa"


class ConfidencePlot(QWidget):
    """A plot that is made when there is something to plot: its library takes time to load."""

    chosen = Signal(object)  # SpreadFrame

    def __init__(self) -> None:
        super().__init__()
        self.setLayout(QVBoxLayout())
        self.layout().setContentsMargins(0, 0, 0, 0)
        self.setFixedHeight(_HEIGHT)
        self.setToolTip(TIPS["spread.plot"])
        self._plot: Any = None
        self.hide()

    def show_frames(self, frames: Sequence[SpreadFrame], axis: str, stop_below: float) -> None:
        """Draw the frames of one series, in their order.

        Parameters
        ----------
        frames : sequence of SpreadFrame
        axis : str
            Z or T, which runs to the right.
        stop_below : float
            The limit that was set; drawn if it is above 0.
        """
        known = [one for one in frames if one.confidence is not None]
        if not known:
            self.hide()
            return
        if self._plot is None:
            self._make()
        x = [one.z if axis == "Z" else one.t for one in known]
        y = [one.confidence or 0.0 for one in known]
        self._line.setData(x, y)
        self._points.setData(x=x, y=y, data=known, brush=[_COLOURS[one.state] for one in known])
        self._limit.setValue(stop_below)
        self._limit.setVisible(stop_below > 0)
        low = min([*y, stop_below or 1.0])
        self._plot.setXRange(-0.5, len(frames) - 0.5, padding=0)
        self._plot.setYRange(max(0.0, low - 0.05), 1.0, padding=0.02)
        self._plot.setTitle(f"confidence, over {axis.lower()}", size="8pt")
        self.show()

    def show_position(self, frame: int) -> None:
        """Mark the frame that is on screen."""
        if self._plot is not None:
            self._here.setValue(frame)

    def _make(self) -> None:
        import pyqtgraph

        graphics = pyqtgraph.GraphicsLayoutWidget()
        graphics.setBackground(None)
        self._plot = plot = graphics.addPlot()
        plot.setMouseEnabled(False, False)
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.getAxis("left").setWidth(34)
        plot.getAxis("left").setTickDensity(0.5)
        self._here = pyqtgraph.InfiniteLine(0, 90, pen=pyqtgraph.mkPen(_HERE))
        self._limit = pyqtgraph.InfiniteLine(0, 0, pen=pyqtgraph.mkPen(_LIMIT, style=_dashed()))
        self._line = pyqtgraph.PlotDataItem(pen=pyqtgraph.mkPen(_LINE, width=1))
        self._points = pyqtgraph.ScatterPlotItem(size=8, pen=None, hoverable=True, tip=None)
        self._points.sigClicked.connect(self._clicked)
        for item in (self._here, self._limit, self._line, self._points):
            plot.addItem(item)
        self.layout().addWidget(graphics)

    def _clicked(self, item: Any, points: Any, event: Any = None) -> None:
        if len(points):
            self.chosen.emit(points[0].data())


def _dashed() -> Any:
    from qtpy.QtCore import Qt

    return Qt.PenStyle.DashLine
