"""Section 3: which network, how strong the leak, segment the view or the stack, what to show."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QGridLayout, QSizePolicy
from superqt import QLabeledDoubleSlider

from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.core.region import Region
from napari_infoleak.io.weights import read_header
from napari_infoleak.segmenters.registry import METHODS, ModelInfo, models
from napari_infoleak.widgets import steps
from napari_infoleak.widgets.keys import KEYS, bind, give_back
from napari_infoleak.widgets.layers import not_on_screen, visible_region
from napari_infoleak.widgets.section import (
    ActionButton,
    Section,
    flat_button,
    quiet_label,
    say,
    side_by_side,
)
from napari_infoleak.widgets.state import OVERLAYS
from napari_infoleak.widgets.tooltips import TIPS
from napari_infoleak.widgets.why_here import WhyHere

if TYPE_CHECKING:
    from napari import Viewer

    from napari_infoleak.widgets.explaining import Explaining
    from napari_infoleak.widgets.segmenting import Segmenting
    from napari_infoleak.widgets.state import DockState

_WORDS = {
    "labels": "Labels",
    "membrane": "Membrane probability",
    "uncertainty": "Uncertainty",
    "cells": "Cells",
}


class SegmentPanel(Section):
    """Asks for answers, and chooses which of them are on screen.

    Parameters
    ----------
    state : DockState
        Holds model, leak and overlays.
    viewer : napari Viewer
        Says what is on screen.
    segmenting : Segmenting
        Does it.
    explaining : Explaining
        Says why, and where to paint next.
    """

    def __init__(
        self, state: DockState, viewer: Viewer, segmenting: Segmenting, explaining: Explaining
    ) -> None:
        super().__init__(3, "Segment")
        self._state, self._viewer, self._segmenting = state, viewer, segmenting
        self.model = QComboBox()
        self.model.setToolTip(TIPS["segment.model"])
        self.model.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.browse = flat_button("File…", "segment.browse")
        self.view = ActionButton("Segment view", "segment.view")
        self.stack = ActionButton("Segment stack", "segment.stack")
        self.leak = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.leak.setRange(0, 1)
        self.leak.setSingleStep(0.05)
        self.leak.setDecimals(2)
        self.leak.setValue(state.leak)
        self.leak.setToolTip(TIPS["segment.leak"])
        self.live = QCheckBox("Live")
        self.live.setToolTip(TIPS["segment.live"])
        self.live_stack = QCheckBox("and the stack")
        self.live_stack.setToolTip(TIPS["segment.live_stack"])
        self.looks = QCheckBox("Show each look")
        self.looks.setToolTip(TIPS["segment.looks"])
        self.live_said = quiet_label()
        self.reason = quiet_label()
        self.next = ActionButton("Next doubtful", "segment.next")
        self.why = WhyHere(state, viewer, explaining)
        self.overlays = {name: QCheckBox(_WORDS[name]) for name in OVERLAYS}
        self._explaining = explaining
        self._lay_out()
        self._fill_models()
        self._connect()
        self.live_stack.setEnabled(False)
        self._offer_looks()
        self.refresh()

    def segment_view(self, viewer: Any = None) -> None:
        """Ask about the visible field of the slice on screen."""
        source = self._state.source
        if source is not None and self.view.isEnabled():
            self._segmenting.start(visible_region(self._viewer, source), "Segmenting the view")

    def segment_stack(self, viewer: Any = None) -> None:
        """Ask about the whole image."""
        source = self._state.source
        if source is not None and self.stack.isEnabled():
            what = steps.stack_label(self._state).lower().replace("segment", "Segmenting the", 1)
            whole = Region.whole(source.image.label_shape)
            self._segmenting.start(whole, what.replace("the all", "all"))

    def next_place(self, viewer: Any = None) -> None:
        """Go to the next doubtful place."""
        if self.next.isEnabled():
            self._explaining.next_place()

    def use_model(self, model: str) -> None:
        """Use a model by name or path, listed from now on."""
        index = self.model.findData(model)
        if index < 0:
            self.model.addItem(Path(model).stem, model)
            index = self.model.count() - 1
        self.model.setCurrentIndex(index)

    def refresh(self, event: Any = None) -> None:
        """Say what can be done, and mark what should be."""
        state = self._state
        why_not = steps.why_not_segment(state)
        off_screen = ""
        if state.source is not None and not why_not:
            off_screen = not_on_screen(self._viewer, state.source)
        self.view.set_reason(why_not or off_screen)
        self.stack.set_reason(why_not)
        self.stack.setText(steps.stack_label(state))
        self.next.set_reason(steps.why_not_doubtful(state))
        self.why.toggle.set_reason("" if state.busy else steps.why_not_explain(state))
        quiet = state.busy or state.source is None  # said in section 1 or at the foot already
        words = why_not or off_screen or steps.stale_labels(state) or steps.hint(state)
        say(self.reason, "" if quiet else words)
        following = steps.next_step(state)
        self.view.set_primary(following == "view")
        self.stack.set_primary(following == "stack")

    def disconnect_viewer(self) -> None:
        """Stop following the viewer."""
        self.why.stop()
        for command, (_, action) in self._keyed().items():
            give_back(self._viewer, KEYS[command], action)
        for event in (self._viewer.dims.events.ndisplay, self._viewer.dims.events.order):
            event.disconnect(self.refresh)

    def _lay_out(self) -> None:
        self.add_row("Model", side_by_side(self.model, self.browse))
        self.add_row("Leak", self.leak)
        self.add_row("", self.looks)
        self.add_row("", side_by_side(self.view, self.stack, stretch=-1))
        self._live_row = self.add_row("", side_by_side(self.live, self.live_stack, stretch=None))
        self.add_row("", self.live_said)
        self.add_row("", self.reason)
        grid = QGridLayout()
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for index, (name, box) in enumerate(self.overlays.items()):
            box.setToolTip(TIPS[f"overlay.{name}"])
            box.setChecked(name in self._state.overlays)
            grid.addWidget(box, index // 2, index % 2)
        self.add_row("", grid)
        self.add_row("", side_by_side(self.next, self.why.toggle, stretch=-1))
        self.add_row("", self.why)

    def _connect(self) -> None:
        self.view.clicked.connect(self.segment_view)
        self.stack.clicked.connect(self.segment_stack)
        self.live.toggled.connect(self._switch_live)
        self._state.events.live.connect(lambda on: self.live.setChecked(on))
        self.live_stack.toggled.connect(self._switch_live_stack)
        self.next.clicked.connect(self.next_place)
        for command, (button, action) in self._keyed().items():
            button.set_key(KEYS[command], bind(self._viewer, KEYS[command], action))
        self.looks.toggled.connect(self._switch_looks)
        self.browse.clicked.connect(self._ask_model)
        self.model.currentIndexChanged.connect(self._model_chosen)
        self.leak.valueChanged.connect(self._leak_chosen)
        for name, box in self.overlays.items():
            box.toggled.connect(partial(self._show_overlay, name))
        events = self._state.events
        for signal in (events.source, events.refusal, events.count, events.supports):
            signal.connect(self.refresh)
        for signal in (events.busy, events.answer, events.cells, events.annotation):
            signal.connect(self.refresh)
        for signal in (events.needs_support, events.leak, events.channel, events.model):
            signal.connect(self.refresh)
        events.live.connect(self.refresh)
        events.overlays.connect(self._tick)
        for event in (self._viewer.dims.events.ndisplay, self._viewer.dims.events.order):
            event.connect(self.refresh)

    def _keyed(self) -> dict[str, tuple[ActionButton, Any]]:
        """Return buttons that have a key, and what they do, by the name of the command."""
        return {
            "segment_view": (self.view, self.segment_view),
            "segment_stack": (self.stack, self.segment_stack),
            "next_place": (self.next, self.next_place),
        }

    def _fill_models(self) -> None:
        with QSignalBlocker(self.model):
            for info in models():
                self.model.addItem(info.name, info.name)
                tip = f"{info.description} ({info.size_bytes / 1e6:.1f} MB)"
                self.model.setItemData(self.model.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
            if self.model.findData(self._state.model) < 0:
                self.model.addItem(self._state.model, self._state.model)
            self.model.setCurrentIndex(self.model.findData(self._state.model))

    def _ask_model(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Model file", "", "Models (*.safetensors)")
        if path:
            self.use_model(path)

    def _model_chosen(self, index: int) -> None:
        name = str(self.model.currentData())
        self._state.model = name
        self._state.needs_support = _needs_support(models(), name)
        self.set_summary(Path(name).stem)
        self._offer_looks()

    def _offer_looks(self) -> None:
        """Offer the looks of a model that looks several times."""
        self.looks.setVisible(_looks_again(self._state.model))
        self._switch_looks(self.looks.isChecked())

    def _switch_looks(self, on: bool) -> None:
        self._state.looks = on and not self.looks.isHidden()

    def _switch_live(self, on: bool) -> None:
        self.live_stack.setEnabled(on)
        self._state.live = on

    def _switch_live_stack(self, on: bool) -> None:
        self._state.live_stack = on

    def show_live(self, text: str) -> None:
        """Say what Live is doing."""
        say(self.live_said, text)

    def _leak_chosen(self, value: float) -> None:
        self._state.leak = round(float(value), 2)

    def _show_overlay(self, name: str, shown: bool) -> None:
        kept = self._state.overlays - {name}
        self._state.overlays = kept | {name} if shown else kept

    def _tick(self, overlays: frozenset[str]) -> None:
        for name, box in self.overlays.items():
            with QSignalBlocker(box):
                box.setChecked(name in overlays)


def _needs_support(known: list[ModelInfo], name: str) -> bool:
    """Tell whether a listed model has no answer of its own; a file's is told by its answer."""
    methods = [METHODS.get(info.method) for info in known if info.name == name]
    return any(method.needs_support for method in methods if method is not None)


def _looks_again(model: str) -> bool:
    """Tell whether a model looks several times before it answers."""
    named = [info.method for info in models() if info.name == model]
    if not named and Path(model).suffix:
        with contextlib.suppress(InfoleakError):
            named = [str(read_header(model).get("method"))]
    return any(METHODS[name].rounds for name in named if name in METHODS)
