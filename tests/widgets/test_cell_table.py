"""Numbers of cells and classes, and the way from a number to its place."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_infoleak.scale.events import Done
from napari_infoleak.widgets import jobs
from napari_infoleak.widgets.segmenting import pixels_of


@pytest.fixture
def celled(dock: Any, viewer: Any, settle: Any, executor: Any) -> Any:
    """A dock with a small and a large cell, in three slices."""
    executor.answers["measure_cells"] = jobs.measure_cells
    image = np.zeros((3, 40, 48))
    image[:, 5:15, 5:15] = 1
    image[:, 20:35, 20:40] = 3
    viewer.add_image(
        image, name="img", scale=(0.9, 0.3, 0.2), units=("micrometer",) * 3, translate=(1, 2, 3)
    )
    dock.segment.segment_stack()
    settle(dock)
    dock.cells.make_cells()
    settle(dock)
    return dock


def cells_of(table: Any) -> list[str]:
    return [table.model.data(table.model.index(row, 0)) for row in range(table.model.rowCount())]


def test_cells_are_measured_in_physical_units_with_their_brightness(
    celled: Any, settle: Any
) -> None:
    table = celled.cells.table
    table.set_open(True)
    settle(celled)
    columns = table.model.table.columns
    voxel = 0.9 * 0.3 * 0.2
    assert columns["volume"] == pytest.approx([3 * 100 * voxel, 3 * 300 * voxel])
    assert columns["intensity"] == pytest.approx([1, 3])
    assert set(columns["unit"]) == {"micrometer"}
    assert table.model.headerData(1, Qt.Orientation.Horizontal) == "volume µm³"
    assert cells_of(table) == ["1", "2"]
    table.model.sort(1, Qt.SortOrder.DescendingOrder)
    assert cells_of(table) == ["2", "1"]


def test_a_row_leads_to_its_cell_and_a_cell_to_its_row(
    celled: Any, viewer: Any, settle: Any, qtbot: Any
) -> None:
    table = celled.cells.table
    table.set_open(True)
    settle(celled)
    viewer.dims.set_current_step(0, 0)
    table.go_to_row(1)
    assert viewer.dims.current_step[0] == 1
    layer = viewer.layers["img cells"]
    assert layer.selected_label == 2
    ring = viewer.layers["chosen cell"].data[0]
    assert layer.data[tuple(np.rint(ring).astype(int))] == 2
    click = SimpleNamespace(
        type="mouse_press", pos=np.zeros(2), position=layer.data_to_world((1, 8, 8)), button=1
    )
    following = table._clicked(layer, click)
    next(following)
    click.type = "mouse_release"
    assert next(following, None) is None
    chosen = table.view.selectionModel().selectedRows()
    assert [cells_of(table)[index.row()] for index in chosen] == ["1"]
    table.set_open(False)
    assert "chosen cell" not in viewer.layers


def test_the_table_is_saved_and_says_when_it_is_old(
    celled: Any, settle: Any, tmp_path: Path
) -> None:
    table = celled.cells.table
    assert table.save.toolTip() == "Measure the cells first."
    table.set_open(True)
    settle(celled)
    table.save_to(tmp_path / "t.csv")
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert [row["cell"] for row in rows] == ["1", "2"]
    table.save_to(tmp_path / "no folder" / "t.csv")
    assert celled.footer.message.property("level") == "error"
    celled.cells.make_cells()
    settle(celled)
    assert "measure again" in table.news.text()


def test_the_table_follows_corrections_by_itself(
    celled: Any, settle: Any, qtbot: Any, viewer: Any
) -> None:
    table, correcting = celled.cells.table, celled.cells.correcting
    table.set_open(True)
    settle(celled)
    table.model.sort(1, Qt.SortOrder.DescendingOrder)
    table.choose(1)
    step = correcting._current().paint([(0, 1, y, x) for y in (2, 3) for x in range(5, 20)])
    correcting._show(step, "", 1)
    qtbot.waitUntil(lambda: table.model.rowCount() == 3, timeout=3000)
    assert cells_of(table) == ["2", "1", "3"], "sorted as before"
    chosen = table.view.selectionModel().selectedRows()
    assert [cells_of(table)[index.row()] for index in chosen] == ["1"]
    columns = table.model.table.columns
    whole = jobs.measure_cells(
        viewer.layers["img cells"].data, pixels_of(celled.state.source), channel=None
    ).columns
    for name, values in whole.items():
        if values.dtype.kind == "f":
            assert columns[name] == pytest.approx(values, abs=1e-5), name
        else:
            assert np.array_equal(columns[name], values), name
    correcting.undo()
    qtbot.waitUntil(lambda: table.model.rowCount() == 2, timeout=3000)
    assert cells_of(table) == ["2", "1"]
    assert table.news.text() == ""


def mend(layer: Any) -> None:
    """Give the image another pixel size, as the dock's editor does."""
    layer.units = ("nanometer",) * 3
    layer.scale = (90, 30, 20)


