from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_infoleak.evaluate.calibration import auroc, expected_calibration_error
from napari_infoleak.evaluate.pixels import mean_iou


def test_kept_promises_have_no_error():
    p = np.repeat([0.25, 0.75], 4)
    kept = np.array([1, 0, 0, 0, 1, 1, 1, 0], bool)
    assert expected_calibration_error(p, kept) == pytest.approx(0)


def test_broken_promises_by_hand():
    p = np.array([0.9, 0.9, 0.9, 0.9, 0.1, 0.1])
    came = np.array([1, 1, 0, 0, 0, 0], bool)
    assert expected_calibration_error(p, came) == pytest.approx((4 * 0.4 + 2 * 0.1) / 6)


def test_probability_one_falls_into_the_last_bin():
    assert expected_calibration_error(np.ones(3), np.ones(3, bool)) == 0


def test_nothing_to_score_is_nan():
    assert np.isnan(expected_calibration_error(np.empty(0), np.empty(0, bool)))
    assert np.isnan(auroc(np.ones(3), np.ones(3, bool)))
    assert np.isnan(mean_iou({}))


def test_auroc_by_hand():
    score = np.array([0.1, 0.4, 0.35, 0.8])
    assert auroc(score, np.array([0, 0, 1, 1], bool)) == 0.75
    assert auroc(np.zeros(4), np.array([0, 0, 1, 1], bool)) == 0.5


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40))
def test_auroc_is_the_chance_to_rank_right(rows):
    score = np.array([row[0] for row in rows], float)
    truth = np.array([row[1] for row in rows])
    yes, no = score[truth], score[~truth]
    if not yes.size or not no.size:
        assert np.isnan(auroc(score, truth))
        return
    wins = (yes[:, None] > no).mean() + 0.5 * (yes[:, None] == no).mean()
    assert auroc(score, truth) == pytest.approx(wins)
