"""The look of the dock, mixed from the colours of napari's theme."""

from __future__ import annotations

from typing import Any

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor

_SHEET = """
#infoleak, #infoleak QScrollArea, #infoleak_page, #infoleak_footer {{
    background: {background}; }}
#infoleak QLabel {{ background: transparent; }}
#infoleak_title {{ font-size: 13pt; font-weight: 600; }}
#infoleak [role="dim"] {{ color: {dim}; }}
#infoleak [role="warn"] {{ color: {warn}; }}
#infoleak [role="small"] {{ color: {dim}; font-size: 8pt; }}
#infoleak [role="caption"] {{ color: {dim}; }}

#infoleak_resume {{
    background: {card}; border: 1px solid {line}; border-left: 3px solid {accent};
    border-radius: 6px; }}
Section {{ background: {card}; border: 1px solid {line}; border-radius: 6px; }}
Section > #head {{ background: transparent; }}
Section > #body {{ background: transparent; }}
Section #body .QWidget {{ background: transparent; }}
Section #badge {{
    background: {quiet}; color: {text}; border-radius: 9px; font-size: 8pt; font-weight: 600;
    min-width: 18px; max-width: 18px; min-height: 18px; max-height: 18px; padding: 0; }}
#badge[active="true"] {{ background: {accent}; color: {on_accent}; }}
Section #title {{ font-weight: 600; font-size: 10pt; }}
Section #chevron {{ color: {dim}; }}

#infoleak QPushButton, #infoleak QToolButton {{
    background: {quiet}; border: 0; border-radius: 4px; padding: 5px 8px; font-size: 9pt; }}
#infoleak QPushButton:hover, #infoleak QToolButton:hover {{ background: {hover}; }}
#infoleak QPushButton:pressed {{ background: {accent}; color: {on_accent}; }}
#infoleak QPushButton:checked {{ background: {accent}; color: {on_accent}; }}
#infoleak QPushButton:disabled, #infoleak QToolButton:disabled {{
    background: {off}; color: {faint}; border: 0; }}
#infoleak QPushButton[primary="true"]:enabled {{
    background: {accent}; color: {on_accent}; font-weight: 600; }}
#infoleak QPushButton[primary="true"]:enabled:hover {{ background: {accent_hover}; }}
#infoleak QPushButton[flat_look="true"], #infoleak QToolButton[flat_look="true"] {{
    background: transparent; color: {dim}; padding: 2px 4px; text-align: left; }}
#infoleak QToolButton[flat_look="true"]:disabled {{ color: {faint}; }}
#infoleak QToolButton[flat_look="true"][role="warn"] {{ color: {warn}; }}
#infoleak QPushButton[flat_look="true"]:hover, #infoleak QToolButton[flat_look="true"]:hover {{
    color: {text}; background: {quiet}; }}

#infoleak Section QComboBox {{
    background: {field}; border-radius: 4px; padding: 3px 6px; font-size: 9pt; }}
#infoleak Section QComboBox:hover {{ background: {hover}; }}
#infoleak Section QComboBox:disabled {{ background: {off}; color: {faint}; border: 0; }}
#infoleak Section QComboBox::drop-down {{ width: 16px; }}
#infoleak Section QComboBox::down-arrow {{ width: 9px; height: 9px; }}
#infoleak Section QComboBox[axis="true"] {{ padding: 3px 0 3px 7px; font-weight: 600; }}
#infoleak Section QComboBox[axis="true"]::drop-down {{ width: 13px; }}
#infoleak Section QComboBox QAbstractItemView {{ background: {field}; }}
#infoleak Section QAbstractSpinBox, #infoleak Section QLineEdit {{
    background: {field}; border-radius: 4px; }}
#infoleak QCheckBox {{ font-size: 9pt; background: transparent; }}
#infoleak QCheckBox::indicator {{ width: 13px; height: 13px; background: {field}; }}
#infoleak QCheckBox::indicator:checked {{ background: {accent}; }}

LeakRow {{ background: transparent; border-radius: 4px; }}
LeakRow:hover {{ background: {hover_card}; }}

ClassRow {{ background: transparent; border: 1px solid transparent; border-radius: 4px; }}
ClassRow:hover {{ background: {hover_card}; }}
ClassRow[chosen="true"] {{ background: {chosen}; border: 1px solid {accent}; }}
ClassRow #key {{
    color: {dim}; border: 1px solid {quiet}; border-radius: 3px; font-size: 8pt;
    min-width: 14px; max-width: 14px; }}
#infoleak Section ClassRow QLineEdit[readOnly="true"] {{
    background: transparent; border: 0; min-height: 16px; }}

#infoleak QScrollBar:vertical {{
    background: transparent; width: 8px; max-width: 8px; margin: 0; }}
#infoleak QScrollBar::handle:vertical {{ background: {quiet}; border-radius: 4px; }}
#infoleak QScrollBar::add-line, #infoleak QScrollBar::sub-line {{ height: 0; border: 0; }}

#infoleak QProgressBar {{
    background: {off}; border: 0; border-radius: 3px; min-height: 6px; max-height: 6px; }}
#infoleak QProgressBar::chunk {{ background: {accent}; border-radius: 3px; }}
#infoleak_message {{ border-radius: 4px; padding: 5px 7px; background: {card}; color: {text}; }}
#infoleak_message[level="error"] {{
    background: {error_card}; color: {text}; border-left: 3px solid {error}; }}
#infoleak_message[level="good"] {{ border-left: 3px solid {accent}; }}
#infoleak QSlider::groove:horizontal {{ height: 4px; background: {quiet}; border-radius: 2px; }}
#infoleak QSlider::sub-page:horizontal {{ background: {accent}; border-radius: 2px; }}
#infoleak QSlider::handle:horizontal {{
    background: {text}; width: 12px; height: 12px; margin: -4px 0; border-radius: 6px; }}
"""


