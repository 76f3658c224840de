"""The dock opens on every kind of layer, and its results lie exactly on them."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
from qtpy.QtWidgets import QScrollArea

CASES = {
    "YX": (40, 48),
    "ZYX": (5, 40, 48),
    "TYX": (6, 40, 48),
    "CYX": (3, 40, 48),
    "TZYX": (2, 5, 40, 48),
    "TCYX": (6, 2, 40, 48),
    "TZCYX": (2, 5, 2, 40, 48),
    "TCZYX": (2, 2, 5, 40, 48),
}


def test_without_a_layer_it_says_what_to_do(dock: Any) -> None:
    assert "Open an image" in dock.image.empty.text()
    for button in (dock.annotate.new, dock.segment.view, dock.segment.stack, dock.cells.make):
        assert not button.isEnabled()
        assert "Open an image" in button.toolTip()


@pytest.mark.parametrize("letters", CASES)
def test_stack_comes_back_on_the_image(
    dock: Any, viewer: Any, settle: Any, rng: np.random.Generator, letters: str
) -> None:
    shape = CASES[letters]
    scale = [{"T": 30.0, "C": 1.0, "Z": 0.9, "Y": 0.3, "X": 0.2}[k] for k in letters]
    units = ["second" if k == "T" else "pixel" if k == "C" else "micrometer" for k in letters]
    layer = viewer.add_image(
        rng.random(shape), scale=scale, translate=[7.0] * len(shape), units=units, name="cells"
    )
    dock.image.use_letters(letters)
    dock.segment.segment_stack()
    settle(dock)

    labels = viewer.layers["cells labels"]
    membrane = viewer.layers["cells membrane"]
    for result in (labels, membrane):
        # Layers of fewer dimensions are lined up by their last ones.
        assert result.ndim == (layer.ndim - 1 if letters.startswith("C") else layer.ndim)
        offset = layer.ndim - result.ndim
        for axis, letter in enumerate(letters[offset:]):
            if letter == "C":
                assert result.data.shape[axis] == 1
                continue
            assert result.data.shape[axis] == shape[offset + axis]
            assert result.scale[axis] == pytest.approx(scale[offset + axis])
            assert result.translate[axis] == pytest.approx(7.0)
            assert str(result.units[axis]) == units[offset + axis]
    assert set(np.unique(labels.data)) == {1, 2}


def test_labels_between_channels_show_on_every_channel(
    dock: Any, viewer: Any, settle: Any, rng: np.random.Generator
) -> None:
    viewer.add_image(rng.random((2, 5, 3, 40, 48)), name="cells")
    dock.image.use_letters("TZCYX")
    dock.segment.segment_stack()
    settle(dock)
    labels = viewer.layers["cells labels"]
    for channel in range(3):
        viewer.dims.set_current_step(2, channel)
        assert labels.get_value(viewer.dims.point, world=True) in (1, 2)


def test_rgb(dock: Any, viewer: Any, settle: Any, rng: np.random.Generator) -> None:
    viewer.add_image(rng.integers(0, 255, (40, 48, 3), dtype=np.uint8), rgb=True, name="stain")
    assert dock.state.source.axes == "YXC"
    assert dock.image.channel.count() == 4
    dock.image.channel.setCurrentIndex(2)
    assert dock.state.channel == 1
    dock.segment.segment_stack()
    settle(dock)
    assert viewer.layers["stain labels"].data.shape == (40, 48)


def test_dask_stays_lazy(dock: Any, viewer: Any, executor: Any, settle: Any) -> None:
    read: list[tuple[int, ...]] = []

    def plane(block_info: Any = None) -> np.ndarray[Any, Any]:
        read.append(block_info[None]["chunk-location"])
        return np.arange(40 * 48, dtype=np.float32).reshape(1, 40, 48)

    lazy = da.map_blocks(plane, chunks=((1,) * 30, (40,), (48,)), dtype=np.float32)
    viewer.add_image(lazy, name="large", contrast_limits=(0, 2000))
    dock.annotate.make_layer()
    dock.segment.segment_view()
    assert executor.asked[-1][1]["pixels"].array.array is lazy
    assert executor.held == []
    settle(dock)
    assert len({place[0] for place in read}) < 5


def test_multiscale_takes_the_full_resolution(
    dock: Any, viewer: Any, settle: Any, rng: np.random.Generator
) -> None:
    full = rng.random((4, 64, 64))
    viewer.add_image([full, full[:, ::2, ::2]], multiscale=True, name="pyramid")
    dock.segment.segment_stack()
    settle(dock)
    assert viewer.layers["pyramid labels"].data.shape == (4, 64, 64)


@pytest.mark.parametrize(
    ("placed", "word"),
    [
        ({"rotate": 30}, "rotated"),
        ({"shear": [0.4]}, "sheared"),
        ({"affine": [[2, 0, 5], [0, 2, 0], [0, 0, 1]]}, "affine"),
    ],
)
def test_warped_layers_are_refused_in_words(
    dock: Any, viewer: Any, rng: np.random.Generator, placed: dict[str, Any], word: str
) -> None:
    viewer.add_image(rng.random((40, 48)), **placed)
    assert word in dock.image.trouble.text()
    assert not dock.image.trouble.isHidden()
    assert word in dock.segment.view.toolTip()
    assert not dock.segment.view.isEnabled()


def test_an_image_that_goes_away_is_forgotten(
    dock: Any, viewer: Any, rng: np.random.Generator
) -> None:
    layer = viewer.add_image(rng.random((40, 48)))
    assert dock.state.source is not None
    viewer.layers.remove(layer)
    assert dock.state.source is None
    assert "Open an image" in dock.image.empty.text()


def test_nothing_is_cut_off_where_the_dock_is_as_narrow_as_it_gets(
    dock: Any, viewer: Any, qtbot: Any, rng: np.random.Generator
) -> None:
    viewer.add_image(rng.random((5, 40, 48)), name="a stack with a name that is rather long")
    dock.annotate.make_layer()
    for panel in dock.panels.values():
        panel.set_open(True)
    dock.resize(dock.minimumWidth(), 900)
    dock.show()
    qtbot.waitExposed(dock)
    scroll = dock.findChild(QScrollArea)
    room = scroll.viewport().width()
    wide = {
        name: panel.minimumSizeHint().width()
        for name, panel in dock.panels.items()
        if panel.minimumSizeHint().width() > room - 12
    }
    assert wide == {}, f"only {room - 12} points are there"


def test_the_child_ends_even_if_something_cannot_be_written(
    dock: Any, executor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(dock.storing, "close", fail)
    with pytest.raises(OSError, match="full"):
        dock.shut()
    assert executor.closed
