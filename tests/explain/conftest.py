"""A painted tissue and the shipped model, which reads paint as a user's model does."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_infoleak.infer.backends import prepare
from napari_infoleak.learn.strokes import paint
from napari_infoleak.learn.synthesis import MEMBRANE, synthesise
from napari_infoleak.segmenters import registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_infoleak.segmenters.protocol import Segmenter


@pytest.fixture(scope="session")
def segmenter() -> Segmenter:
    return prepare(registry.load("membrane"), "cpu")


@cache
def tissue(seed: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Image and truth of some planes: 1 interior, 2 membrane."""
    scene = synthesise(np.random.default_rng(seed), (7, 224, 224))
    return scene.image, np.where(scene.classes == MEMBRANE, 2, 1).astype(np.uint8)


def painted(truth: NDArray[np.uint8], strokes: int, seed: int) -> NDArray[np.uint8]:
    """Some strokes of each class."""
    rng = np.random.default_rng(seed)
    return (paint(truth.astype(np.int64) - 1, strokes, rng, width=3, length=40) + 1).astype(
        np.uint8
    )


@pytest.fixture
def scene() -> Callable[[int], tuple[NDArray[Any], NDArray[np.uint8]]]:
    return tissue


@pytest.fixture
def brush() -> Callable[[NDArray[np.uint8], int, int], NDArray[np.uint8]]:
    return painted
