from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from infer_fakes import tiny

from napari_infoleak.infer.tiles import Box, down_to, pad, plan, up_to

sizes = st.integers(1, 200)


@st.composite
def boxes(draw, height, width):
    y0, x0 = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    return Box(y0, draw(st.integers(y0 + 1, height)), x0, draw(st.integers(x0 + 1, width)))


@settings(deadline=None, max_examples=200)
@given(st.data(), sizes, sizes, st.integers(1, 150), st.integers(0, 40), st.integers(1, 16))
def test_a_plan_keeps_its_promises(data, height, width, tile, halo, step):
    box = data.draw(st.none() | boxes(height, width))
    tiles = plan(height, width, tile, halo, step, box)
    padded = up_to(height, step), up_to(width, step)
    covered = np.zeros((height, width), int)
    for one in tiles:
        covered[one.inner.slices] += 1
        assert one.inner.area > 0
        for axis, (o0, o1, i0, i1) in enumerate(
            [
                (one.outer.y0, one.outer.y1, one.inner.y0, one.inner.y1),
                (one.outer.x0, one.outer.x1, one.inner.x0, one.inner.x1),
            ]
        ):
            assert o0 % step == o1 % step == 0
            assert 0 <= o0 <= i0 < i1 <= o1 <= padded[axis]
            assert o0 == 0 or i0 - o0 >= halo
            assert o1 == padded[axis] or o1 - i1 >= halo
            assert o1 - o0 <= max(down_to(tile, step), 2 * up_to(halo, step) + step)
    wanted = np.zeros((height, width), int)
    wanted[(box or Box(0, height, 0, width)).slices] = 1
    np.testing.assert_array_equal(covered, wanted)
    assert len({one.outer.shape for one in tiles}) == 1


def test_a_plane_no_larger_than_the_tile_is_one_tile():
    (tile,) = plan(100, 60, 112, 32, 16)
    assert tile.outer == Box(0, 112, 0, 64)
    assert tile.inner == Box(0, 100, 0, 60)


def test_work_is_shared_out_evenly():
    # 2100 pixels in tiles of at most 2048: two halves, not one of 2048 and a sliver of 2048.
    tiles = plan(64, 2100, 2048, 64, 16)
    assert [one.outer.shape[1] for one in tiles] == [1120, 1120]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 5), (16, 17), (2, 1, 33)])
def test_padding_mirrors_to_the_next_multiple(shape):
    plane = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    padded = pad(plane, 16)
    assert padded.shape[-2] % 16 == padded.shape[-1] % 16 == 0
    np.testing.assert_array_equal(padded[..., : shape[-2], : shape[-1]], plane)
    assert set(np.unique(padded)) <= set(np.unique(plane))


def test_padding_leaves_a_fitting_plane_alone():
    plane = np.ones((32, 16))
    assert pad(plane, 16) is plane


@settings(deadline=None, max_examples=40)
@given(
    st.data(),
    st.integers(1, 150),
    st.integers(1, 150),
    st.integers(1, 130),
    st.integers(0, 2**16),
)
def test_tiles_answer_as_the_whole_plane_does(data, height, width, tile, seed):
    segmenter = tiny(seed)
    spec = segmenter.spec
    box = data.draw(st.none() | boxes(height, width))
    plane = np.random.default_rng(seed).normal(size=(1, height, width)).astype(np.float32)
    padded = torch.from_numpy(pad(plane, spec.multiple_of))[None]
    with torch.no_grad():
        whole = segmenter.net(padded)[0]
        for one in plan(height, width, tile, spec.halo, spec.multiple_of, box):
            part = segmenter.net(padded[(..., *one.outer.slices)])[0]
            torch.testing.assert_close(
                part[(..., *one.crop)], whole[(..., *one.inner.slices)], atol=1e-5, rtol=0
            )
