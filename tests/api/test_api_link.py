from __future__ import annotations

import numpy as np
import pytest
import tifffile

import napari_infoleak as il
from napari_infoleak.core.errors import BadInput, Cancelled


@pytest.fixture
def stack():
    """Two cells that drift, the first of which is split in frame 3; numbered anew in each frame."""
    out = np.zeros((5, 24, 40), np.uint32)
    for n in range(5):
        out[n, 2:10, n : n + 20] = 1 + 10 * n
        out[n, 14:20, n + 2 : n + 12] = 2 + 10 * n
        if n >= 3:
            out[n, 2:10, n + 12] = 0
            out[n, 2:10, n + 13 : n + 20] = 3 + 10 * n
    return out


def test_cells_keep_their_number_along_either_axis(stack):
    along_z = il.link(stack, "Z")
    assert along_z.axes == "ZYX"
    assert set(np.unique(along_z.cells)) == {0, 1, 2, 3}
    assert [(one.kind, one.frame, one.parts) for one in along_z.events] == [("split", 3, (1, 3))]
    along_t = il.link(stack, "t", axes="TYX")
    np.testing.assert_array_equal(along_t.cells, along_z.cells)
    volumes = np.stack([stack, stack], 1)  # T, Z
    np.testing.assert_array_equal(il.link(volumes, "T").cells[:, 1], along_z.cells)


def test_each_time_is_a_series_of_its_own(stack):
    linked = il.link(np.stack([stack, stack]), "Z")
    assert set(np.unique(linked.cells[0])) == {0, 1, 2, 3}
    assert set(np.unique(linked.cells[1])) == {0, 4, 5, 6}
    with pytest.raises(BadInput, match="2 times"):
        linked.write_tracks("anywhere")


def test_tracks_are_read_again_as_they_were(stack, tmp_path):
    linked = il.link(stack, "T", axes="TYX")
    folder = linked.write_tracks(tmp_path / "01_RES ü")
    names = sorted(path.name for path in folder.iterdir())
    assert names == [*(f"mask00{n}.tif" for n in range(5)), "res_track.txt"]
    masks = [tifffile.imread(folder / name) for name in names[:5]]
    assert all(mask.dtype == np.uint16 for mask in masks)
    lines = (folder / "res_track.txt").read_text().splitlines()
    tracks = [tuple(map(int, line.split())) for line in lines]
    assert tracks == [(1, 0, 2, 0), (2, 0, 4, 0), (3, 3, 4, 1), (4, 3, 4, 1)]
    for label, begin, end, parent in tracks:
        seen = [n for n, mask in enumerate(masks) if (mask == label).any()]
        assert seen == list(range(begin, end + 1))
        if parent:
            assert {one[0]: one[2] for one in tracks}[parent] == begin - 1
    linked.write_tracks(folder)  # its own may be replaced
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="other files"):
        linked.write_tracks(folder)


@pytest.mark.parametrize("name", ["masks.csv", "mask_of_mine.tif", "mask000.tif"])
def test_masks_of_others_are_not_replaced(stack, tmp_path, name):
    (tmp_path / "masks").mkdir()
    mine = tmp_path / "masks" / name
    mine.write_text("mine")
    with pytest.raises(BadInput, match="other files"):
        il.link(stack, "Z").write_tracks(mine.parent)
    assert mine.read_text() == "mine"


def test_bad_input_and_cancel(stack):
    with pytest.raises(BadInput, match="Z or T"):
        il.link(stack, "X")
    with pytest.raises(BadInput, match="one frame along T"):
        il.link(stack, "T", axes="ZYX")
    with pytest.raises(BadInput, match="whole numbers"):
        il.link(stack.astype(float), "Z")
    with pytest.raises(BadInput, match="the value -1"):
        il.link(np.where(stack > 0, -1, 0), "Z")
    with pytest.raises(BadInput, match="2 letters"):
        il.link(stack, "Z", axes="YX")
    token = il.CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        il.link(stack, "Z", cancel=token)
