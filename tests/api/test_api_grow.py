"""`il.add_class`: a class joins a model, which keeps its ids, its old scores and its past."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import napari_infoleak as il
from napari_infoleak.io.weights import load_weights, read_header
from napari_infoleak.segmenters import registry

SMALL: dict[str, Any] = {"crop": 32, "batch": 2, "device": "cpu", "threads": 1}


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    """Bright cells, dark membranes, and striped blobs that will be the third class."""
    rng = np.random.default_rng(0)
    truth = np.ones((3, 48, 64), np.uint8)
    truth[:, 3:10, 3:13] = truth[:, 27:34, 35:45] = 3
    truth[:, ::12, :] = truth[:, :, ::16] = 2
    grey = np.array([0, 200, 40, 120])[truth] + rng.normal(0, 5, truth.shape)
    return grey.astype(np.float32), truth


@pytest.fixture(scope="module", params=["unet", "continual"])
def old(
    request: pytest.FixtureRequest, images: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A model of two classes, to which blobs were interior."""
    path: Path = tmp_path_factory.mktemp("models") / f"{request.param}.safetensors"
    options = {"widths": (8, 16, 16), "features": 16}
    pair = (images[0], np.where(images[1] == 2, 2, 1).astype(np.uint8))
    settings: Any = {"method": request.param, "init": None, "rate": 0.02, "options": options}
    il.train([pair], axes="ZYX", steps=60, output=path, **settings, **SMALL)
    return path


def painted(images: Any, *ids: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(images[0], np.where(np.isin(images[1], ids), images[1], 0).astype(np.uint8))]


