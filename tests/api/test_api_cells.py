from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

import napari_infoleak as il
from napari_infoleak.core.errors import BadInput, Cancelled
from napari_infoleak.instances import multicut, watershed


@pytest.fixture
def walls():
    """Probability of membrane around 4 x 4 cells, on three planes."""
    plane = np.full((64, 64), 0.05, np.float32)
    plane[::16, :] = plane[:, ::16] = plane[1::16, :] = plane[:, 1::16] = 0.95
    return np.stack([plane] * 3)


def count(cells):
    return np.count_nonzero(np.unique(cells))


def test_a_plane_is_divided(walls):
    cells = il.cells(walls[0])
    assert cells.shape == (64, 64)
    assert cells.dtype == np.uint32
    assert count(cells) == 16
    assert (cells[walls[0] > 0.5] == 0).all()
    np.testing.assert_array_equal(cells, watershed.cells(walls[0]))


def test_the_other_method(walls):
    np.testing.assert_array_equal(il.cells(walls[0], method="multicut"), multicut.cells(walls[0]))


def test_planes_of_unknown_distance_are_divided_one_by_one(walls):
    assert count(il.cells(walls, axes="ZYX")) == 48
    assert count(il.cells(walls, axes="ZYX", spacing={"Z": 2, "Y": 1, "X": 1})) == 16
    assert count(il.cells(walls, axes="ZYX", spacing=(2, 1, 1))) == 16
    assert count(il.cells(walls, axes="ZYX", spacing={"Y": 1, "X": 1})) == 48
    assert count(il.cells(walls, axes="ZYX", spacing=(8, 1, 1))) == 48
    assert count(il.cells(walls, axes="ZYX", spacing=(8, 1, 1), dims=3, min_size=50)) == 16


def test_frames_are_divided_one_by_one_and_share_no_number(walls):
    cells = il.cells(walls, axes="TYX", spacing={"Y": 1, "X": 1})
    assert count(cells) == 48
    assert not set(np.unique(cells[0])[1:]) & set(np.unique(cells[1])[1:])
    both = il.cells(np.stack([walls, walls]), axes="TZYX", spacing=(1, 2, 1, 1))
    assert both.shape == (2, 3, 64, 64)
    assert count(both) == 32


def test_any_order_of_axes_comes_back(walls):
    turned = np.ascontiguousarray(walls.transpose(1, 2, 0))
    cells = il.cells(turned, axes="YXZ")
    np.testing.assert_array_equal(cells.transpose(2, 0, 1), il.cells(walls, axes="ZYX"))


def test_all_forms_of_membranes_give_the_same_cells(walls, tmp_path):
    expected = il.cells(walls, axes="ZYX", spacing=(2, 1, 1))
    planes = np.stack([1 - walls, walls])
    calibration = {
        "scale": {"Z": 2.0, "Y": 1.0, "X": 1.0},
        "units": dict.fromkeys("ZYX", "nanometer"),
    }
    classes = il.ClassTable.membrane()
    made = {"axes": "ZYX", "kind": "probabilities", **calibration}
    il.write(tmp_path / "p.ome.tif", planes, classes=classes, **made)
    il.write(tmp_path / "p.zarr", planes, classes=classes, **made)
    il.write(tmp_path / "p.npy", planes, **made)
    il.write(tmp_path / "m.tif", walls, axes="ZYX", kind="image", **calibration)
    for source in (
        tmp_path / "p.ome.tif",
        str(tmp_path / "p.zarr"),
        tmp_path / "p.npy",
        tmp_path / "m.tif",
        il.Image.from_array(walls, "ZYX", **calibration),
    ):
        np.testing.assert_array_equal(il.cells(source), expected)
    np.testing.assert_array_equal(il.cells(planes, axes="KZYX", spacing=(2, 1, 1)), expected)
    np.testing.assert_array_equal(il.cells(planes, axes="ZYX", spacing=(2, 1, 1)), expected)
    lazy = da.from_array(walls, chunks=(1, 32, 32))
    np.testing.assert_array_equal(il.cells(lazy, axes="ZYX", spacing=(2, 1, 1)), expected)


