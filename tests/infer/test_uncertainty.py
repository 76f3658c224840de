from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_infoleak.infer.uncertainty import entropy, margin


@pytest.mark.parametrize("measure", [entropy, margin])
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_sure_is_0_and_level_is_1(measure, classes):
    sure = np.zeros((classes, 4, 5), np.float32)
    sure[1] = 1
    np.testing.assert_array_equal(measure(sure), np.zeros((4, 5)))
    np.testing.assert_allclose(measure(np.full_like(sure, 1 / classes)), 1, atol=1e-6)


@pytest.mark.parametrize("measure", [entropy, margin])
@given(
    values=hnp.arrays(np.float32, (3, 4, 5), elements=st.floats(0.0009765625, 1, width=32)),
)
def test_any_probabilities_give_0_to_1(measure, values):
    doubt = measure(values / values.sum(0))
    assert doubt.shape == (4, 5)
    assert doubt.dtype == np.float32
    assert doubt.min() >= -1e-6
    assert doubt.max() <= 1 + 1e-6


@pytest.mark.parametrize("measure", [entropy, margin])
def test_one_class_leaves_no_doubt(measure):
    np.testing.assert_array_equal(measure(np.ones((1, 3, 3))), np.zeros((3, 3)))


@pytest.mark.parametrize("measure", [entropy, margin])
def test_the_class_axis_can_be_anywhere(measure):
    values = np.random.default_rng(0).dirichlet([1, 1, 1], size=(4, 5))
    np.testing.assert_array_equal(measure(values, -1), measure(np.moveaxis(values, -1, 0)))


def test_entropy_of_two_classes_is_the_binary_entropy():
    share = np.linspace(0.01, 0.99, 50)
    expected = -(share * np.log2(share) + (1 - share) * np.log2(1 - share))
    np.testing.assert_allclose(entropy(np.stack([share, 1 - share])), expected, atol=1e-6)
