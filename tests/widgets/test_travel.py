"""Images that are open in the window, on their way to the child."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr

from napari_infoleak.core.errors import BadInput
from napari_infoleak.scale import Executor
from napari_infoleak.widgets import travel
from napari_infoleak.widgets.travel import Pixels, sendable

GREY = np.random.default_rng(0).integers(0, 255, (3, 16, 20), dtype=np.uint8)


def opened(tmp_path: Path) -> Any:
    """An array that reads from a file that is open here, as readers of large TIFFs make them."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, compression="zlib", photometric="minisblack")
    return zarr.open(tifffile.imread(path, aszarr=True), mode="r")


@pytest.mark.parametrize("wrap", [lambda one: one, da.from_zarr], ids=["zarr", "dask"])
def test_what_only_this_process_can_read_is_read_here(wrap: Any, tmp_path: Path) -> None:
    pixels = Pixels(sendable(wrap(opened(tmp_path))), "ZYX")
    there = pickle.loads(pickle.dumps(pixels))
    assert np.array_equal(np.asarray(there.image().data)[0, 0], GREY)


def test_what_is_too_large_for_that_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(travel, "_MOST", 100)
    with (
        Executor(preload=()) as executor,
        pytest.raises(BadInput, match="this image is read in a way"),
    ):
        executor.submit("builtins.len", obj=sendable(opened(tmp_path)))


def test_a_zarr_array_on_disk_stays_lazy(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", data=GREY, chunks=(1, 16, 20))
    assert isinstance(pickle.loads(pickle.dumps(sendable(array))), zarr.Array)
