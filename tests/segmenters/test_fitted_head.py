"""The head that is fitted to paint: what is held back, and when it is kept."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from napari_infoleak.core.support import SupportSet
from napari_infoleak.learn.neuropil import neuropil
from napari_infoleak.segmenters import registry
from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage
from napari_infoleak.segmenters.fitted_head import (
    AROUND,
    FOLDS,
    HeldBack,
    corrected,
    fit_head,
    folds,
    fullest,
    head_inputs,
    painted_cells,
)


def test_a_stroke_is_held_back_whole() -> None:
    annotation = np.zeros((200, 200), np.uint8)
    annotation[60:70, 20:100] = 1
    annotation[150:152, 30:90] = 2
    share = folds(annotation)
    assert len(np.unique(share[60:70, 20:100])) == 1
    assert len(np.unique(share[150:152, 30:90])) == 1
    assert ((share >= 0) == (annotation > 0)).all()


def test_paint_all_over_is_shared_out() -> None:
    share = folds(np.ones((256, 256), np.uint8))
    counts = np.bincount(share.ravel(), minlength=FOLDS)
    assert counts.min() > 0.2 * share.size


def test_the_fullest_window_holds_the_paint() -> None:
    annotation = np.zeros((64, 96), np.uint8)
    annotation[40:60, 70:90] = 1
    window = fullest(annotation, 32, 8)
    assert annotation[window].sum() == annotation.sum()
    assert annotation[window].shape == (32, 32)
    assert annotation[fullest(annotation, 500, 8)].shape == annotation.shape


def test_cells_are_counted_once() -> None:
    annotation = np.zeros((64, 64), np.uint8)
    annotation[:16, :16] = 1
    annotation[3, 40] = 2
    assert painted_cells(annotation) == 2


def asked(seed: int, noise: float) -> HeldBack:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(500, 3, generator=generator)
    lead = inputs[:, 0] + noise * torch.randn(500, generator=generator)
    return HeldBack(torch.zeros(500, 2), inputs, (lead > 0).long())


def test_a_head_that_helps_is_kept() -> None:
    head = fit_head([asked(s, 0.2) for s in range(3)], 1000)
    assert head is not None
    fresh = asked(9, 0.0)
    better = fresh.inputs @ head[:, :-1].T + head[:, -1]
    assert (better.argmax(1) == fresh.classes).float().mean() > 0.9


def test_a_head_that_does_not_help_is_not() -> None:
    parts = []
    for seed in range(3):  # each part follows a rule of its own
        part = asked(seed, 0.1)
        parts.append(dataclasses.replace(part, inputs=part.inputs.roll(seed, 1)))
    assert (
        fit_head([dataclasses.replace(p, classes=torch.randint(2, (500,))) for p in parts], 1000)
        is None
    )
    assert fit_head(parts[:1], 1000) is None


@pytest.mark.parametrize("size", [(1, 1), (3, 20), (17, 12)])
def test_a_pixel_is_seen_with_the_mean_of_what_lies_around_it(size: tuple[int, int]) -> None:
    features = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    found = head_inputs(features, features[:, :0])
    assert torch.equal(found[:, :3], features)
    for number, side in enumerate(AROUND, 1):
        around = functional.avg_pool2d(features, side, 1, side // 2, count_include_pad=False)
        torch.testing.assert_close(found[:, 3 * number : 3 * number + 3], around)


def test_a_head_corrects_by_its_inputs() -> None:
    scores, features, others = (torch.randn(1, count, 20, 24) for count in (3, 5, 4))
    inputs = head_inputs(features, others)
    head = torch.randn(3, inputs.shape[1] + 1)
    slopes, offset = head[:, :-1], head[:, -1, None, None]
    expected = scores + torch.einsum("bnyx,kn->bkyx", inputs, slopes) + offset
    found = corrected(scores, features, others, head)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def segmenter() -> AnnotationLeakage:
    loaded = registry.load("membrane")
    assert isinstance(loaded, AnnotationLeakage)
    return loaded


def test_strokes_fit_no_head_and_a_whole_plane_may(segmenter: AnnotationLeakage) -> None:
    scene = neuropil(np.random.default_rng(0), 384)
    truth = (1 + (scene.margin[0] <= 2.0)).astype(np.uint8)  # drawn much thicker than usual
    few = truth * (np.indices(truth.shape)[0] % 60 < 2)
    strokes = segmenter.remember(SupportSet().add(scene.image[0], few, axes="YX"))
    assert strokes.head is None
    whole = segmenter.remember(SupportSet().add(scene.image[0], truth, axes="YX"))
    assert whole.head is not None
    tile = torch.from_numpy(scene.image[None])
    with_head = segmenter.scores(tile, whole)
    without = segmenter.scores(tile, dataclasses.replace(whole, head=None))
    index = torch.from_numpy(truth.astype(np.int64))[None] - 1
    loss = torch.nn.functional.cross_entropy
    assert loss(with_head, index) < loss(without, index)
