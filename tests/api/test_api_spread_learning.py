"""`il.propagate` with a model that learns on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import napari_infoleak as il
from napari_infoleak.core.progress import NULL
from napari_infoleak.infer.outputs import Outputs
from napari_infoleak.segmenters.fingerprint import weights_hash
from napari_infoleak.spread.order import Series
from napari_infoleak.spread.walk import Walk
from tiny_segmenter import TinySegmenter

N = 7


@pytest.fixture(scope="module")
def movie() -> tuple[np.ndarray, np.ndarray]:
    """Frames of bright cells with dark membranes that fade, and their truth."""
    rng = np.random.default_rng(0)
    membranes = np.zeros((N, 32, 48), bool)
    for n in range(N):
        membranes[n, n % 3 :: 8, :] = membranes[n, :, ::8] = True
    faded = np.linspace(40, 140, N)[:, None, None]
    image = np.where(membranes, faded, 200.0) + rng.normal(0, 20, membranes.shape)
    return image.astype(np.float32), np.where(membranes, 2, 1).astype(np.uint8)


@pytest.fixture(scope="module")
def paint(movie: Any) -> np.ndarray:
    return np.where(np.arange(N)[:, None, None] == 1, movie[1], 0).astype(np.uint8)


@pytest.fixture(scope="module")
def model(movie: Any) -> il.Model:
    """A network that has hardly learned, and knows a class of its own."""
    image, truth = movie
    other = truth[:1].copy()
    other[..., 40:] = 5
    settings: dict[str, Any] = {"method": "unet", "init": None, "steps": 10, "rate": 0.02}
    sizes = {"widths": (8, 16), "features": 8}
    settings |= {"options": sizes, "crop": 32, "device": "cpu", "threads": 1}
    return il.train([(image[:1], other)], axes="ZYX", **settings)


def learned(image: Any, paint: Any, model: Any, **more: Any) -> il.api.Spread:
    settings: dict[str, Any] = {"fine_tune": True, "steps": 6, "device": "cpu", "threads": 1}
    return il.propagate(image, paint, "Z", model, axes="ZYX", **settings | more)


def test_what_is_learned_on_the_way_helps(movie: Any, paint: Any, model: il.Model) -> None:
    image, truth = movie
    before = weights_hash(model.segmenter.tensors())
    plain = il.propagate(image, paint, "Z", model, axes="ZYX", device="cpu", threads=1)
    after = learned(image, paint, model, steps=60)
    right = [float((one.labels[2:] == truth[2:]).mean()) for one in (plain, after)]
    assert right[1] > right[0] + 0.1
    assert weights_hash(model.segmenter.tensors()) == before
    assert after.class_ids == (1, 2, 5), "what the model knew, and what is painted"
    assert after.provenance["settings"]["fine_tune"]["steps"] == 60
    np.testing.assert_array_equal(after.labels[1], truth[1])


@pytest.mark.parametrize("shipped", [True, False])
def test_the_seed_decides(movie: Any, paint: Any, model: il.Model, shipped: bool) -> None:
    image, given = movie[0][:4], "membrane" if shipped else model
    one, same, other = (learned(image, paint[:4], given, seed=seed, steps=2) for seed in (0, 0, 1))
    assert one.probabilities.tobytes() == same.probabilities.tobytes()
    assert [frame.key for frame in one.frames] == [frame.key for frame in same.frames]
    assert one.probabilities.tobytes() != other.probabilities.tobytes()


def test_what_is_labelled_stays_when_it_is_cancelled(
    movie: Any, paint: Any, model: il.Model
) -> None:
    token = il.CancelToken()
    told = []

    def stop(done: int, total: int, message: str = "") -> None:
        told.append(done / total)
        if message == "Z = 3":
            token.cancel()

    found = learned(movie[0], paint, model, progress=stop, cancel=token)
    assert found.cancelled
    assert [frame.state for frame in found.frames][:2] == ["accepted", "annotated"]
    assert [frame.state for frame in found.frames][-1] == "unreached"
    assert found.labels[0].all()
    assert not found.labels[-1].any()
    twice = [np.stack([one, one]) for one in (movie[0][:4], paint[:4])]
    token = il.CancelToken()
    settings: dict[str, Any] = {"steps": 2, "fine_tune": True, "device": "cpu", "threads": 1}
    settings |= {"progress": stop, "cancel": token}
    both = il.propagate(*twice, "Z", model, axes="TZYX", **settings)
    assert both.labels[0, 0].all()
    assert {frame.state for frame in both.frames if frame.t == 1} == {"unreached"}
    token = il.CancelToken()
    token.cancel()
    with pytest.raises(il.Cancelled):
        learned(movie[0], paint, model, cancel=token)


def test_progress_rises_to_the_end(movie: Any, paint: Any, model: il.Model) -> None:
    told: list[tuple[int, int, str]] = []
    learned(movie[0], paint, model, progress=lambda *step: told.append(step))
    shares = [done / total for done, total, _ in told[1:]]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert any("learning" in text for _, _, text in told)


class Notes:
    """Learns nothing, and notes what it was given."""

    work = 1.0

    def __init__(self) -> None:
        self.said: list[Any] = []

    def learn(self, share: float, progress: Any = NULL, cancel: Any = None) -> TinySegmenter:
        self.said.append(round(share, 3))
        return TinySegmenter()

    def accept(self, plane: Any, labels: Any, weight: float) -> None:
        self.said.append((plane.tobytes(), weight))


def walked(movie: Any, paint: Any, stop_below: float) -> list[Any]:
    """Numbers of frames that were learned from, and shares of the budget between them."""
    image = il.Image.from_array(movie[0], "ZYX")
    out = Outputs(np.zeros((1, N, 32, 48), np.uint8), np.zeros((2, 1, N, 32, 48), np.float32))
    walk = Walk(image, TinySegmenter(), (1, 2), out, stop_below=stop_below)
    notes = Notes()
    walk.along(Series("Z", 0, N), {1: paint[1]}, il.SupportSet(), reach=0, tuner=notes)
    names = {image.plane(0, z, None).tobytes(): z for z in range(N)}
    return [one if isinstance(one, float) else names[one[0]] for one in notes.said]


def test_frames_are_learned_from_in_order(movie: Any, paint: Any) -> None:
    assert walked(movie, paint, 0.0) == [0.3, 1, 0, 2, 0.475, 3, 0.65, 4, 0.825, 5, 1.0, 6]
    assert walked(movie, paint, 1.0) == [0.3, 1], "nothing is learned from what is doubtful"


def test_what_cannot_learn_says_so(movie: Any, paint: Any, model: il.Model) -> None:
    with pytest.raises(il.BadInput, match="fine_tune"):
        il.propagate(movie[0], paint, "Z", model, axes="ZYX", steps=3)
    with pytest.raises(il.BadInput, match="steps"):
        learned(movie[0], paint, model, steps=0)
    few = np.zeros_like(paint)
    few[1, 4, 4:9], few[1, 8, 4:9] = 1, 2
    with pytest.raises(il.BadInput, match="strokes"):
        learned(movie[0], few, "membrane")


def test_a_trained_model_spreads_all_that_it_knows(movie: Any, paint: Any, model: il.Model) -> None:
    found = il.propagate(movie[0], paint, "Z", model, axes="ZYX", device="cpu")
    assert found.class_ids == (1, 2, 5)
    assert found.probabilities.shape == (3, *movie[0].shape)
