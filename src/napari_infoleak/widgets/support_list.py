"""Other annotated images, whose paint leaks into the answers too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_infoleak.core.errors import BadInput
from napari_infoleak.widgets.annotation import COUNT_AFTER_MS
from napari_infoleak.widgets.layer_choice import LayerChoice
from napari_infoleak.widgets.layers import fits, identity, note, source_of
from napari_infoleak.widgets.paint_check import hurts
from napari_infoleak.widgets.section import ActionButton, captioned, flat_button, quiet_label, say
from napari_infoleak.widgets.state import SupportPair, others
from napari_infoleak.widgets.tooltips import TIPS

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels, Layer

    from napari_infoleak.widgets.state import DockState


class SupportList(QWidget):
    """Pairs of image and annotation, with a form to add one and a button that opens it.

    Parameters
    ----------
    state : DockState
        Holds the pairs.
    viewer : napari Viewer
        Where the layers are.
    """

    def __init__(self, state: DockState, viewer: Viewer) -> None:
        super().__init__()
        self._state, self._viewer = state, viewer
        self.open_form = flat_button("+ Other annotated image", "support.add")
        self.open_form.setCheckable(True)
        self.image = LayerChoice(viewer, self._is_other_image, "image")
        self.labels = LayerChoice(viewer, self._is_annotation, "its annotation")
        self.image.setToolTip(TIPS["support.image"])
        self.labels.setToolTip(TIPS["support.labels"])
        self.confirm = ActionButton("Use it", "support.confirm")
        self.trouble = quiet_label(role="warn")
        self.form = self._make_form()
        self._followed: tuple[Labels, ...] = ()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(COUNT_AFTER_MS)
        self._later.timeout.connect(self.count_now)
        self.pairs = QVBoxLayout()
        self.pairs.setSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self.pairs)
        layout.addWidget(self.form)
        layout.addWidget(self.trouble)
        self._connect()
        self._show_form(False)

    def add_pair(self) -> None:
        """Use the chosen pair."""
        image, labels = self.image.layer, self.labels.layer
        if image is None or labels is None:
            return
        try:
            added = SupportPair(source_of(image), labels)
        except BadInput as error:
            say(self.trouble, str(error))
            return
        kept = tuple(pair for pair in self._state.supports if pair.annotation is not labels)
        self._state.supports = (*kept, added)
        self.open_form.setChecked(False)

    def remove_pair(self, pair: SupportPair) -> None:
        """Do not use a pair any more."""
        self._state.supports = tuple(each for each in self._state.supports if each is not pair)

    def count_now(self) -> None:
        """Look whether other images are painted otherwise than they were."""
        pairs = tuple(_counted(pair) for pair in self._state.supports)
        if others(pairs) != others(self._state.supports):
            self._state.supports = pairs

    def disconnect_viewer(self) -> None:
        """Stop following the viewer."""
        self._later.stop()
        self._follow(())
        self.image.disconnect_viewer()
        self.labels.disconnect_viewer()
        self._viewer.layers.events.removed.disconnect(self._layer_removed)

    def _make_form(self) -> QWidget:
        form = QWidget()
        rows = QVBoxLayout(form)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        rows.addWidget(captioned("Image", self.image))
        rows.addWidget(captioned("Paint", self.labels))
        rows.addWidget(self.confirm)
        return form

    def _connect(self) -> None:
        self.open_form.toggled.connect(self._show_form)
        self.confirm.clicked.connect(self.add_pair)
        self.image.chosen.connect(self._image_chosen)
        self.labels.chosen.connect(self._check)
        self._state.events.supports.connect(self._show_pairs)
        self._state.events.supports.connect(self._follow)
        self._state.events.review.connect(lambda review: self._show_pairs(self._state.supports))
        self._state.events.source.connect(self._source_changed)
        self._viewer.layers.events.removed.connect(self._layer_removed)

    def _show_form(self, shown: bool) -> None:
        self.form.setVisible(shown)
        self.setVisible(shown or bool(self._state.supports))
        self._check()

    def _is_other_image(self, layer: Layer) -> bool:
        from napari.layers import Image

        own = self._state.source is not None and layer is self._state.source.layer
        return isinstance(layer, Image) and "kind" not in note(layer) and not own

    def _is_annotation(self, layer: Layer) -> bool:
        from napari.layers import Labels

        image = self.image.layer
        if image is None or not isinstance(layer, Labels):
            return False
        notes = note(layer)
        foreign = notes.get("image", identity(image)) != identity(image)
        if foreign or notes.get("kind", "annotation") != "annotation":
            return False
        try:
            return fits(layer, source_of(image))
        except BadInput:
            return False

    def _image_chosen(self, layer: Layer | None) -> None:
        self.labels.refresh()
        self._check()

    def _source_changed(self, source: Any) -> None:
        self.image.refresh()
        self._check()

    def _check(self, layer: Any = None) -> None:
        if self.image.layer is None:
            reason = "Open another image first."
        elif self.labels.layer is None:
            reason = f"No labels layer has the shape of “{self.image.layer.name}”."
        else:
            reason = ""
        self.confirm.set_reason(reason)
        say(self.trouble, reason if self.open_form.isChecked() else "")

    def _layer_removed(self, event: Any) -> None:
        gone = event.value
        self._state.supports = tuple(
            pair
            for pair in self._state.supports
            if gone is not pair.annotation and gone is not pair.source.layer
        )

    def _follow(self, pairs: tuple[SupportPair, ...]) -> None:
        """Listen to the paint of the pairs, and no more to that of those before."""
        for layer in self._followed:
            for event in (layer.events.paint, layer.events.set_data):
                event.disconnect(self._count_soon)
        self._followed = tuple(pair.annotation for pair in pairs)
        for layer in self._followed:
            for event in (layer.events.paint, layer.events.set_data):
                event.connect(self._count_soon)

    def _count_soon(self, event: Any = None) -> None:
        if not self._later.isActive():
            self._later.start()

    def _show_pairs(self, pairs: tuple[SupportPair, ...]) -> None:
        while self.pairs.count():
            item = self.pairs.takeAt(0)
            item.widget().hide()
            item.widget().deleteLater()
        for number, pair in enumerate(pairs, 1):
            self.pairs.addWidget(self._pair_row(pair, hurts(self._state.review, number)))
        self.setVisible(bool(pairs) or self.open_form.isChecked())

    def _pair_row(self, pair: SupportPair, warning: str) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(6, 0, 0, 0)
        sign = "⚠ " if warning else ""
        text = QElidingLabel(f"{sign}{pair.source.name} with {pair.annotation.name}")
        text.setProperty("role", "warn" if warning else "")
        text.setToolTip(warning)
        remove = flat_button("✕", "support.remove")
        remove.clicked.connect(lambda: self.remove_pair(pair))
        layout.addWidget(text, 1)
        layout.addWidget(remove)
        return row


def _counted(pair: SupportPair) -> SupportPair:
    """Return a pair as it is painted now; one that is no annotation any more is refused later."""
    try:
        return pair.counted()
    except (BadInput, IndexError, ValueError):
        return pair
