from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image as Pillow

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput, Cancelled, OutOfMemory, WriteFailed
from napari_infoleak.core.progress import CancelToken
from napari_infoleak.io import output, read, read_labels, read_record, write
from napari_infoleak.io.zarr_writer import halved

SUFFIXES = (".tif", ".ome.tif", ".png", ".npy", ".ome.zarr")
LABELS = np.arange(72, dtype=np.uint8).reshape(8, 9) % 3


def refused(path: Path, array: Any, **options: Any) -> str:
    """The one line that is said of a bad request; nothing is left on the disk."""
    before = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    with pytest.raises(BadInput) as caught:
        write(path, array, **{"axes": "YX", **options})
    assert "\n" not in str(caught.value)
    assert (sorted(path.parent.iterdir()) if path.parent.is_dir() else []) == before
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.jpg", "a", ".tif", "a.tif.gz"])
def test_the_suffix_must_say_how(tmp_path: Path, name: str) -> None:
    assert ".ome.zarr" in refused(tmp_path / name, LABELS)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "none" / "a.tif", LABELS)


@pytest.mark.parametrize(
    ("array", "options", "says"),
    [
        (LABELS, {"axes": "ZYX"}, "labels have 2 dimensions"),
        (LABELS, {"axes": "YX", "kind": "probabilities"}, "class axis K"),
        (LABELS, {"axes": "YQ"}, "'Q'"),
        (LABELS, {"kind": "mask"}, "kind 'mask' is unknown"),
        (LABELS.astype(float), {}, "labels are float64; expected whole numbers"),
        (LABELS.astype(complex), {"kind": "image"}, "complex"),
        (LABELS.astype(int) - 1, {}, "the value -1"),
        (LABELS.astype(int) + 300, {}, "write cells with kind='cells'"),
        (LABELS.astype(int) - 1, {"kind": "cells"}, "the value -1"),
        (LABELS.astype(np.int64) + 2**33, {"kind": "cells"}, "expected 0 to 4294967295"),
        (np.zeros((0, 9), np.uint8), {}, "no pixel"),
        (LABELS, {"scale": {"Y": 0}}, "positive"),
        ("labels.tif", {}, "a str is no array of pixels"),
    ],
)
@pytest.mark.parametrize("suffix", [".tif", ".ome.zarr"])
def test_what_cannot_be_written_is_told(
    tmp_path: Path, suffix: str, array: Any, options: dict[str, Any], says: str
) -> None:
    assert says in refused(tmp_path / f"a{suffix}", array, **options)


def test_png_holds_one_plane_of_whole_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert "one plane" in refused(path, np.zeros((2, 8, 9), np.uint8), axes="ZYX")
    assert "float32" in refused(path, np.zeros((8, 9)), kind="uncertainty")
    assert "one plane" in refused(path, np.zeros((2, 8, 9)), kind="probabilities")
    assert "uint32" in refused(path, np.full((8, 9), 70_000), kind="cells")
    write(path, np.zeros((1, 8, 9), np.uint8), axes="ZYX")
    assert read_labels(path)[1] == "ZYX"


def test_png_of_labels_is_grey_for_everyone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", LABELS, axes="YX", classes=ClassTable.membrane())
    with Pillow.open(path) as picture:
        assert picture.mode == "L"
        np.testing.assert_array_equal(np.asarray(picture), LABELS)
    assert read_record(path)["classes"][1]["name"] == "membrane"


@pytest.mark.parametrize(
    ("highest", "dtype"), [(3, np.uint16), (65_535, np.uint16), (65_536, np.uint32)]
)
def test_cells_take_the_smallest_type_that_holds_them(
    tmp_path: Path, highest: int, dtype: type
) -> None:
    cells = np.zeros((8, 9), np.int64)
    cells[3, 3] = highest
    back, _ = read_labels(write(tmp_path / "a.tif", cells, axes="YX", kind="cells"))
    assert back.dtype == dtype
    assert back.max() == highest


def test_imagej_opens_what_it_can_hold(tmp_path: Path) -> None:
    probabilities = np.zeros((2, 3, 8, 9), np.float32)
    path = write(
        tmp_path / "a.tif", probabilities, axes="ZYX", kind="probabilities",
        scale={"Z": 50, "Y": 4, "X": 4}, units={"Z": "nm", "Y": "nm", "X": "nm"},
    )  # fmt: skip
    with tifffile.TiffFile(path) as file:
        told = file.imagej_metadata or {}
        assert file.series[0].axes == "ZCYX"
        assert (told["channels"], told["slices"], told["unit"], told["spacing"]) == (2, 3, "nm", 50)
        assert file.pages[0].tags["XResolution"].value == (1, 4)


