from __future__ import annotations

import numpy as np
import pytest

import napari_infoleak as il
from napari_infoleak.core.errors import BadInput, Cancelled, EmptySupportError

N = 9


@pytest.fixture
def movie():
    """Nine frames of bright cells with dark membranes that lose contrast, and their truth."""
    rng = np.random.default_rng(0)
    membranes = np.zeros((N, 24, 32), bool)
    for n in range(N):
        membranes[n, n % 3 :: 8, :] = membranes[n, :, ::8] = True
    image = np.where(membranes, 40.0, 200.0) + rng.normal(0, 8, membranes.shape)
    return image.astype(np.float32), np.where(membranes, 2, 1).astype(np.uint8)


def painted(truth, *frames):
    paint = np.zeros_like(truth)
    for n in frames:
        paint[n] = truth[n]
    return paint


def test_every_frame_is_labelled_from_one(tiny, movie):
    image, truth = movie
    result = il.propagate(image, painted(truth, 2), "Z", axes="ZYX")
    assert result.labels.shape == image.shape
    assert result.labels.dtype == np.uint8
    assert result.probabilities.shape == (2, *image.shape)
    np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-5)
    assert (result.labels == truth).mean() > 0.7
    assert [frame.distance for frame in result.frames] == [2, 1, 0, 1, 2, 3, 4, 5, 6]
    states = ["accepted"] * 2 + ["annotated"] + ["accepted"] * 6
    assert [frame.state for frame in result.frames] == states
    assert all(0 < frame.confidence <= 1 for frame in result.frames)
    np.testing.assert_array_equal(result.labels[2], truth[2])  # paint is kept
    assert result.provenance["settings"]["axis"] == "Z"


def test_both_directions_are_alike(tiny, movie):
    image, truth = movie
    there = il.propagate(image, painted(truth, 3, 6), "Z", axes="ZYX")
    back = il.propagate(image[::-1], painted(truth, 3, 6)[::-1], "Z", axes="ZYX")
    np.testing.assert_array_equal(there.labels, back.labels[::-1])
    ahead, behind = (
        [(frame.distance, frame.state, round(frame.confidence, 4)) for frame in one.frames]
        for one in (there, back)
    )
    assert ahead == behind[::-1]


def test_it_stops_where_it_is_not_sure_and_says_where_to_paint(tiny, movie):
    image, truth = movie
    faded = image.copy()
    faded[6:] = 200 + np.random.default_rng(1).normal(0, 8, image[6:].shape)
    faded[6:, 14:23], faded[6:, 23] = faded[6:, 14:23] - 80, 40  # neither the one nor the other
    sure = il.propagate(faded, painted(truth, 2), "Z", axes="ZYX")
    limit = (sure.frames[5].confidence + sure.frames[6].confidence) / 2
    assert sure.frames[6].confidence < limit
    result = il.propagate(faded, painted(truth, 2), "Z", axes="ZYX", stop_below=limit)
    states = [frame.state for frame in result.frames]
    assert (
        states
        == ["accepted"] * 2 + ["annotated"] + ["accepted"] * 3 + ["stopped"] + ["unreached"] * 2
    )
    assert (result.labels[6] > 0).all()
    assert not result.labels[7:].any()
    assert not result.probabilities[:, 7:].any()
    assert [frame.confidence for frame in result.frames[7:]] == [None, None]
    assert [frame.z for frame in result.stops] == [6]
    assert result.paint_next.z == 6
    assert result.waiting(result.stops[0]) == 2
    assert sure.stops == []
    assert sure.paint_next.z == min(sure.frames, key=lambda frame: frame.confidence).z


def test_after_a_correction_only_what_depends_on_it_is_answered_anew(tiny, movie, monkeypatch):
    image, truth = movie
    many = np.tile(image, (4, 6, 5))  # dense frames say enough
    paint = np.zeros(many.shape, np.uint8)
    whole = np.tile(truth, (4, 6, 5))
    paint[0], paint[20] = whole[0], whole[20]
    first = il.propagate(many, paint, "Z", axes="ZYX")
    paint[30] = whole[30]
    plain = il.propagate(many, paint, "Z", axes="ZYX")
    quick = il.propagate(many, paint, "Z", axes="ZYX", previous=first)
    np.testing.assert_array_equal(quick.labels, plain.labels)
    np.testing.assert_array_equal(quick.probabilities, plain.probabilities)
    reused = [frame.z for frame in quick.frames if frame.reused]
    assert set(range(19)) <= set(reused)
    assert not set(range(23, 36)) & set(reused)
    again = il.propagate(many, paint, "Z", axes="ZYX", previous=quick)
    assert all(frame.reused for frame in again.frames)
    other = il.propagate(many, paint, "Z", axes="ZYX", previous=quick, leak=0.5)
    assert not any(frame.reused for frame in other.frames)


def test_what_stays_of_a_stop_is_used_when_it_is_lifted(tiny, movie):
    image, truth = movie
    stopped = il.propagate(image, painted(truth, 4), "Z", axes="ZYX", stop_below=1.0)
    assert [frame.state for frame in stopped.frames[3:6]] == ["stopped", "annotated", "stopped"]
    assert stopped.paint_next.z in (3, 5)
    lifted = il.propagate(image, painted(truth, 4), "Z", axes="ZYX", previous=stopped)
    assert [frame.z for frame in lifted.frames if frame.reused] == [3, 4, 5]


