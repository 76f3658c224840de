from __future__ import annotations

import pytest

from napari_infoleak.core.units import (
    factor,
    in_one_unit,
    is_length,
    is_time,
    unit_name,
    unit_symbol,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("µm", "micrometer"),
        ("\u03bcm", "micrometer"),
        ("\\u00B5m", "micrometer"),
        ("um", "micrometer"),
        ("micron", "micrometer"),
        ("Microns", "micrometer"),
        ("micrometre", "micrometer"),
        ("nm", "nanometer"),
        ("nanometers", "nanometer"),
        ("Å", "angstrom"),
        ("mm", "millimeter"),
        ("s", "second"),
        ("sec", "second"),
        ("ms", "millisecond"),
        ("min", "minute"),
        ("h", "hour"),
        ("inch", "inch"),
        ("pixels", "pixel"),
        ("", "pixel"),
        (None, "pixel"),
        ("furlong", "furlong"),
    ],
)
def test_each_spelling_leads_to_one_name(text: object, name: str) -> None:
    assert unit_name(text) == name
    assert unit_name(unit_name(text)) == name


def test_numbers_change_with_their_unit() -> None:
    assert factor("nm", "µm") == pytest.approx(1e-3)
    assert factor("min", "s") == 60
    assert factor("inch", "cm") == pytest.approx(2.54)
    assert factor("pixel", "µm") is None
    assert factor("s", "µm") is None
    assert factor("furlong", "furlong") == 1


def test_lengths_and_times_are_told_apart() -> None:
    assert is_length("um")
    assert not is_length("s")
    assert is_time("ms")
    assert not is_time("pixel")
    assert unit_symbol("micrometer") == "µm"
    assert unit_symbol("furlong") == "furlong"


def test_axes_in_different_units_are_brought_to_one() -> None:
    units = {"Z": "nm", "Y": "micrometer", "X": "µm"}
    assert in_one_unit(units, "ZYX") == pytest.approx((1e-3, 1, 1))
    assert in_one_unit({"X": "nm"}, "YX") is None, "of Y nothing is known"
    assert in_one_unit({}, "ZYX") == (1, 1, 1)
