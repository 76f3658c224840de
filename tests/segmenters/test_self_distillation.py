"""A network that teaches itself is a plain one at test."""

from __future__ import annotations

from typing import Any

import torch

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.segmenters.batch import Batch
from napari_infoleak.segmenters.self_distillation import SelfDistillationSegmenter
from napari_infoleak.segmenters.unet import PlainUNet


def made(**options: Any) -> SelfDistillationSegmenter:
    torch.manual_seed(0)
    return SelfDistillationSegmenter.fresh(
        ClassTable.membrane(), widths=(4, 6, 8), features=4, **options
    )


def batch() -> Batch:
    images = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    return Batch(images, (images[:, 0] > 0).long())


def test_the_model_file_is_that_of_a_plain_unet() -> None:
    plain = PlainUNet.fresh(ClassTable.membrane(), widths=(4, 6, 8), features=4)
    assert made().tensors().keys() == plain.tensors().keys()


def test_a_model_that_is_trained_further_teaches_itself_again() -> None:
    again = SelfDistillationSegmenter.from_file(made().tensors(), made().header())
    assert again.loss(batch()).keys() == made().loss(batch()).keys()


def test_without_teaching_it_is_deep_supervision() -> None:
    terms = made(alpha=0.0, beta=0.0).loss(batch())
    assert terms.keys() == {"answer", "supervised"}


def test_what_is_taught_moves_the_layers_and_not_the_head() -> None:
    segmenter = made()
    terms = segmenter.loss(batch())
    head, stem = segmenter.net.head.weight, segmenter.net.body.stem[0].conv.weight
    of_head, of_stem = torch.autograd.grad(terms["distilled"], [head, stem], allow_unused=True)
    assert of_head is None
    assert of_stem.abs().max() > 0