def test_imagej_gets_one_unit_for_all_lengths(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tif", np.zeros((3, 8, 9), np.uint8), axes="ZYX",
        scale={"Z": 1.0, "Y": 4, "X": 4}, units={"Z": "um", "Y": "nm", "X": "nm"},
    )  # fmt: skip
    with tifffile.TiffFile(path) as file:
        told = file.imagej_metadata or {}
        assert (told["unit"], told["spacing"]) == ("nm", pytest.approx(1000))
    assert dict(read(path).scale) == {"Z": 1.0, "Y": 4.0, "X": 4.0}


def test_imagej_shows_labels_in_the_colours_of_their_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", LABELS, axes="YX", classes=ClassTable.membrane())
    with tifffile.TiffFile(path) as file:
        table = file.pages[0].colormap >> 8  # of one channel it reads no other table
    np.testing.assert_array_equal(table[:, 2], bytearray.fromhex("e69f00"))
    np.testing.assert_array_equal(table[:, 0], 0)
    np.testing.assert_array_equal(read_labels(path)[0], LABELS)


def test_imagej_shows_all_planes_in_one_contrast(tmp_path: Path) -> None:
    cells = np.zeros((3, 8, 9), np.uint16)
    cells[2, 4, 4] = 700  # by itself ImageJ looks at the first plane
    doubt = np.zeros((2, 3, 8, 9), np.float32)
    write(tmp_path / "cells.tif", cells, axes="ZYX", kind="cells")
    write(tmp_path / "p.tif", doubt, axes="ZYX", kind="probabilities")
    write(tmp_path / "u.tif", doubt[0], axes="ZYX", kind="uncertainty")
    shown = {}
    for name in ("cells", "p", "u"):
        with tifffile.TiffFile(tmp_path / f"{name}.tif") as file:
            shown[name] = file.imagej_metadata or {}
    assert (shown["cells"]["min"], shown["cells"]["max"]) == (0, 700)
    for name in "pu":
        assert (shown[name]["min"], shown[name]["max"]) == (0, 1)


