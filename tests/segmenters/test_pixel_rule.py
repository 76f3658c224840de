"""The linear rule of painted pixels: what it sees, what it learns, and where it keeps silent."""

import numpy as np
import pytest
import torch

import napari_infoleak as il
from napari_infoleak.segmenters import registry
from napari_infoleak.segmenters.fitted_head import corrected, head_inputs
from napari_infoleak.segmenters.pixel_rule import fit_rule, painted_pixels


def test_painted_pixels_see_what_the_whole_plane_would_see_there() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, 3, 24, 40, generator=generator)
    index = torch.zeros(24, 40, dtype=torch.int64)
    index[0, :6], index[10:13, 20:30], index[23, 39] = 4, 7, 9  # at corners, too
    inputs, ids = painted_pixels(features, index)
    whole = head_inputs(features, features[:, :0])[0]
    assert sorted(set(ids.tolist())) == [4, 7, 9]
    for k in (4, 7, 9):
        torch.testing.assert_close(inputs[ids == k], whole[:, index == k].T)


def test_much_paint_is_sampled_over_the_whole_of_it() -> None:
    features = torch.arange(64 * 64.0).view(1, 1, 64, 64)
    inputs, ids = painted_pixels(features, torch.ones(64, 64, dtype=torch.int64))
    assert len(ids) < 64 * 64
    assert inputs[:, 0].min() == 0
    assert inputs[:, 0].max() == 64 * 64 - 1


@pytest.mark.parametrize("share", [0.5, 0.05])
def test_classes_that_features_tell_apart_are_told_apart_however_rare(share: float) -> None:
    rng = np.random.default_rng(1)
    rare = rng.random((32, 32)) < share
    features = torch.from_numpy(rng.normal(size=(1, 2, 32, 32)).astype(np.float32))
    features[0, 1] += 4 * torch.from_numpy(rare)
    inputs, ids = painted_pixels(features, torch.from_numpy(rare.astype(np.int64) + 1))
    rule = fit_rule(inputs, ids - 1, torch.ones(len(ids)), others=1)
    zeros = torch.zeros(1, 2, 32, 32)
    found = corrected(zeros, features, torch.randn(1, 1, 32, 32), rule).argmax(1)[0].numpy()
    assert (found[rare] == 1).mean() > 0.9
    assert (found[~rare] == 0).mean() > 0.9


def test_interior_and_membrane_have_no_rule_and_classes_of_ones_own_do() -> None:
    rng = np.random.default_rng(2)
    image = rng.normal(size=(96, 96)).astype(np.float32)
    two = np.zeros((96, 96), np.uint8)
    two[10:14, 10:40], two[30:34, 10:40] = 1, 2
    three = two.copy()
    three[60:64, 10:40] = 3
    segmenter = registry.load("membrane")
    assert segmenter.remember(il.SupportSet().add(image, three, axes="YX")).head is not None
    memory = segmenter.remember(il.SupportSet().add(image, two, axes="YX"))
    assert memory.preset == (memory.head is None)
