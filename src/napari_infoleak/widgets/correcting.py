"""Cells corrected by strokes: a tool is taken up, a stroke is drawn, the cells change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from app_model.types import KeyCode, KeyMod
from qtpy.QtCore import QObject, QTimer, Signal

from napari_infoleak.api import Corrections
from napari_infoleak.api._result import membrane_index
from napari_infoleak.core.arraylike import lazy_or_numpy
from napari_infoleak.core.axes import labels_from_canonical, labels_to_canonical
from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.instances.changes import Step
from napari_infoleak.instances.lessons import BORDER, INTERIOR
from napari_infoleak.instances.pick import box_of
from napari_infoleak.widgets import steps
from napari_infoleak.widgets.layers import KEY, fits, identity, not_on_screen, note, write_note
from napari_infoleak.widgets.strokes import Strokes, lay_down

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer
    from napari.layers import Labels, Layer
    from numpy.typing import NDArray

    from napari_infoleak.widgets.jobs import Cells
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.results import Results
    from napari_infoleak.widgets.state import Basis, DockState


@dataclass(frozen=True)
class Tool:
    """What a stroke does.

    Parameters
    ----------
    name : str
        Of the method of `Corrections`, and of the tooltip.
    words : str
        On its button.
    key : str
        Takes it up, on the layer of cells.
    hint : str
        What to draw.
    brush : int
        Pixels that the stroke is wide on screen.
    """

    name: str
    words: str
    key: str
    hint: str
    brush: int = 2


TOOLS = (
    Tool("split", "Split", "S", "Draw a line across the cell."),
    Tool("split_by_seeds", "Two seeds", "D", "Paint in one part of the cell, then in the other."),
    Tool("merge", "Merge", "M", "Draw from one cell into the other, or through several."),
    Tool("close_gap", "Close gap", "G", "Draw from one end of the broken membrane to the other."),
    Tool("paint", "Paint", "B", "Begin in a cell to make it larger, or between for a new one.", 9),
    Tool("erase", "Erase", "E", "Paint over what belongs to no cell.", 9),
    Tool("delete", "Delete", "X", "Click a cell, or draw over several."),
    Tool("finish", "Finished", "F", "Click a cell that is right: it stays as it is."),
)
UNDO = KeyMod.CtrlCmd | KeyCode.KeyZ
REDO = KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.KeyZ
STOP = KeyCode.Escape
_COLOUR, _DONE = "#ff2d78", "#7cfc00"


class Correcting(QObject):
    """The tools, and the cells that they work on.

    Parameters
    ----------
    state : DockState
    viewer : napari Viewer
    results : Results
        Has the layer of cells.
    """

    armed = Signal(object)  # Tool or None
    corrected = Signal(object, int)  # the Step, and 1 if it was made, -1 if it was taken back
    made = Signal()  # all cells were made anew
    changed = Signal()
    said = Signal(str, str)

    def __init__(self, state: DockState, viewer: Viewer, results: Results) -> None:
        super().__init__()
        self._state, self._viewer, self._results = state, viewer, results
        self._tool: Tool | None = None
        self._canvas: Labels | None = None
        self._seed: NDArray[np.int64] | None = None
        self._of: Any = None
        self._corrections: Corrections | None = None
        self._made_of = WeakKeyDictionary[Step, tuple[Any, Any]]()
        self._strokes = Strokes(viewer, self)
        self._strokes.drawn.connect(self._drawn)
        state.events.source.connect(self._put_down)
        state.events.cells.connect(self._cells_changed)
        state.events.overlays.connect(self._show_with_cells)
        viewer.layers.selection.events.active.connect(self._look_at_hand)

    @property
    def tool(self) -> Tool | None:
        """What is in the hand."""
        return self._tool

    @property
    def steps(self) -> int:
        """Number of corrections that can be taken back."""
        return len(self._corrections.steps) if self._corrections is not None else 0

    @property
    def corrections(self) -> int:
        """Number of corrections of the cells as they were made last."""
        return len(self._corrections.corrected) if self._corrections is not None else 0

    @property
    def undone(self) -> int:
        """Number of corrections that can be made again."""
        return len(self._corrections.undone) if self._corrections is not None else 0

    @property
    def layer(self) -> Labels | None:
        """The layer of cells of the image."""
        source = self._state.source
        return None if source is None else self._results.find(source, "cells")

    def disconnect_viewer(self) -> None:
        """Stop following the viewer, and give the keys back."""
        self._put_down()
        for layer in self._viewer.layers:
            if note(layer).get("kind") == "cells":
                for key in self._keyed():
                    layer.bind_key(key, None, overwrite=True)
        self._viewer.layers.selection.events.active.disconnect(self._look_at_hand)

    # ------------------------------------------------------------------ what a user does

    def take_up(self, tool: Tool) -> None:
        """Draw with a tool from now on."""
        source = self._state.source
        reason = steps.why_not_correct(self._state)
        if source is not None and not reason:
            reason = not_on_screen(self._viewer, source).replace("Segment view needs", "Tools need")
        if reason or source is None:
            self.said.emit(reason, "")
            self.armed.emit(self._tool)
            return
        self._seed = None
        self._tool = tool
        self._state.live = False  # a new answer would outdate the cells in hand
        self._state.overlays = self._state.overlays | {"cells"}
        canvas = self._canvas or self._new_canvas(source)
        self._wipe()
        canvas.visible = True
        canvas.brush_size = tool.brush
        canvas.mode = "paint"
        canvas.selected_label = 1
        self._viewer.layers.selection.active = canvas
        self.armed.emit(tool)

    def put_down(self, layer: Any = None) -> None:
        """Lay the tool aside."""
        self._put_down()

    def draw(self, places: NDArray[np.int64], pixels: NDArray[np.int64]) -> None:
        """Do what the tool does with a stroke.

        Parameters
        ----------
        places : ndarray of int, shape (points, 4)
            t, z, y, x of what the mouse went over.
        pixels : ndarray of int, shape (pixels, 4)
            What the brush painted.
        """
        corrections, tool = self._current(), self._tool
        if tool is None:
            return
        if corrections is None:
            self.said.emit("The cells do not lie on the image any more: make them again.", "error")
            self._wipe()
            return
        if self._is_refused():
            self._seed = None
            self._wipe()
            return
        if tool.name == "split_by_seeds" and self._seed is None:
            self._seed = places
            self.said.emit("Now paint in the other part of the cell.", "")
            return
        try:
            step = self._applied(corrections, tool, places, pixels)
        except InfoleakError as error:
            self.said.emit(_sentence(str(error)), "error")
        else:
            self._show(step, f"{_sentence(step.what)} Undo: Ctrl+Z.", 1)
        self._seed = None
        self._wipe()

    def undo(self, layer: Any = None) -> None:
        """Take the last correction back, on whatever slice it was made."""
        if self._is_refused():
            return
        step = self._corrections.undo() if self._corrections is not None else None
        if step is None:
            self.said.emit("There is no correction of the cells to take back.", "")
        else:
            self._show(step, f"Taken back: {step.what}.", -1)

    def redo(self, layer: Any = None) -> None:
        """Make a correction again that was taken back."""
        if self._is_refused():
            return
        step = self._corrections.redo() if self._corrections is not None else None
        if step is None:
            self.said.emit("No correction was taken back.", "")
        else:
            self._show(step, f"Again: {step.what}.", 1)

    def teach(self) -> None:
        """Paint in the annotation what the corrections say, where nothing is painted yet."""
        annotation, corrections = self._state.annotation, self._corrections
        if annotation is None or corrections is None:
            return
        border, interior = self._classes()
        ids = np.zeros(256, np.uint8)
        ids[BORDER], ids[INTERIOR] = border, interior
        slices = 0
        for (t, z), taught in corrections.lessons().items():
            y, x = np.nonzero((taught > 0) & (annotation.plane(t, z) == 0))
            lay_down(annotation, t, z, y, x, ids[taught[y, x]])
            slices += len(y) > 0
        names = self._state.classes
        if not slices:
            self.said.emit("All that the corrections say is painted already.", "")
            return
        on = "1 slice" if slices == 1 else f"{slices} slices"
        self.said.emit(
            f"Painted on {on} as {names[border].name} and {names[interior].name}.",
            "good",
        )

    # ------------------------------------------------------------------ within

    def bind(self, layer: Layer) -> None:
        """Let the keys of the tools work on a layer."""
        for key, act in self._keyed().items():
            layer.bind_key(key, _called(act), overwrite=True)

    def make_anew(self, found: Cells, of: tuple[Basis, Basis]) -> bool:
        """Put cells in the place of those before, a step that Undo takes back.

        Parameters
        ----------
        found : Cells
            The new ones.
        of : (Basis, Basis)
            What the answer that they were made of was given to.

        Returns
        -------
        bool
            False if there were none to go back to.
        """
        corrections, source = self._current(), self._state.source
        if corrections is None or source is None or self._state.cells is None:
            return False
        made = np.require(found.labels, requirements="W")
        fresh = labels_to_canonical(made, source.axes)
        if fresh.shape != corrections.cells.shape:
            return False
        step = corrections.replace(fresh, found.count - self._state.cells)
        self._made_of[step] = self._state.cells_of, of
        self._put_cells(corrections)
        self._outline_all()
        self.made.emit()
        self.changed.emit()
        return True

    def finished(self) -> frozenset[int]:
        """Return the cells that stay as they are."""
        return self._results.finished(self.layer)

    def _is_refused(self) -> bool:
        """Say why no cell can be corrected now; False if one can."""
        reason = steps.why_not_correct(self._state)
        if reason:
            self.said.emit(reason, "")
        return bool(reason)

    def _keyed(self) -> dict[Any, Callable[[Any], None]]:
        """Return what the keys do."""
        return {tool.key: self._taker(tool) for tool in TOOLS} | {
            UNDO: self.undo,
            REDO: self.redo,
            STOP: self.put_down,
        }

    def _taker(self, tool: Tool) -> Callable[[Any], None]:
        return lambda layer: self.take_up(tool)

    def _applied(
        self,
        corrections: Corrections,
        tool: Tool,
        places: NDArray[np.int64],
        pixels: NDArray[np.int64],
    ) -> Step:
        if tool.name == "split_by_seeds" and self._seed is not None:
            return corrections.split_by_seeds(self._seed, places)
        if tool.name == "paint":
            t, z, y, x = places[0]
            under = int(self._frames()[t, z, y, x])
            return corrections.paint(pixels, under or None)
        if tool.name == "erase":
            return corrections.paint(pixels, 0)
        step: Step = getattr(corrections, tool.name)(places)
        return step

    def _drawn(self, places: NDArray[np.int64]) -> None:
        """A stroke has ended on the canvas: see what it painted."""
        t, z = (int(n) for n in places[0, :2])
        source, canvas = self._state.source, self._canvas
        if source is None or canvas is None:
            return
        plane = labels_to_canonical(source.grid.take_off(canvas.data), source.axes)[t, z]
        y, x = np.nonzero(plane)
        pixels = np.stack([np.full_like(y, t), np.full_like(y, z), y, x], axis=1)
        self.draw(places, pixels if len(pixels) else places)

    def _current(self) -> Corrections | None:
        """Return the corrections of the cells as they are; new cells begin a new history.

        None where there are no cells, or where they have another shape than the image.
        """
        source, layer = self._state.source, self.layer
        if source is None or layer is None or not fits(layer, source):
            return None
        if self._corrections is None or layer.data is not self._of:
            data = layer.data
            usable = isinstance(data, np.ndarray) and data.dtype.kind == "u"
            if not usable or not data.flags.writeable:
                layer.data = np.array(data, np.uint32)
            self._of = layer.data
            finished = note(layer).get("finished", ())
            self._corrections = Corrections(self._frames(), axes="TZYX", finished=finished)
        membrane = self._results.values(source, "membrane")
        if membrane is not None:
            membrane = labels_to_canonical(lazy_or_numpy(membrane), source.axes)
        self._corrections.follow(membrane)
        return self._corrections

    def _frames(self) -> Any:
        """Return the cells as TZYX, a view."""
        source, layer = self._state.source, self.layer
        assert source is not None  # noqa: S101 - whoever calls has looked
        assert layer is not None  # noqa: S101
        return labels_to_canonical(source.grid.take_off(layer.data), source.axes)

    def _show(self, step: Step, words: str, direction: int) -> None:
        """Put a change on screen."""
        layer, corrections = self.layer, self._corrections
        if layer is None or corrections is None:
            return
        if step.anew is not None:
            self._put_cells(corrections)
            self._outline_all()
            self._state.cells_of = self._made_of[step][direction > 0]
        elif step.change is not None:
            layer.refresh()
        write_note(layer, finished=sorted(corrections.finished), changed=True)
        before, after = step.finished
        if before != after:
            self._outline_some(step.place[0], before ^ after)
        if step.gained and self._state.cells is not None:
            self._state.cells += direction * step.gained
        self.corrected.emit(step, direction)
        self.said.emit(words, "")
        self.changed.emit()

    def _put_cells(self, corrections: Corrections) -> None:
        """Show the cells that are corrected from now on."""
        source = self._state.source
        if source is not None:
            values = labels_from_canonical(corrections.cells, source.axes)
            self._of = self._results.show(source, "cells", values).data

    def _outline_all(self) -> None:
        """Outline the finished cells, after all cells have changed."""
        source, layer = self._state.source, self.layer
        if source is None or layer is None or self._results.find(source, "finished") is None:
            return
        mask = np.isin(source.grid.take_off(layer.data), list(self.finished()))
        self._outline(source, mask.astype(np.uint8))

    def _outline_some(self, t: int, cells: frozenset[int]) -> None:
        """Outline cells that have become finished, and others no more."""
        source = self._state.source
        if source is None:
            return
        shown = self._results.find(source, "finished")
        frames = self._frames()
        mask = np.zeros(source.grid.shape, np.uint8) if shown is None else shown.data
        canonical = labels_to_canonical(source.grid.take_off(mask), source.axes)
        part = frames[t]
        there = [cell for cell in cells if (part == cell).any()]
        if there:
            box = box_of(part, there)
            inside = np.isin(part[box], list(self.finished()))
            canonical[t][box] = inside
        self._outline(source, source.grid.take_off(mask))

    def _show_finished(self) -> None:
        """Outline the finished cells of a layer that came with some."""
        source, layer, finished = self._state.source, self.layer, self.finished()
        if source is None or layer is None or not finished:
            return
        if self._results.find(source, "finished") is None:
            mask = np.isin(source.grid.take_off(layer.data), list(finished))
            self._outline(source, mask.astype(np.uint8))

    def _outline(self, source: Source, mask: NDArray[np.uint8]) -> None:
        is_new = self._results.find(source, "finished") is None
        layer = self._results.show(source, "finished", mask)
        if is_new:
            layer.colormap = _one_colour(_DONE)
            layer.contour = 2
        layer.refresh()

    def _show_with_cells(self, overlays: frozenset[str]) -> None:
        source = self._state.source
        shown = None if source is None else self._results.find(source, "finished")
        if shown is not None:
            shown.visible = "cells" in overlays

    def _classes(self) -> tuple[int, int]:
        """Return the ids of membrane and of interior."""
        table = self._state.classes
        border = table.ids[membrane_index(table.ids, table)]
        others = [entry for entry in table if entry.id != border]
        named = [entry.id for entry in others if entry.name == "interior"]
        return border, (named or [entry.id for entry in others])[0]

    def _new_canvas(self, source: Source) -> Labels:
        """Add the layer that strokes are drawn on; it takes memory where it is painted."""
        self._canvas = canvas = self._viewer.add_labels(
            np.zeros(source.grid.shape, np.uint8),
            name=f"{source.name} correction",
            opacity=0.9,
            metadata={KEY: {"kind": "correction", "image": identity(source.layer)}},
            **source.grid.calibration(),
        )
        canvas.colormap = _one_colour(_COLOUR)
        self.bind(canvas)
        self._strokes.follow(canvas, source)
        return canvas

    def _wipe(self) -> None:
        """Take the drawn stroke away."""
        canvas = self._canvas
        if canvas is not None:
            canvas.data = np.zeros(canvas.data.shape, np.uint8)

    def _put_down(self, value: Any = None) -> None:
        if self._tool is None and self._canvas is None:
            return
        self._tool = self._seed = None
        in_hand = self._in_hand()
        canvas, self._canvas = self._canvas, None
        self._strokes.follow(None, None)
        if canvas is not None and canvas in self._viewer.layers:
            self._viewer.layers.remove(canvas)
            if in_hand and self.layer is not None:
                self._viewer.layers.selection.active = self.layer
        self.armed.emit(None)

    def _look_at_hand(self, event: Any = None) -> None:
        """Another layer was chosen, to paint in it or to look: so the tool is laid aside."""
        if self._tool is not None:
            QTimer.singleShot(0, self._put_down_if_left)

    def _put_down_if_left(self) -> None:
        if self._tool is not None and not self._in_hand():
            self._put_down()

    def _in_hand(self) -> bool:
        """Tell whether the layer that strokes are drawn on is chosen.

        A plugin sees layers through napari's proxies, so they are told apart by their ids.
        """
        active, canvas = self._viewer.layers.selection.active, self._canvas
        both = active is not None and canvas is not None
        return both and identity(active) == identity(canvas)

    def _cells_changed(self, cells: int | None) -> None:
        """New cells, or none: the tools begin anew."""
        layer = self.layer
        if layer is not None and cells is not None:
            self.bind(layer)
            self._show_finished()
        if layer is None or layer.data is not self._of:
            self._corrections = self._of = None
        if cells is None:
            self._put_down()
        self.changed.emit()


def _called(act: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a function, which is what napari binds a key to."""
    return lambda layer: act(layer)


def _one_colour(colour: str) -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    return DirectLabelColormap(color_dict={None: colour, 0: "transparent", 1: colour})


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."
