"""Section 2: classes, the annotation layer, what is painted, and other annotated images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout

from napari_infoleak.api import annotation_of_cells
from napari_infoleak.core.errors import BadInput
from napari_infoleak.widgets import steps
from napari_infoleak.widgets.annotation import (
    COUNT_AFTER_MS,
    Annotation,
    Count,
    adopt,
    choose_class,
    classes_of,
    give_back_keys,
    new_annotation,
)
from napari_infoleak.widgets.brushwork import Brushwork
from napari_infoleak.widgets.class_row import ClassRow
from napari_infoleak.widgets.layer_choice import LayerChoice
from napari_infoleak.widgets.layers import (
    fits,
    full_resolution,
    identity,
    note,
    position,
    write_note,
)
from napari_infoleak.widgets.paint_check import PaintCheck
from napari_infoleak.widgets.section import (
    ActionButton,
    Section,
    flat_button,
    quiet_label,
    say,
    side_by_side,
)
from napari_infoleak.widgets.strokes import painted_planes
from napari_infoleak.widgets.support_list import SupportList
from napari_infoleak.widgets.tooltips import TIPS

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels, Layer

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.widgets.explaining import Explaining
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.settings import Settings
    from napari_infoleak.widgets.state import DockState


class AnnotatePanel(Section):
    """The class table and the layer that is painted in.

    Parameters
    ----------
    state : DockState
        Holds classes, annotation, counts and support.
    viewer : napari Viewer
        Where the layers are.
    explaining : Explaining
        Checks what is painted.
    """

    def __init__(self, state: DockState, viewer: Viewer, explaining: Explaining) -> None:
        super().__init__(2, "Annotate")
        self._state, self._viewer = state, viewer
        self._layer: Labels | None = None
        self.rows_of_classes: list[ClassRow] = []
        self.layer = LayerChoice(
            viewer, self._is_annotation, "choose one, or make one", self._is_made_for_it
        )
        self.layer.setToolTip(TIPS["annotate.layer"])
        self.new = ActionButton("New annotation layer", "annotate.new")
        self.another = flat_button("+ New", "annotate.new")
        self.table = QVBoxLayout()
        self.add_class = flat_button("+ Add class", "annotate.add_class")
        self.painted = quiet_label()
        self.trouble = quiet_label(role="warn")
        self.convert = ActionButton("Paint what these cells say", "annotate.convert")
        self.convert.hide()
        self.support = SupportList(state, viewer)
        self.check = PaintCheck(state, viewer, explaining)
        self.brushwork = Brushwork(state, viewer)
        self._reached: set[tuple[int, int]] | None = set()  # slices with new paint; None: any
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(COUNT_AFTER_MS)
        self._later.timeout.connect(self.count_now)
        self._lay_out()
        self._connect()
        self._show_classes(state.classes)
        self._use_source(state.source)

    # ------------------------------------------------------------------ what a user does

    def make_layer(self) -> None:
        """Add an empty annotation layer and take the brush; the paint of another is hidden."""
        source = self._state.source
        if source is None:
            return
        if self._layer is not None:
            self._layer.visible = False  # it does not count any more, and looks the same
        layer = new_annotation(self._viewer, source, self._state.classes)
        self.layer.choose(layer)
        self._viewer.layers.selection.active = layer

    def convert_cells(self) -> None:
        """Add an annotation layer with what the cells of the chosen layer say of classes."""
        source, cells = self._state.source, self.layer.layer
        if source is None or cells is None:
            return
        order = [source.grid_letters.index(letter) for letter in "YX"]
        planes = np.moveaxis(cells.data, [order[0] - cells.ndim, order[1] - cells.ndim], [-2, -1])
        paint = np.moveaxis(annotation_of_cells(planes), [-2, -1], order)
        layer = new_annotation(
            self._viewer, source, self._state.classes, paint, f"{cells.name} as paint"
        )
        cells.visible = False
        self.layer.choose(layer)
        self._viewer.layers.selection.active = layer

    def use_class(self, class_id: int) -> None:
        """Paint with a class."""
        if self._layer is not None:
            choose_class(self._layer, class_id)
            self._viewer.layers.selection.active = self._layer
        self._state.chosen = class_id

    def append_class(self) -> None:
        """Add a class and let its name be typed."""
        number = len(self._state.classes) + 1
        names = self._state.classes.names
        while f"class {number}" in names:
            number += 1
        self._change(lambda: self._state.classes.add(f"class {number}"))
        new = self.rows_of_classes[-1]
        self.use_class(new.class_id)
        new.edit_name()

    def use_colours(self, settings: Settings) -> None:
        """Give the first two classes the colours that the user prefers."""
        self._change(lambda: settings.recoloured(self._state.classes))

    def count_now(self) -> None:
        """Count what is painted on the slice on screen."""
        annotation, source = self._state.annotation, self._state.source
        if annotation is None or source is None or annotation.source is not source:
            return
        at = position(self._viewer, source)
        reached, self._reached = self._reached, set()
        try:
            if reached is None:
                annotation.recount_all()
            else:
                annotation.recount_near(*at)
                for place in reached - {at}:
                    annotation.recount(*place)
        except (IndexError, ValueError):  # the data were replaced by some that do not fit
            self._replaced()
            return
        count = annotation.count(*at)
        known = self._state.classes.with_ids(count.total)  # napari's own key M begins a new one
        if known != self._state.classes:
            self._change(lambda: known)
        self._state.count = count

    # ------------------------------------------------------------------ building

    def _lay_out(self) -> None:
        self._layer_row = self.add_row("Layer", side_by_side(self.layer, self.another))
        self.add_row("", self.new)
        self.table.setSpacing(2)
        self.add_row("", self.table)
        self.add_row("", self.brushwork)
        self.add_row("", side_by_side(self.painted, self.check.ask))
        self.add_row("", self.check)
        self.add_row("", self.trouble)
        self.add_row("", self.convert)
        self.add_row("", side_by_side(self.add_class, self.support.open_form, stretch=None))
        self.add_row("", self.support)

    def _connect(self) -> None:
        self.new.clicked.connect(self.make_layer)
        self.convert.clicked.connect(self.convert_cells)
        self.another.clicked.connect(self.make_layer)
        self.add_class.clicked.connect(self.append_class)
        self.layer.chosen.connect(self._use_layer)
        self._state.events.source.connect(self._use_source)
        self._state.events.annotation.connect(self._show_layer_row)
        self._state.events.classes.connect(self._show_classes)
        self._state.events.count.connect(self._show_count)
        self._state.events.chosen.connect(self._show_chosen)
        self._viewer.dims.events.current_step.connect(self._count_soon)

    def disconnect_viewer(self) -> None:
        """Stop following the viewer."""
        self._later.stop()
        self._viewer.dims.events.current_step.disconnect(self._count_soon)
        self.layer.disconnect_viewer()
        self.support.disconnect_viewer()
        self.brushwork.disconnect_viewer()
        if self._layer is not None:
            give_back_keys(self._layer)
        self._listen_to(None)

    # ------------------------------------------------------------------ following

    def _is_annotation(self, layer: Layer) -> bool:
        """List labels layers of this image's shape; those made for another image are not."""
        from napari.layers import Labels

        source = self._state.source
        if source is None or not isinstance(layer, Labels):
            return False
        notes = note(layer)
        own = notes.get("image", identity(source.layer)) == identity(source.layer)
        return own and notes.get("kind", "annotation") == "annotation" and fits(layer, source)

    def _is_made_for_it(self, layer: Layer) -> bool:
        """Take annotations; other labels, which may be a ground truth, wait to be chosen."""
        return note(layer).get("kind") == "annotation"

    def _show_layer_row(self, annotation: Annotation | None) -> None:
        """Offer a new layer broadly where there is none, and quietly where there is one."""
        listed = self.layer.count() > 0
        self._layer_row.setVisible(listed)
        self.new.setVisible(annotation is None)
        self.another.setVisible(annotation is not None)

    def _use_source(self, source: Source | None) -> None:
        """Go on with the annotation that the image has, if it has one."""
        self.new.set_reason(steps.why_not_annotate(self._state))
        last = self._layer
        self.layer.refresh()
        self._use_layer(self.layer.layer)
        if last is not None and source is not None and last is not self._layer:
            own = note(last).get("image") == identity(source.layer)
            if own and last in self._viewer.layers and not fits(last, source):
                say(self.trouble, self._misfit(last))
        self._show_layer_row(self._state.annotation)

    def _use_layer(self, layer: Labels | None) -> None:
        """Paint in another layer."""
        source = self._state.source
        if layer is not None and self._layer not in (None, layer):
            layer.visible = True
        self._listen_to(layer)
        say(self.trouble, "")
        self.convert.hide()
        if layer is None or source is None:
            self._forget()
            return
        try:
            annotation = Annotation(layer, source)
            table = classes_of(layer) or self._state.classes
            self._state.classes = table.with_ids(annotation.count(0, 0).total)
        except BadInput as error:
            say(self.trouble, str(error))
            self.convert.setVisible(isinstance(layer.data, np.ndarray))
            self._forget()
            return
        adopt(layer, self._state.classes)
        write_note(layer, kind="annotation", image=identity(source.layer))
        self._state.annotation = annotation
        self._state.chosen = int(layer.selected_label)
        self.count_now()

    def _forget(self) -> None:
        self._state.annotation = None
        self._state.count = Count()

    def _listen_to(self, layer: Labels | None) -> None:
        for old, connect in ((self._layer, False), (layer, True)):
            if old is None:
                continue
            for event, react in (
                (old.events.paint, self._painted),
                (old.events.set_data, self._count_soon),
                (old.events.data, self._replaced),
                (old.events.selected_label, self._label_chosen),
            ):
                if connect:
                    event.connect(react)
                else:
                    event.disconnect(react)
        self._layer = layer

    def _painted(self, event: Any = None) -> None:
        if self._layer is not None:
            write_note(self._layer, changed=True)
        annotation, atoms = self._state.annotation, getattr(event, "value", None)
        if annotation is not None and atoms:
            reached = painted_planes(annotation, atoms)
            if reached is None or self._reached is None:
                self._reached = None
            else:
                self._reached |= reached
        self._count_soon()

    def _count_soon(self, event: Any = None) -> None:
        if not self._later.isActive():
            self._later.start()

    def _replaced(self, event: Any = None) -> None:
        layer, source = self._layer, self._state.source
        if layer is not None and source is not None and fits(layer, source):
            self._use_layer(layer)
        else:
            say(self.trouble, self._misfit(layer))
            self._forget()

    def _misfit(self, layer: Labels | None) -> str:
        shape = () if layer is None else tuple(full_resolution(layer).shape)
        return f"The annotation is {shape} now and does not lie on the image any more."

    def _label_chosen(self, event: Any = None) -> None:
        if self._layer is not None:
            self._state.chosen = int(self._layer.selected_label)

    # ------------------------------------------------------------------ classes

    def _change(self, make: Any) -> None:
        """Change the class table; what cannot be done is said in words."""
        say(self.trouble, "")
        try:
            self._state.classes = make()
        except BadInput as error:
            say(self.trouble, str(error))
            return
        if self._layer is not None:
            adopt(self._layer, self._state.classes)

    def _rename(self, class_id: int, name: str) -> None:
        self._change(lambda: self._state.classes.rename(class_id, name))

    def _recolour(self, class_id: int, colour: str) -> None:
        self._change(lambda: self._state.classes.recolour(class_id, colour))

    def _show_classes(self, classes: ClassTable) -> None:
        for row in self.rows_of_classes:
            self.table.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows_of_classes = [ClassRow(entry) for entry in classes]
        for row in self.rows_of_classes:
            row.picked.connect(self.use_class)
            row.renamed.connect(self._rename)
            row.recoloured.connect(self._recolour)
            self.table.addWidget(row)
        self._show_chosen(self._state.chosen)
        self._show_count()

    def _show_chosen(self, class_id: int) -> None:
        for row in self.rows_of_classes:
            row.set_chosen(row.class_id == class_id)

    def _show_count(self, count: Any = None) -> None:
        count = self._state.count
        for row in self.rows_of_classes:
            row.set_count(count.total.get(row.class_id, 0), count.here.get(row.class_id, 0))
        say(self.painted, count_in_words(self._state))
        self.set_summary(_summary(self._state))


def count_in_words(state: DockState) -> str:
    """Return what is painted, over slices: "Painted on 2 of 12 slices, this one too"."""
    if state.source is None or state.annotation is None:
        return ""
    if not state.annotation.in_memory:
        return "A file's annotation: counted slice by slice as you look"
    count = state.count
    t, z = state.source.image.label_shape[:2]
    if not count.total:
        return "Nothing painted yet"
    if t * z == 1:
        return ""
    here = "this one too" if count.here else "not this one"
    planes = "slices" if z > 1 else "frames"
    return f"Painted on {count.slices} of {t * z} {planes}, {here}"


def _summary(state: DockState) -> str:
    parts = [entry.name for entry in state.classes if entry.id in state.count.total]
    if state.supports:
        parts.append(f"{len(state.supports)} other")
    return ", ".join(parts)
