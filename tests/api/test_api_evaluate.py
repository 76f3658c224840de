from __future__ import annotations

import numpy as np
import pytest

import napari_infoleak as il
from napari_infoleak.api import planes_seen
from napari_infoleak.core.errors import BadInput
from napari_infoleak.evaluate.metrics import evaluate as plain


def write(path, array, kind="labels", axes="ZYX", **more):
    il.write(path, array, axes=axes, kind=kind, **more)
    return path


def truth_of(membranes):
    return np.where(membranes, 2, 1).astype(np.uint8)


def test_arrays_and_files_score_alike(tiny, stack, strokes, tmp_path):
    image, membranes = stack
    truth = truth_of(membranes)
    result = il.segment(image, annotations=strokes, axes="ZYX")
    expected = plain(result.labels, truth)
    assert il.evaluate(result, truth) == expected
    assert il.evaluate(result.labels, truth) == expected
    predicted = write(tmp_path / "p.ome.tif", result.labels, provenance=result.provenance)
    known = write(tmp_path / "t.tif", truth)
    assert il.evaluate(predicted, known) == expected
    assert il.evaluate(str(predicted), known, axes="ZYX") == expected


def test_probabilities_are_taken_of_the_membrane(tiny, stack, strokes, tmp_path):
    image, membranes = stack
    truth = truth_of(membranes)
    result = il.segment(image, annotations=strokes, axes="ZYX")
    expected = plain(result.probabilities[1], truth, "probability")
    assert il.evaluate(result, truth, "probability") == expected
    assert il.evaluate(result.probabilities, truth, "probability", axes="ZYX") == expected
    assert il.evaluate(result.probabilities[1], truth, "probability") == expected
    path = write(
        tmp_path / "p.ome.tif", result.probabilities, "probabilities", classes=result.answered
    )
    assert il.evaluate(path, truth, "probability") == expected
    assert il.evaluate(path, truth, "probability", membrane=1, truth_membrane=1) != expected
    with pytest.raises(BadInput, match="no class 5"):
        il.evaluate(path, truth, "probability", membrane=5)


def test_the_membrane_is_found_by_its_name(tiny, stack, strokes, tmp_path):
    image, membranes = stack
    classes = il.ClassTable.for_ids([]).add("wall").add("plasma membrane").add("inside")
    painted = np.where(strokes == 2, 2, np.where(strokes == 1, 3, 0)).astype(np.uint8)
    support = il.SupportSet(classes).add(image[1], painted[1])
    result = il.segment(image, support, axes="ZYX")
    path = write(tmp_path / "p.tif", result.probabilities, "probabilities", classes=result.answered)
    assert result.class_ids == (2, 3)
    truth = truth_of(membranes)
    expected = plain(result.probabilities[0], truth, "probability")
    assert il.evaluate(path, truth, "probability") == expected


def test_cells_are_scored(stack):
    _, membranes = stack
    cells = np.arange(membranes.size).reshape(membranes.shape) // 700
    assert il.evaluate(cells, cells, "instances")["ap50"] == 1


def test_time_and_depth_are_folded(stack):
    _, membranes = stack
    truth = truth_of(membranes)[None].repeat(2, 0)
    scores = il.evaluate(truth, truth, axes="TZYX")
    assert scores["miou"] == 1
    turned = np.ascontiguousarray(truth.transpose(1, 2, 3, 0))
    assert il.evaluate(turned, turned, axes="ZYXT") == scores


def test_the_subpackage_of_the_same_name_stays_reachable(stack):
    import napari_infoleak.evaluate.metrics as metrics

    truth = truth_of(stack[1])
    assert il.evaluate(truth, truth) == metrics.evaluate(truth, truth)
    assert il.evaluate.metrics is metrics


# ---------------------------------------------------------------------- honest by construction


def test_an_image_of_the_support_set_is_refused(tiny, stack, strokes, tmp_path):
    image, membranes = stack
    truth = truth_of(membranes)
    support = il.SupportSet().add(image, strokes, axes="ZYX")
    result = il.segment(image, support, axes="ZYX")
    path = write(tmp_path / "p.tif", result.labels, provenance=result.provenance)
    for prediction in (result, path):
        with pytest.raises(BadInput, match="1 of the 3 planes"):
            il.evaluate(prediction, truth, support=support)
    with pytest.raises(BadInput, match="in the support set"):
        il.evaluate(result.labels, truth, support=support, image=image, axes="ZYX")


