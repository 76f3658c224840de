"""The dock's memory: writes down what is painted, chosen and done, and goes on where it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.core.region import Region
from napari_infoleak.session import session as records
from napari_infoleak.session.corrections import correction
from napari_infoleak.session.session import OWN, Session
from napari_infoleak.widgets import jobs
from napari_infoleak.widgets.annotation import Annotation
from napari_infoleak.widgets.layers import note, position, show_plane
from napari_infoleak.widgets.recorder import Recorder
from napari_infoleak.widgets.strokes import painted_planes
from napari_infoleak.widgets.tracking import Tracked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from napari import Viewer
    from napari.layers import Labels

    from napari_infoleak.session.paint import Difference
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.state import DockState
    from napari_infoleak.widgets.worker import Worker

WRITE_MS = 300
"""How long paint may wait to be written down: with the writing itself, far below a second."""
STEPS = {
    f"{jobs.HERE}.segment": "segment",
    f"{jobs.HERE}.propagate": "propagate",
    f"{jobs.HERE}.train": "train",
    f"{jobs.HERE}.add_class": "add_class",
    f"{jobs.HERE}.shrink": "shrink",
    f"{jobs.HERE}.make_cells": "cells",
}
"""What the child process does that belongs to a session, by the name of its function."""
NUMBER = "session_layer"
"""The note on a layer that says which one of its session it is."""


class Keeping(QObject):
    """Follows the dock and writes its journal.

    Parameters
    ----------
    state : DockState
        What is chosen.
    worker : Worker
        Tells what is done.
    viewer : napari Viewer
        Says which slice is on screen.
    """

    said = Signal(str, str)
    changed = Signal()
    """Something can be undone or done again that could not before, or the other way round."""
    left = Signal()
    """Another image is chosen: the journal of the last one ends."""
    found = Signal(object)
    """An unfinished session of the image was found, (path, Session), or None if there is none."""

    def __init__(self, state: DockState, worker: Worker, viewer: Viewer) -> None:
        super().__init__(worker)
        self._state, self._worker, self._viewer = state, worker, viewer
        self._layer: Labels | None = None
        self._tracked: dict[str, Tracked] = {}
        self._dragging = False
        self._far = False  # whether other slices than the one on screen may have changed
        self._step: int | None = None
        self._taken_back: list[dict[str, Any]] = []
        self._recorder = Recorder(state, self.said.emit)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(WRITE_MS)
        self._soon.timeout.connect(self._write)
        events = state.events
        events.source.connect(self._use_source)
        events.annotation.connect(self._use_annotation)
        for signal in (events.classes, events.model, events.leak, events.channel):
            signal.connect(self._settings_changed)
        events.supports.connect(self._supports_changed)
        worker.asked.connect(self._begin)
        worker.answered.connect(self._end)
        self._use_source(state.source)

    @property
    def session(self) -> Session:
        """What was painted, chosen and done."""
        return self._recorder.session

    @property
    def journal(self) -> Path | None:
        """The journal that is written; None while there is none."""
        return self._recorder.journal

    @property
    def unfinished(self) -> tuple[Path, Session] | None:
        """What was begun on the image before: the journal, and what it says."""
        return self._recorder.unfinished

    @property
    def _source(self) -> Source | None:
        return self._recorder.source

    @property
    def tracked(self) -> Tracked | None:
        """The annotation layer that is painted in."""
        return None if self._layer is None else self._tracked.get(str(self._layer.unique_id))

    @property
    def can_undo(self) -> int:
        """Number of strokes that can be taken back."""
        return 0 if self.tracked is None else len(self.tracked.history)

    @property
    def can_redo(self) -> int:
        """Number of strokes that can be done again."""
        return 0 if self.tracked is None else self.tracked.history.undone

    def undo(self, layer: Any = None) -> None:
        """Take the last stroke back, on whatever slice it is."""
        self._step_through("undo")

    def redo(self, layer: Any = None) -> None:
        """Do again what was taken back last."""
        self._step_through("redo")

    def snapshot(self) -> Session:
        """Return all that is needed to go on, as it is now."""
        self._write(everything=True)
        if self._source is not None:
            self._note_all()
        return self.session.compact()

    def go_on_with(
        self, session: Session, path: Path | None = None, layers: Mapping[int, Labels] | None = None
    ) -> None:
        """Add to an old session from now on.

        Parameters
        ----------
        session : Session
            What was done before.
        path : Path, optional
            Its journal; by default a new one is written.
        layers : mapping of int to napari labels layer, optional
            Layers on screen that are layers of the session, by their number there.

        Raises
        ------
        InfoleakError, OSError
            If another window goes on with it, or it cannot be written.
        """
        self._write(everything=True)
        self._recorder.go_on_with(session, path)
        known = {str(layer.unique_id): number for number, layer in (layers or {}).items()}
        for key, tracked in self._tracked.items():
            tracked.number = known.get(key)
            own = tracked.annotation.source is self._source
            if own and tracked.number is None and tracked.paint:
                self._recorder.register(tracked)

    def catch_up(self) -> None:
        """Write down what is painted on any slice, as one stroke."""
        self._write(everything=True)

    def is_painted(self, layer: Labels) -> bool:
        """Tell whether strokes were painted in a layer since it is followed."""
        tracked = self._tracked.get(str(layer.unique_id))
        return tracked is not None and bool(len(tracked.history) or tracked.history.undone)

    def close(self) -> None:
        """Write what there is to be written, and stop following."""
        self._soon.stop()
        self._write(everything=True)
        self._listen_to(None)
        self._recorder.leave()

    # ------------------------------------------------------------------ what changes

    def _use_source(self, source: Source | None) -> None:
        """Begin with another image; what was written of the last one stays."""
        known = self._source
        if source is known:
            return
        self._soon.stop()
        self._write(everything=True)
        self.left.emit()
        relettered = known is not None and source is not None and known.array is source.array
        self._recorder.begin(source, again=relettered)
        self._tracked.clear()
        self._taken_back.clear()
        self._step = None
        if not relettered:
            self.found.emit(self.unfinished)

    def _use_annotation(self, annotation: Annotation | None) -> None:
        """Follow another layer; the strokes of the last one are written down first."""
        layer = None if annotation is None else annotation.layer
        self._write()
        self._listen_to(layer)
        if annotation is not None:
            tracked = self._track(annotation)
            if self._recorder.begun:
                self._note_layer(tracked)
                self._note_use()
        self.changed.emit()

    def _listen_to(self, layer: Labels | None) -> None:
        """Follow the strokes in a layer, and give it the keys of undo and redo."""
        old, self._layer = self._layer, layer
        if old is layer:
            return
        if old is not None:
            for key in _keys():
                old.bind_key(key, None, overwrite=True)
            old.events.paint.disconnect(self._painted)
            old.events.labels_update.disconnect(self._drawn)
            old.events.set_data.disconnect(self._write_soon)
            old.mouse_drag_callbacks.remove(self._drag)
        if layer is not None:
            undo, redo = _keys()
            layer.bind_key(undo, self.undo, overwrite=True)
            layer.bind_key(redo, self.redo, overwrite=True)
            layer.events.paint.connect(self._painted)
            layer.events.labels_update.connect(self._drawn)
            layer.events.set_data.connect(self._write_soon)
            layer.mouse_drag_callbacks.insert(0, self._drag)  # before the brush

    def _track(self, annotation: Annotation) -> Tracked:
        """Return what is known of a layer; one that a session brought has its number there."""
        key = str(annotation.layer.unique_id)
        known = self._tracked.get(key)
        if known is None or known.paint.shape != annotation.source.image.label_shape:
            known = self._tracked[key] = Tracked(annotation)
            number = note(annotation.layer).get(NUMBER)
            there = self.session.layers.get(number) if isinstance(number, int) else None
            if there is not None and not len(known.paint.since(there.paint)):
                known.number = number
        known.annotation = annotation
        return known

    # ------------------------------------------------------------------ strokes

    def _drag(self, layer: Any, event: Any) -> Iterator[None]:
        """Know that the mouse button is down: what is painted meanwhile is one stroke."""
        self._dragging = True
        yield
        while event.type == "mouse_move":
            yield
        self._dragging = False
        self._write_soon()

    def _painted(self, event: Any) -> None:
        """The history of the layer has grown; its pixels change before this, or right after."""
        atoms, source = getattr(event, "value", None) or (), self._source
        if self.tracked is not None and source is not None:
            reached = painted_planes(self.tracked.annotation, atoms)
            here = position(self._viewer, source)
            self._far = self._far or reached is None or bool(reached - {here})
        self._write(here=True)

    def _drawn(self, event: Any = None) -> None:
        """Pixels of the layer were drawn anew."""
        if self._dragging:
            self._write_soon()
        else:
            self._write(here=True)

    def _write_soon(self, event: Any = None) -> None:
        if not self._soon.isActive():
            self._soon.start()

    def _write(self, everything: bool = False, here: bool = False) -> None:
        """Write down what was painted since the last time: on all slices, or the one on screen."""
        tracked, source = self.tracked, self._source
        if tracked is None or source is None or tracked.annotation.source is not source:
            return
        at = position(self._viewer, source)
        planes = [at] if here else tracked.near(*at)
        if everything or self._far:
            planes = None
        try:
            difference = tracked.look(planes)
        except (IndexError, ValueError):
            return  # its data were replaced by some that do not fit: it is no annotation any more
        if len(difference):
            self._far = False
            tracked.go_on(difference)
            self._note_stroke(tracked, difference)
        if not self._dragging:
            tracked.end_stroke()
        if len(difference):
            self.changed.emit()

    def _step_through(self, way: str) -> None:
        """Undo or redo, and show where."""
        self._dragging = False
        self._write()
        tracked, source = self.tracked, self._source
        if tracked is None or source is None:
            return
        difference = tracked.undo() if way == "undo" else tracked.redo()
        if difference is None:
            self.said.emit(f"There is nothing to {way}.", "")
            return
        self._note_stroke(tracked, difference)
        planes = tracked.paint.places(difference)
        if position(self._viewer, source) not in planes:
            show_plane(self._viewer, source, *planes[0])
        self.changed.emit()

    # ------------------------------------------------------------------ what is done

    def _begin(self, function: str, request: Mapping[str, Any]) -> None:
        """Write down what is asked, and all that the answer will depend on."""
        self._step = None
        name = STEPS.get(function)
        if name is None or self._source is None:
            return
        self._write(everything=True)
        self._note_all()
        self._step = self.session.next_step
        self._recorder.note(records.step(self._step, name, _plain(request)))

    def _end(self, result: Any) -> None:
        """Write down that it was done."""
        number, self._step = self._step, None
        if number is None:
            return
        path = getattr(result, "path", None)
        if isinstance(path, str):
            self._recorder.model(path)
        self._recorder.note(records.done(number, {} if path is None else {"path": str(path)}))

    def note_correction(self, step: Any, direction: int) -> None:
        """Write down that cells were corrected by hand, or that this was taken back."""
        if self._source is not None and self.session.records and self._step is None:
            if step.anew is not None:
                self._note_anew(direction)
                return
            told = correction(step, taken_back=direction < 0)
            number = self.session.next_step
            self._recorder.note(records.step(number, "correct", told))
            self._recorder.note(records.done(number, {}))

    def _note_anew(self, direction: int) -> None:
        """Write down that cells which were made anew were taken back, or made again."""
        if direction > 0 and self._taken_back:
            number = self.session.next_step
            self._recorder.note(records.step(number, "cells", self._taken_back.pop()))
            self._recorder.note(records.done(number, {}))
            return
        made = [step for step in self.session.steps if step.name == "cells"]
        if direction < 0 and made:
            self._taken_back.append(dict(made[-1].arguments))
            self._recorder.note(records.taken_back(made[-1].number))

    # ------------------------------------------------------------------ writing

    def _settings_changed(self, value: Any = None) -> None:
        if self.session.records and self._source is not None:
            self._recorder.settings()

    def _supports_changed(self, value: Any = None) -> None:
        if self.session.records:
            self._note_all()

    def _note_all(self) -> None:
        """Write down the image, all annotations that count, classes and settings."""
        source = self._source
        if source is None:
            return
        if self.session.records:
            self._recorder.image(OWN, source)
        if self.tracked is not None:
            self._note_layer(self.tracked)
        for pair in self._state.supports:
            try:
                support = self._track(Annotation(pair.annotation, pair.source))
            except InfoleakError:
                continue  # it is no annotation any more, and will be refused
            number = self._recorder.number_of(pair.source)
            difference = support.look()
            if support.number is None:
                self._recorder.register(support, number)
            elif len(difference):
                self._recorder.note(records.paint(support.number, difference))
        self._note_use()
        self._recorder.settings()

    def _note_stroke(self, tracked: Tracked, difference: Difference) -> None:
        if tracked.number is None:
            self._recorder.register(tracked)
            self._note_use()
        else:
            self._recorder.note(records.paint(tracked.number, difference))

    def _note_layer(self, tracked: Tracked) -> None:
        if tracked.number is None and tracked.in_memory:
            self._recorder.register(tracked)

    def _note_use(self) -> None:
        """Write down which annotations count."""
        keys = [str(pair.annotation.unique_id) for pair in self._state.supports]
        supports = [self._tracked[key] for key in keys if key in self._tracked]
        self._recorder.use(self.tracked, supports)


def _keys() -> tuple[Any, Any]:
    """Return the keys of undo and redo, as napari has them on this system."""
    from app_model.types import KeyCode, KeyMod

    return KeyMod.CtrlCmd | KeyCode.KeyZ, KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.KeyZ


def _plain(request: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what a request says in words and numbers; pixels and paint are known."""
    plain: dict[str, Any] = {}
    for name, value in request.items():
        if isinstance(value, Region):
            plain[name] = [edge for pair in value.bounds for edge in pair]
        elif value is None or isinstance(value, str | int | float | bool):
            plain[name] = value
        elif isinstance(value, list | tuple) and value and isinstance(value[0], int):
            plain[name] = list(value)
    return plain
