"""`il.shrink`: a small model that answers as its teachers do, and says what it costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_infoleak as il
from napari_infoleak.io.weights import read_header
from napari_infoleak.segmenters import registry

SMALL: dict[str, Any] = {"crop": 32, "batch": 2, "device": "cpu", "threads": 1}


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    """Bright cells with dark membranes and dots, five planes of them."""
    rng = np.random.default_rng(0)
    truth = np.ones((5, 48, 64), np.uint8)
    truth[:, 2:11, 2:14] = truth[:, 26:35, 34:46] = truth[:, 14:23, 50:62] = 3
    truth[:, ::12, :] = truth[:, :, ::16] = 2
    grey = np.array([0, 200, 40, 120])[truth] + rng.normal(0, 5, truth.shape)
    return grey.astype(np.float32), truth


@pytest.fixture(scope="module")
def teachers(images: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A model of membranes and one of dots."""
    folder = tmp_path_factory.mktemp("models")
    options = {"widths": (16, 32, 32), "features": 16}
    found = {}
    for number in (2, 3):
        support = il.SupportSet(il.ClassTable.membrane().add("dots")).add(
            images[0], np.where(images[1] == number, number, 1).astype(np.uint8), axes="ZYX"
        )
        found[number] = folder / f"{number}.safetensors"
        given: Any = {"init": None, "options": options, "rate": 0.02, "output": found[number]}
        il.train(support, method="unet", steps=60, **given, **SMALL)
    return found


def test_two_models_become_one_small_one(images: Any, teachers: Any, tmp_path: Path) -> None:
    output = tmp_path / "small ü.safetensors"
    both = [teachers[2], teachers[3]]
    made = il.shrink(both, [images[0]], axes="ZYX", steps=80, rate=0.01, output=output, **SMALL)
    assert made.classes.names == ("interior", "membrane", "dots")
    found = il.segment(images[0], model=output, axes="ZYX", device="cpu").labels
    dots, walls = (
        il.segment(images[0], model=teachers[k], axes="ZYX", device="cpu").labels for k in (3, 2)
    )
    said = np.where(dots == 3, 3, walls)
    assert (found == said).mean() > 0.75
    assert (found == 3)[(said == 3) & (walls != 2)].mean() > 0.4
    shrunk = read_header(output)["provenance"]["shrunk"]
    assert shrunk == json.loads(json.dumps(made.provenance["shrunk"]))
    assert [one["name"] for one in shrunk["from"]] == ["2.safetensors", "3.safetensors"]
    assert all(value > 0 for value in shrunk["seconds_per_megapixel"].values())
    rows = {row["name"]: row for row in shrunk["table"]}
    assert rows["interior"]["agreement"] > 0.7
    assert rows["interior"]["after"] is None, "nothing was annotated"
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1, abs=1e-4)


def test_annotations_are_judged_by(images: Any, teachers: Any) -> None:
    made = il.shrink(
        teachers[2],
        [],
        annotations=[(images[0], np.where(images[1] == 2, 2, 1).astype(np.uint8))],
        axes="ZYX",
        steps=3,
        **SMALL,
    )
    rows = made.provenance["shrunk"]["table"]
    assert all(row["before"] is not None and row["after"] is not None for row in rows)
    assert made.trained_on


def test_the_shipped_model_can_teach(images: Any) -> None:
    made = il.shrink("membrane", [images[0]], axes="ZYX", steps=1, **SMALL)
    size = made.provenance["shrunk"]["bytes"]
    assert size["after"] < size["before"] / 2
    assert made.method == "class-distillation"


def test_what_cannot_be_is_told_in_one_line(images: Any, teachers: Any) -> None:
    def shrink(models: Any, given: Any, **more: Any) -> None:
        il.shrink(models, given, axes="ZYX", steps=1, **SMALL, **more)

    with pytest.raises(il.BadInput, match="no image"):
        shrink(teachers[2], [])
    with pytest.raises(il.BadInput, match=r"no file none\.tif"):
        shrink(teachers[2], "none.tif")
    with pytest.raises(il.BadInput, match="no pixel is a number"):
        shrink(teachers[2], [np.full_like(images[0], np.nan, np.float32)])
    with pytest.raises(il.BadInput, match="at least one"):
        shrink([], [images[0]])
    with pytest.raises(il.BadInput, match="did you mean membrane"):
        shrink("membran", [images[0]])
    with pytest.raises(il.BadInput, match="one of the models"):
        shrink(teachers[2], [images[0]], output=teachers[2])
    renamed = il.train(
        il.SupportSet(il.ClassTable.membrane().rename(2, "wall")).add(
            images[0], images[1].clip(1, 2), axes="ZYX"
        ),
        method="unet",
        init=None,
        options={"widths": (4, 8), "features": 4},
        steps=1,
        **SMALL,
    )
    with pytest.raises(il.BadInput, match="membrane in one model and wall in another"):
        shrink([teachers[2], renamed], [images[0]])
    volumes = registry.fresh("loop-resnet-3d", il.ClassTable.membrane(), widths=(4, 6, 8), flat=1)
    model = il.Model(volumes, "loop-resnet-3d", volumes.classes, 0, 0, 0.0, None, None, False)
    with pytest.raises(il.BadInput, match="volumes"):
        shrink(model, [images[0]])
