"""The fast engine does what the plain one does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_infoleak.instances import engine as engines
from napari_infoleak.instances.graph import Borders, in_order
from napari_infoleak.instances.multicut import costs

pytest.importorskip("bioimage_cpp")

FAST, PLAIN = engines.FastEngine(), engines.PlainEngine()

shapes = st.one_of(
    st.tuples(st.integers(1, 23), st.integers(1, 23)),
    st.tuples(st.integers(1, 9), st.integers(1, 11), st.integers(1, 11)),
)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(shapes, seeds, st.sampled_from([0.0, 0.4, 1.0, 2.0]))
def test_smooth(shape, seed, sigma):
    values = np.random.default_rng(seed).random(shape, np.float32)
    sigmas = (sigma / 2, sigma, sigma * 1.3)[-len(shape) :]
    np.testing.assert_allclose(FAST.smooth(values, sigmas), PLAIN.smooth(values, sigmas), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(shapes, seeds, st.sampled_from([(1.0, 1.0, 1.0), (4.5, 1.0, 1.3), (0.5, 2.0, 1.0)]))
def test_distance(shape, seed, step):
    mask = np.random.default_rng(seed).random(shape) < 0.8
    mask.flat[0] = False
    step = step[-len(shape) :]
    np.testing.assert_allclose(
        FAST.distance(mask, step), PLAIN.distance(mask, step), rtol=1e-6, atol=1e-6
    )


@settings(max_examples=60, deadline=None)
@given(shapes, seeds, st.booleans())
def test_number(shape, seed, diagonal):
    mask = np.random.default_rng(seed).random(shape) < 0.5
    np.testing.assert_array_equal(
        FAST.number(mask, diagonal=diagonal), PLAIN.number(mask, diagonal=diagonal)
    )


@settings(max_examples=60, deadline=None)
@given(shapes, seeds)
def test_flood_where_no_two_places_are_equally_high(shape, seed):
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    height = rng.permutation(size).reshape(shape).astype(np.float32)
    grown = np.zeros(size, np.uint32)
    where = rng.choice(size, min(size, 3 + size // 40), replace=False)
    grown[where] = np.arange(1, len(where) + 1)
    seeds_ = grown.reshape(shape)
    np.testing.assert_array_equal(FAST.flood(height, seeds_), PLAIN.flood(height, seeds_))


@settings(max_examples=60, deadline=None)
@given(shapes, seeds)
def test_borders(shape, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, shape).astype(np.uint32)
    height = rng.integers(0, 4095, shape).astype(np.float32)
    fast, plain = FAST.borders(labels, height), PLAIN.borders(labels, height)
    np.testing.assert_array_equal(fast.pairs, plain.pairs)
    np.testing.assert_array_equal(fast.sizes, plain.sizes)
    np.testing.assert_allclose(fast.sums, plain.sums, rtol=1e-12)
    assert fast.count == plain.count


def random_borders(seed, count=30):
    rng = np.random.default_rng(seed)
    labels = rng.integers(1, count, (40, 40)).astype(np.uint32)
    labels = np.kron(labels, np.ones((3, 3), np.uint32))
    return PLAIN.borders(labels, rng.random(labels.shape, np.float32))


@pytest.mark.parametrize("seed", range(8))
def test_merge(seed):
    borders = random_borders(seed)
    for below in (0.0, 0.45, 0.5, 0.52, 1.0):
        fast, plain = FAST.merge(borders, below), PLAIN.merge(borders, below)
        np.testing.assert_array_equal(in_order(fast), in_order(plain))


@pytest.mark.parametrize("seed", range(8))
def test_cut_is_at_least_as_good_as_the_greedy_one(seed):
    borders = random_borders(seed)
    price = costs(borders, 0.5)

    def paid(groups):
        ends = groups[borders.pairs]
        return price[ends[:, 0] != ends[:, 1]].sum()

    assert paid(FAST.cut(borders, price)) <= paid(PLAIN.cut(borders, price)) + 1e-6
    assert paid(PLAIN.cut(borders, price)) <= min(0, price.sum()) + 1e-6


def test_no_borders_at_all():
    alone = Borders(3, np.empty((0, 2), np.int64), np.empty(0), np.empty(0))
    for engine in (FAST, PLAIN):
        assert in_order(engine.merge(alone, 0.5)).tolist() == [0, 1, 2, 3]
        assert in_order(engine.cut(alone, np.empty(0))).tolist() == [0, 1, 2, 3]


def test_the_plain_engine_takes_over_where_the_fast_one_is_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert engines.default_engine.__wrapped__().name == "scikit-image"