def test_ome_tiff_is_calibrated_for_everyone(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.ome.tif", np.zeros((3, 2, 8, 9), np.uint8), axes="ZTYX",
        scale={"T": 5, "Z": 50, "Y": 4, "X": 4}, translate={"X": 7},
        units={"T": "s", "Z": "nm", "Y": "nm", "X": "nm"},
    )  # fmt: skip
    with tifffile.TiffFile(path) as file:
        pixels = tifffile.xml2dict(file.ome_metadata or "")["OME"]["Image"]["Pixels"]
        assert file.series[0].axes == "ZTYX"
    assert (pixels["PhysicalSizeZ"], pixels["PhysicalSizeZUnit"]) == (50, "nm")
    assert (pixels["TimeIncrement"], pixels["TimeIncrementUnit"]) == (5, "s")
    assert pixels["Plane"][0]["PositionX"] == 7


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_nothing_and_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = write(tmp_path / f"a{suffix}", LABELS, axes="YX")
    before = sorted(tmp_path.rglob("*"))

    def full(*args: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(output.Output, "_converted", full)
    with pytest.raises(WriteFailed, match="the disk is full"):
        write(path, 2 - LABELS, axes="YX")
    assert sorted(tmp_path.rglob("*")) == before
    np.testing.assert_array_equal(read_labels(path)[0], LABELS)


def test_numpys_own_words_for_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> Any:
        raise OSError("90000 requested and 24224 written")

    monkeypatch.setattr(output.Output, "_converted", full)
    with pytest.raises(WriteFailed, match="the disk is full"):
        write(tmp_path / "a.tif", LABELS, axes="YX")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_a_device_that_is_really_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def on_full(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return opened(Path("/dev/full") if "w" in mode else self, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", on_full)
    with pytest.raises(WriteFailed, match="the disk is full"):
        write(tmp_path / "a.npy", LABELS, axes="YX")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_fills_up_at_the_last_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    def full(*args: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WriteFailed, match="the disk is full"):
        write(tmp_path / f"a{suffix}", LABELS, axes="YX")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_folder_that_may_not_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, code: int
) -> None:
    def forbidden(*args: Any) -> Any:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", forbidden)
    with pytest.raises(WriteFailed, match="may not be written to"):
        write(tmp_path / f"a{suffix}", LABELS, axes="YX")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_read_only_folder(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    with pytest.raises(WriteFailed, match="may not be written to"):
        write(folder / f"a{suffix}", LABELS, axes="YX")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_cancelling_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        write(tmp_path / f"a{suffix}", LABELS, axes="YX", cancel=cancel)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".tif", ".ome.zarr"])
def test_running_out_of_memory_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    def exhausted(*args: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(output.Output, "_converted", exhausted)
    with pytest.raises(OutOfMemory, match="no memory left to write"):
        write(tmp_path / f"a{suffix}", LABELS, axes="YX")
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_plane_by_plane(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write(
        tmp_path / "a.tif", np.zeros((4, 8, 9), np.uint8), axes="ZYX",
        progress=lambda done, total, message="": told.append((done, total)),
    )  # fmt: skip
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_writing_again_replaces(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"a{suffix}", np.zeros((4, 4), np.uint8), axes="YX")
    path = write(tmp_path / f"a{suffix}", LABELS, axes="YX")
    np.testing.assert_array_equal(read_labels(path)[0], LABELS)
    names = {entry.name for entry in tmp_path.iterdir()}
    assert names <= {f"a{suffix}", f"a{suffix}.json"}


def test_a_result_may_replace_its_own_source(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ome.zarr", np.full((3, 8, 9), 5, np.uint8), axes="ZYX")
    lazy = read(path).data[0, 0]
    write(path, lazy * 2, axes="ZYX")
    np.testing.assert_array_equal(read_labels(path)[0], np.full((3, 8, 9), 10))


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "a.tif", np.zeros((4, 4), np.uint8), axes="YX")
    (tmp_path / "a.tif").symlink_to(tmp_path / "data" / "a.tif")
    write(tmp_path / "a.tif", LABELS, axes="YX")
    assert (tmp_path / "a.tif").is_symlink()
    np.testing.assert_array_equal(read_labels(tmp_path / "data" / "a.tif")[0], LABELS)


def test_what_is_said_of_other_axes_is_left_out(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.ome.tif", LABELS, axes="YX", scale={"T": 3, "Z": 2, "Y": 1.5, "X": 1.5}
    )
    assert set(read_record(path)["scale"]) == {"Y", "X"}
    assert dict(read(path).scale) == {"Y": 1.5, "X": 1.5}


def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "thesis.zarr"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work")
    assert "other files" in refused(folder, LABELS)
    (tmp_path / "a.tif").mkdir()
    assert "is a folder" in refused(tmp_path / "a.tif", LABELS)
    assert (folder / "chapter.txt").read_text() == "years of work"


class TestOmeZarr:
    def test_it_holds_ngff_metadata(self, tmp_path: Path) -> None:
        path = write(
            tmp_path / "a.ome.zarr", np.zeros((3, 700, 1200), np.uint8), axes="ZYX",
            scale={"Z": 50, "Y": 4, "X": 4}, translate={"Z": 100},
            units={"Z": "nm", "Y": "nm", "X": "nm"}, classes=ClassTable.membrane(),
        )  # fmt: skip
        group = zarr.open_group(str(path), mode="r")
        ome: Any = group.attrs["ome"]
        assert ome["version"] == "0.5"
        (multiscale,) = ome["multiscales"]
        assert [axis["name"] for axis in multiscale["axes"]] == ["z", "y", "x"]
        assert {axis["unit"] for axis in multiscale["axes"]} == {"nanometer"}
        shapes = [group[level["path"]].shape for level in multiscale["datasets"]]
        assert shapes == [(3, 700, 1200), (3, 350, 600), (3, 175, 300)]
        assert multiscale["datasets"][1]["coordinateTransformations"] == [
            {"type": "scale", "scale": [50, 8, 8]},
            {"type": "translation", "translation": [100, 0, 0]},
        ]
        assert ome["image-label"]["properties"][1] == {"label-value": 2, "name": "membrane"}
        assert ome["image-label"]["colors"][1]["rgba"] == [0xE6, 0x9F, 0x00, 255]

    def test_chunks_are_planes_or_less(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.zarr", np.zeros((2, 3, 600, 40), np.uint8), axes="TZYX")
        level: Any = zarr.open_group(str(path), mode="r")["0"]
        assert level.chunks == (1, 1, 512, 40)

    def test_ids_are_thinned_out_and_values_averaged(self) -> None:
        ids = np.array([[1, 7, 2], [7, 7, 7], [3, 7, 4]], np.uint16)
        np.testing.assert_array_equal(halved(ids), [[1, 2], [3, 4]])
        values = np.array([[0, 2, 5], [2, 4, 7]], np.float32)
        np.testing.assert_array_equal(halved(values), [[2, 6]])
