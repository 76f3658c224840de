from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import get_args

import numpy as np
import pytest
import tifffile

from napari_infoleak.core.errors import BadInput
from napari_infoleak.io.samples import SAMPLES, Part, Sample, find_sample, sample_path

MAKE = Path(__file__).parents[2] / "sample_data" / "make.py"
EVERY_SAMPLE = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


@pytest.fixture(scope="module")
def make() -> ModuleType:
    if not MAKE.is_file():
        pytest.skip("sample_data/make.py is not there: not a checkout")
    spec = importlib.util.spec_from_file_location("make_samples", MAKE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_samples"] = module
    spec.loader.exec_module(module)
    return module


@EVERY_SAMPLE
@pytest.mark.parametrize("part", get_args(Part))
def test_every_part_is_there_with_its_axes(sample: Sample, part: Part) -> None:
    with tifffile.TiffFile(sample_path(sample.name, part)) as tiff:
        expected = sample.axes if part == "image" else sample.axes.replace("C", "")
        assert tiff.series[0].axes == expected
        assert 'PhysicalSizeXUnit="µm"' in (tiff.ome_metadata or "")


@EVERY_SAMPLE
def test_strokes_are_few_true_and_of_all_classes(sample: Sample) -> None:
    truth = tifffile.imread(sample_path(sample.name, "truth"))
    strokes = tifffile.imread(sample_path(sample.name, "strokes"))
    painted = strokes > 0
    assert set(np.unique(strokes[painted])) == set(range(1, len(sample.classes) + 1))
    assert (strokes[painted] == truth[painted]).all()
    planes = painted.reshape(-1, *painted.shape[-2:])
    assert planes.any((1, 2)).sum() == 1
    assert planes.any(0).mean() < 0.1


@EVERY_SAMPLE
def test_cells_fill_what_is_no_membrane(sample: Sample) -> None:
    truth = tifffile.imread(sample_path(sample.name, "truth"))
    cells = tifffile.imread(sample_path(sample.name, "cells"))
    assert ((cells == 0) == (truth == 2)).all()


def test_samples_are_small() -> None:
    files = [sample_path(sample.name, part) for sample in SAMPLES for part in get_args(Part)]
    assert sum(path.stat().st_size for path in files) < 6e6


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match="em_stack, fluorescence_stack"):
        find_sample("em")
    with pytest.raises(BadInput, match="image, strokes, truth, cells"):
        sample_path("em_stack", "mask")  # type: ignore[arg-type]


def test_the_script_makes_the_same_files_twice(make: ModuleType, tmp_path: Path) -> None:
    recipe = make.RECIPES["five_axes"]
    contents = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        make.save(folder, "five_axes", recipe, make.draw(recipe))
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]


def test_the_script_and_the_menu_name_the_same_samples(make: ModuleType) -> None:
    assert {s.name: s.axes for s in SAMPLES} == {n: r.axes for n, r in make.RECIPES.items()}
