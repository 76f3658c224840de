from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from napari_infoleak.core.errors import BadInput
from napari_infoleak.instances.measure import measure
from napari_infoleak.instances.outlines import outlines

NANOMETRES = {"units": {"Y": "nanometer", "X": "nanometer"}}


def disc(radius, step=(1.0, 1.0), shape=(160, 160)):
    y, x = np.indices(shape)
    far = np.hypot((y - shape[0] // 2) * step[0], (x - shape[1] // 2) * step[1])
    return (far < radius).astype(np.uint32)


@pytest.mark.parametrize("step", [(1.0, 1.0), (1.0, 2.0), (0.7, 0.5)])
def test_a_disc_is_measured_in_the_units_of_the_image(step):
    radius = 60 * min(step)
    table = measure(disc(radius, step), scale=dict(zip("YX", step, strict=True)), **NANOMETRES)
    row = {name: values[0] for name, values in table.columns.items()}
    assert row["area"] == pytest.approx(np.pi * radius**2, rel=0.02)
    assert row["perimeter"] == pytest.approx(2 * np.pi * radius, rel=0.02)
    assert row["circularity"] == pytest.approx(1, abs=0.03)
    assert row["length"] == pytest.approx(2 * radius, rel=0.02)
    assert row["width"] == pytest.approx(2 * radius, rel=0.02)
    assert (row["y"], row["x"]) == (pytest.approx(80 * step[0]), pytest.approx(80 * step[1]))
    assert row["unit"] == "nanometer"
    assert row["on_edge"] == 0


@pytest.mark.parametrize("step", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0)])
def test_a_ball_is_measured_in_the_units_of_the_image(step):
    z, y, x = np.indices((48, 60, 60))
    far = np.sqrt(((z - 24) * step[0]) ** 2 + ((y - 30) ** 2) + (x - 30) ** 2)
    table = measure((far < 20).astype(int), scale=dict(zip("ZYX", step, strict=True)))
    row = {name: values[0] for name, values in table.columns.items()}
    assert row["volume"] == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.02)
    assert row["surface"] == pytest.approx(4 * np.pi * 20**2, rel=0.03)
    assert row["sphericity"] == pytest.approx(1, abs=0.03)
    for axis in ("length", "width", "height"):
        assert row[axis] == pytest.approx(40, rel=0.03)


def test_an_outline_does_not_depend_on_how_a_cell_lies():
    upright = np.zeros((120, 120), np.uint32)
    upright[40:80, 40:80] = 1
    y, x = np.indices((120, 120))
    slanted = (np.abs(x - 60) + np.abs(y - 60) < 20 * np.sqrt(2)).astype(np.uint32)
    for square in (upright, slanted):
        assert outlines(square, (1, 1))[1] == pytest.approx(160, rel=0.09)


def test_angle_and_axes_of_a_long_cell():
    y, x = np.indices((100, 100))
    along, across = (x - 50 + y - 50) / np.sqrt(2), (x - 50 - y + 50) / np.sqrt(2)
    cell = ((np.abs(along) < 30) & (np.abs(across) < 5)).astype(int)
    row = measure(cell).columns
    assert row["angle"][0] == pytest.approx(45, abs=1)
    assert row["length"][0] > 4 * row["width"][0]


def test_neighbours_are_counted_over_membranes():
    cells = np.zeros((30, 62), int)
    cells[:, :20], cells[:, 23:40], cells[:, 43:] = 5, 9, 2
    columns = measure(cells).columns
    found = dict(zip(columns["cell"].tolist(), columns["neighbours"].tolist(), strict=True))
    assert found == {2: 1, 5: 1, 9: 2}
    far = np.zeros((30, 62), int)
    far[:, :20], far[:, 40:] = 1, 2
    assert measure(far).columns["neighbours"].tolist() == [0, 0]


def test_cells_at_the_edge_are_marked():
    cells = np.zeros((9, 9), int)
    cells[3:6, 3:6], cells[0, 0] = 1, 2
    assert measure(cells).columns["on_edge"].tolist() == [0, 1]


def test_cells_of_planes_and_of_volumes_are_told_apart():
    stack = np.zeros((2, 9, 9), int)
    stack[0, 2:5, 2:5], stack[1, 2:6, 2:6] = 1, 2
    planes = measure(stack).columns
    assert planes["z_plane"].tolist() == [0, 1]
    assert planes["area"].tolist() == [9, 16]
    volume = measure((stack > 0).astype(int)).columns
    assert volume["volume"].tolist() == [25]
    assert "area" not in volume


