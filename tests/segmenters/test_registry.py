"""Names to choose from, and models read from files."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from napari_infoleak.core.errors import BadInput, BadModelFile
from napari_infoleak.segmenters import registry

if TYPE_CHECKING:
    from pathlib import Path


def test_methods_are_listed_without_torch() -> None:
    code = (
        "import sys; from napari_infoleak.segmenters.registry import methods;"
        "assert methods(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_membrane_model_is_shipped_and_small() -> None:
    found = {model.name: model for model in registry.models()}
    assert found["membrane"].size_bytes <= 8_000_000
    assert found["membrane"].classes == ("interior", "membrane")
    assert registry.load("membrane").spec.name == "annotation-leakage"


def test_a_misspelt_name_gets_a_hint() -> None:
    with pytest.raises(BadInput, match="did you mean membrane"):
        registry.load("membran")


@pytest.mark.parametrize("name", ["", "a" * 5000, "a\0b", "no/such/file"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="no model"):
        registry.load(name)


def test_a_file_of_an_unknown_method_is_refused(tmp_path: Path) -> None:
    import torch

    from napari_infoleak.io.weights import save_weights

    path = save_weights(tmp_path / "x.safetensors", {"a": torch.zeros(2)}, {"method": "magic"})
    with pytest.raises(BadModelFile, match="magic"):
        registry.load(path)


def test_a_saved_model_answers_as_before(tmp_path: Path) -> None:
    import torch

    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.io.weights import save_weights

    first = registry.load("membrane")
    path = save_weights(tmp_path / "copy.safetensors", first.tensors(), first.header())
    second = registry.load(path)
    tile = torch.randn(1, 1, 64, 64)
    answers = [s.scores(tile, s.remember(SupportSet())) for s in (first, second)]
    assert torch.equal(*answers)
