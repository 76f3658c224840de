from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_infoleak.core.axes import (
    CANONICAL,
    from_canonical,
    guess_axes,
    labels_from_canonical,
    labels_to_canonical,
    parse_axes,
    planes_from_canonical,
    planes_to_canonical,
    to_canonical,
    without_channel,
)
from napari_infoleak.core.errors import BadInput


@st.composite
def arrays_with_axes(draw: st.DrawFn) -> tuple[np.ndarray, str]:
    """An array of distinct values with any legal axes in any order."""
    others = draw(st.sets(st.sampled_from("TCZ")))
    axes = "".join(draw(st.permutations(sorted(others | {"Y", "X"}))))
    shape = tuple(draw(st.integers(1, 4)) for _ in axes)
    return np.arange(np.prod(shape)).reshape(shape), axes


@given(arrays_with_axes())
def test_there_and_back_is_the_identity(case: tuple[np.ndarray, str]) -> None:
    array, axes = case
    np.testing.assert_array_equal(from_canonical(to_canonical(array, axes), axes), array)


@given(arrays_with_axes())
def test_the_canonical_form_has_each_letter_in_its_place(case: tuple[np.ndarray, str]) -> None:
    array, axes = case
    canonical = to_canonical(array, axes)
    sizes = dict(zip(axes, array.shape, strict=True))
    assert canonical.shape == tuple(sizes.get(letter, 1) for letter in CANONICAL)


@given(arrays_with_axes())
def test_the_way_is_a_view(case: tuple[np.ndarray, str]) -> None:
    array, axes = case
    canonical = to_canonical(array, axes)
    assert np.shares_memory(canonical, array)
    assert np.shares_memory(from_canonical(canonical, axes), array)


@given(arrays_with_axes())
def test_dask_and_numpy_agree(case: tuple[np.ndarray, str]) -> None:
    array, axes = case
    lazy = to_canonical(da.from_array(array, chunks=2), axes)
    assert isinstance(lazy, da.Array)
    np.testing.assert_array_equal(lazy, to_canonical(array, axes))
    np.testing.assert_array_equal(from_canonical(lazy, axes), array)


@given(arrays_with_axes())
def test_labels_go_there_and_back_whatever_the_channel_did(case: tuple[np.ndarray, str]) -> None:
    array, axes = case
    labels = array.take(0, axis=axes.index("C")) if "C" in axes else array
    canonical = labels_to_canonical(labels, axes)
    assert canonical.ndim == 4
    np.testing.assert_array_equal(labels_from_canonical(canonical, axes), labels)


@given(arrays_with_axes(), st.integers(1, 3))
def test_probabilities_keep_the_class_axis_in_front(
    case: tuple[np.ndarray, str], classes: int
) -> None:
    array, axes = case
    labels = array.take(0, axis=axes.index("C")) if "C" in axes else array
    stack = np.stack([labels + 1000 * k for k in range(classes)])
    canonical = planes_to_canonical(stack, axes)
    assert canonical.shape == (classes, *labels_to_canonical(labels, axes).shape)
    np.testing.assert_array_equal(canonical[0], labels_to_canonical(labels, axes))
    np.testing.assert_array_equal(planes_from_canonical(canonical, axes), stack)


@given(arrays_with_axes())
def test_a_voxel_keeps_its_coordinates(case: tuple[np.ndarray, str]) -> None:
    array, axes = case
    last = tuple(size - 1 for size in array.shape)
    at = dict(zip(axes, last, strict=True))
    canonical = to_canonical(array, axes)
    assert canonical[tuple(at.get(letter, 0) for letter in CANONICAL)] == array[last]


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ("yx", (4, 5), "YX"),
        (" ZYX ", (3, 4, 5), "ZYX"),
        ("YXS", (4, 5, 3), "YXC"),
        ("KZYX", (2, 3, 4, 5), "CZYX"),
        ("tzcyx", (1, 2, 3, 4, 5), "TZCYX"),
    ],
)
def test_axes_are_read_in_any_spelling(text: str, shape: tuple[int, ...], expected: str) -> None:
    assert parse_axes(text, shape) == expected


