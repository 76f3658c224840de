"""A session done again gives the same bytes on its image, and is a support set on another."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))

from recording import Recording

import napari_infoleak as il
from napari_infoleak.core.region import Region
from napari_infoleak.session import save_session
from napari_infoleak.session import session as records


@pytest.fixture
def image(tmp_path, stack):
    path = tmp_path / "cells.npy"
    np.save(path, stack[0])
    return path


@pytest.fixture
def other(tmp_path, stack):
    path = tmp_path / "other.npy"
    np.save(path, stack[0][:2, ::-1] + 3)
    return path


def test_the_same_image_gives_the_same_bytes(tiny, image, strokes, tmp_path):
    recording = Recording(image)
    recording.paint(strokes)
    recording.step("segment", leak=0.7)
    recording.step("cells", method="watershed", min_size=20)
    later = strokes.copy()
    later[0] = 1
    recording.paint(later)  # after the answer: it does not count
    done = il.replay(save_session(tmp_path / "a.infoleak", recording.session))
    wanted = il.segment(image, annotations=strokes, axes="ZYX", leak=0.7)
    assert done.same_image
    assert done.steps == ("segment", "cells")
    assert done.result.labels.tobytes() == wanted.labels.tobytes()
    assert done.result.probabilities.tobytes() == wanted.probabilities.tobytes()
    cells = il.cells(wanted, method="watershed", min_size=20)
    assert done.cells.tobytes() == cells.tobytes()


def test_answers_of_parts_are_put_together(tiny, image, strokes, stack):
    recording = Recording(image)
    recording.paint(strokes)
    shape = (1, 3, 48, 64)
    first = Region.from_slices(shape, z=1, y=slice(0, 30))
    second = Region.from_slices(shape, z=1, y=slice(20, 48))
    for region in (first, second):
        recording.step("segment", region=[edge for pair in region.bounds for edge in pair])
        strokes = strokes.copy()
        strokes[1, 40:, 30] = 1
        recording.paint(strokes)
    done = il.replay(recording.session)
    assert not done.result.labels[[0, 2]].any()
    assert done.result.labels[1].all()
    assert done.result.axes == "ZYX"
    assert np.allclose(done.result.probabilities[:, 1].sum(0), 1)


def test_another_image_gets_the_paint_as_support(tiny, image, other, strokes):
    recording = Recording(image)
    recording.paint(strokes)
    recording.step("segment", leak=0.7)
    recording.step("cells", method="watershed", min_size=None)
    done = il.replay(recording.session, other, axes="ZYX")
    support = il.SupportSet().add(il.read(image, "ZYX"), strokes)
    wanted = il.segment(other, support, axes="ZYX", leak=0.7)
    assert not done.same_image
    assert done.result.labels.tobytes() == wanted.labels.tobytes()
    assert done.cells.shape == (2, 48, 64)


def test_labels_that_were_spread_are_spread_again(tiny, image, strokes, other):
    recording = Recording(image)
    recording.paint(strokes)
    recording.add_image(1, other)
    recording.paint(strokes[:2], 1)
    recording.step("segment")
    recording.step("propagate", axis="Z", stop_below=0.6, leak=0.9)
    done = il.replay(recording.session)
    assert done.steps == ("propagate",)  # it outdates what was answered before
    support = il.SupportSet().add(il.read(other, "ZYX"), strokes[:2])
    wanted = il.propagate(
        image, strokes, "Z", support=support, axes="ZYX", stop_below=0.6, leak=0.9
    )
    assert done.result.labels.tobytes() == wanted.labels.tobytes()
    assert [one.key for one in done.result.frames] == [one.key for one in wanted.frames]


def test_support_images_count(tiny, image, other, strokes, stack):
    recording = Recording(image)
    recording.paint(strokes)
    recording.add_image(1, other)
    recording.paint(strokes[:2], 1)
    recording.step("segment")
    done = il.replay(recording.session)
    support = il.SupportSet().add(il.read(other, "ZYX"), strokes[:2])
    wanted = il.segment(image, support, annotations=strokes, axes="ZYX")
    assert done.result.labels.tobytes() == wanted.labels.tobytes()
    assert done.result.provenance["support"]["hash"] == wanted.provenance["support"]["hash"]


def test_a_session_without_an_answer_is_segmented(tiny, image, strokes):
    recording = Recording(image)
    recording.paint(strokes)
    done = il.replay(recording.session)
    wanted = il.segment(image, annotations=strokes, axes="ZYX")
    assert done.result.labels.tobytes() == wanted.labels.tobytes()


def test_images_that_moved_are_found_by_name(tiny, image, strokes, tmp_path):
    recording = Recording(image)
    recording.paint(strokes)
    path = save_session(tmp_path / "a.infoleak", recording.session)
    moved = image.rename(tmp_path / "moved.npy")
    with pytest.raises(il.BadInput, match="--image cells=FILE"):
        il.replay(path)
    for name in ("cells", "cells.npy"):
        assert il.replay(path, images={name: moved}).same_image
    assert il.replay(path, moved).same_image
    np.save(moved, np.load(moved) + 1)
    with pytest.raises(il.BadInput, match="pixels differ"):
        il.replay(path, images={"cells": moved})


def test_an_array_is_known_again(tiny, image, strokes):
    recording = Recording(image)
    recording.paint(strokes)
    same = il.Image.from_array(np.load(image), "ZYX", name="another name")
    assert il.replay(recording.session, same).same_image
    assert not il.replay(recording.session, np.load(image)[:, ::-1]).same_image


def test_corrected_cells_are_corrected_again(tiny, image, strokes):
    from napari_infoleak.instances.union import keep_finished
    from napari_infoleak.session.corrections import correction

    recording = Recording(image)
    recording.paint(strokes)
    recording.step("segment")
    recording.step("cells", method="watershed", min_size=5)
    answer = il.segment(image, annotations=strokes, axes="ZYX")
    cells = il.cells(answer, method="watershed", min_size=5)
    fresh = cells.copy()
    corrections = il.Corrections(cells, axes="ZYX")
    one = int(cells[1, 20, 20])
    rows = np.flatnonzero((cells == one).any((0, 2)))
    columns = np.flatnonzero((cells == one).any((0, 1)))
    for x in (columns[len(columns) // 2], columns[len(columns) // 3]):
        step = corrections.split([(1, int(rows[0]) - 1, int(x)), (1, int(rows[-1]) + 1, int(x))])
        recording.step("correct", **correction(step))
    recording.step("correct", **correction(corrections.undo(), taken_back=True))
    assert not np.array_equal(cells, fresh)
    done = il.replay(recording.session.compact())
    assert np.array_equal(done.cells, cells)
    recording.step("cells", method="watershed", min_size=5, finished=[one])
    done = il.replay(recording.session.compact())
    assert np.array_equal(done.cells, keep_finished(fresh, cells, [one]))
    recording.step("segment")
    kept = keep_finished(fresh, cells, [one])
    assert np.array_equal(il.replay(recording.session.compact()).cells, kept), "as on screen"
    made = [step.number for step in recording.session.steps if step.name == "cells"]
    recording.session.take(records.taken_back(made[-1]))
    assert np.array_equal(il.replay(recording.session.compact()).cells, cells)
