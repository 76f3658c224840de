"""What makes painting quick: a brush for each class, strokes that find the membrane, slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QCheckBox, QToolButton, QVBoxLayout, QWidget

from napari_infoleak.api._result import membrane_index
from napari_infoleak.instances.curves import trace
from napari_infoleak.instances.ridges import LOOK_AT, along_ridge, line_width
from napari_infoleak.widgets import steps
from napari_infoleak.widgets.annotation import BRUSH
from napari_infoleak.widgets.class_row import in_thousands
from napari_infoleak.widgets.fold import Fold
from napari_infoleak.widgets.layers import note, position, show_plane, visible_region, write_note
from napari_infoleak.widgets.section import ActionButton, flat_button, side_by_side
from napari_infoleak.widgets.strokes import Strokes, lay_down
from napari_infoleak.widgets.tooltips import TIPS

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_infoleak.core.region import Region
    from napari_infoleak.widgets.annotation import Annotation
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.state import DockState

HIDE = "H"
"""Key on the annotation layer that hides the paint and shows it again."""
_WIDEST = 15
_REACH = 2.0  # widths of a membrane by which a stroke may be moved
_MOST_ROWS = 12


class Brushwork(QWidget):
    """The row below the class table, and the list of painted slices.

    Parameters
    ----------
    state : DockState
        Has the annotation and its counts.
    viewer : napari Viewer
        Says what is on screen.
    """

    def __init__(self, state: DockState, viewer: Viewer) -> None:
        super().__init__()
        self._state, self._viewer = state, viewer
        self._layer: Labels | None = None
        self._before: tuple[Region, NDArray[Any]] | None = None
        self._strokes = Strokes(viewer, self)
        self._strokes.begun.connect(self._begun)
        self._strokes.drawn.connect(self._drawn)
        self.grow = QCheckBox("Grow to the membrane")
        self.grow.setToolTip(TIPS["annotate.grow"])
        self.hide_paint = flat_button(f"Hide ({HIDE})", "annotate.hide")
        self.tools = side_by_side(self.hide_paint, stretch=None)
        self.copy = ActionButton("Copy paint to the next slice", "annotate.copy")
        self.slices = Fold("Painted slices", "annotate.slices")
        self.rows: list[QToolButton] = []
        self._list = QVBoxLayout()
        self._list.setSpacing(2)
        self.slices.add(self.copy)
        self.slices.add(self._list)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self.tools)
        layout.addWidget(self.grow)
        layout.addWidget(self.slices)
        self.hide_paint.clicked.connect(self.toggle)
        self.copy.clicked.connect(self.copy_on)
        self.slices.opened.connect(self._show_slices)
        state.events.annotation.connect(self._use)
        state.events.count.connect(self.refresh)
        self._use(state.annotation)

    def put_first(self, widget: QWidget) -> None:
        """Let the row below the classes begin with a widget."""
        self.tools.insertWidget(0, widget)

    def disconnect_viewer(self) -> None:
        """Stop following the viewer."""
        self._listen_to(None, None)

    # ------------------------------------------------------------------ what a user does

    def toggle(self, layer: Any = None) -> None:
        """Hide the paint, or show it again."""
        if self._layer is not None:
            self._layer.visible = not self._layer.visible

    def copy_on(self) -> None:
        """Paint on the next slice what is painted here, where nothing is painted, and go there."""
        annotation, source = self._state.annotation, self._state.source
        following = None if source is None else _next_slice(source, *position(self._viewer, source))
        if annotation is None or source is None or following is None:
            return
        here = annotation.plane(*position(self._viewer, source))
        there = annotation.plane(*following)
        y, x = np.nonzero((here > 0) & (there == 0))
        lay_down(annotation, *following, y, x, here[y, x])
        show_plane(self._viewer, source, *following)

    def refresh(self, value: Any = None) -> None:
        """Say what can be done."""
        source, here = self._state.source, self._state.count.here
        following = None if source is None else _next_slice(source, *position(self._viewer, source))
        reason = steps.why_not_annotate(self._state)
        if not reason and not here:
            reason = "Nothing is painted on this slice."
        if not reason and following is None:
            reason = "This is the last slice."
        self.copy.set_reason(reason)
        self._show_slices()

    # ------------------------------------------------------------------ following

    def _use(self, annotation: Annotation | None) -> None:
        layer = None if annotation is None else annotation.layer
        self.setVisible(layer is not None)
        self._listen_to(layer, None if annotation is None else annotation.source)
        if annotation is not None and layer is not None:
            if "brushes" not in note(layer):
                table = self._state.classes
                membrane = table.ids[membrane_index(table.ids, table)]
                write_note(layer, brushes=brushes(annotation.source, membrane))
            if layer.brush_size == BRUSH:
                self._take_brush()
            several = int(np.prod(annotation.source.image.label_shape[:2])) > 1
            self.slices.setVisible(several)
        self._visibility_changed()
        self.refresh()

    def _listen_to(self, layer: Labels | None, source: Source | None) -> None:
        for old, connect in ((self._layer, False), (layer, True)):
            if old is None:
                continue
            for event, react in (
                (old.events.selected_label, self._take_brush),
                (old.events.brush_size, self._keep_brush),
                (old.events.visible, self._visibility_changed),
            ):
                if connect:
                    event.connect(react)
                else:
                    event.disconnect(react)
            old.bind_key(HIDE, self.toggle if connect else None, overwrite=True)
        self._layer = layer
        self._strokes.follow(layer, source)

    def _visibility_changed(self, event: Any = None) -> None:
        shown = self._layer is None or self._layer.visible
        self.hide_paint.setText(f"{'Hide' if shown else 'Show'} ({HIDE})")

    def _take_brush(self, event: Any = None) -> None:
        """Take the brush of the class that is painted with."""
        if self._layer is not None:
            sizes = note(self._layer).get("brushes", {})
            size = sizes.get(str(self._layer.selected_label), sizes.get("", BRUSH))
            with self._layer.events.brush_size.blocker(self._keep_brush):
                self._layer.brush_size = size

    def _keep_brush(self, event: Any = None) -> None:
        """Remember what the user chose for this class."""
        layer = self._layer
        if layer is not None:
            sizes = dict(note(layer).get("brushes", {}))
            write_note(layer, brushes=sizes | {str(layer.selected_label): int(layer.brush_size)})

    # ------------------------------------------------------------------ strokes

    def _begun(self) -> None:
        """Keep what is on screen, to know what a stroke has painted."""
        annotation, source = self._state.annotation, self._state.source
        self._before = None
        if annotation is None or source is None or not self._grows():
            return
        region = visible_region(self._viewer, source)
        self._before = region, _part(annotation, region).copy()

    def _grows(self) -> bool:
        layer, table = self._layer, self._state.classes
        if layer is None or not self.grow.isChecked() or str(layer.mode) != "paint":
            return False
        return int(layer.selected_label) == table.ids[membrane_index(table.ids, table)]

    def _drawn(self, places: NDArray[np.int64]) -> None:
        """Move a stroke onto the membrane beside it: one step, to be undone by itself."""
        annotation, source, before = self._state.annotation, self._state.source, self._before
        self._before = None
        if annotation is None or source is None or before is None or self._layer is None:
            return
        region, old = before
        t, z = (int(n) for n in places[0, :2])
        now = _part(annotation, region)
        if (t, z) != (region.t0, region.z0) or (now == old).all():
            return
        corner = np.array([region.y0, region.x0])
        line = trace(places[:, 2:] - corner, old.shape)
        if not len(line):
            return
        plane = _picture(source, t, z, self._state.channel)
        plane = plane[region.y0 : region.y1, region.x0 : region.x1]
        width = self._membrane_width()
        path = along_ridge(plane, line, max(4, round(_REACH * width)), width)
        number = int(self._layer.selected_label)
        wanted = old.copy()
        y, x = _brushed(path, int(self._layer.brush_size), old.shape)
        free = (old[y, x] == 0) | (old[y, x] == number)
        wanted[y[free], x[free]] = number
        y, x = np.nonzero(wanted != now)
        lay_down(annotation, t, z, y + region.y0, x + region.x0, wanted[y, x])

    def _membrane_width(self) -> float:
        layer = self._layer
        return float(note(layer).get("brushes", {}).get("width", BRUSH)) if layer else BRUSH

    # ------------------------------------------------------------------ slices

    def _show_slices(self, value: Any = None) -> None:
        """List what is painted by slice; a click goes there."""
        for row in self.rows:
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = []
        annotation = self._state.annotation
        if annotation is None or not self.slices.is_open:
            return
        painted = annotation.by_slice()
        for place in sorted(painted)[:_MOST_ROWS]:
            row = flat_button(self._in_words(place, painted[place]), "annotate.slice")
            row.clicked.connect(lambda checked=False, at=place: self._go_to(at))
            self.rows.append(row)
            self._list.addWidget(row)

    def _in_words(self, place: tuple[int, int], counts: dict[int, int]) -> str:
        source, table = self._state.source, self._state.classes.with_ids(counts)
        t, z = place
        sizes = source.sizes if source is not None else {}
        where = [f"t {t}"] if sizes.get("T", 1) > 1 else []
        where += [f"slice {z}"] if sizes.get("Z", 1) > 1 else []
        what = [f"{table[number].name} {in_thousands(n)}" for number, n in counts.items()]
        return f"{', '.join(where)} · {', '.join(what)}"

    def _go_to(self, place: tuple[int, int]) -> None:
        if self._state.source is not None:
            show_plane(self._viewer, self._state.source, *place)


def brushes(source: Source, membrane: int) -> dict[str, float]:
    """Choose brushes that suit an image.

    Parameters
    ----------
    source : Source
        The image; the middle of its middle slice is looked at.
    membrane : int
        Id of the membrane class.

    Returns
    -------
    dict of str to float
        Size in pixels by class id: not wider than the membranes for these, twice that under ""
        for all others; and the width of membranes itself.
    """
    frames, depth, height, width = source.image.label_shape
    y, x = (max((n - LOOK_AT) // 2, 0) for n in (height, width))
    plane = _picture(source, frames // 2, depth // 2, None)
    lines = line_width(np.asarray(plane[y : y + LOOK_AT, x : x + LOOK_AT]))
    thin = min(max(round(0.9 * lines), 1), _WIDEST)
    return {str(membrane): thin, "": 2 * thin, "width": lines}


def _next_slice(source: Source, t: int, z: int) -> tuple[int, int] | None:
    frames, depth = source.image.label_shape[:2]
    if depth > 1:
        return (t, z + 1) if z + 1 < depth else None
    return (t + 1, z) if t + 1 < frames else None


def _picture(source: Source, t: int, z: int, channel: int | None) -> Any:
    """Return one plane of an image, unread if it is lazy; of colours the green."""
    image = source.image
    return image.data[t, 1 if image.rgb else channel or 0, z]


def _part(annotation: Annotation, region: Region) -> NDArray[Any]:
    """Return what is painted in a part of a slice, (Y, X)."""
    plane = annotation.plane(region.t0, region.z0)
    return plane[region.y0 : region.y1, region.x0 : region.x1]


def _brushed(
    path: NDArray[np.int64], size: int, shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pixels that a round brush covers along a path."""
    radius = size / 2
    offsets = np.arange(-int(radius), int(radius) + 1)
    spots = np.stack(np.meshgrid(offsets, offsets, indexing="ij"), -1).reshape(-1, 2)
    spots = spots[np.hypot(*spots.T) <= radius] if size > 1 else spots[:1] * 0
    if size % 2 == 0 and size > 1:
        spots = spots[(spots > -radius).all(1)]
    pixels = np.unique((path[:, None] + spots).reshape(-1, 2), axis=0)
    y, x = pixels[((pixels >= 0) & (pixels < shape)).all(1)].T
    return y, x