def test_frames_are_measured_one_by_one():
    movie = np.zeros((3, 9, 9), int)
    movie[:, 2:5, 2:5] = np.arange(1, 4)[:, None, None]
    columns = measure(movie, axes="TYX", translate={"X": 100.0}).columns
    assert columns["t"].tolist() == [0, 1, 2]
    assert columns["cell"].tolist() == [1, 2, 3]
    assert columns["x"].tolist() == [103.0] * 3


@pytest.mark.parametrize("shape", [(5, 5), (2, 5, 5)])
def test_no_cell_is_a_table_without_rows(shape):
    table = measure(np.zeros(shape, int))
    assert len(table) == 0
    assert table.to_csv().count("\n") == 1


def test_every_pixel_may_belong_to_a_cell():
    cells = np.ones((4, 6), int)
    cells[:, 3:] = 2
    assert measure(cells).columns["area"].tolist() == [12, 12]


@pytest.mark.parametrize("far", [7, 10**9])
def test_ids_may_be_far_apart(far):
    cells = np.zeros((9, 9), np.uint32)
    cells[1:3, 1:3], cells[5:8, 5:8] = 3, far
    columns = measure(cells).columns
    assert columns["cell"].tolist() == [3, far]
    assert columns["area"].tolist() == [4, 9]


def test_the_file_reads_back(tmp_path):
    cells = np.zeros((20, 20), int)
    cells[2:9, 2:9], cells[11:, 11:] = 1, 7
    table = measure(cells, scale={"Y": 0.5, "X": 0.5}, units={"X": "micrometer"})
    path = table.write(tmp_path / "größe 1.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert [int(row["cell"]) for row in rows] == [1, 7]
    assert float(rows[0]["area"]) == pytest.approx(49 * 0.25)
    assert {row["unit"] for row in rows} == {"micrometer"}


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        measure(np.ones((3, 3), int)).write(tmp_path / "no" / "cells.csv")


@pytest.mark.parametrize(
    ("cells", "options", "words"),
    [
        (np.ones((3, 3)), {}, "expected whole numbers"),
        (np.ones(3, int), {}, "shape (3,)"),
        (-np.ones((3, 3), int), {}, "the id -1"),
        (np.ones((3, 3), int), {"dims": 1}, "dims 1"),
        (np.ones((3, 3), int), {"scale": {"X": 0}}, "above 0"),
    ],
)
def test_bad_input_is_told_in_one_line(cells, options, words):
    with pytest.raises(BadInput) as told:
        measure(cells, **options)
    assert words in str(told.value)


def test_brightness_is_measured_where_an_image_is_given():
    cells = np.array([[[1, 1, 0, 2], [1, 1, 0, 2]]], np.uint32)
    image = np.array([[[1.0, 3, 99, 7], [1, 3, 99, 7]]])
    columns = measure(cells, image=image).columns
    assert columns["intensity"].tolist() == [2, 7]
    assert columns["intensity_sd"].tolist() == [1, 0]
    assert "intensity" not in measure(cells).columns
    with pytest.raises(BadInput, match="the same shape, one channel"):
        measure(cells, image=image[0])


def test_axes_in_different_units_are_measured_in_one() -> None:
    cells = np.zeros((4, 10, 10), np.uint32)
    cells[1:3, 2:8, 2:8] = 1
    alike = measure(
        cells, scale={"Z": 0.008, "Y": 0.004, "X": 0.004}, units=dict.fromkeys("ZYX", "um"), dims=3
    )
    mixed = measure(
        cells,
        scale={"Z": 8, "Y": 4, "X": 0.004},
        units={"Z": "nm", "Y": "nm", "X": "um"},
        dims=3,
    )
    for name, column in alike.columns.items():
        if column.dtype.kind == "f":
            np.testing.assert_allclose(mixed.columns[name], column, err_msg=name)
    with pytest.raises(BadInput, match="one unit"):
        measure(
            cells, scale={"Z": 8, "Y": 4, "X": 4}, units={"Z": "s", "Y": "nm", "X": "nm"}, dims=3
        )