def style_sheet(theme_name: str) -> str:
    """Return the style sheet of the dock for a napari theme.

    Parameters
    ----------
    theme_name : str
        Name of a theme that napari knows, such as ``"dark"``.
    """
    theme = get_theme(theme_name)
    background, text = _colour(theme.background), _colour(theme.text)
    foreground, primary = _colour(theme.foreground), _colour(theme.primary)
    accent, error = _colour(theme.current), _colour(theme.error)
    dark = text.lightness() > background.lightness()
    warning = _colour(theme.warning)
    colours = {
        "background": background,
        "text": text,
        "card": _mix(background, foreground, 0.55),
        "line": _mix(background, primary, 0.55),
        "field": _mix(foreground, primary, 0.55),
        "quiet": _mix(foreground, primary, 0.85),
        "hover": _mix(primary, text, 0.12),
        "hover_card": _mix(foreground, primary, 0.35),
        "off": _mix(background, primary, 0.35),
        "dim": _mix(background, text, 0.66),
        "faint": _mix(background, text, 0.42),
        "accent": accent,
        "accent_hover": _mix(accent, text, 0.15),
        "on_accent": QColor("#ffffff") if accent.lightness() < 150 else QColor("#101014"),
        "chosen": _mix(background, accent, 0.25),
        "error": error,
        "error_card": _mix(background, error, 0.30 if dark else 0.18),
        "warn": warning if dark else _mix(warning, text, 0.55),
    }
    return _SHEET.format(**{name: colour.name() for name, colour in colours.items()})


def _colour(value: Any) -> QColor:
    red, green, blue = value.as_rgb_tuple()[:3]
    return QColor(int(red), int(green), int(blue))


def _mix(one: QColor, other: QColor, share: float) -> QColor:
    """Return a colour between two: 0 is the first, 1 the second."""
    pairs = zip(one.getRgb()[:3], other.getRgb()[:3], strict=True)
    return QColor(*(round(a + (b - a) * share) for a, b in pairs))
