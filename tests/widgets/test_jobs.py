"""What travels to the child process arrives as it was."""

from __future__ import annotations

import pickle
from typing import Any

import dask.array as da
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_infoleak.widgets.travel import Painted, Patch, sendable


def test_lazy_arrays_travel_with_functions_that_have_no_name() -> None:
    inside = np.arange(4 * 300 * 300, dtype=np.float32).reshape(4, 300, 300)
    lazy = da.from_array(inside, chunks=(1, 300, 300)).map_blocks(lambda block: block * 2)
    arrived = pickle.loads(pickle.dumps(sendable(lazy)))
    assert np.array_equal(arrived.compute(), inside * 2)


def test_arrays_inside_a_graph_travel_as_arrays() -> None:
    inside = np.zeros((500, 500))
    _, (graph, buffers) = sendable(da.from_array(inside)).__reduce__()
    assert sum(buffer.nbytes for buffer in buffers) >= inside.nbytes
    assert len(graph) < 100_000


def test_numpy_arrays_are_sent_as_they_are() -> None:
    array = np.zeros(3)
    assert sendable(array) is array


@given(st.sets(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=5), st.randoms())
def test_painted_slices_make_the_whole_again(places: Any, random: Any) -> None:
    rng = np.random.default_rng(random.randrange(1000))
    whole = np.zeros((3, 4, 5, 6), np.uint8)
    for t, z in places:
        whole[t, z] = rng.integers(0, 4, (5, 6))
    painted = Painted(
        whole.shape, whole.dtype, tuple(Patch(t, z, 0, 0, whole[t, z]) for t, z in places)
    )
    assert np.array_equal(painted.whole("TZYX"), whole)
    assert np.array_equal(painted.whole("ZTYX"), whole.swapaxes(0, 1))
