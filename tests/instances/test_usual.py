from __future__ import annotations

import numpy as np
from instance_cases import agreement, voronoi

from napari_infoleak.instances import watershed
from napari_infoleak.instances.graph import Borders
from napari_infoleak.instances.usual import LEAST, PLANE, VOLUME, usual_border


def borders(height):
    pairs = np.array([[i, i + 1] for i in range(1, len(height) + 1)])
    return Borders(len(height) + 1, pairs, np.ones(len(height)), np.array(height, float))


def test_a_sheet_of_compact_cells_keeps_faint_borders():
    assert usual_border(borders([0.9] * 400 + [0.05] * 4), 2) == LEAST


def test_winding_cells_keep_only_clear_borders():
    assert usual_border(borders([0.9] * 400 + [0.05] * 100), 2) == PLANE


def test_a_handful_of_borders_proves_nothing():
    assert usual_border(borders([0.9]), 2) == PLANE
    assert usual_border(borders([]), 2) == PLANE


def test_volumes_have_one_figure():
    assert usual_border(borders([0.9] * 400), 3) == VOLUME


def test_what_the_user_says_counts():
    truth, membrane = voronoi((200, 200), 25, seed=9)
    faint = membrane * 0.5  # half of the probability is missing everywhere
    shy = watershed.cells(faint, threshold=0.25, border=0.1)
    assert agreement(shy, truth) > 0.97
    assert watershed.cells(faint, threshold=0.25, border=0.9).max() == 1
