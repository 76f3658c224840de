"""The record: what this program notes in the files that it writes, as JSON.

The file's own metadata come first, since other programs edit them and pass our record on
unchanged. The record adds what a format cannot hold: the order of the axes, exact numbers, the
class table, the provenance. Where it contradicts the file, it is stale and its numbers are left.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.axes import CANONICAL
from napari_infoleak.core.units import UNKNOWN_UNIT, factor, unit_name

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "infoleak"

_CLOSE = 1e-4  # TIFF keeps resolutions as fractions of whole numbers


def to_text(record: Mapping[str, Any]) -> str:
    """Return the record as one line of JSON, ASCII alone: some formats hold nothing else."""
    return json.dumps({KEY: dict(record)}, ensure_ascii=True, allow_nan=False)


def from_text(text: str | None) -> dict[str, Any]:
    """Find the record in a text that a file carries; empty if there is none."""
    if not text or KEY not in text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return from_json(found)


def from_json(value: object) -> dict[str, Any]:
    """Take the record out of parsed JSON; empty if there is none."""
    record = value.get(KEY) if isinstance(value, dict) else None
    return dict(record) if isinstance(record, dict) else {}


def written_axes(record: Mapping[str, Any]) -> str:
    """Return the axes that the written array had, the class axis K as C; empty if not noted."""
    return str(record.get("axes", "")).upper().replace("K", "C")


def axes_of(record: Mapping[str, Any], sizes: Mapping[str, int]) -> str | None:
    """Return the axes that the written array had, if they still fit.

    Parameters
    ----------
    record : mapping
        What `from_text` gave.
    sizes : mapping of str to int
        Length of each of T, C, Z, Y, X in the file.

    Returns
    -------
    str or None
        Letters out of T, C, Z, Y, X (the class axis K counts as C), or None.
    """
    axes = written_axes(record)
    fits = (
        set(axes) <= set(CANONICAL)
        and len(set(axes)) == len(axes)
        and {"Y", "X"} <= set(axes)
        and all(letter in axes for letter, size in sizes.items() if size > 1)
    )
    return axes if fits else None


def merged_calibration(
    record: Mapping[str, Any],
    scale: Mapping[str, float],
    translate: Mapping[str, float],
    units: Mapping[str, str],
) -> tuple[dict[str, float], dict[str, float], dict[str, str]]:
    """Return scale, translation and units: the record's where the file agrees with them.

    Parameters
    ----------
    record : mapping
        What `from_text` gave.
    scale, translate, units : mapping
        What the file itself says, by letter.
    """
    noted_scale = _numbers(record.get("scale"))
    noted_translate = _numbers(record.get("translate"))
    noted_units = {str(k): unit_name(v) for k, v in _mapping(record.get("units")).items()}
    agrees = all(
        _agree(number, units.get(letter), noted.get(letter, unset), noted_units.get(letter))
        for told, noted, unset in ((scale, noted_scale, 1.0), (translate, noted_translate, 0.0))
        for letter, number in told.items()
    )
    if not record or not agrees:
        return dict(scale), dict(translate), dict(units)
    return noted_scale, noted_translate, {**units, **noted_units}


def _agree(number: float, unit: str | None, noted: float, noted_unit: str | None) -> bool:
    change = factor(noted_unit or UNKNOWN_UNIT, unit or UNKNOWN_UNIT)
    return math.isclose(number, noted * (change or 1.0), rel_tol=_CLOSE, abs_tol=1e-12)


def _numbers(value: object) -> dict[str, float]:
    return {
        str(letter): float(number)
        for letter, number in _mapping(value).items()
        if isinstance(number, int | float) and math.isfinite(number)
    }


def _mapping(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}
