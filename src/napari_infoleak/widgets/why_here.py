"""Why here: click a pixel, see the paint that leaked into its answer, and go there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_infoleak.widgets.explaining import WHY
from napari_infoleak.widgets.layers import go_to, not_on_screen, pixel_at
from napari_infoleak.widgets.markers import Marker, clear_markers, show_markers
from napari_infoleak.widgets.section import ActionButton, flat_button, quiet_label, say
from napari_infoleak.widgets.tooltips import TIPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari import Viewer
    from napari.layers import Layer

    from napari_infoleak.explain.reasons import LeakedPatch, Why
    from napari_infoleak.widgets.explaining import Explaining
    from napari_infoleak.widgets.markers import Place
    from napari_infoleak.widgets.state import DockState, SupportPair

_ASKED = "#ffffff"
_ELSEWHERE = "why there"  # the marker on another image
_HINT = "Click a pixel of the image."
_BAR = 52
_STILL = 4  # points of the screen that a click may move
_PAINTING = ("paint", "erase", "fill", "polygon")


class WhyHere(QWidget):
    """A button that turns clicks into questions, and the list of what leaked.

    Parameters
    ----------
    state : DockState
        Says what the images and classes are.
    viewer : napari Viewer
        Is clicked in.
    explaining : Explaining
        Asks.
    """

    def __init__(self, state: DockState, viewer: Viewer, explaining: Explaining) -> None:
        super().__init__()
        self._state, self._viewer, self._explaining = state, viewer, explaining
        self._place: Place | None = None
        self._brush: tuple[Layer, str] | None = None
        self.toggle = ActionButton("Why here?", "segment.why")
        self.toggle.setCheckable(True)
        self.answer = quiet_label()
        self.back = flat_button("← Back to the pixel", "segment.why_back")
        self.rows: list[LeakRow] = []
        self._hidden: list[Layer] = []
        self._list = QVBoxLayout()
        self._list.setSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.answer)
        layout.addLayout(self._list)
        layout.addWidget(self.back)
        self.back.setVisible(False)
        self.back.clicked.connect(self._go_back)
        self.setVisible(False)
        self.toggle.toggled.connect(self._toggled)
        explaining.explained.connect(self._show)
        state.events.source.connect(self.stop)

    def stop(self, value: Any = None) -> None:
        """Let clicks be clicks again."""
        self.toggle.setChecked(False)

    def _toggled(self, on: bool) -> None:
        callbacks = self._viewer.mouse_drag_callbacks
        if on:
            callbacks.append(self._clicked)
            self._put_brush_down()
        elif self._clicked in callbacks:
            callbacks.remove(self._clicked)
            self._take_brush_up()
        self._place = None
        self._clear()
        say(self.answer, _HINT if on else "")
        self.setVisible(on)

    def _put_brush_down(self) -> None:
        """A click is a question now, and must not paint."""
        layer = self._viewer.layers.selection.active
        mode = str(getattr(layer, "mode", ""))
        if layer is not None and mode in _PAINTING:
            self._brush = (layer, mode)
            layer.mode = "pan_zoom"

    def _take_brush_up(self) -> None:
        layer, mode = self._brush or (None, "")
        self._brush = None
        if layer is not None and layer in self._viewer.layers and str(layer.mode) == "pan_zoom":
            layer.mode = mode

    def _clicked(self, viewer: Viewer, event: Any) -> Iterator[None]:
        """Ask about the pixel, unless the mouse was moved to pan."""
        pressed = np.asarray(event.pos, float)
        yield
        while event.type == "mouse_move":
            yield
        if np.abs(np.asarray(event.pos, float) - pressed).max() > _STILL:
            return
        source = self._state.source
        if source is None:
            return
        why_not = not_on_screen(viewer, source)
        place = pixel_at(viewer, source, event.position)
        if why_not or place is None:
            say(self.answer, why_not or "That is beside the image.")
            return
        self.ask(place)

    def ask(self, place: Place) -> None:
        """Ask about a pixel."""
        self._place = place
        self._explaining.ask_why(place)

    def _show(self, why: Why) -> None:
        """List what leaked, strongest first."""
        self._clear()
        source = self._state.source
        if source is None or self._place is None:
            return
        classes = self._state.classes.with_ids(why.class_ids)
        say(self.answer, _in_words(why, {number: classes[number].name for number in why.class_ids}))
        markers = [Marker(self._place, _ASKED, "cross")]
        for patch in why.patches:
            entry = classes[patch.class_id]
            row = LeakRow(patch, entry.name, entry.colour, self._where(patch))
            row.clicked.connect(self._go_to)
            self.rows.append(row)
            self._list.addWidget(row)
            if patch.source == "0":
                markers.append(Marker(_at(patch), entry.colour))
        show_markers(self._viewer, source, WHY, markers)

    def _where(self, patch: LeakedPatch) -> str:
        """Say where a patch lies, shortly: a click leads there."""
        pair = self._pair(patch)
        source = self._state.source if pair is None else pair.source
        if source is None:
            return ""
        sizes = source.sizes
        parts = [] if pair is None else [source.name]
        parts += [f"t {patch.t}"] if sizes.get("T", 1) > 1 else []
        parts += [f"slice {patch.z}"] if sizes.get("Z", 1) > 1 else []
        return ", ".join(parts) or f"y {patch.y}, x {patch.x}"

    def _pair(self, patch: LeakedPatch) -> SupportPair | None:
        number = int(patch.source)
        return self._state.supports[number - 1] if 0 < number <= len(self._state.supports) else None

    def _go_to(self, patch: LeakedPatch) -> None:
        """Show the paint itself; while that is on another image, this one steps aside."""
        pair = self._pair(patch)
        source = self._state.source if pair is None else pair.source
        if source is None or source.layer not in self._viewer.layers:
            return
        self._show_all_again()
        if pair is not None:
            self._show_only(pair)
            show_markers(self._viewer, source, _ELSEWHERE, [Marker(_at(patch), _ASKED)])
        go_to(self._viewer, source, _at(patch))

    def _go_back(self) -> None:
        """Return to the pixel that was asked about."""
        self._show_all_again()
        if self._state.source is not None and self._place is not None:
            go_to(self._viewer, self._state.source, self._place)

    def _show_only(self, pair: SupportPair) -> None:
        self._hidden = [layer for layer in self._viewer.layers if layer.visible]
        for layer in self._hidden:
            layer.visible = False
        pair.source.layer.visible = pair.annotation.visible = True
        self.back.setVisible(True)

    def _show_all_again(self) -> None:
        if self.back.isHidden():
            return
        clear_markers(self._viewer, _ELSEWHERE)
        for layer in self._viewer.layers:
            layer.visible = layer in self._hidden
        self._hidden = []
        self.back.setVisible(False)

    def _clear(self) -> None:
        self._show_all_again()
        for row in self.rows:
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = []
        clear_markers(self._viewer, WHY)


class LeakRow(QFrame):
    """A place that leaked: its class, how much of the whole it is, and where it lies.

    Parameters
    ----------
    patch : LeakedPatch
    name, colour : str
        Of its class.
    where : str
        Its place in words.
    """

    clicked = Signal(object)

    def __init__(self, patch: LeakedPatch, name: str, colour: str, where: str) -> None:
        super().__init__()
        self._patch = patch
        share = round(100 * patch.weight)
        swatch = QLabel()
        swatch.setFixedSize(10, 10)
        swatch.setStyleSheet(f"background: {colour}; border-radius: 3px;")
        self.text = QElidingLabel(f"{name} · {where}")
        self.weight = QLabel(f"{share} %")
        self.weight.setProperty("role", "dim")
        bar = QProgressBar()
        bar.setTextVisible(False)
        bar.setRange(0, 100)
        bar.setValue(share)
        bar.setFixedWidth(_BAR)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 3, 6, 3)
        layout.setSpacing(8)
        layout.addWidget(swatch)
        layout.addWidget(self.text, 1)
        layout.addWidget(bar)
        layout.addWidget(self.weight)
        place = f"{name} · {where}\ny {patch.y}, x {patch.x}; it looks {patch.likeness:.0%} alike."
        self.setToolTip("\n".join([place, TIPS["segment.why_row"]]))
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def mouseReleaseEvent(self, event: Any) -> None:
        """Ask to be taken there."""
        self.clicked.emit(self._patch)


def _in_words(why: Why, names: dict[int, str]) -> str:
    """Say the answer, and what it would be without paint."""
    best = max(range(len(why.class_ids)), key=lambda k: why.probabilities[k])
    name = names[why.class_ids[best]]
    answer = f"{name} {_percent(why.probabilities[best])}"
    alone = f"{_percent(why.alone[best])} without your paint"
    if not why.patches:
        return f"{answer}; {alone}. No paint looks like this place."
    return f"{answer}; {alone}. What leaked in says {name} to {_percent(why.read[best])}:"


def _percent(share: float) -> str:
    return f"{round(100 * share)} %"


def _at(patch: LeakedPatch) -> Place:
    return patch.t, patch.z, patch.y, patch.x
