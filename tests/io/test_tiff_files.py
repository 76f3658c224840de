from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile

import napari_infoleak as il
from napari_infoleak.core.axes import from_canonical
from napari_infoleak.core.errors import BadInput
from napari_infoleak.io import mapped, read, tiff_reader, write

NOISE = np.random.default_rng(0).integers(0, 255, (6, 40, 50)).astype(np.uint8)
SMOOTH = np.tile(np.arange(50, dtype=np.uint8), (6, 40, 1))


def one_by_one(path: Path, **options: Any) -> None:
    with tifffile.TiffWriter(path) as file:
        for plane in NOISE:
            file.write(plane, contiguous=False, photometric="minisblack", **options)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "plain": lambda p: tifffile.imwrite(p, NOISE, photometric="minisblack"),
    "tiled": lambda p: tifffile.imwrite(
        p, NOISE, bigtiff=True, tile=(16, 16), photometric="minisblack"
    ),
    "big-endian": lambda p: tifffile.imwrite(p, NOISE, byteorder=">", photometric="minisblack"),
    "imagej": lambda p: tifffile.imwrite(p, NOISE, imagej=True, metadata={"axes": "ZYX"}),
    "imagej zlib": lambda p: tifffile.imwrite(
        p, SMOOTH, imagej=True, compression="zlib", metadata={"axes": "ZYX"}
    ),
    "ome": lambda p: tifffile.imwrite(p, NOISE, ome=True, metadata={"axes": "ZYX"}),
    "ome zlib": lambda p: tifffile.imwrite(
        p, NOISE, ome=True, compression="zlib", metadata={"axes": "ZYX"}
    ),
    "pages": one_by_one,
    "pages zlib": lambda p: one_by_one(p, compression="zlib"),
}


def written(tmp_path: Path, kind: str) -> tuple[Path, np.ndarray]:
    path = tmp_path / "stack.tif"
    WRITERS[kind](path)
    return path, SMOOTH if kind == "imagej zlib" else NOISE


