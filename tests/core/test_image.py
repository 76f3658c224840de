from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.image import Image, plane_hash


class CountingArray:
    """An array in chunks that notes what is read of it."""

    chunks = (1, 8, 8)
    ndim = 3

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.shape = array.shape
        self.dtype = array.dtype
        self.read: list[tuple[slice, ...]] = []

    def __getitem__(self, place: tuple[slice, ...]) -> np.ndarray:
        if any(part.stop > part.start for part in place):  # dask asks for nothing to learn the type
            self.read.append(place)
        return self.array[place]


def test_sizes_and_axes_are_those_of_the_source() -> None:
    image = Image.from_array(np.zeros((2, 5, 6, 7), np.uint16), "CZYX", name="stack")
    assert image.sizes == {"T": 1, "C": 2, "Z": 5, "Y": 6, "X": 7}
    assert (image.axes, image.label_axes, image.label_shape) == ("CZYX", "ZYX", (1, 5, 6, 7))
    assert image.dtype == np.uint16


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int16", ">u2", "int64", "uint64", "float16", "float64"]
)
def test_any_real_type_gives_float_planes(dtype: str) -> None:
    array = np.arange(12).reshape(3, 4).astype(dtype)
    plane = Image.from_array(array).plane(0, 0)
    assert plane.dtype == np.float32
    assert plane.dtype.isnative
    np.testing.assert_array_equal(plane, array.astype(np.float32))


def test_values_that_are_not_finite_stay_and_huge_ones_become_infinite() -> None:
    array = np.array([[np.nan, np.inf, -np.inf], [1e300, -1e300, 1.5]])
    plane = Image.from_array(array).plane(0, 0)
    np.testing.assert_array_equal(
        plane, np.array([[np.nan, np.inf, -np.inf], [np.inf, -np.inf, 1.5]], np.float32)
    )


def test_a_plane_is_a_copy() -> None:
    array = np.zeros((3, 4), np.float32)
    Image.from_array(array).plane(0, 0)[:] = 1
    assert not array.any()


@pytest.mark.parametrize("dtype", ["complex64", "object", "U3", "datetime64[s]"])
def test_other_types_are_refused(dtype: str) -> None:
    with pytest.raises(BadInput, match="cannot be used"):
        Image.from_array(np.zeros((3, 4), dtype))


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 3, 4)])
def test_empty_arrays_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match="no pixel"):
        Image.from_array(np.zeros(shape))


@pytest.mark.parametrize("thing", [None, 3.5, {"a": 1}, object(), [[1, 2], [3]], "image.tif"])
def test_things_that_are_no_array_are_refused(thing: Any) -> None:
    with pytest.raises(BadInput):
        Image.from_array(thing)


def test_nested_lists_are_an_array() -> None:
    assert Image.from_array([[1, 2], [3, 4]]).plane(0, 0)[1, 0] == 3


def test_masked_pixels_are_missing() -> None:
    array = np.ma.masked_equal(np.array([[1, 2], [3, 4]]), 3)
    assert np.isnan(Image.from_array(array).plane(0, 0)[1, 0])


def test_one_pixel_is_an_image() -> None:
    assert Image.from_array(np.ones((1, 1))).plane(0, 0).shape == (1, 1)


def test_colours_are_seen_and_averaged_without_alpha() -> None:
    array = np.zeros((20, 21, 4), np.uint8)
    array[..., 0], array[..., 1], array[..., 3] = 30, 60, 255
    image = Image.from_array(array)
    assert (image.axes, image.rgb) == ("YXC", True)
    np.testing.assert_array_equal(image.plane(0, 0), np.full((20, 21), 30, np.float32))
    assert image.plane(0, 0, channel=1)[0, 0] == 60


@pytest.mark.parametrize("shape", [(5, 6, 3), (20, 21, 5), (20, 21)])
def test_other_shapes_are_no_colours(shape: tuple[int, ...]) -> None:
    assert not Image.from_array(np.zeros(shape, np.uint8)).rgb


def test_a_stack_of_colour_pictures_is_seen() -> None:
    image = Image.from_array(np.zeros((5, 20, 21, 3), np.uint8))
    assert (image.axes, image.rgb) == ("ZYXC", True)


def test_colours_can_be_declined() -> None:
    image = Image.from_array(np.zeros((20, 21, 3), np.uint8), "YXC", rgb=False)
    assert not image.rgb


def test_the_first_channel_is_the_default() -> None:
    array = np.stack([np.full((5, 6), value) for value in (1, 2)])
    image = Image.from_array(array, "CYX")
    assert image.plane(0, 0)[0, 0] == 1
    assert image.plane(0, 0, channel=1)[0, 0] == 2


def test_a_channel_that_is_not_there_is_told() -> None:
    image = Image.from_array(np.zeros((2, 5, 6)), "CYX", name="cells")
    with pytest.raises(BadInput, match="cells has no channel 2; it has 2, choose channels 0 to 1"):
        image.plane(0, 0, channel=2)
    with pytest.raises(BadInput, match="no channel -1"):
        image.plane(0, 0, channel=-1)
    with pytest.raises(BadInput, match="channel 0 alone"):
        Image.from_array(np.zeros((5, 6))).plane(0, 0, channel=1)


def test_a_plane_that_is_not_there_is_told() -> None:
    image = Image.from_array(np.zeros((3, 5, 6)))
    with pytest.raises(BadInput, match="no plane Z = 3; it has 3"):
        image.plane(0, 3)
    with pytest.raises(BadInput, match="no plane T = -1"):
        image.plane(-1, 0)


