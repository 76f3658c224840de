"""The physical size of a pixel: shown in words, mended in the layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QWidget

from napari_infoleak.core.units import UNKNOWN_UNIT, factor, unit_symbol
from napari_infoleak.widgets.section import quiet_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari import Viewer
    from napari.layers import Layer

    from napari_infoleak.widgets.layers import Source

_TINY = 0.1
_LEAST, _MOST = 1e-6, 1e6  # of a step; there are units for what is smaller or larger
_MOST_STEPS = 10**8  # room is left for layers to come: at 10**9 napari's sliders overflow
_LENGTHS = ("pixel", "nanometer", "micrometer", "millimeter")
_TIMES = ("pixel", "millisecond", "second", "minute", "hour")


class ScaleEditor(QWidget):
    """One number and one unit for each axis; Y and X share a unit with Z."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, QDoubleSpinBox] = {}
        self.unit: dict[str, QComboBox] = {}
        self._shown: dict[str, float] = {}  # of what the layer says
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(60, 0, 0, 0)
        self._grid.setVerticalSpacing(4)
        for row, letter in enumerate("TZYX"):
            self._add_row(row, letter)

    def read(self, source: Source) -> None:
        """Show what the layer says."""
        scale, units = source.steps, source.units
        for letter in "TZYX":
            row = [self._grid.itemAtPosition("TZYX".index(letter), i) for i in range(3)]
            for item in row:
                item.widget().setVisible(letter in scale)
            if letter in scale:
                self._fill(letter, scale[letter], units[letter])

    def write(self, source: Source, viewer: Viewer) -> bool:
        """Put what is shown into the layer; False if napari could not show that."""
        scale, units = list(source.layer.scale), [str(unit) for unit in source.layer.units]
        for position, letter in enumerate(source.letters):
            if letter in self.numbers:
                if self.numbers[letter].value() != self._shown[letter]:  # that is rounded
                    scale[position] = self.numbers[letter].value()
                units[position] = str(self.unit[letter].currentData())
        return calibrate(viewer, source.layer, scale, units)

    def _add_row(self, row: int, letter: str) -> None:
        number = QDoubleSpinBox()
        number.setDecimals(6)
        number.setRange(_LEAST, _MOST)
        number.setKeyboardTracking(False)
        number.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        unit = QComboBox()
        for name in _TIMES if letter == "T" else _LENGTHS:
            unit.addItem(short_unit(name), name)
        number.valueChanged.connect(self._tell)
        unit.currentIndexChanged.connect(lambda index, at=letter: self._share_unit(at, index))
        self._grid.addWidget(quiet_label(letter, role="caption"), row, 0)
        self._grid.addWidget(number, row, 1)
        self._grid.addWidget(unit, row, 2)
        self.numbers[letter], self.unit[letter] = number, unit

    def _fill(self, letter: str, value: float, unit: str) -> None:
        number, units = self.numbers[letter], self.unit[letter]
        with QSignalBlocker(number), QSignalBlocker(units):
            number.setValue(value)
            self._shown[letter] = number.value()
            if units.findData(unit) < 0:
                units.addItem(short_unit(unit), unit)
            units.setCurrentIndex(units.findData(unit))

    def _share_unit(self, letter: str, index: int) -> None:
        """Lengths share one unit; time has its own."""
        for other in "ZYX" if letter != "T" else "":
            with QSignalBlocker(self.unit[other]):
                self.unit[other].setCurrentIndex(index)
        self._tell()

    def _tell(self) -> None:
        self.changed.emit()


def calibrate(viewer: Viewer, layer: Layer, scale: Sequence[float], units: Sequence[str]) -> bool:
    """Give a layer another scale and units; False, and nothing done, if napari cannot show it."""
    if _too_many_steps(viewer, layer, scale):
        return False
    layer.units = tuple(units)
    layer.scale = tuple(scale)
    return True


def _too_many_steps(viewer: Viewer, layer: Layer, scale: Sequence[float]) -> bool:
    """Tell whether a layer of that scale has finer steps than napari's sliders can count.

    A slider goes through the extent of all layers in the smallest step of any.
    """
    extent = layer.extent.world * (np.asarray(scale) / np.asarray(layer.scale))
    ends, steps = [extent], [np.abs(np.asarray(scale, float))]
    for other in viewer.layers:
        if other is not layer:
            ends.append(other.extent.world)
            steps.append(np.abs(other.scale))
    for axis in range(1, layer.ndim + 1):
        reach = np.concatenate([one[:, -axis] for one in ends if one.shape[1] >= axis])
        step = min(one[-axis] for one in steps if len(one) >= axis)
        if np.ptp(reach) / step > _MOST_STEPS:
            return True
    return False


def short_unit(unit: str) -> str:
    """Return the sign of a unit: µm for micrometer."""
    return "px" if unit == UNKNOWN_UNIT else unit_symbol(unit)


def scale_in_words(source: Source) -> str:
    """Return the size of a pixel: "Z 0.9 µm · YX 0.3 µm"."""
    units = source.units
    parts = {letter: _readable(step, units[letter]) for letter, step in source.steps.items()}
    if not source.scale:
        return "not calibrated"
    if parts["Y"] == parts["X"]:
        both = parts.pop("Y")
        parts.pop("X")
        parts["YX"] = both
    return " · ".join(f"{letter} {text}" for letter, text in parts.items())


def _readable(step: float, unit: str) -> str:
    """Return a number with its unit, in nanometres where micrometres would be tiny."""
    if step < _TINY and (change := factor(unit, "nanometer")) is not None and unit != "nanometer":
        step, unit = step * change, "nanometer"
    return f"{step:.4g} {short_unit(unit)}"
