"""Synthetic neuropil: what the truth promises."""

from __future__ import annotations

import numpy as np
import pytest

from napari_infoleak.learn.neuropil import neuropil
from napari_infoleak.learn.synthesis import MEMBRANE, Scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    return neuropil(np.random.default_rng(3), 192)


def test_a_seed_gives_a_scene_again(scene: Scene) -> None:
    again = neuropil(np.random.default_rng(3), 192)
    np.testing.assert_array_equal(again.image, scene.image)
    np.testing.assert_array_equal(again.classes, scene.classes)


def test_membrane_is_where_the_margin_says(scene: Scene) -> None:
    np.testing.assert_array_equal(scene.classes == MEMBRANE, scene.margin <= 0)


def test_membranes_part_the_cells(scene: Scene) -> None:
    cells, wall = scene.cells[0], scene.classes[0] == MEMBRANE
    differ = cells[:, 1:] != cells[:, :-1]
    assert differ.any()
    assert (wall[:, 1:] | wall[:, :-1])[differ].mean() > 0.97


def test_membranes_are_darker_than_the_rest() -> None:
    for seed in range(4):
        scene = neuropil(np.random.default_rng(seed), 192)
        wall = scene.classes == MEMBRANE
        assert np.median(scene.image[wall]) < np.median(scene.image[~wall])


def test_cells_differ_in_size(scene: Scene) -> None:
    sizes = np.bincount(scene.cells.ravel())[1:]
    assert sizes.max() > 8 * np.median(sizes)
