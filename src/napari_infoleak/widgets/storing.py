"""Results beside the journal: written by a thread while one goes on, and put on screen again."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_infoleak.api._result import membrane_index
from napari_infoleak.api._spread import Spread
from napari_infoleak.core.axes import labels_to_canonical
from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.instances.measure import Table
from napari_infoleak.session import results as store
from napari_infoleak.session.corrections import correct, finished_after
from napari_infoleak.session.file import take_results
from napari_infoleak.session.results import ANSWER, CELLS, KINDS, TABLE
from napari_infoleak.spread.frame import SpreadFrame
from napari_infoleak.widgets.layers import identity, note, write_note
from napari_infoleak.widgets.state import Answer, Basis
from napari_infoleak.widgets.steps import older_cells
from napari_infoleak.widgets.thread import Thread

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari.layers import Layer

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.session import Step
    from napari_infoleak.widgets.keeping import Keeping
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.panel_cells import CellsPanel
    from napari_infoleak.widgets.results import Results
    from napari_infoleak.widgets.spreading import Spreading
    from napari_infoleak.widgets.state import DockState

    Kept = tuple[dict[str, Any], dict[str, Any]]

_SHOWN = {ANSWER: "labels", CELLS: "cells", TABLE: "cells"}
"""Kind of the layer that each result is of."""
_PAINTED = {_SHOWN[kind]: kind for kind in (ANSWER, CELLS)}
"""Results that can be painted over, by the kind of their layer."""

REST_MS = 1000
"""How long a result has to be as it is before it is written."""


class Storing(QObject):
    """Keeps the answer, the cells and their table beside the journal.

    Corrections of cells are in the journal, each as it is made: what is read of cells is corrected
    by those that came after it was written.

    Parameters
    ----------
    state : DockState
    keeping : Keeping
        Has the journal.
    results : Results
        The layers.
    cells : CellsPanel
        Corrects and measures them.
    spreading : Spreading
        Knows how labels were spread.
    """

    said = Signal(str, str)
    restored = Signal()

    def __init__(
        self,
        state: DockState,
        keeping: Keeping,
        results: Results,
        cells: CellsPanel,
        spreading: Spreading,
    ) -> None:
        super().__init__(keeping)
        table = cells.table
        self._spreading = spreading
        self._state, self._keeping, self._results = state, keeping, results
        self._table, self._source = table, state.source
        self._thread = Thread("infoleak results", self)
        self._waiting: dict[str, QTimer] = {}
        for kind in KINDS:
            timer = self._waiting[kind] = QTimer(self)
            timer.setSingleShot(True)
            timer.setInterval(REST_MS)
            timer.timeout.connect(lambda kind=kind: self._write(kind))
        state.events.answer.connect(lambda answer: self._changed(ANSWER, answer))
        for signal in (state.events.cells, state.events.cells_of):
            signal.connect(lambda value: self._changed(CELLS, value))
        table.measured.connect(lambda table: self._changed(TABLE, table))
        results.viewer.layers.events.inserted.connect(self._layer_came)
        for layer in results.viewer.layers:
            self._follow(layer)
        cells.correcting.corrected.connect(self._corrected)
        keeping.left.connect(self.write_now)
        results.viewer.layers.events.removing.connect(self._layer_goes)

    @property
    def busy(self) -> bool:
        """Whether something is being written or read."""
        return self._thread.busy

    def write_now(self) -> None:
        """Begin to write what waits to be written."""
        for kind, timer in self._waiting.items():
            if timer.isActive():
                timer.stop()
                self._write(kind)

    def finish(self) -> None:
        """Wait until all is written."""
        self.write_now()
        self._thread.wait()

    def close(self) -> None:
        """Begin to write what waits; the thread ends when it has."""
        layers = self._results.viewer.layers
        layers.events.removing.disconnect(self._layer_goes)
        layers.events.inserted.disconnect(self._layer_came)
        for layer in layers:
            if note(layer).get("kind") in _PAINTED:
                layer.events.paint.disconnect(self._painted)
        self.write_now()
        self._thread.close()

    @property
    def folder(self) -> Path | None:
        """Where the results are kept; None while there is no journal."""
        journal = self._keeping.journal
        return None if journal is None else store.folder_of(journal)

    def knows_more(self, journal: Path) -> bool:
        """Tell whether results are kept beside a journal, and none are known on screen."""
        return self._state.answer is None and any(store.files(store.folder_of(journal)))

    def restore(self, session: Path | None = None) -> bool:
        """Put what is kept on screen, once it is read; False if there is nothing.

        Parameters
        ----------
        session : Path, optional
            File of a session, whose results are to be taken.
        """
        source, folder = self._state.source, self.folder
        if source is None or folder is None or (session is None and not any(store.files(folder))):
            return False
        steps = tuple(self._keeping.session.steps)
        axes = source.image.label_axes
        self._thread.run(
            lambda: _read(folder, steps, axes, session), lambda found: self._show(source, found)
        )
        return True

    # ------------------------------------------------------------------ writing

    def _changed(self, kind: str, value: Any) -> None:
        if value is not None:
            self._source = self._state.source
            self._waiting[kind].start()

    def _layer_goes(self, event: Any) -> None:
        """Write what waits while its layer is there: a viewer that closes removes them all."""
        self.write_now()

    def _layer_came(self, event: Any) -> None:
        self._follow(event.value)

    def _follow(self, layer: Layer) -> None:
        """Write a result anew that is painted over with napari's own brush."""
        if note(layer).get("kind") in _PAINTED:
            layer.events.paint.connect(self._painted)

    def _painted(self, event: Any) -> None:
        notes, source = note(event.source), self._state.source
        if source is not None and notes.get("image") == identity(source.layer):
            self._changed(_PAINTED[notes["kind"]], event)

    def _corrected(self, step: Any, direction: int) -> None:
        """Write cells that were taken back as a whole; strokes are in the journal."""
        if step.anew is not None:
            self._changed(CELLS, step)

    def _write(self, kind: str) -> None:
        """Hand a result over to the thread."""
        folder, source = self.folder, self._source
        if folder is None or source is None or not source.stands:
            return
        made = {ANSWER: self._answer, CELLS: self._cells, TABLE: self._measured}[kind](source)
        if made is None and self._results.find(source, _SHOWN[kind]) is None:
            return  # what was kept of it stays: the window may be closing
        if made is None:
            self._thread.run(lambda: store.forget(folder, kind), self._failed)
        else:
            self._thread.run(lambda: _keep(folder, kind, *made), self._failed)

    def _answer(self, source: Source) -> Kept | None:
        answer = self._state.answer
        labels = self._results.values(source, "labels")
        if answer is None or answer.source is not source:
            return None
        if not self._is_small(labels, answer.probabilities):
            return None
        spread = self._spreading.last(source) if answer.spread else None
        told = {
            "axes": source.axes,
            "class_ids": answer.class_ids,
            "complete": answer.complete,
            "basis": asdict(answer.basis),
            "oldest": asdict(answer.oldest),
            "spread": answer.spread,
            "along": None if spread is None else spread.axis,
            "frames": [] if spread is None else [*map(asdict, spread.frames)],
            "provenance": dict(answer.provenance),
        }
        return {"labels": labels, "probabilities": answer.probabilities}, told

    def _cells(self, source: Source) -> Kept | None:
        cells, count = self._results.values(source, "cells"), self._state.cells
        if count is None or not self._is_small(cells):
            return None
        layer = self._results.find(source, "cells")
        told = {
            "axes": source.axes,
            "count": count,
            "finished": list(self._results.finished(layer)),
            "of": None if self._state.cells_of is None else [*map(asdict, self._state.cells_of)],
            "step": self._keeping.session.next_step - 1,
        }
        return {"cells": cells}, told

    def _measured(self, source: Source) -> Kept | None:
        table = self._table.model.table
        if table is None or not self._is_small(*table.columns.values()):
            return None
        told = {
            "axes": source.axes,
            "columns": list(table.columns),
            "calibration": self._table.calibration,
        }
        return {str(n): column for n, column in enumerate(table.columns.values())}, told

    def _is_small(self, *arrays: Any) -> bool:
        if all(isinstance(one, np.ndarray) for one in arrays):
            if sum(one.nbytes for one in arrays) <= store.LARGEST:
                return True
            self.said.emit(
                "This result is too large to be kept in case of a crash; save it to a file.", ""
            )
        return False

    def _failed(self, trouble: Any) -> None:
        if trouble:
            self.said.emit(f"Results are not kept in case of a crash: {trouble}", "error")

    # ------------------------------------------------------------------ reading

    def _show(self, source: Source, found: Any) -> None:
        """Put what was read on screen, unless its image is gone or answered meanwhile."""
        state = self._state
        if isinstance(found, str):
            self._failed(found)
        elif source is state.source and source.layer in self._results.viewer.layers:
            if ANSWER in found and state.answer is None:
                self._show_answer(source, *found[ANSWER])
            if CELLS in found and state.cells is None:
                self._show_cells(source, *found[CELLS])
                if TABLE in found:
                    self._table.show(source, *found[TABLE])
            self.restored.emit()

    def _show_answer(self, source: Source, arrays: dict[str, Any], told: Mapping[str, Any]) -> None:
        state, planes = self._state, arrays["probabilities"]
        ids = tuple(int(number) for number in told["class_ids"])
        classes = state.classes.with_ids(ids)
        for kind, values in (
            ("labels", arrays["labels"]),
            ("membrane", planes[membrane_index(ids, classes)]),
        ):
            self._results.show(
                source,
                kind,
                values,
                visible=kind in state.overlays,
                classes=classes if kind == "labels" else None,
            )
        state.answer = Answer(
            source=source,
            class_ids=ids,
            probabilities=planes,
            uncertainty=False,
            complete=bool(told["complete"]),
            model=str(told["basis"]["model"]),
            basis=_basis(told["basis"], state),
            oldest=_basis(told["oldest"], state),
            spread=bool(told["spread"]),
            provenance=dict(told["provenance"]),
        )
        if told["frames"]:
            self._spreading.show(source, _spread(state.answer, classes, arrays["labels"], told))

    def _show_cells(self, source: Source, arrays: dict[str, Any], told: Mapping[str, Any]) -> None:
        state = self._state
        layer = self._results.show(source, "cells", arrays["cells"])
        write_note(layer, finished=list(told["finished"]))
        of = told["of"]
        state.cells_of = None if of is None else (_basis(of[0], state), _basis(of[1], state))
        state.cells = int(told["count"])
        layer.visible = "cells" in state.overlays
        if not older_cells(state):
            state.overlays = state.overlays - {"labels"} | {"cells"}
        elif state.answer is not None:
            state.overlays = state.overlays - {"cells"} | {"labels"}


