"""Batches: around what is annotated, every class as often as it takes, the same for a seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.image import Image
from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.support import SupportSet
from napari_infoleak.learn.augment import NONE
from napari_infoleak.learn.batches import Annotated, Crops, annotated, counts
from napari_infoleak.learn.frames import others
from tiny_trainable import painted, sparse


def one_pixel() -> list[Annotated]:
    labels = torch.zeros(1, 64, 64, dtype=torch.uint8)
    labels[0, :40] = 1
    labels[0, 60, 60] = 2
    return [Annotated(torch.randn(1, 1, 64, 64), labels)]


def test_every_crop_holds_an_annotation_however_sparse() -> None:
    support = sparse()
    crops = Crops(annotated(support, support.classes), 2, (1, 16, 16), augment=NONE)
    for step in range(20):
        batch = crops.draw(step, 4)
        assert (batch.truth >= 0).flatten(1).any(1).all()
        assert batch.images.shape == (4, 1, 16, 16)


def test_a_class_of_one_pixel_is_seen_often() -> None:
    crops = Crops(one_pixel(), 2, (1, 16, 16), augment=NONE)
    seen = [bool((crops.draw(step, 1).truth == 1).any()) for step in range(100)]
    assert 10 < sum(seen) < 60


def test_a_class_may_be_drawn_above_all() -> None:
    crops = Crops(one_pixel(), 2, (1, 16, 16), augment=NONE, above_all=1)
    seen = [bool((crops.draw(step, 1).truth == 1).any()) for step in range(100)]
    assert sum(seen) >= 60


def test_the_crops_of_a_step_depend_on_seed_step_and_rank_alone() -> None:
    data = annotated(painted(), painted().classes)
    first = Crops(data, 2, (1, 16, 16), seed=3)
    first.draw(0, 2)
    again = Crops(data, 2, (1, 16, 16), seed=3)
    assert torch.equal(first.draw(5, 2).images, again.draw(5, 2).images)
    others = [again.draw(6, 2), Crops(data, 2, (1, 16, 16), seed=4).draw(5, 2)]
    others.append(Crops(data, 2, (1, 16, 16), seed=3, rank=1).draw(5, 2))
    assert all(not torch.equal(one.images, again.draw(5, 2).images) for one in others)


def test_images_smaller_than_a_crop_are_mirrored_and_unlabelled_beyond() -> None:
    image = np.random.default_rng(0).normal(size=(10, 12))
    labels = np.ones((10, 12), np.uint8)
    labels[5:] = 2
    support = SupportSet().add(image, labels, axes="YX")
    batch = Crops(annotated(support, support.classes), 2, (1, 32, 32), augment=NONE).draw(0, 1)
    assert int((batch.truth >= 0).sum()) == 120


def test_class_ids_become_places_in_the_table() -> None:
    labels = np.zeros((8, 8), np.uint8)
    labels[0], labels[1] = 7, 3
    support = SupportSet().add(np.random.default_rng(0).normal(size=(8, 8)), labels, axes="YX")
    (one,) = annotated(support, ClassTable.for_ids([3, 7]))
    assert one.labels[0, 0, 0] == 2
    assert one.labels[0, 1, 0] == 1
    assert counts([one], 2).tolist() == [8, 8]


def test_neighbouring_planes_become_volumes() -> None:
    image, truth = np.random.default_rng(0).normal(size=(6, 16, 16)), np.ones((6, 16, 16), np.uint8)
    truth[:, 8:] = 2
    truth[2] = 0
    support = SupportSet().add(image, truth, axes="ZYX")
    volumes = annotated(support, support.classes, dims=3)
    assert [tuple(one.labels.shape) for one in volumes] == [(2, 16, 16), (3, 16, 16)]
    batch = Crops(volumes, 2, (4, 8, 8), dims=3).draw(0, 2)
    assert batch.images.shape == (2, 1, 4, 8, 8)
    assert batch.truth.shape == (2, 4, 8, 8)


def test_volumes_hold_the_planes_around_annotated_ones() -> None:
    pixels = np.random.default_rng(0).normal(size=(20, 16, 16)).astype(np.float32)
    truth = np.zeros((20, 16, 16), np.uint8)
    truth[5, :8], truth[5, 8:], truth[7, 8:] = 1, 2, 2
    image = Image.from_array(pixels, "ZYX", name="stack")
    support = SupportSet().add(image, truth)
    frames = list(others(image, None, support.planes))
    (one,) = annotated(support, support.classes, 3, frames, reach=3)
    assert one.labels.shape == (9, 16, 16)
    np.testing.assert_allclose(one.image[0, 0], normalise(pixels[2]))
    assert one.labels.flatten(1).any(1).nonzero()[:, 0].tolist() == [3, 5]


def test_heavier_images_are_drawn_more_often() -> None:
    light, heavy = (
        Annotated(torch.full((1, 1, 8, 8), value), torch.ones(1, 8, 8, dtype=torch.uint8), weight)
        for value, weight in ((0.0, 0.1), (1.0, 0.9))
    )
    crops = Crops([light, heavy], 1, (1, 8, 8), augment=NONE)
    mean = float(torch.cat([crops.draw(step, 8).images for step in range(20)]).mean())
    assert 0.75 < mean < 1


@pytest.mark.parametrize(("value", "says"), [(np.nan, "holds no number"), (3.0, "same value")])
def test_images_that_show_nothing_are_refused(value: float, says: str) -> None:
    labels = np.ones((8, 8), np.uint8)
    labels[4:] = 2
    support = SupportSet().add(np.full((8, 8), value), labels, axes="YX")
    with pytest.raises(BadInput, match=says):
        annotated(support, support.classes)
