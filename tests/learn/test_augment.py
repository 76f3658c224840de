"""Varied crops: image and annotation stay together, and nothing is annotated that was not."""

from __future__ import annotations

import pytest
import torch

from napari_infoleak.learn.augment import NONE, Augment, blurred, cut

GEOMETRY = Augment(gamma=0, contrast=0, brightness=0, noise=0, blur=0)
MIRRORED = Augment(warp=0, gamma=0, contrast=0, brightness=0, noise=0, blur=0)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def volume(depth: int = 1, side: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    image = torch.randn(1, depth, side, side, generator=chance())
    return image, torch.randint(0, 3, (depth, side, side), generator=chance(), dtype=torch.uint8)


@pytest.mark.parametrize(("depth", "size"), [(1, (1, 32, 32)), (9, (4, 16, 24))])
def test_without_variation_a_crop_is_a_piece(depth: int, size: tuple[int, int, int]) -> None:
    image, labels = volume(depth)
    grey, painted = cut(image, labels, (depth // 2, 50, 40), size, NONE, chance())
    z, y, x = (c - s // 2 for c, s in zip((depth // 2, 50, 40), size, strict=True))
    box = slice(z, z + size[0]), slice(y, y + size[1]), slice(x, x + size[2])
    torch.testing.assert_close(grey, image[(slice(None), *box)])
    assert torch.equal(painted, labels[box])


@pytest.mark.parametrize("depth", [1, 6])
def test_image_and_annotation_are_turned_together(depth: int) -> None:
    _, labels = volume(depth)
    for seed in range(20):
        size = (min(depth, 4), 33, 32)
        grey, painted = cut(
            labels[None].float(), labels, (depth // 2, 40, 60), size, MIRRORED, chance(seed)
        )
        torch.testing.assert_close(grey[0], painted.float(), atol=1e-3, rtol=0)


def test_warped_strokes_stay_on_their_lines() -> None:
    line = torch.zeros(1, 1, 160, 160)  # so large that no crop reaches beyond
    line[..., 70:76, :] = 1
    labels = line[0].byte()
    for seed in range(20):
        grey, painted = cut(line, labels, (0, 80, 80), (1, 64, 64), GEOMETRY, chance(seed))
        assert (grey[0][painted == 1] > 0.4).all()
        assert (grey[0][painted == 0] < 0.6).all()


def test_nothing_new_is_annotated() -> None:
    image, _ = volume()
    blank = torch.zeros(1, 96, 96, dtype=torch.uint8)
    blank[0, 30:34, 30:34] = 2
    for seed in range(20):
        _, painted = cut(image, blank, (0, 0, 0), (1, 64, 64), Augment(), chance(seed))
        assert set(painted.unique().tolist()) <= {0, 2}


def test_beyond_the_image_is_unlabelled_and_mirrored() -> None:
    image, labels = volume(2, 16)
    full = torch.ones_like(labels)
    grey, painted = cut(image, full, (1, 8, 8), (6, 40, 40), NONE, chance())
    assert int(painted.sum()) == 2 * 16 * 16
    assert torch.isfinite(grey).all()
    assert grey.std() > 0.5


def test_the_same_seed_gives_the_same_crop() -> None:
    image, labels = volume()
    first, second = (
        cut(image, labels, (0, 40, 40), (1, 32, 32), Augment(), chance(7)) for _ in range(2)
    )
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_grey_values_stay_in_range_and_change() -> None:
    image, labels = volume()
    look = Augment(mirror=False, warp=0)
    crops = [cut(image, labels, (0, 48, 48), (1, 32, 32), look, chance(s))[0] for s in range(30)]
    plain = cut(image, labels, (0, 48, 48), (1, 32, 32), NONE, chance())[0]
    assert all(float(crop.abs().max()) <= 5 for crop in crops)
    assert all(not torch.equal(crop, plain) for crop in crops)


def test_blur_keeps_the_mean_and_tiny_planes() -> None:
    flat = torch.full((1, 2, 20, 20), 3.0)
    torch.testing.assert_close(blurred(flat, 1.0), flat)
    assert blurred(torch.randn(1, 1, 3, 3), 1.0).shape == (1, 1, 3, 3)