def earlier(images: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    grey, truth = images[0] + 1, np.where(images[1] == 2, 2, 1)
    return [(grey, truth.astype(np.uint8))]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("replayed", [False, True])
def test_a_class_joins_and_the_others_stay(
    old: Path, images: Any, replayed: bool, tmp_path: Path
) -> None:
    before = digest(old)
    output = tmp_path / "more.safetensors"
    model = il.add_class(
        old,
        "blobs",
        painted(images, 3),
        replay=earlier(images) if replayed else None,
        complete=True,
        axes="ZYX",
        steps=60,
        rate=0.01,
        output=output,
        **SMALL,
    )
    assert model.classes.ids == (1, 2, 3)
    assert model.classes[3].name == "blobs"
    assert model.classes.names[:2] == registry.load(old).classes.names
    result = il.segment(images[0], model=output, axes="ZYX", device="cpu")
    truth = images[1]
    assert (result.labels == 3)[truth == 3].mean() > 0.6
    assert (result.labels == truth)[truth != 3].mean() > 0.8
    assert digest(old) == before, "the model from before is what undoes the step"


def test_the_model_says_what_joined_what(old: Path, images: Any, tmp_path: Path) -> None:
    output = tmp_path / "more ü.safetensors"
    given: Any = SMALL | {"replay": earlier(images), "output": output}
    model = il.add_class(old, "blobs", painted(images, 3), axes="ZYX", steps=2, **given)
    added = read_header(output)["provenance"]["added"]
    assert added == json.loads(json.dumps(model.provenance["added"]))
    assert added["class"] == {"id": 3, "name": "blobs"}
    assert added["from"] == {"name": old.name, "sha256": digest(old)}
    rows = {row["id"]: row for row in added["table"]}
    assert list(rows) == [1, 2, 3]
    assert rows[1]["before"] is not None
    assert rows[2]["agreement"] is not None
    assert rows[3]["after"] is not None
    assert rows[3]["agreement"] is None
    assert set(read_header(old)["trained_on"]) <= set(read_header(output)["trained_on"])


def test_at_the_moment_of_joining_nothing_old_changes(old: Path, images: Any) -> None:
    class Late(il.CancelToken):
        """Raised between the beginning and the first step."""

        late = False

        @property
        def cancelled(self) -> bool:
            return self.late

    stop = Late()

    def progress(done: int, total: int, message: str = "") -> None:
        stop.late = True

    born = il.add_class(
        old,
        "blobs",
        painted(images, 3),
        axes="ZYX",
        steps=5,
        progress=progress,
        cancel=stop,
        **SMALL,
    )
    assert born.stopped
    assert born.steps == 0
    tiles = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    scores = [
        one.scores(tiles, one.remember(il.SupportSet()))
        for one in (registry.load(old), born.segmenter)
    ]
    assert torch.equal(scores[1][:, :2], scores[0])


def test_the_same_seed_gives_the_same_model(old: Path, images: Any) -> None:
    one, other = (
        il.add_class(old, "blobs", painted(images, 3), axes="ZYX", steps=3, **SMALL)
        for _ in range(2)
    )
    for name, tensor in one.segmenter.tensors().items():
        assert torch.equal(tensor, other.segmenter.tensors()[name])


def test_a_model_in_memory_grows_twice_and_is_left_alone(old: Path, images: Any) -> None:
    first = il.add_class(old, "blobs", painted(images, 3), axes="ZYX", steps=2, **SMALL)
    weights = {name: one.clone() for name, one in first.segmenter.tensors().items()}
    again = np.where(images[1] == 3, 7, 0).astype(np.uint8)
    second = il.add_class(
        first, "more", [(images[0], again)], class_id=7, axes="ZYX", steps=2, **SMALL
    )
    assert second.classes.ids == (1, 2, 3, 7)
    assert first.classes.ids == (1, 2, 3)
    assert all(torch.equal(one, weights[n]) for n, one in first.segmenter.tensors().items())


def test_stop_keeps_what_was_learned(old: Path, images: Any, tmp_path: Path) -> None:
    stop = il.CancelToken()

    def progress(done: int, total: int, message: str = "") -> None:
        if message.startswith("step 3"):
            stop.cancel()

    output = tmp_path / "more.safetensors"
    model = il.add_class(
        old,
        "blobs",
        painted(images, 3),
        axes="ZYX",
        steps=50,
        output=output,
        progress=progress,
        cancel=stop,
        **SMALL,
    )
    assert model.stopped
    assert model.steps == 3
    assert load_weights(output)[1]["classes"][2]["name"] == "blobs"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "membrane"}, "has a class membrane already"),
        ({"name": " "}, "no name"),
        ({"class_id": 2}, "that of membrane"),
        ({"class_id": 9}, "neither of the model"),
        ({"class_id": 300}, "out of range"),
        ({"model": "membran"}, "did you mean membrane"),
        ({"model": "membrane"}, "needs no training"),
        ({"output": "model.pt"}, "safetensors"),
        ({"rate": 5}, "rate"),
        ({"lower": float("nan")}, "lower is nan"),
        ({"support": []}, "nothing is annotated"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    old: Path, images: Any, change: dict[str, Any], says: str
) -> None:
    given = {"model": old, "name": "blobs", "support": painted(images, 3)} | change
    with pytest.raises(il.BadInput, match=says) as told:
        il.add_class(
            given.pop("model"),
            given.pop("name"),
            given.pop("support"),
            axes="ZYX",
            steps=1,
            **SMALL | given,
        )
    assert "\n" not in str(told.value)


def test_paint_that_cannot_be_learned_from_is_told(old: Path, images: Any) -> None:
    def grow(support: Any, **more: Any) -> None:
        il.add_class(old, "blobs", support, axes="ZYX", steps=1, **SMALL, **more)

    with pytest.raises(il.BadInput, match="nothing is painted as class 3"):
        grow(painted(images, 1, 2))
    with pytest.raises(il.BadInput, match="the model does not know"):
        grow(painted(images, 3), replay=[(images[0], np.where(images[1] == 3, 8, 0))])
    with pytest.raises(il.BadInput, match="also trained on"):
        grow(painted(images, 3), validation=painted(images, 1))
    with pytest.raises(il.BadInput, match="return to this one"):
        grow(painted(images, 3), output=old)


def test_a_model_without_classes_is_told(tmp_path: Path, images: Any, old: Path) -> None:
    from napari_infoleak.io.weights import save_weights

    header = {"method": "unet", "config": {}, "classes": []}
    path = save_weights(tmp_path / "empty.safetensors", {"a": torch.zeros(1)}, header)
    with pytest.raises(il.BadInput, match="no classes"):
        il.add_class(path, "blobs", painted(images, 3), axes="ZYX", steps=1, **SMALL)
