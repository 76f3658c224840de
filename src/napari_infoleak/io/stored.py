"""What a reader brings home: pixels, and what the file says of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Stored:
    """Pixels as they lie in a file, and what the file says of them.

    Parameters
    ----------
    array : numpy or dask array
        In the file's order.
    hint : str or None
        Axis letters as the file gives them; they may be no answer, see `core.guess_axes`.
    scale, translate, units : dict
        By letter out of T, Z, Y, X; only what the file says.
    rgb : bool or None
        Whether the file says that its samples are colours; None if it cannot say.
    channel_names : tuple of str
        Or empty.
    record : dict
        What this program noted, if it wrote the file.
    """

    array: Any
    hint: str | None = None
    scale: dict[str, float] = field(default_factory=dict)
    translate: dict[str, float] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    rgb: bool | None = None
    channel_names: tuple[str, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)


def positive(value: object) -> float | None:
    """Return a number that can be a step; None for anything else a file may hold there."""
    number = finite(value)
    return number if number is not None and number > 0 else None


def finite(value: object) -> float | None:
    """Return a finite number; None for anything else a file may hold there."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
