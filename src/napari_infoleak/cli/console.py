"""What goes to the standard output: lines for a person, or one JSON object for a program."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.provenance import plain_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON value; numbers that JSON lacks become null."""
    print(json.dumps(_finite(plain_json(value)), indent=2, ensure_ascii=False))


def note(text: str) -> None:
    """Say something beside the result, on the standard error."""
    print(f"infoleak: {' '.join(text.split())}", file=sys.stderr)


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Align rows in columns.

    Parameters
    ----------
    rows : sequence of sequences of str
        All of one length.
    head : sequence of str
        Names of the columns, or none.
    """
    lines = [list(head), *map(list, rows)] if head else [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(one, widths, strict=True)).rstrip()
        for one in lines
    )


def number(value: float) -> str:
    """Write a score as people read it; a missing one as a dash."""
    return "-" if value != value else f"{value:.4f}"


def _finite(value: Any) -> Any:
    """Replace what `json` would write as NaN or Infinity, which no other program reads."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if value in ("nan", "inf", "-inf") else value
