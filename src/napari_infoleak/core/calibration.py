"""Scale and translation: numbers by axis letter, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from napari_infoleak.core.axes import CANONICAL, without_channel
from napari_infoleak.core.errors import BadInput

_SPATIAL = "TZYX"  # the axes that carry a step and an offset


def calibration(
    values: Mapping[str, float] | Sequence[float] | None, letters: str, what: str
) -> dict[str, float]:
    """Return scale or translation by letter, checked.

    Parameters
    ----------
    values : mapping of letters, or a number for each axis, or None
        In a sequence the entry of C may be left out.
    letters : str
        Axes of the array.
    what : {"scale", "translate"}
        Scales must be positive.

    Returns
    -------
    dict
        By letter out of T, Z, Y, X; only what was given.

    Raises
    ------
    BadInput
        If there are too many or too few numbers, or impossible ones.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        named = without_channel(letters) if len(values) == len(letters) - 1 else letters
        if len(values) != len(named):
            raise BadInput(
                f"{what} has {len(values)} numbers for axes {letters}; give one for each axis"
            )
        values = dict(zip(named, values, strict=True))
    checked: dict[str, float] = {}
    for key, value in values.items():
        letter, number = str(key).upper(), float(value)
        if letter not in CANONICAL:
            raise BadInput(f"{what} names {key!r}, which is no axis letter out of {_SPATIAL}")
        if not math.isfinite(number) or (what == "scale" and number <= 0):
            expected = "a positive number" if what == "scale" else "a finite number"
            raise BadInput(f"{what} of {letter} is {value}; expected {expected}")
        if letter in _SPATIAL:
            checked[letter] = number
    return checked
