from __future__ import annotations

import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from napari_infoleak.core.errors import BadInput
from napari_infoleak.io import mapped, read, read_labels, read_record


def refused(path: Path, axes: str | None = None) -> str:
    """The one line that both readers say of a bad file."""
    with pytest.raises(BadInput) as caught:
        read(path, axes)
    with pytest.raises(BadInput):
        read_labels(path, axes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "there is no file" in refused(tmp_path / "missing.tif")


def test_a_folder_is_told(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path)


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "empty.tif"
    path.touch()
    assert "is empty" in refused(path)


@pytest.mark.parametrize("name", ["notes.tif", "notes.tiff", "notes.png", "notes.npy"])
def test_a_text_file_with_an_image_name_is_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("This is a text.\n" * 50)
    assert "holds something else" in refused(path)


def test_an_unknown_format_is_told(tmp_path: Path) -> None:
    path = tmp_path / "stack.czi"
    path.write_bytes(b"ZISRAWFILE" + bytes(100))
    assert "expected TIFF, OME-TIFF, PNG, NPY or OME-Zarr" in refused(path)


def test_an_address_is_told() -> None:
    with pytest.raises(BadInput, match="address on the network"):
        read("https://example.org/a.zarr")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "secret.tif"
    tifffile.imwrite(path, np.zeros((8, 9), np.uint8))
    path.chmod(0)
    assert "cannot be read" in refused(path)


def test_what_the_file_holds_decides_not_its_name(tmp_path: Path) -> None:
    path = tmp_path / "picture.dat"
    tifffile.imwrite(path, np.full((8, 9), 7, np.uint8))
    assert read(path).plane(0, 0)[0, 0] == 7


def test_paths_with_spaces_and_any_letters_work(tmp_path: Path) -> None:
    folder = tmp_path / "Müller Ωmega 細胞"
    folder.mkdir()
    path = folder / "stack (1) é.ome.tif"
    tifffile.imwrite(path, np.zeros((8, 9), np.uint8))
    image = read(str(path))
    assert image.name == "stack (1) é"
    assert image.source == str(path)


def test_axes_that_do_not_fit_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((5, 8, 9), np.uint8), photometric="minisblack")
    assert "4 letters, but the array has 3 dimensions" in refused(path, "TZYX")
    assert read(path, "tyx").axes == "TYX"


def test_a_scale_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((5, 8, 9), np.uint8), photometric="minisblack")
    assert dict(read(path, scale={"Z": 5.0}).scale) == {"Z": 5.0}
    assert read(path, scale=(5.0, 2.0, 2.0)).step("X") == 2.0


def test_files_of_other_programs_have_no_record(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 9), np.uint8))
    assert read_record(path) == {}


def test_labels_must_be_whole_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 9), np.float32))
    with pytest.raises(BadInput, match="float32; labels are whole numbers"):
        read_labels(path)


def test_labels_are_never_taken_for_channels(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((3, 9, 20, 21), np.uint8))
    assert read_labels(path)[1] == "TZYX"
    assert read_labels(path, "CTZYX")[1] == "TZYX"


def test_labels_with_channels_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((2, 20, 21), np.uint8), imagej=True, metadata={"axes": "CYX"})
    with pytest.raises(BadInput, match="give their axes"):
        read_labels(path)
    assert read_labels(path, "ZYX")[1] == "ZYX"


def test_boolean_labels_become_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.eye(5, dtype=bool))
    labels, _ = read_labels(path)
    assert labels.dtype == np.uint8
    assert labels.sum() == 5


