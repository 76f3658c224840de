"""The parts that every panel is built of: a numbered section, a button that says why not."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_infoleak.widgets.tooltips import TIPS

_CAPTION = 64


class Section(QFrame):
    """A card with a numbered header that folds it up, and a body of rows.

    Parameters
    ----------
    number : int
        Place in the order of work.
    title : str
        What is done here.
    """

    opened = Signal(bool)

    def __init__(self, number: int, title: str) -> None:
        super().__init__()
        self._head = _Header(number, title)
        self._head.clicked.connect(self.toggle)
        self.body = QWidget(objectName="body")
        self._rows = QVBoxLayout(self.body)
        self._rows.setContentsMargins(10, 0, 10, 10)
        self._rows.setSpacing(6)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._head)
        layout.addWidget(self.body)
        # Too little room is for the scroll bar to handle, never for the rows.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def add_row(self, caption: str, content: QWidget | QLayout) -> QWidget:
        """Add a row; without a caption the content takes the whole width.

        Returns
        -------
        QWidget
            The row, to be shown and hidden.
        """
        if isinstance(content, QLayout):
            holder = QWidget()
            content.setContentsMargins(0, 0, 0, 0)
            holder.setLayout(content)
            content = holder
        row = captioned(caption, content) if caption else content
        self._rows.addWidget(row)
        return row

    def set_summary(self, text: str) -> None:
        """Say in the header what is chosen."""
        self._head.summary.setText(text)

    def set_active(self, active: bool) -> None:
        """Light the number up: here is the next sensible step."""
        set_property(self._head.badge, "active", active)

    def toggle(self) -> None:
        """Fold up or down, as its header was clicked."""
        self.set_open(self.body.isHidden())
        self.opened.emit(not self.body.isHidden())

    def set_open(self, is_open: bool) -> None:
        """Show or hide the body."""
        self.body.setVisible(is_open)
        self._head.chevron.setText("▾" if is_open else "▸")


class _Header(QWidget):
    """Number, title, summary; clicked as a whole."""

    clicked = Signal()

    def __init__(self, number: int, title: str) -> None:
        super().__init__(objectName="head")
        self.badge = badge = QLabel(str(number), objectName="badge")
        badge.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.summary = QElidingLabel()
        self.summary.setProperty("role", "dim")
        self.summary.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.chevron = QLabel("▾", objectName="chevron")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 7, 10, 7)
        layout.setSpacing(8)
        layout.addWidget(badge)
        layout.addWidget(QLabel(title, objectName="title"))
        layout.addWidget(self.summary, 1)
        layout.addWidget(self.chevron)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def mouseReleaseEvent(self, event: Any) -> None:
        """Tell the section."""
        self.clicked.emit()


class ActionButton(QPushButton):
    """A button that says in words why it cannot be pressed.

    Parameters
    ----------
    text : str
        What it does.
    tip : str
        Its entry in the table of tooltips.
    """

    def __init__(self, text: str, tip: str) -> None:
        super().__init__(text)
        self._tip = TIPS[tip]
        self.setToolTip(self._tip)
        self.setMinimumWidth(0)

    def set_key(self, key: str, owner: str) -> None:
        """Name the key that presses it too, or who has that key already."""
        self._tip += f"\nKey: {key}" if not owner else f"\nThe key {key} belongs to {owner}."
        if self.isEnabled():
            self.setToolTip(self._tip)

    def set_reason(self, reason: str) -> None:
        """Enable without a reason; disable with one."""
        self.setEnabled(not reason)
        self.setToolTip(reason or self._tip)

    def set_primary(self, primary: bool) -> None:
        """Mark the next sensible step."""
        set_property(self, "primary", primary)


def captioned(caption: str, content: QWidget) -> QWidget:
    """Return a row with a quiet caption in front, as wide as those of the other rows."""
    label = quiet_label(caption, role="caption")
    label.setFixedWidth(_CAPTION)
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(8)
    layout.addWidget(label)
    layout.addWidget(content, 1)
    return row


def flat_button(text: str, tip: str) -> QToolButton:
    """Return a button that looks like text until the mouse is on it."""
    button = QToolButton()
    button.setText(text)
    button.setToolTip(TIPS[tip])
    button.setProperty("flat_look", True)
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    return button


class WrappedLabel(QLabel):
    """A label that wraps its text and asks for the height that this takes.

    Qt's own wrapping label leaves the height to the layout, and layouts within layouts within a
    scroll area get it wrong.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setWordWrap(True)

    def setText(self, text: str) -> None:
        """Show another text."""
        super().setText(text)
        self._claim()

    def resizeEvent(self, event: Any) -> None:
        """Wrap anew."""
        super().resizeEvent(event)
        self._claim()

    def hasHeightForWidth(self) -> bool:
        """Say that the minimum height is all there is to know."""
        return False

    def _claim(self) -> None:
        before = self.minimumHeight()
        self.setMinimumHeight(0)  # Qt answers with no less than what was claimed before
        height = self.heightForWidth(self.width())
        if height > 0 and height != before:
            self.setFixedHeight(height)
        else:
            self.setMinimumHeight(before)


def quiet_label(text: str = "", role: str = "dim") -> QLabel:
    """Return a label in a quiet colour; all but captions wrap their text."""
    label = QLabel(text) if role == "caption" else WrappedLabel(text)
    label.setProperty("role", role)
    label.setVisible(bool(text) or role == "caption")
    return label


def say(label: QLabel, text: str) -> None:
    """Set a label's text; an empty one takes no room."""
    label.setText(text)
    label.setVisible(bool(text))


def side_by_side(*widgets: QWidget, stretch: int | None = 0) -> QHBoxLayout:
    """Return a row of widgets; the room that is left goes to one of them, to all (-1), or none."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    for index, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if stretch in (index, -1) else 0)
    if stretch is None:
        layout.addStretch(1)
    return layout


def set_property(widget: QWidget, name: str, value: Any) -> None:
    """Set a property that the style sheet looks at, and have it look again."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    for each in (widget, *widget.findChildren(QWidget)):
        each.style().unpolish(each)
        each.style().polish(each)
