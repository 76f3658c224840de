"""Units: one name for each, however a file or a program spells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN_UNIT = "pixel"

# name, symbol, size in metres or seconds. The names are those of OME-Zarr and of napari.
_LENGTHS = (
    ("picometer", "pm", 1e-12),
    ("angstrom", "Å", 1e-10),
    ("nanometer", "nm", 1e-9),
    ("micrometer", "µm", 1e-6),
    ("millimeter", "mm", 1e-3),
    ("centimeter", "cm", 1e-2),
    ("meter", "m", 1.0),
    ("inch", "in", 0.0254),
)
_TIMES = (
    ("nanosecond", "ns", 1e-9),
    ("microsecond", "µs", 1e-6),
    ("millisecond", "ms", 1e-3),
    ("second", "s", 1.0),
    ("minute", "min", 60.0),
    ("hour", "h", 3600.0),
    ("day", "d", 86400.0),
)
_SIZES = {name: ("length", size) for name, _, size in _LENGTHS} | {
    name: ("time", size) for name, _, size in _TIMES
}
_SYMBOLS = {name: symbol for name, symbol, _ in (*_LENGTHS, *_TIMES)}
_SPELLINGS = {symbol: name for name, symbol in _SYMBOLS.items()} | {
    "": UNKNOWN_UNIT,
    "px": UNKNOWN_UNIT,
    "pixels": UNKNOWN_UNIT,
    "reference frame": UNKNOWN_UNIT,
    "um": "micrometer",
    "micron": "micrometer",
    "microns": "micrometer",
    "us": "microsecond",
    "a": "angstrom",
    "ångström": "angstrom",
    "inches": "inch",
    '"': "inch",
    "msec": "millisecond",
    "sec": "second",
    "secs": "second",
    "mins": "minute",
    "hr": "hour",
    "hrs": "hour",
}


def unit_name(text: object) -> str:
    """Return the one name of a unit; a text that is no known unit is returned as it is.

    Parameters
    ----------
    text : object
        Anything whose text is a unit, such as ``"um"``, ``"µm"`` or a unit of napari.

    Examples
    --------
    >>> unit_name("um"), unit_name("Micrometres"), unit_name("nm"), unit_name(None)
    ('micrometer', 'micrometer', 'nanometer', 'pixel')
    """
    given = "" if text is None else str(text).strip()
    # A micro sign, a Greek mu and ImageJ's escaped form of it all mean micro.
    plain = given.replace("\\u00B5", "µ").replace("\\u00b5", "µ").replace("\u03bc", "µ")
    lower = plain.lower().replace("metre", "meter")
    for spelling in (plain, lower, lower.removesuffix("s")):
        if spelling in _SIZES:
            return spelling
        if spelling in _SPELLINGS:
            return _SPELLINGS[spelling]
    return given


def unit_symbol(unit: str) -> str:
    """Return the symbol of a unit, such as ``"µm"``; unknown units are returned as they are."""
    return _SYMBOLS.get(unit_name(unit), unit)


def is_length(unit: str) -> bool:
    """Tell whether a unit measures a length, and not a time or nothing known."""
    return _SIZES.get(unit_name(unit), ("", 0.0))[0] == "length"


def is_time(unit: str) -> bool:
    """Tell whether a unit measures a time."""
    return _SIZES.get(unit_name(unit), ("", 0.0))[0] == "time"


def factor(unit: str, wanted: str) -> float | None:
    """Return by what to multiply a number in `unit` to have it in `wanted`.

    Returns
    -------
    float or None
        None if one cannot be turned into the other. Equal units give 1, known or not.

    Examples
    --------
    >>> factor("nm", "nm"), factor("second", "micrometer")
    (1.0, None)
    """
    one, other = unit_name(unit), unit_name(wanted)
    if one == other:
        return 1.0
    if one not in _SIZES or other not in _SIZES or _SIZES[one][0] != _SIZES[other][0]:
        return None
    return _SIZES[one][1] / _SIZES[other][1]


def in_one_unit(units: Mapping[str, str], letters: str) -> tuple[float, ...] | None:
    """Return by what to multiply numbers along some axes to have them all in the unit of the last.

    Parameters
    ----------
    units : mapping of str to str
        Units by axis letter; those that are left out are unknown.
    letters : str
        The axes, such as ``"ZYX"``.

    Returns
    -------
    tuple of float or None
        One a letter; None if one cannot be turned into the other.

    Examples
    --------
    >>> in_one_unit({"Z": "nm", "X": "nm", "Y": "nm"}, "ZYX")
    (1.0, 1.0, 1.0)
    """
    named = [units.get(letter, UNKNOWN_UNIT) for letter in letters]
    found = [factor(one, named[-1]) for one in named]
    return None if None in found else tuple(one for one in found if one is not None)
