"""Bringing planes to a common range."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_infoleak.core.normalise import normalise


def picture(height: int = 60, width: int = 50) -> np.ndarray:
    return np.random.default_rng(0).normal(100, 20, (height, width))


def test_the_bulk_lies_within_two() -> None:
    out = normalise(picture())
    assert out.dtype == np.float32
    assert abs(float(np.median(out))) < 1e-6
    low, high = np.percentile(out, [2, 98])
    assert high - low == pytest.approx(4, abs=1e-4)


@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_brightness_and_contrast_do_not_matter(gain: float, offset: float) -> None:
    np.testing.assert_allclose(
        normalise(picture() * gain + offset), normalise(picture()), atol=1e-3
    )


def test_a_plane_is_scaled_in_parts_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = normalise(picture())
    module = importlib.import_module("napari_infoleak.core.normalise")
    monkeypatch.setattr(module, "_ROWS", 7)
    np.testing.assert_array_equal(normalise(picture()), whole)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float16", "bool"])
def test_any_numeric_type(dtype: str) -> None:
    plane = picture() > 100 if dtype == "bool" else picture().astype(dtype)
    np.testing.assert_array_equal(normalise(plane), normalise(plane.astype(np.float64)))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e30, np.nan, np.inf])
def test_a_constant_plane_becomes_zero(value: float) -> None:
    assert not normalise(np.full((9, 9), value)).any()


def test_values_that_are_not_finite_are_read_as_the_median() -> None:
    plane = picture()
    plane[3, 4], plane[5, 6] = np.nan, -np.inf
    out = normalise(plane)
    assert out[3, 4] == out[5, 6] == 0
    assert np.isfinite(out).all()


def test_a_few_specks_in_the_dark_stay_visible() -> None:
    plane = np.zeros((40, 40))
    plane[10, 10] = 1000
    assert normalise(plane)[10, 10] == 5
