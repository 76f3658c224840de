"""What would show that a leak is no leak, or one of the wrong kind; asked of the shipped model.

The audits of a network that is being trained are in `tests/learn`, those that refuse an annotated
image for scoring in `tests/api`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.support import SupportSet
from napari_infoleak.learn.synthesis import MEMBRANE, Scene, synthesise
from napari_infoleak.segmenters import registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_infoleak.learn.synthesis import Kind
    from napari_infoleak.segmenters.protocol import Segmenter


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return registry.load("membrane")


@pytest.fixture(scope="module", params=["em", "fluorescence"])
def scene(request: pytest.FixtureRequest) -> Scene:
    """Two planes of a tissue: the first is annotated, the second is asked about."""
    return synthesise(np.random.default_rng(1), (2, 192, 192), request.param)


def truth(scene: Scene) -> NDArray[np.uint8]:
    return np.where(scene.classes == MEMBRANE, 2, 1).astype(np.uint8)


def support(scene: Scene, annotation: NDArray[np.uint8]) -> SupportSet:
    return SupportSet().add(scene.image[0], annotation, axes="YX")


def overlap(segmenter: Segmenter, scene: Scene, known: SupportSet) -> float:
    """Intersection over union of the membranes of the second plane."""
    tile = torch.from_numpy(normalise(scene.image[1]))[None, None]
    scores = segmenter.scores(tile, segmenter.remember(known))[0].numpy()
    found, wanted = scores.argmax(0) == 1, truth(scene)[1] == 2
    return float((found & wanted).sum() / (found | wanted).sum())


@pytest.mark.parametrize("kind", ["em", "fluorescence"])
def test_annotations_help_and_shuffled_ones_do_not(segmenter: Segmenter, kind: Kind) -> None:
    """On the mean of several scenes: a single one can gain by chance."""
    found = []
    for seed in range(1, 6):
        scene = synthesise(np.random.default_rng(seed), (2, 192, 192), kind)
        annotation = truth(scene)[0]
        shuffled = np.random.default_rng(0).permutation(annotation.ravel())
        known = [annotation, shuffled.reshape(annotation.shape)]
        supports = [SupportSet(), *(support(scene, labels) for labels in known)]
        found.append([overlap(segmenter, scene, one) for one in supports])
    baseline, true, permuted = np.mean(found, 0)
    assert true > baseline
    assert permuted <= baseline


def test_the_order_of_entries_does_not_matter(segmenter: Segmenter, scene: Scene) -> None:
    memory = segmenter.remember(support(scene, truth(scene)[0]))
    order = torch.randperm(len(memory), generator=torch.Generator().manual_seed(0))
    entries = ("keys", "values", "bias")
    other = dataclasses.replace(memory, **{name: getattr(memory, name)[order] for name in entries})
    tile = torch.from_numpy(normalise(scene.image[1]))[None, None]
    torch.testing.assert_close(
        segmenter.scores(tile, memory), segmenter.scores(tile, other), atol=1e-3, rtol=1e-3
    )


def test_an_answer_comes_again(segmenter: Segmenter, scene: Scene) -> None:
    known = support(scene, truth(scene)[0])
    tile = torch.from_numpy(normalise(scene.image[1]))[None, None]
    fresh = registry.load("membrane")
    first, second = (s.scores(tile, s.remember(known)) for s in (segmenter, fresh))
    assert torch.equal(first, second)
