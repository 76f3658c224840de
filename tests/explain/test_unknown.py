"""What looks like no class is named, with a map of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import napari_infoleak as il


@pytest.fixture(scope="module")
def painted() -> tuple[np.ndarray, np.ndarray]:
    """Smooth ground with stripes, both painted, and a chessboard that nobody has painted."""
    rng = np.random.default_rng(0)
    image = rng.normal(0, 0.05, (2, 128, 128)).astype(np.float32)
    image[:, :, 60:64] = 2
    strokes = np.zeros(image.shape, np.uint8)
    strokes[0, 10:110, 20:50] = 1
    strokes[0, 10:110, 60:64] = 2
    board = np.indices((24, 24)).sum(0) // 3 % 2 * 4.0 - 2
    image[1, 80:104, 90:114] = board
    return image, strokes


def test_the_strangest_place_is_what_nobody_painted(painted: Any) -> None:
    image, strokes = painted
    found = il.unknown(image, annotations=strokes, axes="ZYX", device="cpu", threads=1)
    assert found.map.shape == image.shape
    assert found.axes == "ZYX"
    best = found.places[0]
    assert best.z == 1
    assert 72 <= best.y < 112
    assert 82 <= best.x < 122
    assert found.map[1, 80:104, 90:114].mean() > found.map[0, 10:110, 20:50].mean()
    assert [one.strangeness for one in found.places] == sorted(
        (one.strangeness for one in found.places), reverse=True
    )


def test_models_that_cannot_tell_say_so(painted: Any) -> None:
    image, strokes = painted
    with pytest.raises(il.BadInput, match="nothing is annotated"):
        il.unknown(image, axes="ZYX")
    with pytest.raises(il.BadInput, match="count is 0"):
        il.unknown(image, annotations=strokes, axes="ZYX", count=0)
    settings: Any = {"init": None, "options": {"widths": (4, 8), "features": 4}, "crop": 16}
    plain = il.train([(image, strokes)], axes="ZYX", method="unet", steps=1, **settings)
    with pytest.raises(il.BadInput, match="cannot tell"):
        il.unknown(image, model=plain, axes="ZYX")


def test_class_vectors_are_asked_without_paint(painted: Any) -> None:
    image, strokes = painted
    settings: Any = {"init": None, "options": {"widths": (4, 8), "features": 4}, "crop": 16}
    model = il.train([(image, strokes)], axes="ZYX", method="continual", steps=1, **settings)
    found = il.unknown(image, model=model, axes="ZYX", count=2)
    assert len(found.places) == 2
    assert np.isfinite(found.map).all()
