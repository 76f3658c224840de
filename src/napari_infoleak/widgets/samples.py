"""The sample data of the menu File > Open Sample: an image, some strokes on it, and the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.io.samples import find_sample, sample_path
from napari_infoleak.widgets.annotation import class_colours
from napari_infoleak.widgets.layers import KEY, Grid

if TYPE_CHECKING:
    from napari_infoleak.core.image import Image

LayerData = tuple[Any, dict[str, Any], str]


def em_stack() -> list[LayerData]:
    """Return a stack as an electron microscope would see it, ZYX."""
    return sample("em_stack")


def fluorescence_stack() -> list[LayerData]:
    """Return a stack of stained membranes, ZYX."""
    return sample("fluorescence_stack")


def time_lapse() -> list[LayerData]:
    """Return cells that move, TYX."""
    return sample("time_lapse")


def many_classes() -> list[LayerData]:
    """Return one slice with five classes, YX."""
    return sample("many_classes")


def five_axes() -> list[LayerData]:
    """Return two channels over depth and time, TZCYX."""
    return sample("five_axes")


def sample(name: str) -> list[LayerData]:
    """Return the layers of a sample: image, truth (hidden) and annotation.

    Parameters
    ----------
    name : str
        A name of `napari_infoleak.io.samples.SAMPLES`.
    """
    from napari_infoleak.io.read import read

    about = find_sample(name)
    image = read(sample_path(name), about.axes)
    classes = ClassTable()
    for class_name in about.classes:
        classes = classes.add(class_name)
    return [
        _image_layer(image, name),
        _labels_layer(image, name, "truth", classes),
        _labels_layer(image, name, "strokes", classes),
    ]


def calibration(image: Image, letters: str) -> dict[str, Any]:
    """Return what places a layer of an image whose dimensions are `letters`."""
    return {
        "scale": tuple(image.scale.get(letter, 1.0) for letter in letters),
        "translate": tuple(image.translate.get(letter, 0.0) for letter in letters),
        "units": tuple(image.units.get(letter, "pixel") for letter in letters),
        "axis_labels": tuple(letters),
    }


def _image_layer(image: Image, name: str) -> LayerData:
    from napari_infoleak.core.axes import from_canonical

    options = {
        "name": name,
        "metadata": {KEY: {"axes": image.axes, "file": image.source}},
        **calibration(image, image.axes),
    }
    return from_canonical(image.data, image.axes), options, "image"


def _labels_layer(image: Image, name: str, part: Any, classes: ClassTable) -> LayerData:
    import numpy as np

    from napari_infoleak.io.read import read_labels

    path = sample_path(name, part)
    labels, _ = read_labels(path, image.label_axes)
    sizes = {letter: image.sizes[letter] for letter in image.axes}
    grid = Grid.of(image.axes, sizes, **calibration(image, image.axes))
    kind = "annotation" if part == "strokes" else part
    options = {
        "name": f"{name} {kind}",
        "visible": part == "strokes",
        "opacity": 0.8 if part == "strokes" else 0.45,
        "colormap": class_colours(classes),
        "metadata": {KEY: {"kind": kind, "classes": classes.to_json(), "file": str(path)}},
        **grid.calibration(),
    }
    return grid.put_on(np.array(labels)), options, "labels"
