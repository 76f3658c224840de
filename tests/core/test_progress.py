from __future__ import annotations

import pickle
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_infoleak.core.errors import Cancelled
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Rate


def test_a_token_stops_the_work_at_its_next_look() -> None:
    token = CancelToken()
    token.check()
    token.cancel()
    assert token.cancelled
    with pytest.raises(Cancelled):
        token.check()


def test_the_shared_token_cannot_be_cancelled() -> None:
    with pytest.raises(RuntimeError):
        NEVER.cancel()
    assert not NEVER.cancelled
    NEVER.check()


def test_the_silent_progress_takes_anything() -> None:
    NULL(0, 0)
    NULL(3, 7, "reading")


def test_a_token_travels_to_another_process() -> None:
    token = CancelToken()
    token.cancel()
    assert pickle.loads(pickle.dumps(token)).cancelled


def test_nothing_is_estimated_before_the_first_step() -> None:
    clock = iter([0.0, 5.0])
    rate = Rate(clock=lambda: next(clock))
    assert rate(0, 10) is None
    assert rate(0, 10) is None


@given(st.floats(0.001, 100), st.integers(2, 50))
def test_a_steady_pace_gives_the_exact_rest(pace: float, total: int) -> None:
    now = 0.0
    rate = Rate(clock=lambda: now)
    left = []
    for done in range(total + 1):
        now = done * pace
        left.append(rate(done, total))
    for done, seconds in enumerate(left[1:], 1):
        assert seconds == pytest.approx((total - done) * pace, rel=1e-6, abs=1e-9)


def test_one_slow_step_does_not_shake_the_estimate() -> None:
    times = iter([0.0, 1.0, 2.0, 3.0, 13.0])
    rate = Rate(clock=lambda: next(times))
    seconds = [rate(done, 100) for done in range(5)][1:]
    assert all(one is not None for one in seconds)
    jumps = [after / before for before, after in pairwise(seconds)]  # type: ignore[operator]
    assert max(jumps) < 10 / 2


def test_new_work_starts_the_estimate_anew() -> None:
    times = iter([0.0, 1.0, 100.0, 102.0])
    rate = Rate(clock=lambda: next(times))
    assert rate(0, 2) is None
    assert rate(2, 2) == 0
    assert rate(0, 4) is None
    assert rate(1, 4) == 6
