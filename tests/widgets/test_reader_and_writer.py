"""Our own files in napari: what is written comes back with its scale, units and colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.io import write
from napari_infoleak.widgets.annotation import new_annotation
from napari_infoleak.widgets.layers import source_of
from napari_infoleak.widgets.reader import get_reader
from napari_infoleak.widgets.writer import write_labels

SCALE = {"Z": 0.9, "Y": 0.3, "X": 0.2}
UNITS = dict.fromkeys("ZYX", "micrometer")
CLASSES = ClassTable.membrane().recolour(2, "#ff0000").add("nucleus")


@pytest.fixture
def labels(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    return rng.integers(0, 4, (5, 40, 48)).astype(np.uint8)


def open_in(viewer: Any, path: Path) -> list[Any]:
    reader = get_reader(str(path))
    assert reader is not None
    return [
        getattr(viewer, f"add_{kind}")(data, **options) for data, options, kind in reader(str(path))
    ]


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif", "a.ome.zarr", "a.npy"])
def test_labels_keep_scale_units_and_colours(
    viewer: Any, labels: np.ndarray[Any, Any], tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    write(path, labels, axes="ZYX", scale=SCALE, units=UNITS, classes=CLASSES)
    (layer,) = open_in(viewer, path)
    assert np.array_equal(layer.data, labels)
    assert tuple(layer.scale) == pytest.approx((0.9, 0.3, 0.2))
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    assert tuple(layer.axis_labels) == ("Z", "Y", "X")
    assert layer.colormap.map(2)[:3] == pytest.approx([1, 0, 0], abs=0.01)
    layer.data_setitem((np.array([0]), np.array([0]), np.array([0])), 3)  # it can be painted on


def test_a_file_of_strokes_is_taken_as_annotation(
    dock: Any, viewer: Any, labels: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    strokes = np.zeros_like(labels)
    strokes[2, :4], strokes[2, 9:12] = 1, 2
    viewer.add_image(np.zeros(labels.shape))
    write(tmp_path / "answer.ome.tif", labels.clip(1, 2), axes="ZYX")
    open_in(viewer, tmp_path / "answer.ome.tif")
    assert dock.state.annotation is None
    write(tmp_path / "strokes.ome.tif", strokes, axes="ZYX")
    (layer,) = open_in(viewer, tmp_path / "strokes.ome.tif")
    assert dock.state.annotation.layer is layer


def test_probabilities_open_as_a_layer_a_class(
    viewer: Any, rng: np.random.Generator, tmp_path: Path
) -> None:
    planes = rng.random((2, 5, 40, 48)).astype(np.float32)
    path = tmp_path / "p.ome.tif"
    write(
        path, planes, axes="KZYX", kind="probabilities", scale=SCALE, classes=ClassTable.membrane()
    )
    layers = open_in(viewer, path)
    assert [layer.name for layer in layers] == ["p interior", "p membrane"]
    assert np.array_equal(np.asarray(layers[1].data), planes[1])
    assert tuple(layers[0].scale) == pytest.approx((0.9, 0.3, 0.2))


def test_cells_open_as_labels(viewer: Any, labels: np.ndarray[Any, Any], tmp_path: Path) -> None:
    write(tmp_path / "c.tif", labels.astype(np.uint32) * 1000, axes="TYX", kind="cells")
    (layer,) = open_in(viewer, tmp_path / "c.tif")
    assert layer.data.max() == 3000
    assert tuple(layer.axis_labels) == ("T", "Y", "X")


def test_files_of_others_open_with_axes_and_scale(viewer: Any, tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(
        tmp_path / "foreign.ome.tif",
        np.zeros((5, 40, 48), np.uint16),
        metadata={
            "axes": "TYX",
            **{"PhysicalSizeY": 0.3, "PhysicalSizeYUnit": "µm"},
            **{"PhysicalSizeX": 0.2, "PhysicalSizeXUnit": "µm"},
        },
    )
    (layer,) = open_in(viewer, tmp_path / "foreign.ome.tif")
    assert tuple(layer.axis_labels) == ("T", "Y", "X")
    assert tuple(layer.scale)[1:] == pytest.approx((0.3, 0.2))
    assert str(layer.units[2]) == "micrometer"


def test_what_cannot_be_read_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "broken.ome.tif").write_bytes(b"II*\x00")
    (tmp_path / "text.npy").write_text("no array")
    for path in tmp_path.iterdir():
        assert get_reader(str(path)) is None
    assert get_reader(str(tmp_path / "missing.npy")) is None
    assert get_reader([str(tmp_path / "text.npy")] * 2) is None


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif", "a.ome.zarr", "a.npy"])
def test_a_saved_layer_opens_again(
    viewer: Any, labels: np.ndarray[Any, Any], tmp_path: Path, name: str
) -> None:
    layer = viewer.add_labels(
        labels, scale=(0.9, 0.3, 0.2), units=("micrometer",) * 3, axis_labels=("Z", "Y", "X")
    )
    data, meta, _ = layer.as_layer_data_tuple()
    (written,) = write_labels(str(tmp_path / name), data, meta)
    (again,) = open_in(viewer, Path(written))
    assert np.array_equal(again.data, labels)
    assert tuple(again.scale) == pytest.approx((0.9, 0.3, 0.2))


def test_an_annotation_between_channels_is_saved_without_them(viewer: Any, tmp_path: Path) -> None:
    from napari_infoleak.io import read_labels

    source = source_of(viewer.add_image(np.zeros((2, 5, 3, 40, 48))), "TZCYX")
    layer = new_annotation(viewer, source, CLASSES)
    layer.data[1, 2, 0, 5, 5] = 3
    data, meta, _ = layer.as_layer_data_tuple()
    write_labels(str(tmp_path / "a.ome.tif"), data, meta)
    labels, axes = read_labels(tmp_path / "a.ome.tif")
    assert axes == "TZYX"
    assert labels.shape == (2, 5, 40, 48)
    assert labels[1, 2, 5, 5] == 3


def test_many_cells_keep_their_numbers(viewer: Any, tmp_path: Path) -> None:
    from napari_infoleak.io import read_labels

    cells = np.arange(40 * 48, dtype=np.int64).reshape(40, 48)
    data, meta, _ = viewer.add_labels(cells).as_layer_data_tuple()
    write_labels(str(tmp_path / "cells.tif"), data, meta)
    assert np.array_equal(read_labels(tmp_path / "cells.tif")[0], cells)
