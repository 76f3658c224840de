"""Rows of figures that are kept in a file, and the tables that are made of them.

A row is a key (what was measured, on what, by which weights) and its figures. Rows that do not
depend on the weights have no name of a model in their key and are measured once.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

Row = dict[str, Any]
ROOT = Path(__file__).resolve().parents[1]


class Kept:
    """Rows in a file, so that an interrupted run goes on where it stopped."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: list[Row] = []
        self._read()

    def _read(self) -> None:
        if self.path and self.path.exists():
            self.rows = json.loads(self.path.read_text())

    def has(self, key: Row, *figures: str) -> bool:
        """Whether this was measured already, by these weights, with these figures at least."""
        self._read()  # another run may have added to the file
        return any(key.items() <= row.items() and row.keys() >= {*figures} for row in self.rows)

    def add(self, key: Row, figures: Row) -> None:
        """Keep a row; one of the same key by other weights is out of date and goes."""
        self._read()
        place = {name: value for name, value in key.items() if name != "model"}
        self.rows = [row for row in self.rows if not place.items() <= row.items()]
        self.rows.append(key | figures)
        print(json.dumps(self.rows[-1]), file=sys.stderr, flush=True)
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lines = ",\n".join(json.dumps(row) for row in self.rows)
            part = self.path.with_suffix(".part")
            part.write_text(f"[\n{lines}\n]\n")
            part.replace(self.path)

    def current(self, model: str) -> list[Row]:
        """Rows of these weights, and those that depend on none."""
        return [row for row in self.rows if row["model"] in ("", model)]


def model_hash(model: str) -> str:
    """First digits of the hash of a model's file, by which kept rows are known."""
    from napari_infoleak.segmenters import registry

    return hashlib.sha256(registry.path_of(model).read_bytes()).hexdigest()[:12]


def of(rows: Iterable[Row], **key: Any) -> list[Row]:
    """Rows with these entries."""
    return [row for row in rows if key.items() <= row.items()]


def middle(rows: Sequence[Row], name: str) -> float:
    """Median of a figure over the rows that have it; NaN if none has."""
    values = [row[name] for row in rows if row.get(name) is not None]
    return float(np.median(values)) if values else float("nan")


def shown(rows: Sequence[Row], name: str, *, span: bool = False) -> str:
    """A cell of a table: the median, with the worst and the best behind it if wanted."""
    value = middle(rows, name)
    if np.isnan(value):
        return "-"
    values = [row[name] for row in rows if row.get(name) is not None]
    behind = f" ({min(values):.3f}-{max(values):.3f})" if span and len(values) > 1 else ""
    return f"{value:.3f}{behind}"


def rounded(figures: Row) -> Row:
    """Figures with five digits, None for what is no number."""
    return {
        name: None if np.isnan(value) else round(float(value), 5) for name, value in figures.items()
    }


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table."""
    rows = ["| " + " | ".join(row) + " |" for row in (head, *lines)]
    return "\n".join([rows[0], "|" + "---|" * len(head), *rows[1:]])


def publish(name: str, text: str, root: Path = ROOT) -> list[Path]:
    """Put a table into each page that has its marks, and say which pages these are.

    The marks are ``<!-- table: NAME -->`` and ``<!-- end of table -->``.
    """
    marks = re.compile(rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end of table -->)", re.S)
    changed = []
    for page in (root / "README.md", *sorted((root / "docs").rglob("*.md"))):
        before = page.read_text("utf-8")
        after = marks.sub(lambda found: f"{found[1]}\n{text.strip()}\n\n{found[2]}", before)
        if after != before:
            page.write_text(after, "utf-8")
            changed.append(page)
    return changed


def hardware() -> str:
    """Name the processor and the versions that speed depends on."""
    import torch

    listed = Path("/proc/cpuinfo")
    name = platform.processor() or platform.machine()
    if listed.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", listed.read_text(), re.M)
        name = found[1].strip() if found else name
    python = platform.python_version()
    return f"{name}, {platform.system()}, Python {python}, torch {torch.__version__}"


def verdict(what: str, value: float, sense: str, goal: float) -> str:
    """Say whether a goal is met."""
    if np.isnan(value) or np.isnan(goal):
        return f"?      {what} was not measured"
    met = value >= goal if sense == ">=" else value <= goal
    return f"{'met   ' if met else 'MISSED'} {what} {value:.3f} {sense} {goal:.3f}"


def run_options(parser: argparse.ArgumentParser) -> None:
    """Add what every run may choose."""
    parser.add_argument("--model", default="membrane", help="name or file of the weights")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="keep every figure here, and go on from it")
    parser.add_argument("--publish", action="store_true", help="put the tables into the pages")


def finish(options: argparse.Namespace, tables: dict[str, str]) -> None:
    """Print tables by name, and put them into the pages if that is wanted."""
    for name, text in tables.items():
        print(text)
        print()
        if options.publish:
            for page in publish(name, text):
                print(f"{name} -> {page.relative_to(ROOT)}", file=sys.stderr)