@pytest.mark.parametrize(
    ("axes", "axis", "labelled"),
    [
        ("TYX", "T", {(t, 0) for t in range(4)}),
        ("ZYX", "Z", {(0, z) for z in range(4)}),
        ("TZYX", "Z", {(1, z) for z in range(3)}),
        ("TZYX", "T", {(t, 2) for t in range(4)}),
        ("TZCYX", "T", {(t, 2) for t in range(4)}),
        ("TZCYX", "Z", {(1, z) for z in range(3)}),
        ("YXZ", "Z", {(0, z) for z in range(4)}),
    ],
)
def test_each_series_is_spread_by_itself(tiny, axes, axis, labelled):
    sizes = {"T": 4, "Z": 3, "C": 2, "Y": 16, "X": 20}
    if axes in ("ZYX", "YXZ"):
        sizes["Z"] = 4
    shape = [sizes[letter] for letter in axes]
    image = np.random.default_rng(0).normal(size=shape)
    letters = axes.replace("C", "")
    paint = np.zeros([sizes[letter] for letter in letters], np.uint8)
    place = {"T": 1, "Z": 2 if "T" in axes else 1}
    frame = paint[tuple(place.get(letter, slice(None)) for letter in letters)]
    frame[3], frame[9] = 1, 2
    picture = il.Image.from_array(image, axes, scale={"Y": 0.5, "X": 0.5}, units={"Y": "um"})
    result = il.propagate(picture, paint, axis.lower())
    assert result.axes == letters
    assert result.labels.shape == paint.shape
    assert result.scale == {"Y": 0.5, "X": 0.5}
    assert result.units["Y"] == picture.units["Y"]
    reached = {(one.t, one.z) for one in result.frames if one.state != "unreached"}
    assert reached == labelled
    order = [letters.index(letter) for letter in "TZYX" if letter in letters]
    canonical = result.labels.transpose(order).reshape(-1, 16, 20)
    depth = sizes["Z"] if "Z" in letters else 1
    found = {divmod(n, depth) for n, plane in enumerate(canonical) if plane.all()}
    assert found == labelled


def test_no_cells_where_labels_did_not_come(tiny, movie):
    image, truth = movie
    result = il.propagate(image, painted(truth, 4), "Z", axes="ZYX", stop_below=1.0)
    cells = il.cells(result, dims=2, min_size=4)
    assert cells[4].any()
    assert not cells[[0, 1, 2, 6, 7, 8]].any()


def test_support_of_another_image_joins(tiny, movie):
    image, truth = movie
    support = il.SupportSet().add(image[0], np.where(truth[0] == 2, 7, 0))
    result = il.propagate(image, painted(truth, 4), "Z", support=support, axes="ZYX")
    assert result.class_ids == (1, 2, 7)
    assert result.probabilities.shape[0] == 3


def test_labels_of_neighbours_are_looked_up_or_not(tiny, movie):
    image, truth = movie
    strokes = np.where(np.arange(32) < 12, painted(truth, 4), 0)
    alone = il.propagate(image, strokes, "Z", axes="ZYX", reach=0)
    near = il.propagate(image, strokes, "Z", axes="ZYX", reach=2)
    assert (alone.probabilities != near.probabilities).any()
    static = il.segment(image, annotations=strokes, axes="ZYX")
    np.testing.assert_allclose(alone.probabilities, static.probabilities, atol=1e-4)


def test_progress_rises_and_cancel_ends_it(tiny, movie):
    image, truth = movie
    steps = []
    il.propagate(
        image, painted(truth, 4), "Z", axes="ZYX", progress=lambda *step: steps.append(step)
    )
    done = [one / all_of_it for one, all_of_it, _ in steps[1:]]
    assert done == sorted(done)
    assert done[-1] == 1.0
    token = il.CancelToken()

    def stop(done, total, text=""):
        if done == 3:
            token.cancel()

    with pytest.raises(Cancelled):
        il.propagate(image, painted(truth, 4), "Z", axes="ZYX", progress=stop, cancel=token)


def test_it_says_which_planes_were_painted_so_that_scores_stay_honest(tiny, movie):
    image, truth = movie
    result = il.propagate(image, painted(truth, 4), "Z", axes="ZYX")
    seen, known = il.api.planes_seen(result)
    assert len(seen) == N
    assert known == {seen[4]}


def test_bad_input_is_told_in_one_line(tiny, movie):
    image, truth = movie
    paint = painted(truth, 4)
    with pytest.raises(BadInput, match="Z or T"):
        il.propagate(image, paint, "Y", axes="ZYX")
    with pytest.raises(BadInput, match="nothing to spread"):
        il.propagate(image, paint, "T", axes="ZYX")
    with pytest.raises(BadInput, match="0 to 1"):
        il.propagate(image, paint, "Z", axes="ZYX", stop_below=1.5)
    with pytest.raises(BadInput, match="reach"):
        il.propagate(image, paint, "Z", axes="ZYX", reach=-1)
    with pytest.raises(BadInput, match="previous"):
        il.propagate(image, paint, "Z", axes="ZYX", previous=3)
    with pytest.raises(EmptySupportError):
        il.propagate(image, np.zeros_like(truth), "Z", axes="ZYX")
    with pytest.raises(BadInput, match="second class"):
        il.propagate(image, np.where(paint == 2, 2, 0), "Z", axes="ZYX")
    twice = np.stack([paint, np.where(paint == 2, 2, 0)])
    with pytest.raises(BadInput, match="at t = 1: only class 2"):
        il.propagate(np.stack([image, image]), twice, "Z", axes="TZYX")
    with pytest.raises(BadInput, match="shape"):
        il.propagate(image, truth[:2, :5], "Z", axes="ZYX")
