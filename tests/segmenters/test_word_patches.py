"""Words come from the training images and stay with the model."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput
from napari_infoleak.segmenters.batch import Batch
from napari_infoleak.segmenters.word_patches import WordPatchSegmenter


def made(**options: Any) -> WordPatchSegmenter:
    sizes = {"widths": (4, 6, 8), "features": 4, "window": 16, "words": 6}
    return WordPatchSegmenter.fresh(ClassTable.membrane(), **sizes, **options)


def sample() -> Batch:
    images = torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    images[..., 16:] += 3
    return Batch(images, (images[:, 0] > 1).long())


@pytest.mark.parametrize("kind", ["trainable", "clustered"])
def test_words_resemble_the_training_images(kind: str) -> None:
    segmenter = made(kind=kind)
    segmenter.begin(sample())
    means = segmenter.words.mean((1, 2, 3))
    assert segmenter.words.shape == (6, 1, 4, 4)
    assert means.min() < 0.5
    assert means.max() > 2.5


def test_words_of_a_model_are_kept() -> None:
    first, second = made(), made()
    first.begin(sample())
    second.adopt(first.tensors(), first.classes)
    second.begin(sample())
    again = WordPatchSegmenter.from_file(first.tensors(), first.header())
    assert torch.equal(first.words, second.words)
    assert torch.equal(first.words, again.words)


def test_constant_images_have_no_words() -> None:
    flat = Batch(torch.ones(2, 1, 32, 32), torch.zeros(2, 32, 32, dtype=torch.int64))
    with pytest.raises(BadInput, match="different patches"):
        made().begin(flat)
