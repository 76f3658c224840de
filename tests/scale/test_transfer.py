from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_infoleak.core.errors import OutOfMemory
from napari_infoleak.scale import scratch, transfer
from napari_infoleak.scale.transfer import pack, unpack

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a file that is mapped")


@pytest.fixture
def everything_by_file(monkeypatch):
    monkeypatch.setattr(transfer, "BY_FILE", 0)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    array=hnp.arrays(
        st.sampled_from([np.uint8, np.int32, np.float32, ">f4", bool, "U3"]),
        hnp.array_shapes(max_dims=5, max_side=6),
    ),
    order=st.randoms(),
)
def test_arrays_come_back_as_they_were(everything_by_file, tmp_path, array, order):
    axes = list(range(array.ndim))
    order.shuffle(axes)
    turned = array.transpose(axes)[::-1]
    back = unpack(pack({"a": [turned, turned], "b": turned}, tmp_path))
    assert type(back["b"]) is np.ndarray
    assert back["b"].dtype == turned.dtype
    np.testing.assert_array_equal(back["b"], turned)
    assert back["a"][0] is back["a"][1] is back["b"]
    back["b"][...] = back["b"]


@posix
def test_files_of_one_reading_go_at_once(everything_by_file, tmp_path):
    array = np.arange(10)
    parcel = pack(array, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    back = unpack(parcel)
    assert not list(tmp_path.iterdir())
    np.testing.assert_array_equal(back, array)


def test_masked_structured_and_object_arrays_keep_what_they_are(everything_by_file, tmp_path):
    masked = np.ma.masked_array([1, 2], [True, False])
    back = unpack(pack(masked, tmp_path))
    assert back.mask.tolist() == [True, False]
    table = np.zeros(3, [("a", "f4"), ("b", "u1")])
    assert unpack(pack(table, tmp_path)).dtype == table.dtype
    assert unpack(pack(np.array([None, {}], object), tmp_path)).tolist() == [None, {}]


def test_what_fails_leaves_no_file(everything_by_file, tmp_path):
    with pytest.raises(Exception, match=r"lambda|pickle"):
        pack([np.zeros(5), lambda: None], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("by_name", [True, False])
def test_a_file_that_may_go_is_copied(everything_by_file, tmp_path, by_name):
    mapped = np.memmap(tmp_path / "a.raw", np.uint8, "w+", shape=(4, 4))
    folder = tmp_path / "folder"
    folder.mkdir()
    parcel = pack(mapped, folder, by_name=by_name)
    assert bool(list(folder.iterdir())) is not by_name
    np.testing.assert_array_equal(unpack(parcel), mapped)


def test_changes_of_a_private_map_are_not_lost(everything_by_file, tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(16))
    private = np.memmap(tmp_path / "a.raw", np.uint8, "c", shape=(16,))
    private[:] = 7
    assert unpack(pack(private, tmp_path)).tolist() == [7] * 16


# ---------------------------------------------------------------------- scratch


def test_small_results_stay_in_memory():
    for free in (None, 10**9):
        array = scratch.zeros((3, 4), np.uint8, free=free, total=12)
        assert not isinstance(array, np.memmap)
        assert not array.any()


def test_large_results_lie_in_a_file_that_goes_with_the_last_view():
    array = scratch.zeros((3, 4), np.float32, free=10, total=48)
    path = Path(array.filename)
    assert array.shape == (3, 4)
    assert not array.any()
    view = array[1:].T
    view[...] = 5
    del array
    gc.collect()
    assert path.exists()
    assert (view == 5).all()
    del view
    gc.collect()
    assert os.name == "nt" or not path.parent.exists()


def test_no_room_anywhere_is_told_in_advance(monkeypatch):
    with pytest.raises(OutOfMemory, match="GB"):
        scratch.zeros((10**6, 10**6, 100), np.float32, free=10, total=10**15)
