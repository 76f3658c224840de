"""Strokes, undo and what is written of them lead to the same pixels, whatever is painted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_infoleak.core.errors import BadInput
from napari_infoleak.session.history import STEPS, History
from napari_infoleak.session.paint import Difference, Paint, joined

SHAPE = (2, 3, 5, 7)
boxes = st.tuples(*(st.integers(0, n - 1) for n in SHAPE), st.integers(1, 9), st.integers(0, 255))
actions = st.lists(st.one_of(boxes, st.sampled_from(["undo", "redo"])), max_size=30)


def paint_box(array: np.ndarray, box: tuple[int, ...]) -> None:
    t, z, y, x, size, value = box
    array[t, z, y : y + size, x : x + size] = value


def change(paint: Paint, array: np.ndarray) -> Difference:
    return joined([paint.become(t, z, array[t, z]) for t, z in np.ndindex(*SHAPE[:2])])


@given(actions)
@settings(max_examples=60, deadline=None)
def test_any_strokes_and_undo_are_replayed_to_the_same_pixels(done: list) -> None:
    array, paint, replayed = np.zeros(SHAPE, np.uint8), Paint(SHAPE), Paint(SHAPE)
    history, states = History(), [np.zeros(SHAPE, np.uint8)]
    at = 0
    for action in done:
        if action in ("undo", "redo"):
            step = history.undo() if action == "undo" else history.redo()
            assert (step is None) == (at == 0 if action == "undo" else at == len(states) - 1)
            if step is None:
                continue
            at += -1 if action == "undo" else 1
            paint.apply(step)
            array = paint.whole("TZYX").copy()
        else:
            paint_box(array, action)
            step = change(paint, array)
            history.push(step)
            if len(step):
                states[at + 1 :] = [array.copy()]
                at += 1
        replayed.apply_text(step.encode())
        assert np.array_equal(array, states[at])
    assert np.array_equal(paint.whole("TZYX"), array)
    assert np.array_equal(replayed.whole("TZYX"), array)


@given(st.lists(boxes, min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_strokes_merge_into_one(boxes: list) -> None:
    array, paint = np.zeros(SHAPE, np.uint8), Paint(SHAPE)
    whole = joined([])
    for box in boxes:
        paint_box(array, box)
        whole = whole.then(change(paint, array))
    merged = Paint(SHAPE)
    merged.apply(whole)
    assert np.array_equal(merged.whole("TZYX"), array)
    merged.apply(whole.undone())
    assert not merged
    assert len(whole) == np.count_nonzero(array)
    assert len(paint.since(merged)) == len(whole)


def test_a_stroke_is_small() -> None:
    array = np.zeros((1, 1, 1024, 1024), np.uint8)
    rows = np.arange(200)
    for offset in range(3):
        array[0, 0, rows + 300, (rows * 2) + offset] = 2
    paint = Paint(array.shape)
    text = paint.become(0, 0, array[0, 0]).encode()
    assert len(text) < 1000


@pytest.mark.parametrize("text", ["x", "AAAA", "eJwDAAAAAAE="])
def test_a_damaged_stroke_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="stroke"):
        Paint(SHAPE).apply_text(text)


def test_a_stroke_outside_the_image_is_refused() -> None:
    large = Paint((1, 1, 50, 50))
    text = large.become(0, 0, np.full((50, 50), 3, np.uint8)).encode()
    with pytest.raises(BadInput, match="outside"):
        Paint(SHAPE).apply_text(text)


def test_the_history_is_bounded_and_long() -> None:
    history, paint = History(), Paint((1, 1, 4, 4))
    for number in range(STEPS + 20):
        history.push(paint.become(0, 0, np.full((4, 4), number % 2 + 1, np.uint8)))
    assert len(history) == STEPS >= 50
    while (step := history.undo()) is not None:
        paint.apply(step)
    assert history.undone == STEPS
