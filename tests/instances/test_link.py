from __future__ import annotations

import numpy as np
import pytest

from napari_infoleak.instances.link import LinkEvent, Links, Track, track


def frame(*boxes, shape=(20, 40)):
    """Cells as boxes (number, top, left, bottom, right)."""
    out = np.zeros(shape, np.int32)
    for number, top, left, bottom, right in boxes:
        out[top:bottom, left:right] = number
    return out


def linked(*frames):
    links = Links()
    return [links.add(one) for one in frames], links.events


def test_cells_keep_their_number_whatever_they_were_called():
    first = frame((5, 0, 0, 8, 8), (9, 10, 10, 18, 18))
    moved = frame((1, 9, 11, 17, 19), (2, 1, 1, 9, 9), (3, 0, 30, 8, 38))
    (one, other), events = linked(first, moved)
    assert one[4, 4] == other[4, 4] == 1
    assert one[12, 12] == other[12, 12] == 2
    assert other[4, 34] == 3
    assert events == []
    assert other.dtype == np.uint32
    assert not other[(moved == 0)].any()


def test_a_small_overlap_is_no_link():
    (one, other), events = linked(frame((1, 0, 0, 8, 8)), frame((1, 6, 6, 14, 14)))
    assert (one[0, 0], other[10, 10]) == (1, 2)
    assert events == []


def test_a_split_keeps_the_number_on_the_larger_part():
    whole = frame((1, 0, 0, 10, 30))
    parts = frame((4, 0, 0, 10, 18), (7, 0, 20, 10, 30))
    (_, other), events = linked(whole, parts)
    assert (other[5, 5], other[5, 25]) == (1, 2)
    assert events == [LinkEvent("split", 1, 1, (1, 2))]


def test_a_merge_keeps_the_number_of_the_larger_part():
    whole = frame((1, 0, 0, 10, 30))
    parts = frame((1, 0, 0, 10, 18), (2, 0, 20, 10, 30))
    (_, other), events = linked(parts, whole)
    assert other[5, 25] == 1
    assert events == [LinkEvent("merge", 1, 1, (1, 2))]


def test_a_number_is_never_given_twice():
    rng = np.random.default_rng(0)
    frames = [np.kron(rng.integers(0, 6, (5, 10)), np.ones((4, 4), int)) for _ in range(6)]
    found, _ = linked(*frames)
    for cells, given in zip(found, frames, strict=True):
        pairs = {(int(a), int(b)) for a, b in zip(cells.ravel(), given.ravel(), strict=True)}
        assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)


def test_volumes_and_empty_frames():
    links = Links(first_free=7)
    volume = np.zeros((3, 8, 8), int)
    assert not links.add(volume).any()
    volume[1:, 2:6, 2:6] = 4
    assert set(np.unique(links.add(volume))) == {0, 7}
    assert set(np.unique(links.add(volume * 2))) == {0, 7}
    assert not links.add(volume * 0).any()
    assert set(np.unique(links.add(volume))) == {0, 8}  # nothing is followed over a gap


def test_tracks_end_where_a_cell_is_split():
    whole = frame((1, 0, 0, 10, 30), (2, 12, 0, 18, 8))
    parts = frame((4, 0, 0, 10, 18), (7, 0, 20, 10, 30), (2, 12, 0, 18, 8))
    frames, events = linked(whole, whole, parts, parts)
    masks, tracks = track(frames, events)
    assert tracks == [Track(1, 0, 1), Track(2, 0, 3), Track(3, 2, 3, 1), Track(4, 2, 3, 1)]
    assert (masks[0][5, 5], masks[2][5, 5], masks[2][5, 25], masks[3][14, 4]) == (1, 3, 4, 2)
    assert masks[0].dtype == np.uint16
    for n, mask in enumerate(masks):
        shown = {one.label for one in tracks if one.begin <= n <= one.end}
        assert set(np.unique(mask)) - {0} == shown


def test_what_16_bits_cannot_count_is_refused():
    many = np.arange(1, 70_001).reshape(200, 350)
    with pytest.raises(OverflowError):
        track([many], [])