@pytest.fixture
def lazily(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file count as large."""
    monkeypatch.setattr(mapped, "EAGER_BYTES", 0)


@pytest.mark.parametrize("kind", WRITERS)
def test_every_layout_is_read_in_full(tmp_path: Path, kind: str) -> None:
    path, expected = written(tmp_path, kind)
    image = read(path)
    assert image.axes == "ZYX"
    np.testing.assert_array_equal(from_canonical(image.data, "ZYX"), expected)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.usefixtures("lazily")
def test_large_files_of_every_layout_stay_lazy(tmp_path: Path, kind: str) -> None:
    path, expected = written(tmp_path, kind)
    image = read(path)
    assert isinstance(image.data, da.Array)
    for z in (5, 0):
        np.testing.assert_array_equal(image.plane(0, z), expected[z])
    np.testing.assert_array_equal(np.asarray(image.data[0, 0]), expected)


@pytest.mark.usefixtures("lazily")
def test_a_plane_of_a_large_file_decodes_one_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, expected = written(tmp_path, "ome zlib")
    image = read(path)
    pages: list[int] = []
    page_of = tiff_reader.LazyPages._page

    def noting(self: Any, number: int) -> np.ndarray:
        pages.append(number)
        return page_of(self, number)

    monkeypatch.setattr(tiff_reader.LazyPages, "_page", noting)
    np.testing.assert_array_equal(image.plane(0, 3), expected[3])
    assert pages == [3]


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.usefixtures("lazily")
def test_a_large_file_travels_to_another_process_as_its_path(tmp_path: Path, kind: str) -> None:
    path, expected = written(tmp_path, kind)
    image = read(path)
    image.plane(0, 1)
    sent = pickle.dumps(image)
    assert len(sent) < NOISE.nbytes
    np.testing.assert_array_equal(pickle.loads(sent).plane(0, 2), expected[2])


@pytest.mark.usefixtures("lazily")
@pytest.mark.parametrize("kind", ["plain", "ome zlib"])
def test_a_large_file_that_vanishes_is_told(tmp_path: Path, kind: str) -> None:
    path, _ = written(tmp_path, kind)
    image = read(path)
    path.unlink()
    with pytest.raises(BadInput, match="moved or changed"):
        image.plane(0, 1)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_cut_short_never_gives_a_shorter_stack(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, expected = written(tmp_path, kind)
    content = path.read_bytes()
    told = 0
    with caplog.at_level(logging.DEBUG, logger="tifffile"):
        for size in range(1, len(content), max(1, len(content) // 40)):
            path.write_bytes(content[:size])
            try:
                image = read(path)
            except BadInput:
                told += 1
            else:  # all pixels may be there, and only the end of the metadata missing
                np.testing.assert_array_equal(from_canonical(image.data, "ZYX"), expected)
    assert told > 20
    assert not caplog.records


def test_damaged_pixels_are_told(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "ome zlib")
    content = bytearray(path.read_bytes())
    content[400:700] = b"\xff" * 300
    path.write_bytes(content)
    with pytest.raises(BadInput, match="damaged"):
        read(path)


@pytest.mark.parametrize("axes", ["TZCYX", "ZYX", "TYX", "CYX", "TZYX", "ZCYX", "TCYX"])
def test_imagej_hyperstacks_keep_their_axes(tmp_path: Path, axes: str) -> None:
    sizes = {"T": 4, "Z": 3, "C": 2, "Y": 20, "X": 21}
    shape = tuple(sizes[letter] for letter in axes)
    array = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, metadata={"axes": axes})
    image = read(tmp_path / "a.tif")
    assert image.axes == axes
    np.testing.assert_array_equal(from_canonical(image.data, axes), array)


def test_imagej_calibration_is_read(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((2, 3, 20, 21), np.uint16),
        imagej=True,
        resolution=(1 / 0.25, 1 / 0.5),
        metadata={
            "axes": "TZYX", "spacing": 2.0, "unit": "um", "finterval": 30.0,
            "xorigin": 4.0, "zorigin": -1.0,
        },
    )  # fmt: skip
    image = read(tmp_path / "a.tif")
    assert dict(image.scale) == {"T": 30.0, "Z": 2.0, "Y": 0.5, "X": 0.25}
    assert dict(image.translate) == {"Z": 2.0, "X": -1.0}
    assert dict(image.units) == dict.fromkeys("ZYX", "micrometer") | {"T": "second"}


def test_imagej_escapes_of_the_micro_sign_are_read(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((20, 21), np.uint8), imagej=True, resolution=(4, 4),
        metadata={"unit": "\\u00B5m"},
    )  # fmt: skip
    assert read(tmp_path / "a.tif").units["X"] == "micrometer"


def test_what_imagej_changed_counts_and_not_our_note(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tif", np.zeros((3, 20, 21), np.uint8), axes="ZYX",
        scale={"Z": 2.0, "Y": 0.5, "X": 0.5}, units=dict.fromkeys("ZYX", "um"),
    )  # fmt: skip
    with tifffile.TiffFile(path) as file:
        told = dict(file.imagej_metadata or {})
    tifffile.imwrite(  # as ImageJ saves it again: our note is kept, the calibration is another
        path, np.zeros((4, 10, 11), np.uint8), imagej=True, resolution=(1.0, 1.0),
        metadata={"axes": "TYX", "unit": "um", "Info": told["Info"], "finterval": 5.0},
    )  # fmt: skip
    image = read(path)
    assert image.axes == "TYX"
    assert dict(image.scale) == {"T": 5.0, "Y": 1.0, "X": 1.0}


@pytest.mark.parametrize(("unit", "name"), [("µm", "micrometer"), ("nm", "nanometer")])
def test_ome_calibration_is_read(tmp_path: Path, unit: str, name: str) -> None:
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        np.zeros((2, 3, 20, 21), np.uint16),
        metadata={
            "axes": "TZYX", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": unit,
            "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": unit, "PhysicalSizeZ": 2.0,
            "PhysicalSizeZUnit": unit, "TimeIncrement": 100.0, "TimeIncrementUnit": "ms",
            "Plane": {"PositionX": [7.0] * 6, "PositionXUnit": [unit] * 6},
        },
    )  # fmt: skip
    image = read(tmp_path / "a.ome.tif")
    assert dict(image.scale) == {"T": 100.0, "Z": 2.0, "Y": 0.5, "X": 0.25}
    assert dict(image.units) == dict.fromkeys("ZYX", name) | {"T": "millisecond"}
    assert dict(image.translate) == {"X": 7.0}


def test_ome_without_units_means_micrometres(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.ome.tif", np.zeros((20, 21), np.uint16), metadata={"PhysicalSizeX": 0.25}
    )
    image = read(tmp_path / "a.ome.tif")
    assert (image.step("X"), image.units["X"]) == (0.25, "micrometer")


def test_nonsense_in_ome_is_left_out(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.ome.tif", np.zeros((20, 21), np.uint16),
        metadata={"PhysicalSizeX": 0.0, "PhysicalSizeY": "NaN"},
    )  # fmt: skip
    assert dict(read(tmp_path / "a.ome.tif").scale) == {}


def test_colour_is_what_the_file_calls_colour(tmp_path: Path) -> None:
    colours = np.zeros((20, 21, 3), np.uint8)
    tifffile.imwrite(tmp_path / "rgb.tif", colours, photometric="rgb")
    image = read(tmp_path / "rgb.tif")
    assert (image.axes, image.rgb) == ("YXC", True)
    assert read(tmp_path / "rgb.tif", "YX").rgb


def test_many_colour_pages_are_a_stack(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 20, 21, 3), np.uint8), photometric="rgb")
    image = read(tmp_path / "a.tif")
    assert (image.axes, image.rgb) == ("ZYXC", True)


@pytest.mark.parametrize("planes", [3, 4])
def test_three_or_four_planes_are_no_colours(tmp_path: Path, planes: int) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, NOISE[:planes], photometric="rgb", planarconfig="separate", metadata=None
    )
    image = read(path)
    assert (image.axes, image.rgb) == ("ZYX", False)
    assert image.sizes["Z"] == planes


def test_dots_per_inch_are_no_calibration(tmp_path: Path) -> None:
    array = np.zeros((20, 21), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", array, resolution=(300, 300), resolutionunit="INCH")
    assert dict(read(tmp_path / "a.tif").scale) == {}
    tifffile.imwrite(tmp_path / "a.tif", array, resolution=(118, 118), resolutionunit="CENTIMETER")
    assert dict(read(tmp_path / "a.tif").scale) == {}


def test_pixels_per_centimetre_are_a_calibration(tmp_path: Path) -> None:
    array = np.zeros((20, 21), np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif", array, resolution=(20_000, 40_000), resolutionunit="CENTIMETER"
    )
    image = read(tmp_path / "a.tif")
    assert dict(image.scale) == pytest.approx({"X": 0.5, "Y": 0.25})
    assert image.units["X"] == "micrometer"


@pytest.mark.usefixtures("lazily")
def test_big_endian_values_are_the_same(tmp_path: Path) -> None:
    array = np.arange(6 * 20 * 21, dtype=np.uint16).reshape(6, 20, 21)
    tifffile.imwrite(tmp_path / "a.tif", array, byteorder=">", photometric="minisblack")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").plane(0, 5), array[5])


def test_axes_of_length_one_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "one.ome.tif"
    il.write(
        path,
        np.zeros((1, 8, 9), np.uint8),
        axes="ZYX",
        kind="image",
        scale={"Z": 5, "Y": 1, "X": 1},
    )
    assert il.read(path).axes == il.read(path, "ZYX").axes == "ZYX"
    assert il.read(path, "tzyx").axes == "TZYX"
    assert il.read(path, "YX").sizes == il.read(path, "ZYX").sizes
    labels, axes = il.read_labels(path, "ZYX")
    assert (labels.shape, axes) == ((1, 8, 9), "ZYX")
    tifffile.imwrite(
        tmp_path / "j.tif",
        np.zeros((1, 5, 1, 8, 9), np.uint8),
        imagej=True,
        metadata={"axes": "TZCYX"},
    )
    assert il.read(tmp_path / "j.tif", "TZCYX").axes == "TZCYX"


def test_a_letter_that_is_no_axis_is_refused_where_more_are_named(tmp_path: Path) -> None:
    path = tmp_path / "one.ome.tif"
    il.write(path, np.zeros((8, 9), np.uint8), axes="YX", kind="image")
    with pytest.raises(BadInput, match="no axis letter"):
        il.read(path, "QYX")
