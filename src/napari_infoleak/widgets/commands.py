"""What napari's menus and its command palette call: the buttons of the dock, which they open."""

from __future__ import annotations

from typing import Any

# At run time too: napari looks at the annotations to know what to hand over.
from napari import Viewer  # noqa: TC002
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QApplication

from napari_infoleak.widgets.dock import InfoleakDock


def new_annotation(viewer: Viewer) -> None:
    """Add an empty annotation layer on the image, with the brush in hand."""
    _press(_dock(viewer).annotate.new)


def segment_view(viewer: Viewer) -> None:
    """Segment what is on screen."""
    _press(_dock(viewer).segment.view)


def segment_stack(viewer: Viewer) -> None:
    """Segment the whole image."""
    _press(_dock(viewer).segment.stack)


def next_place(viewer: Viewer) -> None:
    """Go to the next doubtful place."""
    _press(_dock(viewer).segment.next)


def make_cells(viewer: Viewer) -> None:
    """Turn membranes into cells."""
    _press(_dock(viewer).cells.make)


def _dock(viewer: Viewer) -> Any:
    """Return the dock of the window, opened if need be.

    napari knows a dock by the name of the way in which it was opened, so it is looked for by what
    it is; and it hands over a proxy of the viewer.
    """
    wanted = getattr(viewer, "__wrapped__", viewer)
    for widget in QApplication.allWidgets():
        if isinstance(widget, InfoleakDock) and widget.viewer is wanted and widget.is_open:
            return widget
    return viewer.window.add_plugin_dock_widget("napari-infoleak", "Infoleak")[1]


def _press(button: Any) -> None:
    """Press a button of the dock, or say why it cannot be pressed."""
    if button.isEnabled():
        button.click()
    else:
        show_info(button.toolTip())
