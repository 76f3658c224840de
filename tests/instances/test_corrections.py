"""Corrections change what they are about and nothing else, and can all be taken back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instance_cases import voronoi

from napari_infoleak.api import Corrections
from napari_infoleak.core.errors import BadInput
from napari_infoleak.instances import watershed
from napari_infoleak.instances.union import keep_finished


@pytest.fixture(scope="module")
def tissue():
    """Cells of a plane with membranes between them, and their probability."""
    _, membrane = voronoi((180, 200), 20, seed=3)
    return watershed.cells(membrane), membrane


@pytest.fixture(scope="module")
def block():
    """The same in a volume."""
    _, membrane = voronoi((16, 90, 100), 10, seed=4)
    return watershed.cells(membrane, spacing=(1, 1, 1)), membrane


def across(cells, cell, z=None):
    """A stroke from left to right through the middle of a cell."""
    plane = cells if z is None else cells[z]
    y = int(np.median(np.nonzero(plane == cell)[0]))
    x = np.nonzero(plane[y] == cell)[0]
    ends = [(y, int(x.min())), (y, int(x.max()))]
    return [(y, x) if z is None else (z, y, x) for y, x in ends]


def large_cells(cells):
    sizes = np.bincount(cells.ravel())
    return [int(cell) for cell in np.flatnonzero(sizes >= 300) if cell]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_merge_after_split_gives_the_partition_back(tissue, data):
    before, membrane = tissue
    cells = before.copy()
    cell = data.draw(st.sampled_from(large_cells(cells)))
    stroke = across(cells, cell)
    corrections = Corrections(cells, membrane=membrane)
    parts = corrections.split(stroke).cells
    assert len(parts) == 2
    assert cells.max() == before.max() + 1
    (y, x), (_, right) = stroke
    middle = (x + right) // 2
    corrections.merge([(y - 8, middle), (y + 8, middle)])
    held = before > 0
    np.testing.assert_array_equal(cells[held], before[held])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_split_touches_no_other_cell(tissue, data):
    before, membrane = tissue
    cells = before.copy()
    cell = data.draw(st.sampled_from(large_cells(cells)))
    ends = data.draw(
        st.lists(
            st.tuples(st.integers(0, 179), st.integers(0, 199)), min_size=2, max_size=4, unique=True
        )
    )
    stroke = [across(cells, cell)[0], *ends]
    corrections = Corrections(cells, membrane=membrane)
    try:
        step = corrections.split(stroke)
    except BadInput:
        np.testing.assert_array_equal(cells, before)
        return
    changed = cells != before
    assert set(np.unique(before[changed])) == {min(step.cells)}
    assert set(np.unique(cells[changed])) <= set(step.cells)
    for part in step.cells:
        assert (cells == part).sum() >= 10


def test_no_part_of_a_split_is_a_crumb(tissue):
    cells = tissue[0].copy()
    corrections = Corrections(cells, membrane=tissue[1])
    parts = corrections.split([across(cells, 1)[0], (40, 90), (172, 185), (37, 46)]).cells
    assert all((cells == part).sum() >= 10 for part in parts)


def test_a_split_need_not_reach_the_edges(tissue):
    cells = tissue[0].copy()
    cell = large_cells(cells)[2]
    (y, left), (_, right) = across(cells, cell)
    third = (right - left) // 3
    parts = Corrections(cells).split([(y, left + third), (y, right - third)]).cells
    assert min((cells == part).sum() for part in parts) > 50


def test_the_border_moves_onto_a_faint_membrane():
    cells = np.ones((40, 60), np.uint32)
    membrane = np.zeros((40, 60), np.float32)
    membrane[:, 31] = 0.3
    corrections = Corrections(cells, membrane=membrane)
    corrections.split([(0, 29), (39, 29)])
    assert (cells[:, :31] == cells[0, 0]).all()
    assert (cells[:, 32:] == cells[0, 59]).all()


def test_a_stroke_on_one_plane_divides_the_volume(block):
    before, membrane = block
    cells = before.copy()
    cell = max(large_cells(cells), key=lambda one: (before[8] == one).sum())
    stroke = across(cells, cell, z=8)
    one, other = Corrections(cells, membrane=membrane).split(stroke).cells
    assert min((cells == one).sum(), (cells == other).sum()) > 0.2 * (before == cell).sum()
    outside = before != cell
    np.testing.assert_array_equal(cells[outside], before[outside])
    # The new border is a curtain: few pixels of both parts lie on the wrong side of the stroke.
    y = stroke[0][1]
    above = cells[:, : y - 3][before[:, : y - 3] == cell]
    below = cells[:, y + 4 :][before[:, y + 4 :] == cell]
    for side in (above, below):
        assert max((side == one).sum(), (side == other).sum()) > 0.9 * side.size


def test_two_seeds_divide_at_the_neck():
    y, x = np.indices((50, 90))
    cells = ((np.hypot(y - 25, x - 25) < 20) | (np.hypot(y - 25, x - 63) < 20)).astype(np.uint32)
    step = Corrections(cells).split_by_seeds([(25, 20), (27, 22)], [(25, 70)])
    assert len(step.cells) == 2
    border = np.nonzero((cells[:, 1:] != cells[:, :-1]) & (cells[:, 1:] > 0) & (cells[:, :-1] > 0))
    assert np.abs(border[1] - 43.5).max() < 3


def test_merge_fills_the_membrane_between(tissue):
    before, _ = tissue
    cells = before.copy()
    row = before[90]
    here = [int(cell) for cell in dict.fromkeys(row.tolist()) if cell][:2]
    stroke = [(90, int(np.flatnonzero(row == cell).mean())) for cell in here]
    Corrections(cells).merge(stroke)
    on_the_way = cells[90, stroke[0][1] : stroke[1][1] + 1]
    assert (on_the_way == min(here)).all()
    others = (before > 0) & ~np.isin(before, here)
    np.testing.assert_array_equal(cells[others], before[others])
    filled = (before == 0) & (cells > 0)
    assert (cells[filled] == min(here)).all()
    assert 0 < filled.sum() < 0.2 * (before == 0).sum()


def test_a_gap_is_closed_along_the_membrane():
    membrane = np.zeros((60, 60), np.float32)
    membrane[:, 30] = 0.9
    membrane[20:30, 30] = 0
    membrane[20:30, 31] = 0.35  # the membrane makes a bow there
    cells = np.where(membrane > 0.5, 0, 1).astype(np.uint32)
    step = Corrections(cells, membrane=membrane).close_gap([(18, 29), (31, 31)])
    assert len(step.cells) == 2
    assert set(np.unique(cells)) == {0, 1, 2}
    assert (cells[21:29, 31] == 0).all()
    assert (cells[21:29, 30] == cells[0, 0]).all()


def test_the_second_of_two_gaps_divides():
    membrane = np.zeros((60, 60), np.float32)
    membrane[:, 30] = 0.9
    membrane[[15, 16, 40, 41], 30] = 0.1
    cells = np.where(membrane > 0.5, 0, 1).astype(np.uint32)
    corrections = Corrections(cells, membrane=membrane)
    assert len(corrections.close_gap([(14, 30), (17, 30)]).cells) == 1
    assert len(corrections.close_gap([(39, 30), (42, 30)]).cells) == 2


def test_finished_cells_survive_everything(tissue):
    before, membrane = tissue
    cells = before.copy()
    corrections = Corrections(cells, membrane=membrane)
    cell = large_cells(cells)[3]
    y, x = (int(np.median(axis)) for axis in np.nonzero(cells == cell))
    corrections.finish([(y, x)])
    assert corrections.finished == {cell}
    everywhere = [(y, 0), (y, 199)]
    for change in (corrections.split, corrections.delete):
        with pytest.raises(BadInput, match="finished"):
            change([(y, x), (y, x + 1)])
    corrections.merge(everywhere)
    corrections.paint(np.argwhere(np.ones((180, 200), bool)))
    corrections.paint(np.argwhere(np.ones((180, 200), bool)), 0)
    np.testing.assert_array_equal(cells == cell, before == cell)
    corrections.finish([(y, x)])
    assert not corrections.finished


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_finished_cells_are_kept_when_cells_are_made_again(seed, count):
    rng = np.random.default_rng(seed)
    before, fresh = (
        watershed.cells(voronoi((60, 70), 6, seed + i)[1], min_size=10) for i in (0, 1)
    )
    ids = np.unique(before[before > 0])
    finished = set(rng.choice(ids, min(count, len(ids)), replace=False).tolist())
    result = keep_finished(fresh, before, finished)
    kept = np.isin(before, list(finished))
    np.testing.assert_array_equal(result[kept], before[kept])
    assert not finished & set(np.unique(result[~kept]).tolist())
    for cell in set(np.unique(result).tolist()) - finished - {0}:
        assert len(np.unique(fresh[result == cell])) == 1, "no two new cells became one"


def test_sixty_steps_on_many_slices_are_undone_bit_for_bit():
    rng = np.random.default_rng(0)
    plane = watershed.cells(voronoi((60, 70), 8, 5)[1])
    cells = np.stack([np.where(plane, plane + 20 * z, 0) for z in range(6)]).astype(np.uint32)
    before = cells.copy()
    corrections = Corrections(cells)
    states = [before]
    while len(corrections.steps) < 60:
        z, cell = int(rng.integers(6)), int(rng.integers(1, 100))
        ends = [(z, *rng.integers(0, 60, 2)) for _ in range(2)]
        kind = rng.choice(["split", "merge", "delete", "paint", "finish"])
        made = len(corrections.steps)
        try:
            if kind == "paint":
                corrections.paint(ends, cell)
            else:
                getattr(corrections, kind)(ends)
        except BadInput:
            assert np.array_equal(cells, states[-1])
            continue
        if len(corrections.steps) > made:
            states.append(cells.copy())
            gained = corrections.steps[-1].gained
            assert len(np.unique(states[-1])) - len(np.unique(states[-2])) == gained
    for state in reversed(states[:-1]):
        assert corrections.undo() is not None
        np.testing.assert_array_equal(cells, state)
    assert corrections.undo() is None
    assert not corrections.finished
    for state in states[1:]:
        corrections.redo()
        np.testing.assert_array_equal(cells, state)
    assert corrections.redo() is None


def test_frames_and_orders_of_axes(tissue):
    plane = tissue[0]
    cells = np.stack([plane, np.where(plane, plane + 50, 0)])[:, None].astype(np.uint32)
    (y, left), (_, right) = across(plane, large_cells(plane)[0])
    step = Corrections(cells, axes="TZYX").split([(1, 0, y, left), (1, 0, y, right)])
    assert step.place == (1, 0)
    np.testing.assert_array_equal(cells[0, 0], plane)
    turned = plane.T.copy()
    Corrections(turned, axes="XY").split([(left, y), (right, y)])
    assert turned.max() == plane.max() + 1


def test_corrections_teach_border_and_inside(tissue):
    before, membrane = tissue
    cells = before.copy()
    corrections = Corrections(cells, membrane=membrane)
    assert corrections.lessons() == {}
    parts = corrections.split(across(cells, large_cells(cells)[1])).cells
    taught = corrections.lessons()[0, 0]
    assert set(np.unique(cells[taught == 1])) == set(parts)
    border = np.argwhere(taught == 2)
    assert len(border) > 10
    for y, x in border:
        assert set(parts) <= set(cells[y - 1 : y + 2, x - 1 : x + 2].ravel())
    corrections.undo()
    assert corrections.lessons() == {}
    y, x = (int(np.median(axis)) for axis in np.nonzero(cells == parts[0]))
    corrections.finish([(y, x)])
    taught = corrections.lessons()[0, 0]
    assert set(np.unique(cells[taught == 2])) == {0}
    assert (taught == 2).sum() > 50


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda c: c.split([(1, 2, 3)]), "a number along Y, X"),
        (lambda c: c.split([(900, 900)]), "beside the image"),
        (lambda c: c.merge([(90, 100)]), "fewer than two cells"),
        (lambda c: c.close_gap([(90, 100)]), "a gap has two sides"),
        (lambda c: c.split_by_seeds([(90, 100)], [(0, 0)]), "does not lie in cell"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(tissue, make, words):
    cells = tissue[0].copy()
    cells[85:95, 95:105] = 77
    before = cells.copy()
    with pytest.raises(BadInput, match=words):
        make(Corrections(cells))
    np.testing.assert_array_equal(cells, before)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda c: c.split([(0, 15), (19, 15)]), "has no number 256: use cells of uint32"),
        (lambda c: c.paint([(3, 3)]), "has no number 256"),
        (lambda c: c.paint([(3, 3)], -1), "has no number -1"),
    ],
)
def test_a_number_that_does_not_fit_is_refused(make, words):
    cells = np.full((20, 30), 255, np.uint8)
    with pytest.raises(BadInput, match=words):
        make(Corrections(cells))
    assert (cells == 255).all()


def test_a_stroke_is_numbers_and_paint_lies_in_one_frame():
    corrections = Corrections(np.ones((2, 3, 20, 30), np.uint32))
    with pytest.raises(BadInput, match="list of places"):
        corrections.split([(0, 0, 1, 2), (0, 0)])
    with pytest.raises(BadInput, match="several frames"):
        corrections.paint([(0, 0, 3, 3), (1, 0, 3, 3)])
    with pytest.raises(BadInput, match="an array of the same shape"):
        corrections.follow([[0.5]])


@pytest.mark.parametrize("cells", [np.zeros((4, 4), int), np.zeros((4, 4)), [[1]]])
def test_what_is_no_image_of_cells_is_refused(cells):
    with pytest.raises(BadInput, match="expected a numpy array of unsigned"):
        Corrections(cells)