def test_a_plane_reads_only_its_chunks() -> None:
    stored = CountingArray(np.arange(5 * 16 * 16).reshape(5, 16, 16))
    image = Image.from_array(stored, "ZYX")
    assert stored.read == []
    plane = image.plane(0, 3)
    np.testing.assert_array_equal(plane, stored.array[3])
    assert len(stored.read) == 4  # 2 x 2 chunks
    assert all(place[0] == slice(3, 4) for place in stored.read)


def test_a_plane_of_a_zarr_reads_only_its_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = zarr.create_array(
        str(tmp_path / "a.zarr"), shape=(4, 16, 16), chunks=(1, 8, 8), dtype="uint8"
    )
    array[:] = np.arange(4 * 16 * 16).reshape(4, 16, 16) % 251
    keys: list[str] = []
    get = zarr.storage.LocalStore.get

    async def noting(store: Any, key: str, *args: Any, **kwargs: Any) -> Any:
        keys.append(key)
        return await get(store, key, *args, **kwargs)

    image = Image.from_array(zarr.open_array(str(tmp_path / "a.zarr"), mode="r"), "ZYX")
    assert isinstance(image.data, da.Array)
    monkeypatch.setattr(zarr.storage.LocalStore, "get", noting)
    np.testing.assert_array_equal(image.plane(0, 2), array[2])
    chunks = {key for key in keys if key.startswith("c/2/")}
    assert len(chunks) == 4
    assert not any(key.startswith(("c/0", "c/1", "c/3")) for key in keys)


def test_multiscale_levels_give_the_full_resolution() -> None:
    levels = [np.ones((16, 16)), np.ones((8, 8))]
    assert Image.from_array(levels).sizes["Y"] == 16


def test_a_list_of_equal_planes_is_no_multiscale_image() -> None:
    with pytest.raises(BadInput, match="stack them"):
        Image.from_array([np.ones((16, 16))] * 3)


def test_a_file_that_breaks_while_it_is_read_is_told_in_one_line() -> None:
    def broken(block: np.ndarray) -> np.ndarray:
        raise OSError("chunk\ncannot be decoded")

    lazy = da.zeros((3, 8, 8), chunks=(1, 8, 8)).map_blocks(broken, meta=np.empty((0, 0, 0)))
    image = Image.from_array(lazy, "ZYX", source="cells.zarr")
    with pytest.raises(BadInput, match=r"plane of cells.zarr cannot be read \(chunk cannot be"):
        image.plane(0, 0)


@pytest.mark.parametrize("scale", [{"z": 2.0, "Y": 0.5}, (2.0, 0.5, 1.0)])
def test_scale_is_kept_by_letter(scale: Any) -> None:
    image = Image.from_array(np.zeros((3, 4, 5)), "ZYX", scale=scale)
    assert (image.step("Z"), image.step("Y"), image.step("X")) == (2.0, 0.5, 1.0)
    assert image.step("T") == 1.0


def test_scale_may_leave_out_the_channel() -> None:
    image = Image.from_array(np.zeros((2, 4, 5)), "CYX", scale=(0.5, 0.25))
    assert dict(image.scale) == {"Y": 0.5, "X": 0.25}


@pytest.mark.parametrize(
    ("scale", "says"),
    [
        ({"Y": 0.0}, "positive"),
        ({"Y": -1.0}, "positive"),
        ({"Y": float("nan")}, "positive"),
        ((1.0,) * 4, "4 numbers for axes ZYX"),
        ({"Q": 1.0}, "no axis letter"),
    ],
)
def test_impossible_scales_are_refused(scale: Any, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        Image.from_array(np.zeros((3, 4, 5)), "ZYX", scale=scale)


def test_units_have_one_name_each() -> None:
    image = Image.from_array(np.zeros((4, 5)), units={"y": "um", "X": "µm"})
    assert (image.units["Y"], image.units["X"]) == ("micrometer", "micrometer")
    assert image.units["Z"] == "pixel"


def test_the_content_hash_knows_values_shape_and_type_alone() -> None:
    array = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)
    plain = Image.from_array(array, "ZYX").content_hash()
    assert Image.from_array(array.astype(">u2"), "ZYX", name="other").content_hash() == plain
    assert Image.from_array(da.from_array(array, chunks=2), "ZYX").content_hash() == plain
    assert Image.from_array(array, "TYX").content_hash() != plain
    assert Image.from_array(array.astype(np.int16), "ZYX").content_hash() != plain
    changed = array.copy()
    changed[2, 3, 4] += 1
    assert Image.from_array(changed, "ZYX").content_hash() != plain


def test_a_plane_hash_knows_values_and_extra() -> None:
    plane = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert plane_hash(plane) == plane_hash(np.asfortranarray(plane))
    assert plane_hash(plane) == plane_hash(plane.astype(">f4"))
    assert plane_hash(plane) != plane_hash(plane.reshape(4, 3))
    assert plane_hash(plane) != plane_hash(plane, b"weight 2")


@pytest.fixture
def image() -> Image:
    return Image.from_array(np.zeros((3, 4, 5)), scale={"Z": 2.0}, name="stack")


def test_an_image_travels_to_another_process(image: Image) -> None:
    back = pickle.loads(pickle.dumps(image))
    assert (back.name, back.axes, dict(back.scale)) == ("stack", "ZYX", {"Z": 2.0})


def test_data_that_are_not_canonical_are_refused() -> None:
    with pytest.raises(BadInput, match="from_array"):
        Image(data=np.zeros((3, 4)), axes="YX")
