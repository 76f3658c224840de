"""While a user paints, the same view is asked about again and again."""

from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor

import napari_infoleak as il
from napari_infoleak.api import _segment
from napari_infoleak.core.region import Region
from napari_infoleak.nets.unet import UNet


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes of all that a U-Net looks at."""
    seen: list[tuple[int, ...]] = []
    forward = UNet.forward

    def count(self: UNet, x: Tensor) -> Tensor:
        seen.append(tuple(x.shape))
        return forward(self, x)

    monkeypatch.setattr(UNet, "forward", count)
    return seen


def picture(seed: int, side: int = 160) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(side, side)).cumsum(0).astype(np.float32)


def paint(*rows: int, side: int = 160) -> np.ndarray:
    out = np.zeros((side, side), np.uint8)
    for number, row in enumerate(rows):
        out[row : row + 3, 20:120] = number % 2 + 1
    return out


def same(one: il.Result, other: il.Result) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("labels", "probabilities")
    )


@pytest.mark.parametrize("view", [None, (30, 120)])
def test_a_stroke_more_needs_no_second_look(
    looks: list[tuple[int, ...]], view: tuple[int, int] | None
) -> None:
    image = picture(1)
    region = None if view is None else Region.from_slices((1, 1, 160, 160), y=slice(*view))
    first = il.segment(image, annotations=paint(40, 60), axes="YX", region=region)
    looks.clear()
    more = il.segment(image, annotations=paint(40, 60, 90), axes="YX", region=region)
    assert not looks
    erased = il.segment(image, annotations=paint(40, 60), axes="YX", region=region)
    assert not looks
    assert same(erased, first)
    assert not same(more, first)
    _segment._ready.cache_clear()  # as in a process that has seen nothing
    assert same(il.segment(image, annotations=paint(40, 60, 90), axes="YX", region=region), more)
    assert looks


def test_the_leak_can_be_moved_without_a_second_look(looks: list[tuple[int, ...]]) -> None:
    image, painted = picture(2), paint(40, 60)
    first = il.segment(image, annotations=painted, axes="YX", leak=1.0)
    looks.clear()
    second = il.segment(image, annotations=painted, axes="YX", leak=0.5)
    assert not looks
    assert not same(first, second)
