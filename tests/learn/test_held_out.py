"""What is held out: blocks of planes, strips of dense ones, whole strokes; never a class's last."""

from __future__ import annotations

import numpy as np
import torch

from napari_infoleak.core.support import SupportSet
from napari_infoleak.learn.batches import Annotated, annotated, counts
from napari_infoleak.learn.held_out import hold_out
from tiny_trainable import painted, sparse


def test_of_many_planes_a_block_of_neighbours_is_held_out() -> None:
    support = painted(10)
    data = annotated(support, support.classes)
    training, validation = hold_out(data, 2)
    assert len(training) == 8
    places = [i for i, one in enumerate(data) if any(one is v for v in validation)]
    assert places == [8, 9]


def test_a_class_of_one_plane_stays_in_training() -> None:
    image = np.random.default_rng(0).normal(size=(6, 16, 16))
    labels = np.ones((6, 16, 16), np.uint8)
    labels[:, 8:] = 2
    labels[5, :2] = 3
    support = SupportSet().add(image, labels, axes="ZYX")
    training, validation = hold_out(annotated(support, support.classes), 3)
    assert (counts(training, 3) > 0).all()
    assert len(validation) == 1


def test_of_strokes_whole_ones_are_held_out_and_none_is_in_both() -> None:
    support = sparse()
    data = annotated(support, support.classes)
    training, validation = hold_out(data, 2, seed=1)
    kept, held = training[0].labels, validation[0].labels
    assert not ((kept > 0) & (held > 0)).any()
    assert torch.equal(torch.maximum(kept, held), data[0].labels)
    assert (counts(training, 2) > 0).all()
    assert (counts(validation, 2) > 0).all()


def test_of_a_dense_plane_a_strip_is_held_out() -> None:
    support = painted(1)
    training, validation = hold_out(annotated(support, support.classes), 2)
    held = (validation[0].labels > 0)[0]
    assert held[:, -12:].all()
    assert not held[:, :-14].any()
    assert not (training[0].labels > 0)[0][held].any()


def test_where_little_is_painted_nothing_is_held_out() -> None:
    labels = torch.zeros(1, 32, 32, dtype=torch.uint8)
    labels[0, 3, 3:9], labels[0, 20, 3:9] = 1, 2
    data = [Annotated(torch.randn(1, 1, 32, 32), labels)]
    training, validation = hold_out(data, 2)
    assert torch.equal(training[0].labels, labels)
    assert validation == []


def test_propagated_annotations_are_never_judged_by() -> None:
    image, truth = np.random.default_rng(0).normal(size=(6, 16, 16)), np.ones((6, 16, 16), np.uint8)
    truth[:, 8:] = 2
    support = SupportSet().add(image[:1], truth[:1], axes="ZYX")
    support = support.add(image[1:], truth[1:], axes="ZYX", permanent=False, weight=0.5)
    _, validation = hold_out(annotated(support, support.classes), 2)
    assert all(one.permanent for one in validation)
