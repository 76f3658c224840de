"""Teachers teach, and stay behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.segmenters.batch import Batch
from napari_infoleak.segmenters.class_distillation import DistillationSegmenter
from napari_infoleak.segmenters.unet import PlainUNet


def made(**options: Any) -> DistillationSegmenter:
    torch.manual_seed(0)
    sizes = {"widths": (4, 6), "features": 4, "teacher_widths": (6, 8), "teacher_features": 5}
    return DistillationSegmenter.fresh(ClassTable.membrane(), **sizes, **options)


def batch() -> Batch:
    images = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    return Batch(images, (images[:, 0] > 0).long(), 0.9)


def test_the_model_file_holds_the_small_network_alone() -> None:
    small = PlainUNet.fresh(ClassTable.membrane(), widths=(4, 6), features=4)
    assert made().tensors().keys() == small.tensors().keys()
    again = DistillationSegmenter.from_file(made().tensors(), made().header())
    assert len(list(again.modules())) == 1


def test_the_teachers_answer_where_nothing_is_annotated_too() -> None:
    truth = batch().truth.clone()
    truth[:, :8] = -1
    whole, half = (made().loss(one) for one in (batch(), replace(batch(), truth=truth)))
    assert torch.equal(whole["distilled"], half["distilled"])
    assert not torch.equal(whole["answer"], half["answer"])


def test_the_teachers_learn_from_their_own_class_alone() -> None:
    segmenter = made()
    terms = segmenter.loss(batch())
    assert segmenter.teachers is not None
    first, second = segmenter.teachers.each
    own = torch.autograd.grad(
        terms["teachers/interior"], list(second.parameters()), allow_unused=True, retain_graph=True
    )
    assert all(one is None for one in own)
    taught = torch.autograd.grad(
        terms["distilled"], list(first.parameters()), allow_unused=True, retain_graph=True
    )
    assert all(one is None for one in taught)
    assert terms["distilled"] > 0


def test_without_weight_it_is_the_small_network_by_itself() -> None:
    assert "distilled" not in made(weight=0.0).loss(batch())


def test_teachers_begin_as_the_model_that_is_made_small() -> None:
    torch.manual_seed(5)
    large = PlainUNet.fresh(ClassTable.membrane(), widths=(6, 8), features=5)
    segmenter = made()
    segmenter.adopt(large.tensors(), large.classes)
    assert segmenter.teachers is not None
    given = batch().images
    segmenter.teachers.eval()
    torch.testing.assert_close(
        torch.cat(segmenter.teachers(given), 1).sigmoid(),
        large.net(given).softmax(1),
        atol=1e-5,
        rtol=1e-4,
    )