def test_a_mended_pixel_size_counts_for_the_table(
    celled: Any, viewer: Any, settle: Any, qtbot: Any
) -> None:
    table, correcting = celled.cells.table, celled.cells.correcting
    mend(viewer.layers["img"])
    table.set_open(True)
    settle(celled)
    table.go_to_row(1)
    ring = viewer.layers["chosen cell"].data[0]
    assert viewer.layers["img cells"].data[tuple(np.rint(ring).astype(int))] == 2
    step = correcting._current().paint([(0, 1, y, x) for y in (2, 3) for x in range(5, 20)])
    correcting._show(step, "", 1)
    qtbot.waitUntil(lambda: table.model.rowCount() == 3, timeout=3000)
    columns = table.model.table.columns
    assert columns["unit"].tolist() == ["nanometer"] * 3
    assert columns["volume"][2] == pytest.approx(30 * 90 * 30 * 20)


def test_a_table_of_another_pixel_size_is_old(
    celled: Any, viewer: Any, settle: Any, executor: Any
) -> None:
    table, words = celled.cells.table, "The pixel size has changed since: measure again"
    table.set_open(True)
    settle(celled)
    mend(viewer.layers["img"])
    assert words in table.news.text()
    table.go_to_row(1)
    ring = viewer.layers["chosen cell"].data[0]
    assert viewer.layers["img cells"].data[tuple(np.rint(ring).astype(int))] == 2
    executor.waits = True
    table.measure_now()
    viewer.layers["img"].translate = (0, 0, 0)
    executor.jobs[-1].events.append(Done(jobs.measure_cells(**executor.asked[-1][1])))
    settle(celled)
    assert words in table.news.text(), "it was mended while cells were measured"
    executor.waits = False
    table.measure_now()
    settle(celled)
    assert table.news.text() == ""


def test_cells_of_another_image_are_not_listed(
    celled: Any, viewer: Any, settle: Any, executor: Any
) -> None:
    executor.waits = True
    celled.cells.table.measure_now()
    celled.image.layer.choose(viewer.add_image(np.zeros((3, 40, 48))))
    executor.jobs[-1].events.append(Done(jobs.measure_cells(**executor.asked[-1][1])))
    settle(celled)
    assert celled.cells.table.model.table is None
    assert not celled.cells.table.save.isEnabled()


def test_cells_are_shown_as_outlines(celled: Any, viewer: Any, settle: Any) -> None:
    celled.cells.outlines.setChecked(True)
    assert viewer.layers["img cells"].contour == 1
    celled.cells.make_cells()
    settle(celled)
    assert viewer.layers["img cells"].contour == 1
    celled.cells.outlines.setChecked(False)
    assert viewer.layers["img cells"].contour == 0


def test_class_shares_without_an_answer_are_a_sentence(
    dock: Any, viewer: Any, rng: np.random.Generator
) -> None:
    viewer.add_image(rng.random((3, 40, 48)))
    dock.cells.shares.set_open(True)
    assert "Segment first" in dock.cells.shares.news.text()
    viewer.layers.clear()
    assert dock.cells.shares.texts == {}


def test_class_shares_of_the_slice_and_of_all(celled: Any, viewer: Any, qtbot: Any) -> None:
    labels = viewer.layers["img labels"]
    labels.data[0] = 2
    shares = celled.cells.shares
    shares.set_open(True)
    viewer.dims.set_current_step(0, 0)
    qtbot.waitUntil(lambda: not shares.news.text(), timeout=2000)
    part = 400 / (40 * 48)
    assert shares.texts[1] == ("interior", "0.0 %", f"{100 * part * 2 / 3:.1f} %")
    viewer.dims.set_current_step(0, 2)
    assert shares.texts[1][1] == f"{100 * part:.1f} %"
    assert shares.texts[2][0] == "membrane"
    viewer.layers.remove(labels)
    assert not shares.texts
    assert "Segment first" in shares.news.text()
