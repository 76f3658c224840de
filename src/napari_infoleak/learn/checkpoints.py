"""What a training leaves on disk: the last state, to go on from, the best model, and a log.

All in one folder. The state is a safetensors file as the models are, there whole or not at all;
nothing is unpickled.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.errors import BadInput, BadModelFile, WriteFailed
from napari_infoleak.io.atomic import atomic
from napari_infoleak.io.weights import load_weights, save_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from napari_infoleak.learn.state import State


@dataclass(frozen=True)
class Store:
    """The folder of a training.

    Attributes
    ----------
    folder : Path
        Its parent exists.
    fingerprint : mapping
        What a training has in common with one that goes on from it; plain JSON.
    note : mapping
        More for the header of the best model.
    """

    folder: Path
    fingerprint: Mapping[str, Any]
    note: Mapping[str, Any] = field(default_factory=dict)

    @property
    def last(self) -> Path:
        """The last state."""
        return self.folder / "last.safetensors"

    @property
    def best(self) -> Path:
        """The best model so far, a model file as any."""
        return self.folder / "best.safetensors"

    @property
    def log(self) -> Path:
        """Losses and scores, a row a report."""
        return self.folder / "log.csv"

    def begin(self) -> None:
        """Make the folder, and remove what an earlier training left there.

        Raises
        ------
        WriteFailed
            If it cannot be made.
        """
        try:
            self.folder.mkdir(exist_ok=True)
            for path in (self.last, self.best, self.log):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise WriteFailed(
                f"the folder {self.folder} cannot be used ({error.strerror or error}); choose "
                f"another name for the model"
            ) from error

    def save(self, state: State) -> None:
        """Write the last state."""
        header = {"fingerprint": dict(self.fingerprint), "training": state.header()}
        save_weights(self.last, state.tensors(), header)

    def keep(self, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        """Write the best model."""
        save_weights(self.best, tensors, {**header, **self.note})

    def kept(self) -> dict[str, Tensor] | None:
        """Read the best model's weights, if there are any."""
        return load_weights(self.best)[0] if self.best.is_file() else None

    def resume(self, state: State) -> None:
        """Read the last state, and forget what was logged after it.

        Raises
        ------
        BadInput
            If there is none, or it is of another training.
        """
        if not self.last.is_file():
            raise BadInput(
                f"there is no training to resume: {self.last} does not exist; train without "
                f"resuming first"
            )
        tensors, header = load_weights(self.last)
        before = header.get("fingerprint")
        before = before if isinstance(before, dict) else {}
        differing = sorted(k for k, v in self.fingerprint.items() if before.get(k) != v)
        if differing:
            raise BadInput(
                f"the training in {self.folder} was begun with other {', '.join(differing)}; "
                f"resume it with the same, or begin a new one from its model"
            )
        try:
            state.restore(tensors, header["training"])
        except (RuntimeError, LookupError, TypeError, ValueError) as error:
            raise BadModelFile(
                f"{self.last} does not fit the network; begin a new training"
            ) from error
        rows, columns = self._rows()
        known = state.step if state.step or state.before else -1
        kept = [row for row in rows if int(row["step"]) <= known]
        if len(kept) < len(rows):
            self._write(kept, columns)

    def row(self, values: Mapping[str, float]) -> None:
        """Append a row to the log; a column that is new is empty in the rows before.

        Raises
        ------
        WriteFailed
            If the disk is full.
        """
        rows, columns = self._rows()
        if not set(values) <= set(columns):
            more = [name for name in values if name not in columns]
            self._write([*rows, dict(values)], [*columns, *more])
            return
        try:
            with self.log.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, columns).writerow(values)
        except OSError as error:
            raise WriteFailed(
                f"{self.log} was not written: {error.strerror or error}; free some space"
            ) from error

    def _rows(self) -> tuple[list[dict[str, Any]], list[str]]:
        if not self.log.is_file():
            return [], []
        with self.log.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            return list(reader), list(reader.fieldnames or [])

    def _write(self, rows: list[dict[str, Any]], columns: list[str]) -> None:
        with atomic(self.log) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
