"""Masks of Cellpose are read, and no code that a file brings is run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from napari_infoleak.core.errors import BadInput
from napari_infoleak.io import read_labels


def write_seg(path: Path, content: object) -> Path:
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    return path


@pytest.mark.parametrize("shape", [(20, 30), (4, 20, 30)])
def test_masks_are_read(tmp_path: Path, shape: tuple[int, ...]) -> None:
    masks = np.random.default_rng(0).integers(0, 999, shape).astype(np.uint16)
    content = {
        "masks": masks,
        "outlines": masks > 5,
        "chan_choose": [0, 0],
        "filename": "müsli.tif",
        "flows": [masks.astype(np.float32), []],
        "diameter": np.float64(17.2),
        "ismanual": np.zeros(3, bool),
        "normalize_params": {"lowhigh": None, "normalize": True},
    }
    labels, axes = read_labels(write_seg(tmp_path / "a_seg.npy", content))
    assert np.array_equal(labels, masks)
    assert axes == ("YX" if len(shape) == 2 else "ZYX")


class Attack:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> object:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_code_is_not_run(tmp_path: Path, protocol: int) -> None:
    masks = np.ones((4, 4), np.uint8)
    target = tmp_path / "made by the attack"
    for attack in (Attack(os.mkdir, str(target)), Attack(eval, "1+1"), Attack(np.load, "x")):
        path = tmp_path / "a_seg.npy"
        with path.open("wb") as file:
            header = {"descr": "|O", "fortran_order": False, "shape": ()}
            np.lib.format.write_array_header_1_0(file, header)
            pickle.dump({"masks": masks, "flows": attack}, file, protocol=protocol)
        with pytest.raises(BadInput, match="asks for"):
            read_labels(path)
        assert not target.exists()


@pytest.mark.parametrize("content", [{"flows": 1}, [1, 2], {"masks": np.ones((3, 3))}])
def test_a_file_without_masks_is_told(tmp_path: Path, content: object) -> None:
    with pytest.raises(BadInput, match="no masks"):
        read_labels(write_seg(tmp_path / "a_seg.npy", content))


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = write_seg(tmp_path / "a_seg.npy", {"masks": np.ones((40, 40), np.uint8)})
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadInput, match="damaged"):
        read_labels(path)