def _keep(folder: Path, kind: str, arrays: dict[str, Any], told: dict[str, Any]) -> str:
    """Write a result; return what went wrong."""
    if kind == ANSWER:
        planes = arrays["probabilities"]
        arrays = arrays | {"probabilities": store.rounded(planes, complete=told["complete"])}
    try:
        store.keep(folder, kind, arrays, told)
    except (InfoleakError, OSError) as error:
        return str(error)
    return ""


def _read(
    folder: Path, steps: tuple[Step, ...], axes: str, session: Path | None
) -> dict[str, Any] | str:
    """Read all results, and correct the cells as they were corrected since."""
    try:
        if session is not None:
            take_results(session, folder)
        found = {}
        for kind in KINDS:
            one = store.kept(folder, kind)
            if one is not None:
                found[kind] = _completed(kind, *one, steps, axes)
    except (InfoleakError, OSError) as error:
        return str(error)
    except (KeyError, TypeError, ValueError, IndexError):
        return f"{folder} is damaged"
    return found


def _completed(
    kind: str, arrays: dict[str, Any], told: dict[str, Any], steps: tuple[Step, ...], axes: str
) -> Any:
    if kind == ANSWER:
        planes = store.widened(arrays["probabilities"], len(told["class_ids"]))
        frames = tuple(SpreadFrame(**{**one, "reused": False}) for one in told.get("frames", ()))
        return arrays | {"probabilities": planes}, told | {"frames": frames}
    if kind == TABLE:
        columns = {name: arrays[str(n)] for n, name in enumerate(told["columns"])}
        outdated = bool(steps) and steps[-1].name == "correct"
        return Table(columns), outdated, told.get("calibration")
    since = [one for one in steps if one.name == "correct" and one.number > told["step"]]
    cells = arrays["cells"]
    for step in since:
        correct(labels_to_canonical(cells, axes), step.arguments)
    if since:
        told["finished"] = finished_after([step.arguments for step in since], told["finished"])
        told["count"] = int(np.count_nonzero(np.bincount(cells.ravel())[1:]))
    return arrays, told


def _spread(answer: Answer, classes: ClassTable, labels: Any, told: Mapping[str, Any]) -> Spread:
    """How labels were spread: probabilities are left out, for they were rounded."""
    return Spread(
        labels=labels,
        probabilities=None,
        uncertainty=None,
        class_ids=answer.class_ids,
        classes=classes,
        axes=answer.source.image.label_axes,
        provenance=answer.provenance,
        axis=str(told["along"]),
        frames=told["frames"],
    )


def _basis(told: Mapping[str, Any], state: DockState) -> Basis:
    """Return what an answer was given to; layers that were opened anew are known by their paint."""
    shown = {digest: layer for layer, digest in Basis.of(state).supports}
    supports = tuple((shown.get(digest, str(was)), digest) for was, digest in told["supports"])
    return Basis(**{**told, "supports": supports})