def test_labels_become_cells_too(walls, tmp_path):
    labels = np.where(walls > 0.5, 2, 1).astype(np.uint8)
    assert count(il.cells(labels, axes="ZYX")) == 48
    assert count(il.cells(labels == 2, axes="ZYX")) == 48
    assert count(il.cells(np.where(labels == 2, 7, 3), axes="ZYX", membrane=7)) == 48
    table = il.ClassTable.for_ids([]).add("membranes").add("inside")
    il.write(tmp_path / "l.tif", 3 - labels, axes="ZYX", classes=table)
    assert count(il.cells(tmp_path / "l.tif")) == 48


def test_a_result_becomes_cells(tiny, stack, strokes):
    image = il.Image.from_array(
        stack[0], "ZYX", scale={"Z": 2.0, "Y": 1.0, "X": 1.0}, units=dict.fromkeys("ZYX", "um")
    )
    result = il.segment(image, annotations=strokes)
    cells = il.cells(result)
    expected = il.cells(result.probabilities[1], axes="ZYX", spacing=(2, 1, 1))
    np.testing.assert_array_equal(cells, expected)
    bare = il.segment(image, annotations=strokes, probabilities=False)
    assert il.cells(bare, dims=2).shape == image.data.shape[2:] or il.cells(bare, dims=2).any()


def test_progress_and_cancel(walls):
    steps = []
    il.cells(walls, axes="TYX", progress=lambda *step: steps.append(step[:2]))
    assert steps[-1][0] == steps[-1][1]
    token = il.CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        il.cells(walls, axes="TYX", cancel=token)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": "magic"}, "magic"),
        ({"threshold": 2.0}, "threshold"),
        ({"border": -1.0}, "border"),
        ({"min_size": -5}, "min_size"),
        ({"dims": 4}, "dims"),
        ({"spacing": (1, 1)}, "spacing"),
        ({"spacing": (0, 1, 1)}, "spacing"),
        ({"axes": "ZY"}, "axes"),
        ({"axes": "KYX", "membrane": 9}, "no class 9"),
        ({"membranes": np.full((4, 5), 200.0), "axes": "YX"}, "0 to 1"),
        ({"membranes": np.full((4, 5), np.nan), "axes": "YX"}, "0 to 1"),
        ({"membranes": np.ones((4, 5), np.uint8), "axes": "YX"}, "class 2"),
        ({"membranes": np.ones((2, 4, 5), np.uint8), "axes": "CYX"}, "channels"),
        ({"membranes": np.zeros((0, 5)), "axes": "YX"}, "no pixel"),
        ({"membranes": "missing.tif"}, "missing.tif"),
        ({"membranes": None, "axes": None}, "NoneType"),
    ],
)
def test_bad_input_is_told_in_one_line(walls, change, words):
    given = {"membranes": walls, "axes": "ZYX"} | change
    with pytest.raises(BadInput, match=words) as caught:
        il.cells(given.pop("membranes"), **given)
    assert "\n" not in str(caught.value)


def test_probabilities_of_all_classes_need_no_axes() -> None:
    wall = np.full((40, 40), 0.1, np.float32)
    wall[:, 20] = 0.9
    both = np.stack([1 - wall, wall])
    np.testing.assert_array_equal(il.cells(both), il.cells(wall))
    volume = np.stack([both] * 3, 1)
    assert il.cells(volume).shape == (3, 40, 40)
    assert il.cells(np.stack([wall] * 2)).shape == (2, 40, 40), "planes of membrane"


def test_a_volume_in_mixed_units_is_one_volume() -> None:
    wall = np.full((6, 40, 40), 0.1, np.float32)
    wall[:, 20] = wall[:, :, 20] = 0.9
    image = il.Image.from_array(
        wall,
        "ZYX",
        scale={"Z": 8, "Y": 4, "X": 0.004},
        units={"Z": "nm", "Y": "nm", "X": "um"},
    )
    assert il.cells(image).max() == 4


def test_a_class_that_a_result_does_not_hold_is_refused() -> None:
    result = il.segment(np.random.default_rng(0).random((40, 40)), axes="YX")
    with pytest.raises(BadInput, match="no class 9"):
        il.cells(result, membrane=9)
