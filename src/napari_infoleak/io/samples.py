"""Where the sample data lie: inside the package of a wheel, beside `src` in a checkout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from napari_infoleak.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

Part = Literal["image", "strokes", "truth", "cells"]

_SUFFIX: Mapping[str, str] = MappingProxyType(
    {"image": "", "strokes": "_strokes", "truth": "_truth", "cells": "_cells"}
)


@dataclass(frozen=True)
class Sample:
    """A small synthetic stack that comes with the program.

    Attributes
    ----------
    name : str
        Stem of its files.
    title : str
        As shown in a menu.
    axes : str
        Axes of the image; the other parts have them without C.
    classes : tuple of str
        Names of the classes of strokes and truth; the first has id 1.
    """

    name: str
    title: str
    axes: str
    classes: tuple[str, ...] = ("interior", "membrane")


SAMPLES: tuple[Sample, ...] = (
    Sample("em_stack", "EM-like stack (ZYX)", "ZYX"),
    Sample("fluorescence_stack", "Fluorescence-like stack (ZYX)", "ZYX"),
    Sample("time_lapse", "Time-lapse (TYX)", "TYX"),
    Sample(
        "many_classes",
        "Five classes (YX)",
        "YX",
        ("interior", "membrane", "mitochondrion", "vesicle", "nucleus"),
    ),
    Sample("five_axes", "Two channels over z and time (TZCYX)", "TZCYX"),
)


def find_sample(name: str) -> Sample:
    """Look a sample up by its name.

    Parameters
    ----------
    name : str
        For example ``"em_stack"``.

    Returns
    -------
    Sample

    Raises
    ------
    BadInput
        If there is no such sample; the message names those there are.
    """
    for sample in SAMPLES:
        if sample.name == name:
            return sample
    known = ", ".join(sample.name for sample in SAMPLES)
    raise BadInput(f"No sample is called {name!r}; choose one of {known}.")


def sample_path(name: str, part: Part = "image") -> Path:
    """Path of a file of a sample.

    Parameters
    ----------
    name : str
        Name of the sample, for example ``"em_stack"``.
    part : {"image", "strokes", "truth", "cells"}
        The image, a few painted strokes on one of its planes, its true classes, or its true cells.

    Returns
    -------
    Path
        An OME-TIFF file that exists; do not write to it.

    Raises
    ------
    BadInput
        If there is no such sample or part, or the files are not installed.
    """
    sample = find_sample(name)
    if part not in _SUFFIX:
        raise BadInput(f"A sample has no part {part!r}; choose one of {', '.join(_SUFFIX)}.")
    path = sample_folder() / f"{sample.name}{_SUFFIX[part]}.ome.tif"
    if not path.is_file():
        raise BadInput(f"The sample file {path} is missing; install napari-infoleak again.")
    return path


def sample_folder() -> Path:
    """Return the folder of the sample data; nothing is to be written there."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "sample_data"
    return installed if installed.is_dir() else package.parents[1] / "sample_data"