@pytest.mark.parametrize(
    ("text", "shape", "says"),
    [
        ("ZYQ", (3, 4, 5), "'Q'"),
        ("ZYY", (3, 4, 5), "Y more than once"),
        ("CYXS", (3, 4, 5, 3), "C more than once"),
        ("ZYX", (4, 5), "3 letters, but the array has 2 dimensions 4 x 5"),
        ("TZC", (3, 4, 5), "lack Y or X"),
        ("", (4, 5), "0 letters"),
        ("Z-YX", (1, 2, 3, 4), "'-'"),
    ],
)
def test_wrong_axes_are_told_in_one_line(text: str, shape: tuple[int, ...], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_axes(text, shape)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "hint", "rgb", "expected"),
    [
        ((64, 65), None, False, "YX"),
        ((30, 64, 65), None, False, "ZYX"),
        ((30, 64, 65), "TYX", False, "TYX"),
        ((30, 64, 65), "QYX", False, "ZYX"),
        ((30, 64, 65), "IYX", False, "ZYX"),
        ((3, 64, 65), "SYX", False, "ZYX"),  # three planes that look like colours
        ((3, 64, 65), "SYX", True, "CYX"),
        ((64, 65, 3), "YXS", True, "YXC"),
        ((64, 65, 3), None, True, "YXC"),
        ((64, 65, 3), None, False, "ZYX"),
        ((7, 64, 65, 3), None, True, "ZYXC"),
        ((7, 64, 65, 3), "QYXS", True, "ZYXC"),
        ((7, 9, 64, 65), None, False, "TZYX"),
        ((2, 9, 64, 65), None, False, "CZYX"),
        ((9, 2, 64, 65), None, False, "TCYX"),
        ((2, 2, 64, 65), None, False, "TZYX"),
        ((5, 2, 30, 64, 65), None, False, "TCZYX"),
        ((5, 30, 2, 64, 65), None, False, "TZCYX"),
        ((5, 30, 9, 64, 65), None, False, "TCZYX"),
        ((5, 30, 2, 64, 65), "TZCYX", False, "TZCYX"),
        ((30, 64, 65), "ZZX", False, "ZYX"),  # a file that contradicts itself
        ((30, 64, 65), "ZYXC", False, "ZYX"),
    ],
)
def test_axes_are_guessed(
    shape: tuple[int, ...], hint: str | None, rgb: bool, expected: str
) -> None:
    assert guess_axes(shape, hint=hint, rgb=rgb) == expected


@pytest.mark.parametrize("shape", [(), (5,), (1, 2, 3, 4, 5, 6)])
def test_too_few_or_too_many_dimensions_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match="2 to 5 dimensions"):
        guess_axes(shape)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.text(max_size=6), st.booleans())
def test_every_guess_fits_the_shape(shape: list[int], hint: str, rgb: bool) -> None:
    axes = guess_axes(tuple(shape), hint=hint, rgb=rgb)
    assert parse_axes(axes, tuple(shape)) == axes


def test_an_axis_that_is_longer_than_one_cannot_be_dropped() -> None:
    with pytest.raises(BadInput, match="leave out Z, but the array has 3"):
        from_canonical(np.zeros((1, 1, 3, 4, 5)), "YX")


def test_only_canonical_arrays_go_back() -> None:
    with pytest.raises(BadInput, match="TCZYX"):
        from_canonical(np.zeros((3, 4, 5)), "ZYX")
    with pytest.raises(BadInput, match="TZYX"):
        labels_from_canonical(np.zeros((3, 4, 5)), "ZYX")
    with pytest.raises(BadInput, match="class axis K"):
        planes_to_canonical(np.zeros((4, 5)), "YX")


def test_labels_have_no_channel() -> None:
    assert without_channel("tczyx") == "TZYX"
    assert without_channel("YXS") == "YX"
