"""The axes row, the scale and the channel of the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import napari_infoleak as il
from napari_infoleak.widgets.layers import guess_letters, position, swap_letter
from napari_infoleak.widgets.scale_editor import scale_in_words


@given(
    st.permutations("TCZYX").map("".join),
    st.integers(2, 5),
    st.integers(0, 4),
    st.sampled_from("TCZYX"),
)
def test_swapping_never_repeats_a_letter(axes: str, ndim: int, position: int, letter: str) -> None:
    letters = axes[:ndim]
    swapped = swap_letter(letters, position % ndim, letter)
    assert len(set(swapped)) == ndim
    assert swapped[position % ndim] == letter


def test_letters_are_guessed_shown_mended_and_remembered(dock: Any, viewer: Any) -> None:
    first = viewer.add_image(np.zeros((5, 40, 48)), name="first")
    assert [box.currentText() for box in dock.image.axes.boxes] == list("ZYX")
    dock.image.axes.boxes[0].setCurrentText("T")
    assert dock.state.source.axes == "TYX"
    second = viewer.add_image(np.zeros((2, 40, 48)), name="second")
    dock.image.layer.choose(second)
    assert dock.state.source.axes == "ZYX"
    dock.image.layer.choose(first)
    assert dock.state.source.axes == "TYX"


def test_a_missing_row_axis_is_said(dock: Any, viewer: Any) -> None:
    viewer.add_image(np.zeros((5, 40, 48)))
    dock.image.axes.boxes[1].setCurrentText("T")
    assert "Y" in dock.image.trouble.text()
    assert dock.state.source is None
    dock.image.axes.boxes[1].setCurrentText("Y")
    assert dock.state.source is not None
    assert dock.image.trouble.isHidden()


def test_letters_that_the_layer_names_are_taken(viewer: Any) -> None:
    layer = viewer.add_image(np.zeros((5, 40, 48)), axis_labels=("t", "y", "x"))
    assert guess_letters(layer) == "TYX"
    odd = viewer.add_image(np.zeros((5, 40, 48)), axis_labels=("plane", "row", "column"))
    assert guess_letters(odd) == "ZYX"


def test_scale_is_shown_in_words(dock: Any, viewer: Any) -> None:
    viewer.add_image(np.zeros((5, 40, 48)), scale=(0.9, 0.3, 0.3), units=("micrometer",) * 3)
    assert scale_in_words(dock.state.source) == "Z 0.9 µm · YX 0.3 µm"
    viewer.layers.clear()
    viewer.add_image(np.zeros((40, 48)))
    assert dock.image.scale.text().replace("\u00a0", " ") == "not calibrated"


def test_a_size_that_napari_cannot_count_is_refused(dock: Any, viewer: Any) -> None:
    first = viewer.add_image(np.zeros((5, 40, 48)), scale=(1e-6, 1, 1))
    second = viewer.add_image(np.zeros((5, 40, 48)))
    dock.image.layer.choose(second)
    editor = dock.image.editor
    editor.numbers["Z"].setValue(1e5)
    assert tuple(second.scale) == (1, 1, 1)
    assert editor.numbers["Z"].value() == 1, "what is shown is what is so"
    assert "remove those layers" in dock.image.trouble.text()
    viewer.layers.remove(first)
    editor.numbers["Z"].setValue(1e5)
    assert tuple(second.scale) == (1e5, 1, 1)
    assert dock.image.trouble.isHidden()


def test_what_is_not_mended_stays_exactly(dock: Any, viewer: Any) -> None:
    layer = viewer.add_image(np.zeros((5, 40, 48)), scale=(1, 5e-9, 1 / 3), units=("meter",) * 3)
    dock.image.editor.numbers["Z"].setValue(2)
    assert tuple(layer.scale) == (2, 5e-9, 1 / 3)


def test_axes_and_scale_are_taken_from_the_file(dock: Any, viewer: Any, tmp_path: Path) -> None:
    movie = np.random.default_rng(0).integers(0, 255, (4, 1, 40, 48), np.uint8)
    il.write(
        tmp_path / "movie.ome.tif",
        movie,
        axes="TZYX",
        kind="image",
        scale={"T": 30, "Y": 0.005, "X": 0.005},
        units={"T": "second", "Y": "micrometer", "X": "micrometer"},
    )
    (layer,) = viewer.open(tmp_path / "movie.ome.tif", plugin="napari")
    assert dock.image.scale.text().replace("\u00a0", " ") == "not calibrated"
    assert not dock.image.adopt.isHidden()
    dock.image.adopt.click()
    assert dock.state.source.axes == "TYX"
    assert tuple(layer.scale) == (30, 0.005, 0.005)
    assert scale_in_words(dock.state.source) == "T 30 s · YX 5 nm"
    assert dock.image.adopt.isHidden()


@pytest.mark.parametrize("other", ["no file", "other pixels", "nothing is said"])
def test_nothing_is_offered_where_no_file_tells(
    dock: Any, viewer: Any, tmp_path: Path, other: str
) -> None:
    path = tmp_path / "stack.ome.tif"
    scale = {} if other == "nothing is said" else {"Z": 0.04, "Y": 0.005, "X": 0.005}
    stack = np.arange(5 * 40 * 48, dtype=np.uint16).reshape(5, 40, 48)
    il.write(path, stack, axes="ZYX", kind="image", scale=scale)
    (layer,) = viewer.open(path, plugin="napari")
    if other == "no file":
        path.unlink()
    if other == "other pixels":
        layer.data = layer.data[:3]
    dock.image.read_layer(layer)
    assert dock.image.adopt.isHidden()


def test_scale_is_mended_in_the_layer_and_followed_by_results(
    dock: Any, viewer: Any, settle: Any
) -> None:
    layer = viewer.add_image(np.zeros((5, 40, 48)), name="cells")
    dock.annotate.make_layer()
    dock.segment.segment_stack()
    settle(dock)
    editor = dock.image.editor
    editor.unit["Z"].setCurrentIndex(editor.unit["Z"].findData("nanometer"))
    editor.numbers["Z"].setValue(40)
    editor.numbers["X"].setValue(5)
    assert tuple(layer.scale) == (40, 1, 5)
    assert [str(unit) for unit in layer.units] == ["nanometer"] * 3
    for name in ("cells labels", "cells annotation"):
        assert tuple(viewer.layers[name].scale) == (40, 1, 5)
        assert [str(unit) for unit in viewer.layers[name].units] == ["nanometer"] * 3


def test_the_slice_is_known_among_layers_of_other_units(dock: Any, viewer: Any) -> None:
    one = {"scale": (40, 5, 5), "units": ("nanometer",) * 3}
    other = {"scale": (0.04, 0.005, 0.005), "units": ("micrometer",) * 3}
    for first, second in ((one, other), (other, one)):
        viewer.add_image(np.zeros((9, 40, 48)), **first)
        layer = viewer.add_image(np.zeros((9, 40, 48)), **second)
        dock.image.layer.choose(layer)
        viewer.dims.set_current_step(0, 6)
        if hasattr(viewer.dims, "units"):  # older ones lay numbers of all units side by side
            assert position(viewer, dock.state.source) == (0, 6)
        viewer.layers.clear()


def test_pixels_of_size_one_are_of_no_known_size(dock: Any, viewer: Any) -> None:
    viewer.add_image(np.zeros((4, 5, 40, 48)), scale=(1, 8, 1, 1))
    assert dock.state.source.scale == {"Z": 8, "Y": 1, "X": 1}
    viewer.layers.clear()
    viewer.add_image(np.zeros((5, 40, 48)))
    assert dock.state.source.scale == {}


@pytest.mark.parametrize(("index", "channel"), [(0, 0), (2, 2)])
def test_channel_is_chosen(dock: Any, viewer: Any, index: int, channel: int) -> None:
    viewer.add_image(np.zeros((3, 40, 48)), axis_labels=("C", "Y", "X"))
    assert dock.image.channel.count() == 3
    dock.image.channel.setCurrentIndex(2 if index == 0 else 0)
    dock.image.channel.setCurrentIndex(index)
    assert dock.state.channel == channel


def test_an_image_keeps_its_channel(dock: Any, viewer: Any) -> None:
    first = viewer.add_image(np.zeros((3, 40, 48)), axis_labels=("C", "Y", "X"))
    dock.image.channel.setCurrentIndex(2)
    second = viewer.add_image(np.zeros((40, 48)))
    dock.image.layer.choose(second)
    assert dock.state.channel is None
    dock.image.layer.choose(first)
    assert (dock.state.channel, dock.image.channel.currentIndex()) == (2, 2)
    first.data = np.ones((3, 40, 48))
    assert (dock.state.channel, dock.image.channel.currentIndex()) == (2, 2)
    first.data = np.ones((2, 40, 48))
    assert (dock.state.channel, dock.image.channel.currentIndex()) == (None, 0)
    colours = viewer.add_image(np.zeros((40, 48, 3), np.uint8), rgb=True)
    dock.image.layer.choose(colours)
    dock.image.channel.setCurrentIndex(1)
    dock.image.layer.choose(first)
    dock.image.layer.choose(colours)
    assert (dock.state.channel, dock.image.channel.currentIndex()) == (0, 1)


def test_results_are_no_images_to_segment(dock: Any, viewer: Any, settle: Any) -> None:
    viewer.add_image(np.zeros((40, 48)), name="cells")
    dock.segment.segment_stack()
    settle(dock)
    assert [dock.image.layer.itemText(i) for i in range(dock.image.layer.count())] == ["cells"]


@pytest.mark.parametrize("shape", [(40, 48), (7, 5, 40, 48), (3, 40, 48), (6, 20, 30)])
def test_an_image_whose_data_are_replaced_is_read_anew(
    dock: Any,
    viewer: Any,
    settle: Any,
    rng: np.random.Generator,
    shape: tuple[int, ...],
    replace_data: Any,
) -> None:
    image = viewer.add_image(rng.random((5, 40, 48)), name="img")
    dock.annotate.make_layer()
    layer = dock.state.annotation.layer
    for y, value in ((2, 1), (9, 2)):
        layer.data_setitem((np.full(9, 1), np.full(9, y), np.arange(9)), value)
    dock.annotate.count_now()
    dock.spread.spread()
    settle(dock)
    dock.cells.make_cells()
    settle(dock)
    dock.cells.shares.set_open(True)
    viewer.dims.set_current_step(0, 2)
    replace_data(image, rng.random(shape))
    assert dock.state.source.sizes == dict(zip("TZYX"[-len(shape) :], shape, strict=True))
    assert dock.state.answer is None
    assert dock.state.annotation is None
    dock.segment.segment_stack()
    settle(dock)
    assert viewer.layers["img labels"].data.shape == shape
    dock.shut()
