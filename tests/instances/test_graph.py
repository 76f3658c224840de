from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_infoleak.instances.graph import Borders, agglomerate, cut_greedily, in_order

LABELS = np.array([[1, 1, 2], [1, 3, 2], [0, 3, 2]], np.uint32)
HEIGHT = np.arange(9, dtype=np.float32).reshape(3, 3)


def test_borders_by_hand():
    borders = Borders.between(LABELS, HEIGHT)
    assert borders.pairs.tolist() == [[1, 2], [1, 3], [2, 3]]
    assert borders.sizes.tolist() == [1, 2, 2]
    assert borders.sums.tolist() == [1.5, 6.0, 4.5 + 7.5]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 6), st.integers(1, 6))
def test_borders_of_tiles_add_up(seed, height, width):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, (9, 11)).astype(np.uint32)
    level = rng.integers(0, 99, (9, 11)).astype(np.float32)
    parts = [
        Borders.between(
            labels[y : y + height + 1, x : x + width + 1],
            level[y : y + height + 1, x : x + width + 1],
            (min(height, 9 - y), min(width, 11 - x)),
        )
        for y in range(0, 9, height)
        for x in range(0, 11, width)
    ]
    joined, whole = Borders.joined(4, parts), Borders.between(labels, level)
    np.testing.assert_array_equal(joined.pairs, whole.pairs)
    np.testing.assert_array_equal(joined.sizes, whole.sizes)
    np.testing.assert_allclose(joined.sums, whole.sums)


def test_contracting_equals_measuring_anew():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 9, (20, 20)).astype(np.uint32)
    level = rng.integers(0, 99, (20, 20)).astype(np.float32)
    groups = np.array([0, 1, 2, 1, 3, 2, 2, 1, 4], np.uint32)
    short = Borders.between(labels, level).contracted(groups)
    anew = Borders.between(groups[labels], level)
    np.testing.assert_array_equal(short.pairs, anew.pairs)
    np.testing.assert_array_equal(short.sizes, anew.sizes)
    np.testing.assert_allclose(short.sums, anew.sums)


def test_a_gap_does_not_open_a_membrane_that_holds_elsewhere():
    # 1 and 2 are halves of one cell; 3 is another, behind a membrane with a gap towards 2.
    pairs = np.array([[1, 2], [1, 3], [2, 3]])
    sizes = np.array([10.0, 9.0, 3.0])
    borders = Borders(3, pairs, sizes, sizes * np.array([0.05, 0.9, 0.3]))
    assert in_order(agglomerate(borders, 0.4)).tolist() == [0, 1, 1, 2]


def test_groups_are_numbered_by_their_first_region():
    assert in_order(np.array([7, 3, 5, 3, 1])).tolist() == [0, 1, 2, 1, 3]


def test_greedy_cut_joins_over_what_is_dear_to_cut():
    pairs = np.array([[1, 2], [1, 3], [2, 3]])
    borders = Borders(3, pairs, np.ones(3), np.ones(3))
    assert in_order(cut_greedily(borders, np.array([2.0, -3.0, 1.0]))).tolist() == [0, 1, 1, 2]
    assert in_order(cut_greedily(borders, np.array([2.0, -1.0, 3.0]))).tolist() == [0, 1, 1, 1]
    assert in_order(cut_greedily(borders, np.full(3, -1.0))).tolist() == [0, 1, 2, 3]
