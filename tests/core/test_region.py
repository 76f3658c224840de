from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.region import Region

SHAPE = (2, 3, 20, 30)


def test_the_whole_is_everything() -> None:
    region = Region.whole(SHAPE)
    assert region.shape == SHAPE
    assert np.zeros(SHAPE)[region.slices].shape == SHAPE
    assert len(region.planes) == 6


@given(st.integers(-40, 40), st.integers(-40, 40))
def test_slices_mean_what_they_mean_in_numpy(start: int, stop: int) -> None:
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    expected = array[:, :, start:stop]
    if expected.size == 0:
        with pytest.raises(BadInput, match="region Y"):
            Region.from_slices(SHAPE, y=slice(start, stop))
    else:
        region = Region.from_slices(SHAPE, y=slice(start, stop))
        np.testing.assert_array_equal(array[region.slices], expected)
        assert region.shape == expected.shape


def test_a_number_is_one_position() -> None:
    region = Region.from_slices(SHAPE, t=-1, z=0)
    assert region.planes == [(1, 0)]


@pytest.mark.parametrize(
    "parts", [{"z": 3}, {"z": -4}, {"x": slice(0, 10, 2)}, {"x": slice(40, 50)}]
)
def test_parts_outside_are_refused(parts: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        Region.from_slices(SHAPE, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize("bounds", [(0, 0), (-1, 2), (3, 2)])
def test_empty_and_negative_bounds_are_refused(bounds: tuple[int, int]) -> None:
    with pytest.raises(BadInput, match="region Y"):
        Region(0, 1, 0, 1, *bounds, 0, 1)


def test_a_region_is_clipped_to_the_image() -> None:
    assert Region(0, 9, 1, 2, 10, 99, 0, 30).clip(SHAPE) == Region(0, 2, 1, 2, 10, 20, 0, 30)
    with pytest.raises(BadInput, match="outside an image with 20"):
        Region(0, 1, 0, 1, 20, 25, 0, 1).clip(SHAPE)