def test_another_image_is_scored(tiny, stack, strokes, tmp_path):
    image, membranes = stack
    support = il.SupportSet().add(image, strokes, axes="ZYX")
    other = image[:, ::-1] + 1
    result = il.segment(other, support, axes="ZYX")
    truth = truth_of(membranes[:, ::-1])
    path = write(tmp_path / "p.tif", result.labels, provenance=result.provenance)
    assert il.evaluate(path, truth, support=support)["miou"] > 0.4
    assert il.evaluate(result.labels, truth, support=support, image=other, axes="ZYX")


def test_a_prediction_of_unknown_origin_cannot_be_checked(stack, strokes):
    image, membranes = stack
    truth = truth_of(membranes)
    support = il.SupportSet().add(image, strokes, axes="ZYX")
    with pytest.raises(BadInput, match="give the image"):
        il.evaluate(truth, truth, support=support)


def test_a_truth_that_is_the_annotation_is_refused(stack):
    image, membranes = stack
    truth = truth_of(membranes)
    support = il.SupportSet().add(image[0], truth[0], name="first")
    with pytest.raises(BadInput, match="annotation of first"):
        il.evaluate(truth, truth, support=support, image=image + 1, axes="ZYX")


def test_an_image_that_was_painted_all_over_is_refused_by_itself(tiny, stack, tmp_path):
    image, membranes = stack
    truth = truth_of(membranes)
    strokes = np.where(np.arange(64) < 8, truth[0], 0)
    result = il.segment(image[0], annotations=strokes, axes="YX")
    path = write(tmp_path / "p.png", result.labels, axes="YX", provenance=result.provenance)
    for prediction in (result, path):
        with pytest.raises(BadInput, match="annotated by hand"):
            il.evaluate(prediction, truth[0])


def test_a_stack_with_one_painted_plane_is_scored_and_says_which(tiny, stack, strokes):
    image, membranes = stack
    result = il.segment(image, annotations=strokes, axes="ZYX")
    planes, painted = planes_seen(result)
    assert [plane in painted for plane in planes] == [False, True, False]
    assert il.evaluate(result, truth_of(membranes))


def test_a_channel_that_was_annotated_is_found(tiny, stack, strokes):
    image, membranes = stack
    both = np.stack([image, image + 7], axis=1)
    support = il.SupportSet().add(both, strokes, axes="ZCYX", channel=1)
    with pytest.raises(BadInput, match="in the support set"):
        il.evaluate(truth_of(membranes), strokes, support=support, image=both, axes="ZCYX")


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("prediction", "truth", "kind", "words"),
    [
        (np.ones((4, 5), int), np.ones((4, 6), int), "semantic", "4 x 5.*4 x 6"),
        (np.ones((4, 5), int), np.ones((3, 4, 5), int), "semantic", "one shape"),
        (np.ones((4, 5)), np.ones((4, 5), int), "semantic", "whole numbers"),
        (np.ones((4, 5), int), np.ones((4, 5), int), "probability", "floating-point"),
        (np.full((4, 5), 2.0), np.ones((4, 5), int), "probability", "0 to 1"),
        (np.full((4, 5), np.nan), np.ones((4, 5), int), "probability", "0 to 1"),
        (np.ones((4, 5), int), np.zeros((4, 5), int), "semantic", "no labelled"),
        (np.ones((4, 5), int), np.ones((4, 5), int), "best", "'best'"),
        ("missing.tif", np.ones((4, 5), int), "semantic", "missing.tif"),
        (np.ones((4, 5), int), "missing.tif", "semantic", "missing.tif"),
        (np.ones(4, int), np.ones(4, int), "semantic", "axes"),
    ],
)
def test_bad_input_is_told_in_one_line(prediction, truth, kind, words):
    with pytest.raises(BadInput, match=words) as caught:
        il.evaluate(prediction, truth, kind)
    assert "\n" not in str(caught.value)


def test_a_support_that_is_none_of_ours(stack):
    truth = truth_of(stack[1])
    with pytest.raises(BadInput, match="SupportSet"):
        il.evaluate(truth, truth, support=[truth])


def test_a_result_holds_no_cells(tiny, stack):
    result = il.segment(stack[0], axes="ZYX")
    with pytest.raises(BadInput, match="no cells"):
        il.evaluate(result, truth_of(stack[1]), "instances")


def test_a_truth_without_that_membrane_is_refused() -> None:
    truth = np.ones((8, 8), np.uint8)
    truth[4] = 200
    with pytest.raises(BadInput, match="class 2 is nowhere in it, 1, 200 are"):
        il.evaluate(truth, truth)
    assert il.evaluate(truth, truth, membrane=200)["v_rand"] == 1
