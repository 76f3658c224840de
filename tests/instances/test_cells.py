"""What both methods promise, whichever judges the borders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instance_cases import agreement, same_partition, voronoi
from scipy import ndimage as ndi

from napari_infoleak.core.errors import BadInput, Cancelled
from napari_infoleak.core.progress import CancelToken
from napari_infoleak.instances import engine as engines
from napari_infoleak.instances import multicut, watershed

METHODS = pytest.mark.parametrize("cells", [watershed.cells, multicut.cells])


@METHODS
def test_every_cell_is_found_once(cells, epithelium):
    truth, membrane = epithelium
    found = cells(membrane)
    assert found.dtype == np.uint32
    assert found.shape == membrane.shape
    assert found.max() == 40
    assert agreement(found, truth) > 0.99


@METHODS
def test_a_noisy_map_is_not_shattered(cells):
    truth, membrane = voronoi((200, 200), 15, seed=1)
    noise = np.random.default_rng(1).normal(0, 0.35, membrane.shape)
    found = cells(np.clip(membrane + noise, 0, 1).astype(np.float32))
    assert agreement(found, truth) > 0.9
    assert found.max() <= 22


@METHODS
def test_broken_membranes_are_closed(cells):
    truth, membrane = voronoi((200, 200), 15, seed=2)
    rng = np.random.default_rng(2)
    broken = membrane.copy()
    on_membrane = np.argwhere(membrane > 0.7)
    for y, x in on_membrane[rng.choice(len(on_membrane), 12, replace=False)]:
        broken[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4] = 0
    connected = ndi.label(broken < 0.5)[0]
    found = cells(broken)
    assert agreement(connected, truth) < 0.6
    assert agreement(found, truth) > 0.95


@METHODS
def test_a_long_cell_with_a_waist_stays_whole(cells):
    y, x = np.indices((80, 200))
    half_width = 13 + 6 * np.cos((x - 100) / 100 * 2 * np.pi)
    edge = np.abs(np.abs(y - 40) - half_width)
    found = cells(np.exp(-((edge / 2) ** 2)).astype(np.float32))
    middle = found[40]
    assert len(np.unique(middle[middle > 0])) == 1


@METHODS
def test_membrane_pixels_stay_zero_or_are_divided(cells, epithelium):
    _, membrane = epithelium
    between, divided = cells(membrane), cells(membrane, keep_membrane=False)
    assert (between == 0).mean() > 0.1
    assert (divided > 0).all()
    held = between > 0
    assert same_partition(between[held], divided[held])


@METHODS
def test_holes_within_a_cell_are_filled(cells):
    membrane = np.zeros((60, 90), np.float32)
    membrane[:, 44:47] = 1
    membrane[20:26, 15:21] = 1  # something dark within a cell
    found = cells(membrane)
    assert (found[15:31, 10:26] == found[5, 5]).all()
    assert found.max() == 2


@METHODS
def test_small_cells_are_given_away(cells, epithelium):
    _, membrane = epithelium
    sizes = np.bincount(cells(membrane, min_size=700, keep_membrane=False).ravel())[1:]
    assert 1 < len(sizes) < 40
    assert sizes.min() >= 700


@METHODS
def test_spots_of_noise_within_a_membrane_are_no_cells(cells):
    membrane = np.zeros((60, 90), np.float32)
    membrane[:, 35:55] = 1
    membrane[30:34, 43:47] = 0
    found = cells(membrane)
    assert found.max() == 2
    assert (found[:, 40:50] == 0).all()


@METHODS
def test_the_same_input_gives_the_same_cells(cells, epithelium):
    _, membrane = epithelium
    np.testing.assert_array_equal(cells(membrane), cells(membrane.copy()))


@METHODS
def test_both_engines_find_the_same_cells(cells, epithelium):
    _, membrane = epithelium
    fast, plain = (cells(membrane, engine=e) for e in (engines.FastEngine(), engines.PlainEngine()))
    assert agreement(fast, plain) > 0.999
    np.testing.assert_array_equal(fast > 0, plain > 0)


@METHODS
def test_volumes_respect_distances_between_planes(cells):
    truth, membrane = voronoi((12, 90, 90), 20, seed=4, step=(3, 1, 1))
    found = cells(membrane, spacing=(30.0, 10.0, 10.0))
    assert agreement(found, truth) > 0.97
    assert found.max() == pytest.approx(20, abs=2)
    # The same map with cubes for pixels is another volume: the distance in z is misjudged.
    again = cells(membrane, spacing=(3, 1, 1))
    np.testing.assert_array_equal(again, found)  # only ratios count


@METHODS
def test_planes_are_divided_one_by_one_where_they_lie_far_apart(cells):
    plane = voronoi((70, 80), 6, seed=5)[1]
    stack = np.stack([plane, np.rot90(plane, 2), plane])
    for settings_ in ({}, {"spacing": (50, 4, 4)}, {"dims": 2, "spacing": (1, 1, 1)}):
        found = cells(stack, **settings_)
        ids = [set(np.unique(one)) - {0} for one in found]
        assert all(ids)
        assert sum(map(len, ids)) == len(set.union(*ids))
        np.testing.assert_array_equal(cells(plane), found[0])
        assert same_partition(found[0], found[2])
        assert set(np.unique(found)) - {0} == set(range(1, int(found.max()) + 1))


@METHODS
def test_planes_that_lie_close_make_volumes(cells):
    plane = voronoi((70, 80), 6, seed=5)[1]
    found = cells(np.stack([plane] * 5), spacing=(4, 1, 1))
    assert set(np.unique(found[0])) == set(np.unique(found[4]))


@METHODS
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_flat_maps(cells, value):
    found = cells(np.full((30, 40), value, np.float32))
    assert found.max() == (1 if value == 0 else 0)
    assert (found == found[0, 0]).all()


@METHODS
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 7), (7, 1), (2, 2), (1, 5, 5), (3, 1, 1), (2, 3, 70)]
)
def test_odd_sizes(cells, shape):
    found = cells(np.zeros(shape, np.float32), min_size=1, spacing=(1,) * len(shape))
    assert found.shape == shape
    assert (found == 1).all() or len(shape) == 3


@METHODS
def test_class_ids_and_masks_are_taken(cells):
    labels = np.ones((60, 61), np.uint8)
    labels[:, 29:32] = 2
    labels[:8] = 0
    found = cells(labels, membrane_ids=2)
    assert found.max() == 2
    assert (found[:6] == 0).all()
    np.testing.assert_array_equal(cells(labels != 1), found)


@METHODS
def test_lazy_arrays_are_taken(cells, epithelium):
    array = pytest.importorskip("dask.array")
    _, membrane = epithelium
    lazy = array.from_array(membrane, chunks=64)
    np.testing.assert_array_equal(cells(lazy), cells(membrane))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.integers(90, 150), st.integers(90, 150), st.booleans())
def test_tiles_give_the_cells_of_the_whole(seed, height, width, many):
    _, membrane = voronoi((330, 310), 120, seed)
    rng = np.random.default_rng(seed)
    noisy = np.clip(membrane + rng.normal(0, 0.12, membrane.shape), 0, 1).astype(np.float32)
    cells = multicut.cells if many else watershed.cells
    assert same_partition(cells(noisy, tile=(height, width)), cells(noisy))


def test_tiles_of_a_volume_give_the_cells_of_the_whole():
    _, membrane = voronoi((20, 150, 160), 60, seed=8)
    whole = watershed.cells(membrane, spacing=(1, 1, 1))
    tiled = watershed.cells(membrane, spacing=(1, 1, 1), tile=(20, 64, 64))
    assert same_partition(tiled, whole)


def test_a_cell_larger_than_all_tiles_stays_whole():
    membrane = np.zeros((500, 500), np.float32)
    membrane[:, 249:252] = 1
    found = watershed.cells(membrane, tile=60)
    assert found.max() == 2
    assert same_partition(found, watershed.cells(membrane))


@pytest.mark.parametrize("options", [{}, {"tile": 100}])
def test_progress_ends_where_it_said_it_would(epithelium, options):
    said = []
    watershed.cells(epithelium[1], progress=lambda *step: said.append(step), **options)
    done = [step[0] for step in said]
    assert done == sorted(done)
    assert said[-1][0] == said[-1][1]


@pytest.mark.parametrize("options", [{}, {"tile": 100}])
def test_cancel_stops_the_work(epithelium, options):
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        watershed.cells(epithelium[1], cancel=token, **options)


WRONG = [
    ({"threshold": 1.5}, "threshold 1.5 is not between 0 and 1"),
    ({"border": 7}, "border 7"),
    ({"min_size": -3}, "min_size -3 is below 0"),
    ({"spacing": (1, 1, 1)}, "does not fit 2 axes"),
    ({"spacing": (0, 1)}, "give one distance above 0"),
    ({"spacing": (np.nan, 1)}, "give one distance above 0"),
    ({"dims": 3}, "dims 3 for membranes of shape (180, 200)"),
    ({"dims": 4}, "dims 4"),
    ({"tile": 0}, "tile 0 does not fit YX"),
    ({"tile": (9, 9, 9)}, "does not fit YX"),
]


@METHODS
@pytest.mark.parametrize(("options", "words"), WRONG)
def test_impossible_settings_are_told_in_one_line(cells, epithelium, options, words):
    with pytest.raises(BadInput) as told:
        cells(epithelium[1], **options)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


@METHODS
@pytest.mark.parametrize(
    ("membrane", "options", "words"),
    [
        (np.full((9, 9), 3.0), {}, "reach from 3 to 3: expected probabilities"),
        (np.full((9, 9), np.nan), {}, "from nan to nan"),
        (np.full((9, 9), 2, np.uint8), {}, "say which of them is membrane"),
        (np.full((9, 9), 2, np.uint8), {"membrane_ids": 4}, "class 4 for membrane is not in"),
        (np.zeros(9), {}, "shape (9,)"),
        (np.zeros((1, 2, 3, 4)), {}, "a plane (Y, X) or a stack (Z, Y, X)"),
        (np.zeros((0, 9)), {}, "shape (0, 9)"),
        (np.zeros((9, 9), complex), {}, "complex128"),
    ],
)
def test_what_is_no_membrane_is_told_in_one_line(cells, membrane, options, words):
    with pytest.raises(BadInput) as told:
        cells(membrane, **options)
    assert words in str(told.value)
