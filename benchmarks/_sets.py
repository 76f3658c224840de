"""The annotated stacks that accuracy is measured on, and the strokes painted on them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import argparse

Stack = NDArray[Any]

SETS = {"isbi2012": "label", "vnc_stack1": "label5", "epfl6": "label7"}
"""Folders, and what their labels are called: 1 is membrane there."""

AWAY = 2  # planes between the painted part of a train part and the val part that follows it


@dataclass(frozen=True)
class Parts:
    """A set: images and truth (0 unknown, else class ids) of its train and val part."""

    train: Stack
    train_truth: Stack
    val: Stack
    val_truth: Stack


def load(folder: Path, name: str, *, every_class: bool = False) -> Parts:
    """Read a set; its truth is 1 for the rest and 2 for membrane, or has each class by itself."""
    import tifffile

    def read(part: str, what: str) -> Stack:
        return np.asarray(tifffile.imread(folder / name / f"{part}_{what}.tif"))

    def truth(part: str) -> Stack:
        labels = read(part, SETS[name])
        if every_class:
            return (labels + 1).astype(np.uint8)
        return np.where(labels == 1, 2, 1).astype(np.uint8)

    return Parts(read("train", "raw"), truth("train"), read("val", "raw"), truth("val"))


def support_plane(train: Stack, seed: int) -> int:
    """Plane that is painted with a seed: another for each, two planes or more away from val."""
    order = sorted(range(len(train) - AWAY), key=lambda plane: (plane % 3, plane))
    return order[seed % len(order)]


class Referee:
    """The painter and the scorer, ``annotate.py`` and ``score.py`` of a folder."""

    def __init__(self, folder: Path) -> None:
        sys.path.insert(0, str(folder))
        self.score = import_module("score")
        self._annotate = import_module("annotate")

    def paint(self, truth: Stack, amount: str, seed: int) -> Stack:
        """Strokes on a plane, so many a class, or all of it if the amount is "dense"."""
        if amount == "dense":
            return truth.copy()
        return np.asarray(self._annotate.annotate(truth, strokes=int(amount), seed=seed))

    def stroke(self, inside: Stack, rng: Any) -> Stack:
        """One more stroke of that kind within a (Y, X) mask."""
        return np.asarray(self._annotate.stroke(inside, 40, 2, rng))


def folder_options(parser: argparse.ArgumentParser) -> None:
    """Add where data and referee lie."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    for name, default in (("data", beside / "data"), ("referee", beside / "referee")):
        given = os.environ.get(f"INFOLEAK_{name.upper()}")
        parser.add_argument(f"--{name}", type=Path, default=Path(given) if given else default)


def check_folders(parser: argparse.ArgumentParser, options: argparse.Namespace, *sets: str) -> None:
    """End with a line of text where something is not there."""
    for path in (*(options.data / name for name in sets), options.referee / "score.py"):
        if not path.exists():
            parser.error(f"{path} is not there: give --data and --referee")
