"""What is kept of a tile is what would be computed again."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from napari_infoleak.segmenters.features import Features


class Body(nn.Module):
    """Counts how often it looks."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 4, 3, padding=1).requires_grad_(False)
        self.looks = 0

    def forward(self, x: Tensor) -> Tensor:
        self.looks += 1
        found: Tensor = self.conv(x)
        return found


@pytest.fixture
def body() -> Body:
    return Body()


def tiles(count: int = 1, side: int = 16, seed: int = 1) -> Tensor:
    return torch.randn(count, 1, side, side, generator=torch.Generator().manual_seed(seed))


def test_a_tile_is_looked_at_once(body: Body) -> None:
    features = Features(body)
    first = features.again(tiles())
    second = features.again(tiles())
    assert body.looks == 1
    assert torch.equal(first, second)
    assert torch.equal(first, features.of(tiles()))


def test_other_tiles_have_features_of_their_own(body: Body) -> None:
    features = Features(body)
    both = tiles(2)
    found = features.again(both)
    assert body.looks == 2
    assert torch.equal(features.again(both[1:]), found[1:])
    assert body.looks == 2
    assert not torch.equal(found[0], found[1])


def test_a_window_is_cut_out(body: Body) -> None:
    features = Features(body)
    window = slice(4, 8), slice(2, 16)
    cut = features.again(tiles(), window)
    assert torch.equal(cut, features.of(tiles())[..., 4:8, 2:16])
    assert torch.equal(features.again(tiles()), features.of(tiles()))  # not the window again


def test_other_weights_see_otherwise(body: Body) -> None:
    features = Features(body)
    before = features.again(tiles())
    body.conv.weight.data.mul_(2)  # behind its back
    after = features.again(tiles())
    assert body.looks == 2
    assert not torch.equal(before, after)


def test_no_more_is_kept_than_allowed(body: Body) -> None:
    size = features_bytes = 4 * 16 * 16 * 4
    features = Features(body, limit=2 * size)
    for seed in (1, 2, 1, 3):
        features.again(tiles(seed=seed))
    assert body.looks == 3
    features.again(tiles(seed=1))  # used after 2 was
    assert body.looks == 3
    features.again(tiles(seed=2))
    assert body.looks == 4
    none = Features(body, limit=features_bytes - 1)
    assert torch.equal(none.again(tiles()), none.again(tiles()))
