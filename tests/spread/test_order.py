from __future__ import annotations

import pytest

from napari_infoleak.spread.order import ENOUGH, looked_at, neighbours, rounds, series_of, turns

DENSE = {1: ENOUGH, 2: ENOUGH}
STROKES = {1: 400, 2: 300}


@pytest.mark.parametrize("annotated", [[0], [4], [2, 9], [0, 5, 6, 11]])
def test_what_is_near_has_its_turn_before_what_is_far(annotated):
    order = turns(12, annotated)
    assert sorted(turn.frame for turn in order) == list(range(12))
    assert [turn.distance for turn in order] == sorted(turn.distance for turn in order)
    for turn in order:
        assert turn.distance == min(abs(turn.frame - one) for one in annotated)


def test_each_frame_is_reached_from_the_side_of_the_nearer_annotation():
    sides = {turn.frame: turn.sides for turn in turns(9, [0, 6])}
    assert sides == {
        0: (), 1: (-1,), 2: (-1,), 3: (-1, 1), 4: (1,), 5: (1,), 6: (), 7: (-1,), 8: (-1,),
    }  # fmt: skip


def test_both_directions_are_alike():
    there = [(turn.frame, turn.distance, turn.sides) for turn in turns(10, [2, 7])]
    back = [(9 - turn.frame, turn.distance, turn.sides) for turn in turns(10, [7, 2])]
    mirrored = [(f, d, tuple(sorted(-s for s in sides))) for f, d, sides in back]
    assert sorted(there) == sorted(mirrored)
    assert neighbours(5, [3, 4, 6, 9], 2) == [3, 4, 6]
    assert neighbours(4, [6, 5, 3, 0], 2) == [3, 5, 6]


def test_a_frame_looks_at_the_nearest_annotation_on_each_side():
    strokes = dict.fromkeys([0, 10, 20, 30], DENSE)
    assert looked_at(3, strokes) == [0, 10]
    assert looked_at(10, strokes) == [10]
    assert looked_at(25, strokes) == [20, 30]
    assert looked_at(35, strokes) == [30]


def test_few_strokes_do_not_drive_out_what_is_painted_farther_away():
    assert looked_at(14, {0: DENSE, 12: {2: 50}}) == [0, 12]
    assert looked_at(14, {0: STROKES, 6: STROKES, 12: STROKES}) == [0, 6, 12]
    assert looked_at(14, {0: DENSE, 6: DENSE, 12: {2: 50}}) == [6, 12]
    rare = {**DENSE, 3: 10}
    assert looked_at(1, {0: DENSE, 9: rare}) == [0, 9]  # the rare class is never enough


def test_series_run_along_one_axis_and_the_other_makes_several():
    along_z, along_t = series_of((2, 5, 8, 8), "Z"), series_of((2, 5, 8, 8), "T")
    assert [(one.other, one.length) for one in along_z] == [(0, 5), (1, 5)]
    assert [(one.other, one.length) for one in along_t] == [(z, 2) for z in range(5)]
    assert along_z[1].places == [(1, z) for z in range(5)]
    assert along_t[3].places == [(0, 3), (1, 3)]


@pytest.mark.parametrize(("length", "most"), [(1, 6), (2, 6), (7, 6), (40, 6), (41, 3)])
def test_rounds_hold_every_turn_once_and_in_order(length, most):
    order = turns(length, [length // 3])
    parts = rounds(order, most)
    assert [turn for part in parts for turn in part] == order
    assert all(parts)
    assert len(parts) <= most
