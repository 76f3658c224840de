"""Cells of another program become an annotation that says only what they surely say."""

from __future__ import annotations

import numpy as np
import pytest

from napari_infoleak.core.errors import BadInput
from napari_infoleak.instances.paint import INTERIOR, MEMBRANE, annotation_of_cells


@pytest.mark.parametrize("gap", [0, 1, 2, 3])
def test_a_narrow_gap_is_membrane(gap: int) -> None:
    cells = np.ones((3, 20, 30), np.uint16)
    cells[:, :, 15:] = 700
    cells[:, :, 15 : 15 + gap] = 0
    painted = annotation_of_cells(cells)
    middle = painted[1, 10]
    assert (middle[15 : 15 + gap] == MEMBRANE).all()
    assert (middle == MEMBRANE).sum() == (gap or 2)
    assert (middle[:12] == INTERIOR).all()
    assert (middle[20:] == INTERIOR).all()
    assert (painted == painted[1]).all(), "each plane by itself"


def test_an_outline_is_membrane_and_the_background_is_not_said() -> None:
    cells = np.zeros((30, 30), int)
    cells[5:25, 5:25] = 3
    painted = annotation_of_cells(cells)
    assert (painted[5, 5:25] == MEMBRANE).all()
    assert (painted[9:21, 9:21] == INTERIOR).all()
    assert not painted[:5].any()
    assert not annotation_of_cells(np.zeros((9, 9), int)).any()
    assert (annotation_of_cells(np.full((9, 9), 4)) == INTERIOR).all()


@pytest.mark.parametrize("wrong", [np.zeros((4, 4)), np.zeros(4, int), np.full((4, 4), -1)])
def test_what_is_no_cells_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(BadInput, match="cells"):
        annotation_of_cells(wrong)
