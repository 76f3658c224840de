"""Connected paint is a stroke; a dense mask falls into blocks."""

from __future__ import annotations

import numpy as np

from napari_infoleak.explain.strokes import strokes


def test_touching_paint_of_a_class_is_one_stroke() -> None:
    paint = np.zeros((40, 60), np.uint8)
    paint[5, 2:20] = 1
    paint[6, 20:30] = 1  # touches by a corner
    paint[7, 30:40] = 2  # so does this, but it is another class
    paint[30, 5:9] = 1
    numbers, found = strokes(paint)
    assert sorted((one.class_id, one.pixels) for one in found) == [(1, 4), (1, 28), (2, 10)]
    for number, one in enumerate(found, 1):
        assert numbers[one.y, one.x] == number
        assert paint[one.y, one.x] == one.class_id
        assert (numbers == number).sum() == one.pixels


def test_a_dense_mask_is_judged_block_by_block() -> None:
    mask = np.ones((200, 300), np.uint8)
    mask[::20], mask[:, ::20] = 2, 2
    numbers, found = strokes(mask)
    membranes = [one for one in found if one.class_id == 2]
    assert len(membranes) == 4 * 5
    assert sum(one.pixels for one in found) == mask.size
    assert numbers.min() == 1


def test_nothing_painted_is_no_stroke() -> None:
    numbers, found = strokes(np.zeros((8, 8), np.uint8))
    assert not numbers.any()
    assert found == []
