from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_infoleak.instances.clean import absorb_small, fill_holes, renumber
from napari_infoleak.instances.engine import PlainEngine
from napari_infoleak.instances.graph import Borders


def borders(pairs, height, count):
    pairs = np.array(pairs, np.int64).reshape(-1, 2)
    return Borders(count, pairs, np.ones(len(pairs)), np.array(height, float))


def test_crumbs_go_to_the_neighbour_behind_the_weakest_border():
    found = borders([[1, 2], [2, 3]], [0.9, 0.6], 3)
    assert absorb_small(found, np.array([0, 100, 3, 100]), 10).tolist() == [0, 1, 2, 2]


def test_crumbs_of_crumbs_find_a_home():
    found = borders([[1, 2], [2, 3], [3, 4]], [0.5, 0.6, 0.9], 4)
    assert absorb_small(found, np.array([0, 2, 2, 2, 100]), 10).tolist() == [0, 1, 1, 1, 1]


def test_a_small_cell_without_neighbours_stays():
    found = borders([], [], 2)
    assert absorb_small(found, np.array([0, 2, 100]), 10).tolist() == [0, 1, 2]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 30))
def test_no_crumb_with_a_neighbour_is_left(seed, min_size):
    rng = np.random.default_rng(seed)
    labels = rng.integers(1, 12, (8, 8)).astype(np.uint32)
    found = Borders.between(labels, rng.random((8, 8), np.float32))
    sizes = np.bincount(labels.ravel(), minlength=found.count + 1)
    groups = absorb_small(found, sizes, min_size)
    held = np.bincount(groups[labels].ravel())[1:]
    assert len(held) == 1 or held[held > 0].min() >= min_size
    assert groups[0] == 0


@pytest.mark.parametrize("shape", [(9, 9), (3, 9, 9)])
def test_spots_within_one_cell_are_filled_and_walls_are_kept(shape):
    cells = np.ones(shape, np.uint32)
    cells[..., 5:] = 2
    wall = np.zeros(shape, bool)
    wall[..., 4:6] = True
    spot = np.zeros(shape, bool)
    spot[..., 2, 1] = True
    np.testing.assert_array_equal(fill_holes(cells, wall | spot, PlainEngine()), wall)


def test_a_spot_that_touches_the_wall_at_a_corner_belongs_to_it():
    cells = np.ones((5, 5), np.uint32)
    cells[:, 3:] = 2
    wall = np.zeros((5, 5), bool)
    wall[:, 3] = wall[2, 2] = wall[1, 1] = True
    np.testing.assert_array_equal(fill_holes(cells, wall, PlainEngine()), wall)


def test_nothing_between_cells_is_no_problem():
    cells = np.ones((4, 4), np.uint32)
    assert not fill_holes(cells, np.zeros((4, 4), bool), PlainEngine()).any()


def test_numbers_without_gaps_keep_their_order():
    assert renumber(np.array([[0, 9, 4], [4, 0, 7]], np.uint32)).tolist() == [[0, 3, 1], [1, 0, 2]]
