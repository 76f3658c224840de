"""`il.train`: annotated images in, a model out that segments and is judged honestly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_infoleak as il
from napari_infoleak.io.weights import read_header
from napari_infoleak.segmenters import registry

SMALL: dict[str, Any] = {
    "init": None,
    "options": {"widths": (4, 8), "features": 4},
    "crop": 16,
    "batch": 2,
    "device": "cpu",
    "threads": 1,
}


@pytest.fixture
def truth(stack: Any) -> np.ndarray:
    return np.where(stack[1], 2, 1).astype(np.uint8)


@pytest.fixture
def pair(stack: Any, truth: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(stack[0], truth)]


def test_a_trained_model_segments(pair: Any) -> None:
    model = il.train(pair, axes="ZYX", steps=60, rate=0.02, **SMALL)
    assert model.score is not None
    assert model.before is not None
    assert model.score["miou"] > model.before["miou"]
    result = il.segment(pair[0][0], model=model, axes="ZYX", device="cpu")
    assert result.class_ids == (1, 2)
    assert (result.labels == pair[0][1]).mean() > 0.8


def test_a_model_file_answers_as_the_model_does(pair: Any, tmp_path: Path) -> None:
    path = tmp_path / "own ü.safetensors"
    model = il.train(pair, axes="ZYX", steps=3, output=path, **SMALL)
    assert model.path == path
    from_file = il.segment(pair[0][0], model=path, axes="ZYX", device="cpu")
    from_memory = il.segment(pair[0][0], model=model, axes="ZYX", device="cpu")
    np.testing.assert_array_equal(from_file.probabilities, from_memory.probabilities)
    header = read_header(path)
    assert header["method"] == "unet"
    assert header["provenance"]["settings"]["steps"] == 3
    json.dumps(header)
    best = il.segment(
        pair[0][0], model=tmp_path / "own ü.training" / "best.safetensors", axes="ZYX", device="cpu"
    )
    assert best.class_ids == (1, 2)


def test_images_that_were_trained_on_are_known_when_it_is_scored(pair: Any, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    model = il.train(pair, axes="ZYX", steps=2, output=path, **SMALL)
    for one in (model, path):
        result = il.segment(pair[0][0], model=one, axes="ZYX", device="cpu")
        with pytest.raises(il.BadInput, match="not be honest"):
            il.evaluate(result, pair[0][1])
    other = il.segment(pair[0][0][:, ::-1].copy(), model=path, axes="ZYX", device="cpu")
    il.evaluate(other, pair[0][1][:, ::-1])


def test_a_model_is_trained_further_and_learns_a_class_more(
    pair: Any, truth: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "own.safetensors"
    first = il.train(pair, axes="ZYX", steps=40, rate=0.02, output=path, **SMALL)
    more = SMALL | {"init": path, "options": None}
    second = il.train(pair, axes="ZYX", steps=2, **more)
    assert first.score is not None
    assert second.before is not None
    assert second.before["miou"] == pytest.approx(first.score["miou"], abs=0.1)
    truth[0, :6, :6] = 5
    grown = il.train([(pair[0][0], truth)], axes="ZYX", steps=2, **more)
    assert grown.classes.ids == (1, 2, 5)
    assert grown.classes.names[:2] == ("interior", "membrane")


def test_by_default_it_starts_from_the_shipped_weights(pair: Any) -> None:
    model = il.train(pair, axes="ZYX", steps=1, crop=16, batch=1, device="cpu", rate=1e-6)
    assert model.provenance["init"] == "membrane.safetensors"
    tensors = model.segmenter.tensors()
    from napari_infoleak.io.weights import load_weights

    shipped, _ = load_weights(registry.path_of("membrane"))
    name = "body.stem.0.conv.weight"
    np.testing.assert_allclose(tensors[name], shipped[name], atol=1e-4)


def test_weights_of_another_architecture_are_refused(pair: Any, tmp_path: Path) -> None:
    import torch

    from napari_infoleak.io.weights import save_weights

    classes = il.ClassTable.membrane().to_json()
    path = save_weights(
        tmp_path / "x.safetensors", {"z": torch.zeros(2)}, {"method": "magic", "classes": classes}
    )
    with pytest.raises(il.BadInput, match="shares no weights"):
        il.train(pair, axes="ZYX", steps=1, **SMALL | {"init": path})


def test_resume_goes_on(pair: Any, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    whole = il.train(pair, axes="ZYX", steps=6, **SMALL)
    stop = il.CancelToken()

    def progress(done: int, total: int, message: str = "") -> None:
        if message.startswith("step 3"):
            stop.cancel()

    part = il.train(pair, axes="ZYX", steps=6, output=path, progress=progress, cancel=stop, **SMALL)
    assert part.stopped
    assert part.steps == 3
    assert path.is_file()
    rest = il.train(pair, axes="ZYX", steps=6, output=path, resume=True, **SMALL)
    assert not rest.stopped
    for name, tensor in whole.segmenter.tensors().items():
        np.testing.assert_array_equal(tensor, rest.segmenter.tensors()[name])
    fewer = [(pair[0][0], pair[0][1][:, ::-1].copy())]
    with pytest.raises(il.BadInput, match="annotations"):
        il.train(fewer, axes="ZYX", steps=6, output=path, resume=True, **SMALL)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"method": "unett"}, "did you mean unet"),
        ({"init": "membran"}, "did you mean membrane"),
        ({"steps": 0}, "steps"),
        ({"minutes": -1.0}, "minutes"),
        ({"crop": 3}, "crop"),
        ({"speed": 3}, "no setting 'speed'"),
        ({"output": "model.pt"}, "safetensors"),
        ({"output": "no/such/model.safetensors"}, "does not exist"),
        ({"resume": True}, "without output"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(pair: Any, change: dict[str, Any], says: str) -> None:
    with pytest.raises(il.BadInput, match=says) as told:
        il.train(pair, axes="ZYX", **{"steps": 1} | SMALL | change)
    assert "\n" not in str(told.value)


def test_annotations_that_cannot_be_learned_from_are_told(pair: Any) -> None:
    image, truth = pair[0]
    cases = [
        ([], "nothing is annotated"),
        (il.SupportSet(), "nothing is annotated"),
        ([image], "pairs of an image and its annotation"),
        ([(image, np.zeros_like(truth))], "holds no label"),
        ([(image, np.full_like(truth, 2))], "only class 2 is annotated"),
        ([(image, truth[:, :-1])], "shape"),
        ([(image, truth.astype(float))], "integer"),
        ([(np.full_like(image, np.nan), truth)], "holds no number"),
        ([(np.full_like(image, 7), truth)], "same value"),
    ]
    for given, says in cases:
        with pytest.raises(il.BadInput, match=says):
            il.train(given, axes="ZYX", steps=1, **SMALL)


def test_it_is_not_judged_by_what_it_learned_from(pair: Any, truth: np.ndarray) -> None:
    with pytest.raises(il.BadInput, match="also trained on"):
        il.train(pair, axes="ZYX", steps=1, validation=pair, **SMALL)
    third = np.where(truth == 1, 3, truth)
    other = [(pair[0][0] + 1, third)]
    with pytest.raises(il.BadInput, match="class 3 is annotated for validation alone"):
        il.train(pair, axes="ZYX", steps=1, validation=other, **SMALL)


def test_only_painted_classes_are_answered(stack: Any, truth: np.ndarray) -> None:
    support = il.SupportSet(il.ClassTable.membrane().add("dust").add("vesicle"))
    truth[truth == 1] = 3
    model = il.train(support.add(stack[0], truth, axes="ZYX"), steps=1, **SMALL)
    assert model.classes.names == ("membrane", "dust")


def test_crops_of_volumes_are_small_unless_said_otherwise(pair: Any) -> None:
    quick: Any = {"axes": "ZYX", "steps": 1, "device": "cpu", "threads": 1}
    quick["method"] = "loop-resnet-3d"
    usual = il.train(pair, **quick).provenance["settings"]
    chosen = il.train(pair, crop=32, batch=1, **quick).provenance["settings"]
    assert (usual["crop"], usual["depth"], usual["batch"]) == (96, 8, 2)
    assert (chosen["crop"], chosen["depth"], chosen["batch"]) == (32, 8, 1)
