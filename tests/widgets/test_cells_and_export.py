"""Cells on their image, files with their calibration, and a command that can be pasted."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_infoleak.scale.events import Done
from napari_infoleak.widgets import jobs, steps
from napari_infoleak.widgets.command import bare, command_lines, done_in, segment_words, stem
from napari_infoleak.widgets.panel_export import with_ending


@pytest.fixture
def answered(dock: Any, viewer: Any, settle: Any, rng: np.random.Generator) -> Any:
    image = np.zeros((3, 40, 48))
    image[:, 5:15, 5:15] = image[:, 20:35, 20:40] = 1
    viewer.add_image(
        image, name="cells", scale=(0.9, 0.3, 0.2), units=("micrometer",) * 3, translate=(1, 2, 3)
    )
    dock.segment.segment_stack()
    settle(dock)
    return dock


def test_cells_lie_on_the_image(answered: Any, viewer: Any, executor: Any, settle: Any) -> None:
    answered.cells.make_cells()
    asked = executor.asked[-1][1]
    assert asked["axes"] == "ZYX"
    assert asked["description"]["scale"] == {"Z": 0.9, "Y": 0.3, "X": 0.2}
    assert asked["min_size"] is None
    settle(answered)
    cells = viewer.layers["cells cells"]
    assert cells.data.shape == (3, 40, 48)
    assert tuple(cells.scale) == (0.9, 0.3, 0.2)
    assert answered.state.cells == 2
    assert "2 cells" in answered.footer.text.text()
    assert cells.visible
    assert not viewer.layers["cells labels"].visible


def test_a_new_answer_outdates_the_cells(answered: Any, viewer: Any, settle: Any) -> None:
    answered.cells.make_cells()
    settle(answered)
    answered.segment.segment_stack()
    settle(answered)
    assert viewer.layers["cells cells"].visible, "the same answer leaves them as they are"
    assert answered.cells.reason.text() == ""
    answered.segment.leak.setValue(0.5)
    assert "another leak" in answered.segment.reason.text()
    assert steps.next_step(answered.state) == "view"
    answered.segment.segment_stack()
    settle(answered)
    assert answered.state.cells == 2
    assert viewer.layers["cells labels"].visible
    assert not viewer.layers["cells cells"].visible
    words = "Cells are older than the labels: press “Make cells”."
    assert answered.cells.reason.text() == words
    assert answered.cells.make.property("primary")
    answered.export.what.setCurrentText("Cells")
    assert answered.export.reason.text() == words
    assert answered.export.save.isEnabled(), "what is stale may be written"
    answered.cells.make_cells()
    settle(answered)
    assert answered.cells.reason.text() == ""
    assert answered.export.reason.text() == ""


def test_paint_makes_labels_and_cells_older_than_it(
    answered: Any, viewer: Any, settle: Any, qtbot: Any
) -> None:
    def paint(z: int, number: int) -> None:
        where = np.full(9, z), np.arange(9) + 3 * number, np.arange(9)
        answered.annotate.layer.layer.data_setitem(where, number)
        answered.annotate.count_now()

    answered.annotate.make_layer()
    for number in (1, 2):
        paint(0, number)
    answered.segment.segment_stack()
    settle(answered)
    answered.cells.make_cells()
    settle(answered)
    assert answered.segment.reason.text() == ""
    assert answered.export.save.property("primary")
    paint(2, 1)
    words = "Labels are older than your paint: press “Segment view”."
    assert answered.segment.reason.text() == words
    assert answered.segment.view.property("primary")
    assert answered.cells.reason.text() == words.replace("Labels", "Labels and cells")
    answered.export.what.setCurrentText("Labels")
    assert answered.export.reason.text() == words
    answered.keeping.undo()
    answered.annotate.count_now()
    assert answered.segment.reason.text() == "", "the paint is what it was"
    paint(2, 1)
    viewer.dims.set_current_step(0, 1)
    answered.segment.segment_view()
    settle(answered)
    elsewhere = "Labels elsewhere are older than your paint: press “Segment stack”."
    assert answered.segment.reason.text() == elsewhere
    assert answered.segment.stack.property("primary")
    answered.segment.segment_stack()
    settle(answered)
    assert answered.segment.reason.text() == ""
    assert answered.cells.make.property("primary")


def test_what_is_not_there_cannot_be_saved(dock: Any, viewer: Any) -> None:
    viewer.add_image(np.zeros((40, 48)))
    assert "Segment first" in _reason(dock, "Labels")
    assert "Nothing is painted" in _reason(dock, "Annotation")


def _reason(dock: Any, what: str) -> str:
    dock.export.what.setCurrentText(what)
    assert not dock.export.save.isEnabled()
    assert dock.export.save.toolTip() == dock.export.reason.text()
    return str(dock.export.reason.text())


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif", "a.ome.zarr", "a.npy"])
def test_saved_labels_open_again_as_they_were(
    answered: Any, executor: Any, settle: Any, tmp_path: Path, name: str
) -> None:
    from napari_infoleak.io import read, read_labels

    path = tmp_path / "müsli und brot" / name
    path.parent.mkdir()
    assert answered.export.save_to(path, "labels")
    jobs.save(**executor.asked[-1][1])
    settle(answered)
    labels, axes = read_labels(path)
    shown = answered.viewer.layers["cells labels"].data
    assert axes == "ZYX"
    assert np.array_equal(labels, shown)
    image = read(path)
    assert image.scale == pytest.approx({"Z": 0.9, "Y": 0.3, "X": 0.2})
    assert image.units["Y"] == "micrometer"


def test_probabilities_keep_their_classes(
    answered: Any, executor: Any, settle: Any, tmp_path: Path
) -> None:
    from napari_infoleak.io import read

    answered.export.save_to(tmp_path / "p.ome.tif", "probabilities")
    jobs.save(**executor.asked[-1][1])
    settle(answered)
    image = read(tmp_path / "p.ome.tif")
    assert image.sizes["C"] == 2
    assert image.channel_names == ("interior", "membrane")


def test_dialog_asks_for_a_name(
    answered: Any, executor: Any, settle: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from qtpy.QtWidgets import QFileDialog

    asked: list[Any] = []

    def ask(*args: Any) -> tuple[str, str]:
        asked.append(args[2:])
        return "mine", args[-1]

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    answered.state.source.layer.metadata["infoleak"]["file"] = str(tmp_path / "cells.tif")
    answered.export.format.setCurrentText("TIFF for Fiji")
    answered.export.ask_and_save()
    assert asked == [(str(tmp_path / "cells_labels.tif"), "TIFF for Fiji (*.tif)")]
    assert executor.asked[-1][1]["path"] == "mine.tif"
    settle(answered)
    assert "Saved" in answered.footer.text.text()


def test_endings() -> None:
    assert with_ending("a", ".ome.tif") == "a.ome.tif"
    assert with_ending("a.tif", ".npy") == "a.tif"
    assert with_ending("a.b", ".ome.zarr") == "a.b.ome.zarr"
    assert bare("x/a.ome.tif") == "a"
    assert stem("my cells [1]") == "my_cells__1"


def test_command_names_files_and_settings(dock: Any, viewer: Any, tmp_path: Path) -> None:
    layer = viewer.add_image(np.zeros((3, 2, 40, 48)), name="two channels")
    layer.metadata["infoleak"] = {"file": str(tmp_path / "two channels.tif")}
    dock.image.use_letters("ZCYX")
    dock.image.channel.setCurrentIndex(1)
    dock.segment.leak.setValue(0.5)
    dock.annotate.make_layer()
    paint = dock.annotate.layer.layer
    paint.data[0, 0, 0, :5], paint.data[0, 0, 9, :5] = 1, 2
    dock.annotate.count_now()
    done = done_in(dock.state)
    words = shlex.split(command_lines(done))
    assert words[:3] == ["infoleak", "segment", str(tmp_path / "two channels.tif")]
    assert words[words.index("--axes") + 1] == "ZCYX"
    assert words[words.index("--channel") + 1] == "1"
    assert words[words.index("--leak") + 1] == "0.5"
    assert words[words.index("--annotations") + 1] == "two_channels_annotation.tif"
    assert done.missing == ["“two channels annotation” as two_channels_annotation.tif"]


def test_saving_the_annotation_completes_the_command(
    dock: Any, viewer: Any, settle: Any, tmp_path: Path
) -> None:
    from qtpy.QtWidgets import QApplication

    layer = viewer.add_image(np.zeros((40, 48)), name="cells")
    layer.metadata["infoleak"] = {"file": "cells.tif"}
    dock.annotate.make_layer()
    paint = dock.annotate.layer.layer
    paint.data_setitem((np.zeros(5, int), np.arange(5)), 1)
    paint.data_setitem((np.ones(5, int), np.arange(5)), 2)
    dock.annotate.count_now()
    assert done_in(dock.state).missing
    dock.export.save_to(tmp_path / "paint.tif", "annotation")
    settle(dock)
    done = done_in(dock.state)
    assert not done.missing
    assert str(tmp_path / "paint.tif") in segment_words(done)
    dock.export.copy_command()
    assert QApplication.clipboard().text() == command_lines(done)
    paint.data_setitem((np.full(5, 2), np.arange(5)), 2)
    assert done_in(dock.state).missing, "the file does not hold the last stroke"


def test_the_file_of_an_annotation_is_noted_where_it_belongs(
    dock: Any, viewer: Any, settle: Any, executor: Any, tmp_path: Path
) -> None:
    viewer.add_image(np.zeros((40, 48)), name="cells")
    dock.annotate.make_layer()
    paint = dock.annotate.layer.layer
    paint.data_setitem((np.zeros(5, int), np.arange(5)), 1)
    dock.annotate.count_now()
    executor.waits = True
    assert dock.export.save_to(tmp_path / "paint.tif", "annotation")
    paint.data_setitem((np.ones(5, int), np.arange(5)), 2)
    dock.image.layer.choose(viewer.add_image(np.zeros((30, 30)), name="other"))
    dock.annotate.make_layer()
    executor.jobs[-1].events.append(Done("paint.tif"))
    settle(dock)
    notes = paint.metadata["infoleak"]
    assert (notes["file"], notes["changed"]) == ("paint.tif", True)
    assert "file" not in dock.annotate.layer.layer.metadata["infoleak"]


def test_how_a_model_was_made_is_told(dock: Any, viewer: Any, tmp_path: Path) -> None:
    from napari_infoleak.session import Step
    from napari_infoleak.widgets.command import python_script

    layer = viewer.add_image(np.zeros((40, 48)), name="cells")
    layer.metadata["infoleak"] = {"file": "cells.tif"}
    dock.annotate.make_layer()
    paint = dock.annotate.layer.layer
    paint.data[0, :5], paint.data[9, :5] = 1, 2
    dock.annotate.count_now()
    dock.state.model = "b.safetensors"
    steps = [
        Step(1, "train", {"method": "unet", "steps": 5, "init": "none"}, {"path": "a.safetensors"}),
        Step(
            2,
            "add_class",
            {"model": "a.safetensors", "class_id": 2, "minutes": 0.5, "channel": None},
            {"path": "b.safetensors"},
        ),
    ]
    done = done_in(dock.state, steps)
    first, remark, second, last = command_lines(done).splitlines()
    assert first.startswith("infoleak train cells.tif cells_annotation.tif --method unet --steps 5")
    assert remark.startswith("# how the model was made")
    assert second.startswith("# infoleak add-class a.safetensors cells.tif cells_annotation.tif")
    assert "--id 2" in second
    assert "--name membrane" in second
    assert "--model b.safetensors" in last
    script = python_script(done)
    assert "# il.add_class('a.safetensors', 'membrane', [(il.read('cells.tif', 'YX')" in script
    compile(script, "script", "exec")


def test_cells_are_offered_for_saving_once_there_are_some(
    answered: Any, viewer: Any, settle: Any
) -> None:
    assert answered.export.what.currentData() == "labels"
    answered.cells.make_cells()
    settle(answered)
    assert answered.export.what.currentData() == "cells"
    answered.segment.leak.setValue(0.5)
    answered.segment.segment_stack()
    settle(answered)
    assert answered.export.what.currentData() == "labels"


def test_another_model_asks_for_a_new_answer(
    answered: Any, viewer: Any, settle: Any, tmp_path: Path
) -> None:
    assert steps.next_step(answered.state) == "cells"
    answered.segment.use_model(str(tmp_path / "mine.safetensors"))
    assert steps.next_step(answered.state) == "view"
    answered.segment.segment_view()
    settle(answered)
    assert steps.next_step(answered.state) == "stack", "the rest is another model's"
    assert "by this model" in steps.why_not_cells(answered.state)
