from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_infoleak.infer.blend import Blend, window
from napari_infoleak.infer.tiles import Box, pad, plan, up_to


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 120), st.integers(1, 120), st.integers(8, 64), st.integers(0, 16))
def test_blending_the_identity_is_the_identity(height, width, tile, overlap):
    plane = torch.rand(2, height, width)
    padded = torch.from_numpy(pad(plane.numpy(), 4))
    blend = Blend(2, (up_to(height, 4), up_to(width, 4)))
    for one in plan(height, width, tile, overlap, 4):
        blend.add(padded[(slice(None), *one.outer.slices)], one.outer)
    mean = blend.mean(Box(0, height, 0, width))
    torch.testing.assert_close(mean, plane, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(1, 1), (5, 8), (64, 64)])
def test_weights_are_symmetric_and_nowhere_zero(shape):
    weights = window(shape)
    assert weights.shape == shape
    assert weights.min() > 0
    torch.testing.assert_close(weights, weights.flip(0, 1))
    assert weights.max() == weights[shape[0] // 2, shape[1] // 2]
