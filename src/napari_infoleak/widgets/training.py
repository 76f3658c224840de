"""From paint to a model: gathers the request, hands it to the child, follows the training's log."""

from __future__ import annotations

import csv
import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.io.weights import read_header
from napari_infoleak.widgets import jobs
from napari_infoleak.widgets.annotation import Annotation
from napari_infoleak.widgets.command import stem
from napari_infoleak.widgets.segmenting import pixels_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.state import DockState
    from napari_infoleak.widgets.worker import Worker

SUFFIX = ".safetensors"
_NO_TRAINING = "annotation-leakage"
_FOLLOW_MS = 500
_NO_LOSS = ("step", "seconds", "rate")
_VALIDATION = "validation "


@dataclass(frozen=True)
class Curves:
    """What the log of a training says so far.

    Attributes
    ----------
    loss, iou : list of (float, float)
        Minutes, and the sum of the losses or the mean overlap with held-out paint.
    """

    loss: list[tuple[float, float]]
    iou: list[tuple[float, float]]


class Training(QObject):
    """Trains a model in the child process.

    Parameters
    ----------
    state : DockState
        What is painted.
    worker : Worker
        The child process.
    """

    moved = Signal(object)  # Curves
    ended = Signal(object)  # jobs.Trained or jobs.Small

    def __init__(self, state: DockState, worker: Worker) -> None:
        super().__init__(worker)
        self._state, self._worker = state, worker
        self._output: Path | None = None
        self._last: Path | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_FOLLOW_MS)
        self._timer.timeout.connect(self._follow)
        worker.ended.connect(self._over)
        worker.cancelled.connect(self._throw_away)

    @property
    def running(self) -> bool:
        """Whether a training runs."""
        return self._output is not None

    def start(self, method: str, minutes: float, init: str) -> bool:
        """Train on all that is painted; False if that is not possible now."""
        return self._start(
            f"Training {method}", "train", method, method=method, minutes=minutes, init=init
        )

    def add_class(self, class_id: int, minutes: float) -> bool:
        """Let a painted class join the chosen model; False if that is not possible now."""
        name = self._state.classes[class_id].name
        return self._start(
            f"Adding {name}",
            "add_class",
            f"with {name}",
            model=self._state.model,
            class_id=class_id,
            minutes=minutes,
        )

    def shrink(self, minutes: float) -> bool:
        """Let the chosen model teach a small one; False if that is not possible now."""
        model = self._state.model
        ending = f"{Path(model).stem} small"
        return self._start("Making it small", "shrink", ending, model=model, minutes=minutes)

    def _start(self, title: str, job: str, ending: str, **asked: Any) -> bool:
        source = self._state.source
        if source is None or self._worker.busy:
            return False
        try:
            output = _new_file(models_folder(), f"{stem(source.name)}_{stem(ending)}")
            request = self._request(source)
        except (InfoleakError, OSError) as error:
            self._worker.failed.emit(str(error))
            return False
        self._output = output
        started = self._worker.start(
            title,
            f"{jobs.HERE}.{job}",
            self.ended.emit,
            **request,
            **asked,
            output=str(output),
        )
        if started:
            self._timer.start()
        else:
            self._output = None
        return started

    def stop_and_keep(self) -> None:
        """End it before its time; what was learned becomes the model."""
        if self._output is not None:
            jobs.stop_file(self._output).touch()

    def close(self) -> None:
        """Leave nothing of a training that is under way; the child has ended."""
        self._timer.stop()
        if self._output is not None:
            self._last, self._output = self._output, None
            self._throw_away("")

    def _request(self, source: Source) -> dict[str, Any]:
        """Gather what the child needs; the paint is copied, so that painting can go on."""
        state = self._state
        own = state.annotation if state.count.total else None
        return {
            "pixels": pixels_of(source),
            "annotation": None if own is None else own.pack(),
            "supports": [
                (pixels_of(pair.source), Annotation(pair.annotation, pair.source).pack())
                for pair in state.supports
            ],
            "classes": state.classes.to_json(),
            "channel": state.channel,
        }

    def _follow(self) -> None:
        if self._output is not None:
            self.moved.emit(read_curves(self._output.with_suffix(".training") / "log.csv"))

    def _over(self) -> None:
        self._follow()
        self._timer.stop()
        self._last, self._output = self._output, None

    def _throw_away(self, what: str) -> None:
        """Leave nothing of a training that was cancelled; the child has let go of its files."""
        if self._last is not None:
            self._last.unlink(missing_ok=True)
            jobs.stop_file(self._last).unlink(missing_ok=True)
            shutil.rmtree(self._last.with_suffix(".training"), ignore_errors=True)
            self._last = None


def joining(state: DockState) -> int | None:
    """Return the class that is painted and that the chosen model does not know, if there is one.

    None as well for models that need no training for it, or whose file cannot be read.
    """
    if not state.model.endswith(SUFFIX):
        return None
    try:
        header = read_header(state.model)
        known = ClassTable.from_json(header.get("classes") or [])
    except InfoleakError:
        return None
    if header.get("method") == _NO_TRAINING:
        return None
    painted = (one.id for one in state.classes if one.id in state.count.total)
    return next((number for number in painted if number not in known), None)


def models_folder() -> Path:
    """Return the folder of the user's own models; it is made when it is needed."""
    import platformdirs

    folder = platformdirs.user_data_path("napari-infoleak", appauthor=False) / "models"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def read_curves(log: Path) -> Curves:
    """Read the log of a training; one that is not there yet is empty."""
    try:
        with log.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        return Curves([], [])
    loss, iou = [], []
    for row in rows:
        minutes = (_number(row.get("seconds")) or 0.0) / 60
        terms = [_number(text) for name, text in row.items() if _is_loss(name)]
        known = [value for value in terms if value is not None]
        if known:
            loss.append((minutes, sum(known)))
        score = _number(row.get(f"{_VALIDATION}mIoU"))
        if score is not None:
            iou.append((minutes, score))
    return Curves(loss, iou)


def _is_loss(name: str | None) -> bool:
    return bool(name) and name not in _NO_LOSS and not str(name).startswith(_VALIDATION)


def _number(text: Any) -> float | None:
    """Read a number; None for an empty cell, or a line that is only half written."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _new_file(folder: Path, name: str) -> Path:
    """Return the name of a model file that does not exist yet."""
    endings: Sequence[str] = ("", *(f"_{number}" for number in range(2, 1000)))
    paths = (folder / f"{name}{ending}.safetensors" for ending in endings)
    free = (path for path in paths if not path.exists())
    return next(itertools.chain(free, [folder / f"{name}.safetensors"]))