class TestPng:
    def test_grey_pictures(self, tmp_path: Path) -> None:
        for dtype in (np.uint8, np.uint16):
            array = (np.arange(72).reshape(8, 9) * 3).astype(dtype)
            Pillow.fromarray(array).save(tmp_path / "a.png")
            image = read(tmp_path / "a.png")
            assert (image.axes, image.rgb, image.dtype) == ("YX", False, dtype)
            np.testing.assert_array_equal(image.plane(0, 0), array)

    @pytest.mark.parametrize("size", [(8, 9), (2, 3), (3, 3)])
    def test_colour_pictures(self, tmp_path: Path, size: tuple[int, int]) -> None:
        array = np.zeros((*size, 3), np.uint8)
        array[..., 0] = 30
        Pillow.fromarray(array).save(tmp_path / "a.png")
        for axes in (None, "YX", "YXC", "YXS"):
            image = read(tmp_path / "a.png", axes)
            assert (image.axes, image.rgb) == ("YXC", True)
            assert image.plane(0, 0)[0, 0] == 10
        with pytest.raises(BadInput, match="colour picture"):
            read_labels(tmp_path / "a.png")

    def test_transparency_does_not_count(self, tmp_path: Path) -> None:
        array = np.full((8, 9, 4), 60, np.uint8)
        array[..., 3] = 1
        Pillow.fromarray(array).save(tmp_path / "a.png")
        assert read(tmp_path / "a.png").plane(0, 0)[0, 0] == 60
        Pillow.fromarray(array[..., [0, 3]]).save(tmp_path / "b.png")
        image = read(tmp_path / "b.png")
        assert (image.axes, image.plane(0, 0)[0, 0]) == ("YX", 60)

    def test_a_palette_holds_ids_or_colours(self, tmp_path: Path) -> None:
        ids = np.arange(72, dtype=np.uint8).reshape(8, 9) % 3
        picture = Pillow.fromarray(ids)
        picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
        picture.save(tmp_path / "a.png")
        labels, axes = read_labels(tmp_path / "a.png")
        assert axes == "YX"
        np.testing.assert_array_equal(labels, ids)
        assert read(tmp_path / "a.png").rgb

    def test_black_and_white(self, tmp_path: Path) -> None:
        Pillow.fromarray(np.eye(8, dtype=bool)).save(tmp_path / "a.png")
        np.testing.assert_array_equal(read_labels(tmp_path / "a.png")[0], np.eye(8))

    @pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
    def test_a_file_cut_short_is_told(self, tmp_path: Path, part: float) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
        Pillow.fromarray(noise).save(tmp_path / "a.png")
        content = (tmp_path / "a.png").read_bytes()
        (tmp_path / "a.png").write_bytes(content[: int(len(content) * part)])
        assert "cut short" in refused(tmp_path / "a.png")

    def test_large_pictures_raise_no_warning(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Pillow.fromarray(np.zeros((12, 12), np.uint8)).save(tmp_path / "a.png")
        monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 100)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read(tmp_path / "a.png").sizes["Y"] == 12
        monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 50)
        assert "convert it to TIFF" in refused(tmp_path / "a.png")


class TestNpy:
    @pytest.mark.parametrize("dtype", ["bool", "int64", "float64", ">u2", "float16"])
    def test_any_type(self, tmp_path: Path, dtype: str) -> None:
        array = (np.arange(5 * 8 * 9).reshape(5, 8, 9) % 2).astype(dtype)
        np.save(tmp_path / "a.npy", array)
        image = read(tmp_path / "a.npy")
        assert image.axes == "ZYX"
        np.testing.assert_array_equal(image.plane(0, 4), array[4].astype(np.float32))

    def test_a_small_one_is_read_at_once(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.ones((5, 8, 9), np.uint8))
        image = read(tmp_path / "a.npy")
        (tmp_path / "a.npy").write_bytes(b"")
        assert image.plane(0, 4).all()

    def test_a_large_one_travels_as_its_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mapped, "EAGER_BYTES", 0)
        array = np.arange(5 * 64 * 65).reshape(5, 64, 65)
        np.save(tmp_path / "a.npy", array)
        sent = pickle.dumps(read(tmp_path / "a.npy"))
        assert len(sent) < array.nbytes / 10
        np.testing.assert_array_equal(pickle.loads(sent).plane(0, 4), array[4])

    def test_columns_first_is_read_right(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mapped, "EAGER_BYTES", 0)
        array = np.asfortranarray(np.arange(5 * 8 * 9).reshape(5, 8, 9))
        np.save(tmp_path / "a.npy", array)
        np.testing.assert_array_equal(read(tmp_path / "a.npy").plane(0, 4), array[4])

    def test_colours_are_seen(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.zeros((20, 21, 3), np.uint8))
        assert read(tmp_path / "a.npy").rgb

    @pytest.mark.parametrize("size", [8, 40, 100, 200])
    def test_a_file_cut_short_is_told(self, tmp_path: Path, size: int) -> None:
        np.save(tmp_path / "a.npy", np.zeros((5, 8, 9), np.uint8))
        content = (tmp_path / "a.npy").read_bytes()
        (tmp_path / "a.npy").write_bytes(content[:size])
        assert "cut short" in refused(tmp_path / "a.npy")

    def test_a_damaged_header_is_told(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.zeros((5, 8, 9), np.uint8))
        content = (tmp_path / "a.npy").read_bytes()
        for old, new in ((b"'descr'", b"'desc\x00'"), (b"}", b"("), (b"(5, 8, 9)", b"(5, 8, -)")):
            (tmp_path / "a.npy").write_bytes(content.replace(old, new))
            assert "damaged" in refused(tmp_path / "a.npy")

    def test_python_objects_are_not_opened(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
        assert "Python objects" in refused(tmp_path / "a.npy")

    @pytest.mark.parametrize("shape", [(0, 8, 9), (), (7,), (1, 1, 1, 1, 8, 9)])
    def test_shapes_that_are_no_image(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
        refused(tmp_path / "a.npy")

    @pytest.mark.parametrize(
        "text", ["", "{", "[1]", '{"infoleak": 3}', '{"infoleak": {"axes": 1}}']
    )
    def test_somebody_elses_neighbour_file_is_ignored(self, tmp_path: Path, text: str) -> None:
        np.save(tmp_path / "a.npy", np.zeros((5, 8, 9), np.uint8))
        (tmp_path / "a.npy.json").write_text(text)
        assert read(tmp_path / "a.npy").axes == "ZYX"
