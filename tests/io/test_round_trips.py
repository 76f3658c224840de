from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_infoleak.core.axes import from_canonical
from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.provenance import provenance
from napari_infoleak.io import read, read_labels, read_record, write

STACK_SUFFIXES = (".tif", ".ome.tif", ".npy", ".ome.zarr", ".zarr")
SCALE = {"T": 2.5, "Z": 0.3, "Y": 0.0049, "X": 0.0051}
TRANSLATE = {"Z": 1.5, "Y": -0.3, "X": 20.0}
UNITS = {"T": "second", "Z": "micrometer", "Y": "micrometer", "X": "micrometer"}
AXES = {
    "YX": (30, 40),
    "XY": (40, 30),
    "ZYX": (5, 30, 40),
    "TYX": (4, 30, 40),
    "YXZ": (30, 40, 5),
    "TZYX": (2, 5, 30, 40),
    "ZTYX": (5, 2, 30, 40),
}


def only(axes: str, values: dict[str, Any]) -> dict[str, Any]:
    return {letter: value for letter, value in values.items() if letter in axes}


def values_of(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(0)
    if kind == "labels":
        return rng.integers(0, 4, shape).astype(np.uint8)
    if kind == "cells":
        return rng.integers(0, 60_000, shape)
    if kind == "many cells":
        return rng.integers(0, 100_000, shape)
    if kind == "probabilities":
        return rng.random((3, *shape)).astype(np.float32)
    return rng.random(shape).astype(np.float32)


@pytest.mark.parametrize("suffix", STACK_SUFFIXES)
@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize(
    "kind", ["labels", "cells", "many cells", "probabilities", "uncertainty", "image"]
)
def test_what_was_written_is_read(tmp_path: Path, kind: str, axes: str, suffix: str) -> None:
    array = values_of(kind, AXES[axes])
    path = tmp_path / f"Zelle é {suffix}"
    scale, translate, units = (only(axes, values) for values in (SCALE, TRANSLATE, UNITS))
    written = write(
        path,
        array,
        axes=axes,
        kind=kind.removeprefix("many "),  # type: ignore[arg-type]
        scale=scale,
        translate=translate,
        units=units,
        provenance=provenance(model="membrane"),
    )
    assert written == path
    image = read(path)
    assert image.axes == ("C" + axes if kind == "probabilities" else axes)
    np.testing.assert_array_equal(from_canonical(image.data, image.axes), array)
    assert (dict(image.scale), dict(image.translate)) == (scale, translate)
    assert only(axes, dict(image.units)) == units
    assert image.name == "Zelle é "
    record = read_record(path)
    assert record["kind"] == kind.removeprefix("many ")
    assert record["provenance"]["model"] == "membrane"
    if kind in ("labels", "cells", "many cells"):
        labels, label_axes = read_labels(path)
        assert label_axes == axes
        np.testing.assert_array_equal(labels, array)


@pytest.mark.parametrize("suffix", STACK_SUFFIXES)
def test_nanometres_and_mixed_units_come_back(tmp_path: Path, suffix: str) -> None:
    scale = {"T": 1.5, "Z": 50.0, "Y": 4.0, "X": 4.0}
    units = {"T": "minute", "Z": "nm", "Y": "nm", "X": "nm"}
    path = write(
        tmp_path / f"a{suffix}", np.zeros((2, 3, 8, 9), np.uint8), axes="TZYX", scale=scale,
        units=units,
    )  # fmt: skip
    image = read(path)
    assert dict(image.scale) == scale
    assert dict(image.units) == dict.fromkeys("ZYX", "nanometer") | {"T": "minute"}


@pytest.mark.parametrize("suffix", STACK_SUFFIXES)
def test_what_nobody_knows_stays_unknown(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", np.zeros((3, 8, 9), np.uint8), axes="ZYX")
    image = read(path)
    assert dict(image.units) == dict.fromkeys("TZYX", "pixel")
    assert all(image.step(letter) == 1 for letter in "TZYX")


@pytest.mark.parametrize("suffix", STACK_SUFFIXES)
def test_an_axis_of_length_one_comes_back(tmp_path: Path, suffix: str) -> None:
    array = np.arange(72, dtype=np.uint8).reshape(1, 1, 8, 9)
    image = read(write(tmp_path / f"a{suffix}", array, axes="TZYX", kind="image"))
    assert image.axes == "TZYX"
    np.testing.assert_array_equal(from_canonical(image.data, "TZYX"), array)


@pytest.mark.parametrize("suffix", STACK_SUFFIXES)
def test_one_pixel_comes_back(tmp_path: Path, suffix: str) -> None:
    labels, axes = read_labels(write(tmp_path / f"a{suffix}", np.full((1, 1), 2), axes="YX"))
    assert axes == "YX"
    np.testing.assert_array_equal(labels, [[2]])


@pytest.mark.parametrize("suffix", STACK_SUFFIXES)
@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64", ">u2", ">f4"]
)
def test_images_of_any_type_come_back(tmp_path: Path, suffix: str, dtype: str) -> None:
    array = np.arange(3 * 8 * 9).reshape(3, 8, 9).astype(dtype)
    image = read(write(tmp_path / f"a{suffix}", array, axes="ZYX", kind="image"))
    assert image.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(from_canonical(image.data, "ZYX"), array)


@pytest.mark.parametrize("suffix", STACK_SUFFIXES)
def test_channels_and_their_names_come_back(tmp_path: Path, suffix: str) -> None:
    array = np.arange(2 * 8 * 9, dtype=np.uint16).reshape(2, 8, 9)
    path = write(
        tmp_path / f"a{suffix}", array, axes="CYX", kind="image", channel_names=["actin", "DNA"]
    )
    image = read(path)
    assert image.axes == "CYX"
    assert not image.rgb
    assert image.channel_names == ("actin", "DNA")
    np.testing.assert_array_equal(image.plane(0, 0, channel=1), array[1])


@pytest.mark.parametrize("suffix", STACK_SUFFIXES)
def test_lazy_arrays_are_written_without_being_held(tmp_path: Path, suffix: str) -> None:
    array = np.random.default_rng(0).integers(0, 3, (6, 16, 17)).astype(np.uint8)
    largest = 0

    def noting(block: np.ndarray) -> np.ndarray:
        nonlocal largest
        largest = max(largest, block.shape[0])
        return block

    lazy = da.from_array(array, chunks=(1, 16, 17)).map_blocks(noting, dtype=np.uint8)
    labels, _ = read_labels(write(tmp_path / f"a{suffix}", lazy, axes="ZYX"))
    np.testing.assert_array_equal(labels, array)
    assert largest <= 1


@pytest.mark.parametrize("suffix", STACK_SUFFIXES)
def test_classes_are_noted(tmp_path: Path, suffix: str) -> None:
    classes = ClassTable.membrane().add("Golgi é 細胞")
    path = write(tmp_path / f"a{suffix}", np.ones((8, 9), np.uint8), axes="YX", classes=classes)
    assert ClassTable.from_json(read_record(path)["classes"]) == classes


def test_probabilities_are_named_after_their_classes(tmp_path: Path) -> None:
    array = np.full((2, 8, 9), 0.5, np.float32)
    path = write(
        tmp_path / "a.ome.tif", array, axes="YX", kind="probabilities",
        classes=ClassTable.membrane(),
    )  # fmt: skip
    assert read(path).channel_names == ("interior", "membrane")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    suffix=st.sampled_from(STACK_SUFFIXES),
    letters=st.sets(st.sampled_from("TZC")),
)
def test_any_axes_come_back_from_any_format(
    tmp_path: Path, data: st.DataObject, suffix: str, letters: set[str]
) -> None:
    axes = "".join(data.draw(st.permutations(sorted(letters | {"Y", "X"}))))
    shape = tuple(data.draw(st.integers(1, 5)) for _ in axes)
    array = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    scale = {
        letter: data.draw(st.floats(1e-4, 1e4))
        for letter in sorted(set(axes) - {"C"})
        if data.draw(st.booleans())
    }
    units = dict.fromkeys("ZYX", "micrometer") | {"T": "second"}
    path = write(tmp_path / f"a{suffix}", array, axes=axes, kind="image", scale=scale, units=units)
    image = read(path)
    assert image.axes == axes
    np.testing.assert_array_equal(from_canonical(image.data, axes), array)
    for letter in set(axes) - {"C"}:
        assert image.step(letter) == pytest.approx(scale.get(letter, 1.0), rel=1e-6)
