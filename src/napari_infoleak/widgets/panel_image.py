"""Section 1: which image, what its axes are, which channel, how large a pixel is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_infoleak.core.errors import BadInput
from napari_infoleak.widgets.file_calibration import told_by_file
from napari_infoleak.widgets.layer_choice import LayerChoice
from napari_infoleak.widgets.layers import (
    Source,
    guess_letters,
    note,
    refusal,
    remember_letters,
    source_of,
    swap_letter,
    write_note,
)
from napari_infoleak.widgets.scale_editor import ScaleEditor, scale_in_words
from napari_infoleak.widgets.section import (
    Section,
    WrappedLabel,
    flat_button,
    quiet_label,
    say,
    side_by_side,
)
from napari_infoleak.widgets.steps import NO_IMAGE
from napari_infoleak.widgets.tooltips import TIPS

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

    from napari_infoleak.widgets.results import Results
    from napari_infoleak.widgets.state import DockState

_AXES = "TCZYX"
_TOO_FINE = (
    "beside the other layers, napari cannot show pixels of that size: remove those layers, or give "
    "them their size first"
)


class ImagePanel(Section):
    """Chooses the image and says what its dimensions mean.

    Parameters
    ----------
    state : DockState
        Gets the source, or the reason why there is none.
    viewer : napari Viewer
        Where the layers are.
    results : Results
        The layers that follow the image.
    """

    rescaled = Signal()  # the size or the place of a pixel has changed

    def __init__(self, state: DockState, viewer: Viewer, results: Results) -> None:
        super().__init__(1, "Image")
        self._state = state
        self._viewer = viewer
        self._results = results
        self._layer: Layer | None = None
        self.layer = LayerChoice(viewer, _is_image, "no image yet")
        self.layer.setToolTip(TIPS["image.layer"])
        self.axes = AxesRow()
        self.channel = QComboBox()
        self.channel.setToolTip(TIPS["image.channel"])
        self.scale = WrappedLabel()
        self.scale.setToolTip(TIPS["image.scale"])
        self.edit = flat_button("Edit", "image.edit_scale")
        self.edit.setCheckable(True)
        self.adopt = flat_button("Take the file's axes and size", "image.adopt_scale")
        self.editor = ScaleEditor()
        self.trouble = quiet_label(role="warn")
        self.empty = quiet_label()
        self._lay_out()
        self.layer.chosen.connect(self.read_layer)
        self.axes.changed = self.use_letters
        self.channel.currentIndexChanged.connect(self._use_channel)
        self.edit.toggled.connect(self._show_editor)
        self.adopt.clicked.connect(self._adopt)
        self.editor.changed.connect(self._mend_scale)
        self.read_layer(self.layer.layer)

    def read_layer(self, layer: Layer | None) -> None:
        """Look at another layer."""
        self._listen_to(layer)
        if layer is None:
            self._take(None, "")
            return
        reason = refusal(layer)
        if reason:
            self._take(None, reason)
            return
        try:
            letters = guess_letters(layer)
        except BadInput as error:
            self._take(None, str(error))
            return
        self.use_letters(letters)

    def use_letters(self, letters: str) -> None:
        """Give the dimensions of the layer these letters, and remember them with it."""
        layer = self._layer
        if layer is None:
            return
        shape = layer.data.shape if not layer.multiscale else layer.data[0].shape
        self.axes.show_axes(letters, tuple(int(n) for n in shape[: layer.ndim]))
        try:
            source = source_of(layer, letters)
        except BadInput as error:
            self._take(None, str(error), keep_axes=True)
            return
        remember_letters(source)
        self._take(source, "", keep_axes=True)

    def use_channel(self, channel: int | None) -> None:
        """Choose a channel, from 0; None is the first, or the mean of the colours."""
        source = self._state.source
        if source is not None and self.channel.count() > 1:
            self.channel.setCurrentIndex(_row_of(source, channel))

    def disconnect_viewer(self) -> None:
        """Stop following the viewer."""
        self.layer.disconnect_viewer()
        self._listen_to(None)

    def _take(self, source: Source | None, trouble: str, *, keep_axes: bool = False) -> None:
        """Show an image, or why there is none, and tell the others."""
        say(self.trouble, trouble)
        say(self.empty, "" if self._layer is not None else NO_IMAGE)
        if not keep_axes:
            self.axes.show_axes("", ())
        for row in (self._axes_row, self._scale_row):
            row.setVisible(self._layer is not None and bool(self.axes.letters))
        channel = _kept_channel(source)
        self._fill_channels(source, channel)
        self._show_scale(source)
        self.set_summary("" if source is None else shape_in_words(source))
        self._state.refusal = trouble
        self._state.source = source
        self._state.channel = channel  # of this image: whoever leaves the last one has done so

    def _lay_out(self) -> None:
        self.add_row("Layer", self.layer)
        self._axes_row = self.add_row("Axes", self.axes)
        self._channel_row = self.add_row("Channel", self.channel)
        self._scale_row = self.add_row("Pixel", side_by_side(self.scale, self.edit))
        self.add_row("", side_by_side(self.adopt, stretch=None))
        self.add_row("", self.editor)
        self.add_row("", self.trouble)
        self.add_row("", self.empty)
        self.editor.hide()

    def _listen_to(self, layer: Layer | None) -> None:
        """Follow the layer's own changes instead of those of the last one."""
        for old, connect in ((self._layer, False), (layer, True)):
            if old is None:
                continue
            for event, react in (
                (old.events.data, self._reread),
                (old.events.scale, self._rescale),
                (old.events.translate, self._rescale),
                (old.events.units, self._rescale),
            ):
                if connect:
                    event.connect(react)
                else:
                    event.disconnect(react)
        self._layer = layer

    def _reread(self, event: Any = None) -> None:
        self.read_layer(self._layer)

    def _rescale(self, event: Any = None) -> None:
        source = self._state.source
        self._show_scale(source)
        if source is not None:
            self._results.follow(source)
            self.rescaled.emit()

    def _fill_channels(self, source: Source | None, channel: int | None) -> None:
        names = [] if source is None else channel_names(source)
        with QSignalBlocker(self.channel):
            self.channel.clear()
            self.channel.addItems(names)
            if source is not None:
                self.channel.setCurrentIndex(_row_of(source, channel))
        self._channel_row.setVisible(len(names) > 1)

    def _use_channel(self, index: int) -> None:
        source = self._state.source
        if source is not None:
            channel = index if not source.rgb else index - 1 if index else None
            write_note(source.layer, channel=channel)
            self._state.channel = channel

    def _show_scale(self, source: Source | None) -> None:
        self.scale.setText("" if source is None else _unbroken(scale_in_words(source)))
        told = None if source is None or source.scale else told_by_file(source)
        self.adopt.setVisible(told is not None)
        if source is not None:
            self.editor.read(source)

    def _show_editor(self, shown: bool) -> None:
        self.editor.setVisible(shown)

    def _adopt(self) -> None:
        """Take axes and pixel size from the file that the layer came from."""
        told = None if self._state.source is None else told_by_file(self._state.source)
        if told is None:
            return
        self.use_letters(told.letters)
        source = self._state.source
        if source is None:
            return
        if not told.put_into(source, self._viewer):
            say(self.trouble, _TOO_FINE)
        else:
            self._viewer.reset_view()  # the picture would be a dot, or too large

    def _mend_scale(self) -> None:
        source = self._state.source
        if source is not None:
            say(self.trouble, "" if self.editor.write(source, self._viewer) else _TOO_FINE)
            self._show_scale(source)


