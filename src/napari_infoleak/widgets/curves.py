"""Loss and score of a training while it runs, in two small plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

if TYPE_CHECKING:
    from napari_infoleak.widgets.training import Curves

_HEIGHT = 200
_LOSS, _IOU = "#e69f00", "#56b4e9"


class CurvePlot(QWidget):
    """Plots that are made when there is something to plot: their library takes time to load."""

    def __init__(self) -> None:
        super().__init__()
        self.setLayout(QVBoxLayout())
        self.layout().setContentsMargins(0, 0, 0, 0)
        self.setFixedHeight(_HEIGHT)
        self._lines: dict[str, Any] = {}
        self.hide()

    def show_curves(self, curves: Curves) -> None:
        """Draw what is known so far."""
        if not curves.loss and not curves.iou:
            return
        if not self._lines:
            self._make()
        for name, points in (("loss", curves.loss), ("iou", curves.iou)):
            self._lines[name].setData(*map(list, zip(*points, strict=True)) if points else ([], []))
        self.show()

    def forget(self) -> None:
        """Make room until the next training."""
        for line in self._lines.values():
            line.setData([], [])
        self.hide()

    def _make(self) -> None:
        import pyqtgraph

        graphics = pyqtgraph.GraphicsLayoutWidget()
        graphics.setBackground(None)
        plots = {}
        for row, (name, title, colour) in enumerate(
            (("iou", "overlap with held-out paint", _IOU), ("loss", "loss, over minutes", _LOSS))
        ):
            plot = plots[name] = graphics.addPlot(row=row, col=0)
            plot.setTitle(title, size="8pt")
            plot.setMouseEnabled(False, False)
            plot.hideButtons()
            plot.setMenuEnabled(False)
            plot.getAxis("left").setWidth(34)
            plot.getAxis("left").setTickDensity(0.5)
            self._lines[name] = plot.plot(pen=pyqtgraph.mkPen(colour, width=2))
        plots["iou"].setYRange(0, 1)
        plots["iou"].getAxis("left").setTicks([[(0, "0"), (0.5, "0.5"), (1, "1")]])
        plots["iou"].setXLink(plots["loss"])
        plots["iou"].getAxis("bottom").setStyle(showValues=False)
        self.layout().addWidget(graphics)
