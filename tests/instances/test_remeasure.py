"""A table that follows corrections holds what measuring all cells again would give."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import zoom

from napari_infoleak.api import Corrections
from napari_infoleak.instances.measure import measure
from napari_infoleak.instances.remeasure import remeasured

PLACE = {
    "scale": {"Z": 2.0, "Y": 0.5, "X": 0.5},
    "translate": {"Z": 3.0, "Y": 1.0, "X": -2.0},
    "units": {"Z": "micrometer", "Y": "micrometer", "X": "micrometer"},
}


def cells_of(frames: int, depth: int, rng: np.random.Generator) -> np.ndarray:
    small = rng.permutation(np.arange(1, frames * depth * 24 + 1)).reshape(frames, depth, 4, 6)
    cells = np.kron(small, np.ones((1, 1, 14, 14), int)).astype(np.uint32)
    cells[..., ::14, :] = cells[..., ::14] = 0
    return cells


@pytest.mark.parametrize("deep", [True, False])
@pytest.mark.parametrize(("frames", "depth"), [(1, 1), (2, 1), (1, 3), (2, 3)])
def test_rows_are_those_of_measuring_all_again(frames: int, depth: int, deep: bool) -> None:
    rng = np.random.default_rng(frames + depth)
    cells = cells_of(frames, depth, rng)
    if deep:
        cells[:] = cells[:, :1]  # the same cell in all planes
    image = zoom(rng.random((frames, depth, 10, 10)), (1, 1, 5.6, 8.4), order=1)
    image = image.astype(np.float32)
    assert image.shape == cells.shape
    dims = 3 if deep else 2
    table = measure(cells, axes="TZYX", dims=dims, image=image, **PLACE)
    corrections = Corrections(cells, axes="TZYX")
    t, z = frames - 1, depth - 1
    steps = [
        corrections.merge([(t, z, 20, 20), (t, z, 20, 34)]),
        corrections.delete([(t, z, 50, 78)]),
        corrections.paint([(0, 0, 5, x) for x in range(3, 11)]),
        corrections.split([(t, z, 27, 8), (t, z, 43, 8)]),
        corrections.paint([(t, z, y, 50) for y in range(3, 30)], 0),
        corrections.undo(),
    ]
    for step in steps:
        ids = {int(one) for one in np.union1d(step.change.before, step.change.after)}
        table = remeasured(
            table,
            cells,
            step.place[0],
            step.change.box,
            ids,
            shown=lambda t, box: image[t][box],
            **PLACE,
        )

    again = measure(cells, axes="TZYX", dims=dims, image=image, **PLACE)
    assert list(table.columns) == list(again.columns)
    for name, values in again.columns.items():
        if values.dtype.kind == "f":
            assert np.allclose(table.columns[name], values, atol=1e-4), name
        else:
            assert np.array_equal(table.columns[name], values), name