class AxesRow(QWidget):
    """One letter a dimension, with its length below; a letter that is taken is swapped."""

    def __init__(self) -> None:
        super().__init__()
        self.letters = ""
        self.boxes: list[QComboBox] = []
        self.changed: Any = lambda letters: None
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(3)

    def show_axes(self, letters: str, shape: tuple[int, ...]) -> None:
        """Show letters above lengths."""
        self.letters = letters
        self._clear()
        for position, (letter, size) in enumerate(zip(letters, shape, strict=False)):
            self._layout.addLayout(self._cell(position, letter, size))
        self._layout.addStretch(1)

    def _cell(self, position: int, letter: str, size: int) -> QVBoxLayout:
        box = QComboBox()
        box.addItems(list(_AXES))
        box.setCurrentText(letter)
        box.setProperty("axis", True)
        box.setToolTip(TIPS["image.axes"])
        box.setFixedWidth(38)
        box.currentTextChanged.connect(lambda text, at=position: self._swap(at, text))
        self.boxes.append(box)
        length = QLabel(str(size))
        length.setProperty("role", "small")
        length.setAlignment(Qt.AlignmentFlag.AlignCenter)
        cell = QVBoxLayout()
        cell.setSpacing(1)
        cell.addWidget(box)
        cell.addWidget(length)
        return cell

    def _swap(self, position: int, letter: str) -> None:
        self.changed(swap_letter(self.letters, position, letter))

    def _clear(self) -> None:
        self.boxes.clear()
        while self._layout.count():
            _remove(self._layout.takeAt(0))


def shape_in_words(source: Source) -> str:
    """Return lengths with letters: "Z 12 · Y 256 · X 256"."""
    sizes = source.sizes
    return " · ".join(f"{letter} {sizes[letter]}" for letter in source.axes)


def channel_names(source: Source) -> list[str]:
    """Return the channels there are to choose from."""
    if source.rgb:
        return ["Brightness (all colours)", "Red", "Green", "Blue"]
    return [f"Channel {index + 1} of {source.channels}" for index in range(source.channels)]


def _row_of(source: Source, channel: int | None) -> int:
    """Return where a channel stands among those there are to choose from."""
    if channel is None:
        return 0
    return channel + 1 if source.rgb else channel


def _kept_channel(source: Source | None) -> int | None:
    """Return the channel that was chosen of an image before, if it still has that."""
    channel = None if source is None else note(source.layer).get("channel")
    if source is None or not isinstance(channel, int) or source.channels == 1:
        return None
    return channel if 0 <= channel < source.channels else None


def _is_image(layer: Layer) -> bool:
    from napari.layers import Image

    return isinstance(layer, Image) and "kind" not in note(layer)


def _unbroken(text: str) -> str:
    """Let a text wrap between its parts alone."""
    return " · ".join(part.replace(" ", "\u00a0") for part in text.split(" · "))


def _remove(item: Any) -> None:
    """Take a layout item out, with all that is in it."""
    if item.widget() is not None:
        item.widget().hide()
        item.widget().deleteLater()
    elif item.layout() is not None:
        while item.layout().count():
            _remove(item.layout().takeAt(0))
