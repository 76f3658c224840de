from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instance_cases import same_partition, voronoi

from napari_infoleak.core.errors import BadInput
from napari_infoleak.instances.stitch import stitch, tiles


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 25), st.integers(1, 25)),
    st.integers(0, 8),
)
def test_inner_boxes_make_up_the_image(shape, size, overlap):
    seen = np.zeros(shape, int)
    for tile in tiles(shape, size, (overlap, overlap)):
        seen[tile.inner] += 1
        assert np.zeros(shape)[tile.outer][tile.crop].shape == np.zeros(shape)[tile.inner].shape
        for axis in range(2):
            outer, inner = tile.outer[axis], tile.inner[axis]
            assert outer.start == max(inner.start - overlap, 0)
            assert outer.stop == min(inner.stop + overlap, shape[axis])
    assert (seen == 1).all()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(12, 60), st.integers(12, 60)),
    st.integers(3, 30),
    st.booleans(),
)
def test_tiles_of_labels_are_stitched_to_what_they_were_cut_from(seed, size, count, gaps):
    from scipy import ndimage as ndi

    rng = np.random.default_rng(seed)
    cells, membrane = voronoi((70, 80), count, seed)
    whole = np.where(membrane > 0.5, 0, cells) if gaps else cells
    whole = ndi.label(whole > 0)[0].astype(np.uint32) if gaps else whole

    def numbered():
        for tile in tiles(whole.shape, size, (6, 6)):
            part = whole[tile.outer]
            here = np.unique(part[part > 0])
            lookup = np.zeros(int(whole.max()) + 1, np.uint32)
            lookup[here] = rng.permutation(len(here)) + 1
            yield tile, lookup[part]

    assert same_partition(stitch(numbered(), whole.shape), whole)


def test_volumes_are_stitched_too():
    cells, _ = voronoi((20, 30, 31), 12, seed=5)

    def numbered():
        for tile in tiles(cells.shape, (9, 16, 12), (4, 4, 4)):
            part = cells[tile.outer]
            yield tile, np.unique(part, return_inverse=True)[1].reshape(part.shape) + np.uint32(1)

    assert same_partition(stitch(numbered(), cells.shape), cells)


def test_regions_that_merely_touch_the_same_place_stay_apart():
    def numbered():
        left, right = tiles((1, 20), (1, 10), (0, 4))
        yield left, np.array([[1] * 10 + [2] * 4], np.uint32)
        # The right tile sees its own cell reach one pixel to the left of the seam.
        yield right, np.array([[1] * 3 + [2] * 11], np.uint32)

    assert len(np.unique(stitch(numbered(), (1, 20)))) == 2


def test_impossible_tiles_are_refused():
    with pytest.raises(BadInput, match="at least 1 pixel"):
        tiles((5, 5), (0, 5), (1, 1))
