from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_infoleak.core.errors import BadInput
from napari_infoleak.evaluate.metrics import evaluate

# Two cells of 2 x 6 pixels with a membrane of 1 x 6 between them, twice.
TRUTH = np.array([[1] * 6] * 2 + [[2] * 6] + [[1] * 6] * 2, dtype=np.uint8)
CELLS = np.array([[1] * 6] * 2 + [[0] * 6] + [[2] * 6] * 2, dtype=np.uint16)


def test_perfect_labels_score_one():
    scores = evaluate(TRUTH, TRUTH)
    assert scores == {
        "iou": {"1": 1.0, "2": 1.0},
        "miou": 1.0,
        "cldice": 1.0,
        "v_rand": 1.0,
        "v_info": 1.0,
    }


def test_perfect_probabilities_score_one():
    scores = evaluate((TRUTH == 2).astype(np.float32), TRUTH, "probability")
    assert set(scores) == {"membrane_iou", "miou", "cldice", "v_rand", "v_info"}
    assert all(value == 1.0 for value in scores.values())


def test_perfect_cells_score_one_whatever_their_numbers():
    scores = evaluate(np.where(CELLS > 0, 900 - CELLS, 0), CELLS, "instances")
    assert scores == {"ap50": 1.0, "v_rand": 1.0, "v_info": 1.0}


def test_a_gap_is_counted_by_hand():
    broken = TRUTH.copy()
    broken[2, 3:] = 1
    scores = evaluate(broken, TRUTH)
    assert scores["iou"] == {"1": 24 / 27, "2": 3 / 6}
    # Both cells became one: all 24 pixels in one piece, which covers two cells of 12.
    assert scores["v_rand"] == pytest.approx(0.5 / (0.5 * 1 + 0.5 * 0.5))
    assert scores["v_info"] == 0


def test_merged_cells_are_told_from_split_ones():
    merged = np.where(CELLS > 0, 1, 0)
    split = np.where(CELLS > 0, CELLS * 2, 0)
    split[:2, :3] += 1
    one = evaluate(merged, CELLS, "instances", details=True)
    two = evaluate(split, CELLS, "instances", details=True)
    assert one["v_rand_merge"] == pytest.approx(0.5)
    assert one["v_rand_split"] == 1
    assert (one["voi_merge"], one["voi_split"]) == (pytest.approx(1), pytest.approx(0))
    assert two["v_rand_merge"] == 1
    assert two["voi_merge"] == pytest.approx(0)
    assert two["voi_split"] == pytest.approx(0.5)  # one of two cells was halved: half a bit
    assert one["adapted_rand_error"] == pytest.approx(1 - one["v_rand"])


def test_details_tell_missed_membrane_from_invented():
    broken = TRUTH.copy()
    broken[2, 3:] = 1
    scores = evaluate(broken, TRUTH, details=True)
    assert scores["membrane_precision"] == 1
    assert scores["membrane_recall"] == 0.5
    assert scores["membrane_f1"] == pytest.approx(2 / 3)


def test_unlabelled_pixels_do_not_count():
    truth = TRUTH.copy()
    truth[:, 0] = 0
    prediction = TRUTH.copy()
    prediction[:, 0] = 2
    assert evaluate(prediction, truth)["iou"] == {"1": 1.0, "2": 1.0}


def test_membrane_may_have_another_id_in_the_truth():
    renamed = np.where(TRUTH == 2, 5, 1)
    scores = evaluate(TRUTH, renamed, membrane=2, truth_membrane=5)
    assert scores["cldice"] == scores["v_rand"] == 1.0


def test_planes_without_cells_are_left_out_of_v_scores():
    truth = np.stack([TRUTH, np.full_like(TRUTH, 2)])
    assert evaluate(truth, truth)["v_rand"] == 1.0
    alone = evaluate(truth[1:], truth[1:])
    assert np.isnan(alone["v_rand"])


def test_planes_of_all_leading_axes_count_alike():
    stack = np.stack([TRUTH] * 4)
    assert evaluate(stack.reshape(2, 2, 5, 6), stack.reshape(2, 2, 5, 6)) == evaluate(stack, stack)


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, (2, 9, 8), elements=st.integers(0, 3)), st.permutations(range(1, 4)))
def test_numbers_of_cells_do_not_matter(cells, order):
    renamed = np.array([0, *order], np.uint8)[cells]
    truth = np.roll(cells, 1, axis=2)
    one = evaluate(cells, truth, "instances")
    two = evaluate(renamed, truth, "instances")
    assert one == pytest.approx(two, nan_ok=True)


@pytest.mark.parametrize(
    ("prediction", "truth", "kind", "words"),
    [
        (TRUTH, TRUTH, "pixels", "kind 'pixels' is not known"),
        (TRUTH[:-1], TRUTH, "semantic", "prediction has shape (4, 6) and truth (5, 6)"),
        (TRUTH[None], TRUTH, "semantic", "prediction has shape (1, 5, 6)"),
        (TRUTH / 2, TRUTH, "semantic", "float64 where whole numbers are expected"),
        (TRUTH, TRUTH / 2, "semantic", "the truth is of float64"),
        (CELLS / 3, CELLS, "instances", "whole numbers"),
        (CELLS.astype(np.int32) - 1, CELLS, "instances", "holds -1"),
        (TRUTH, TRUTH, "probability", "from 1 to 2"),
        (TRUTH * np.nan, TRUTH, "probability", "from nan to nan"),
        (TRUTH, TRUTH * 0, "semantic", "no labelled pixel"),
        (TRUTH[0], TRUTH[0], "semantic", "shape (6,)"),
        (TRUTH[:0], TRUTH[:0], "semantic", "shape (0, 6)"),
        (np.array([["a"]]), TRUTH[:1, :1], "probability", "expected numbers"),
    ],
)
def test_bad_input_is_told_in_one_line(prediction, truth, kind, words):
    with pytest.raises(BadInput) as told:
        evaluate(prediction, truth, kind)
    assert words in str(told.value)
    assert "\n" not in str(told.value)
