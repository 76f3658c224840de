"""Nothing painted is lost: journal, going on, undo over slices, sessions as files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_infoleak.io import write
from napari_infoleak.session import places, results
from napari_infoleak.session.journal import read_journal
from napari_infoleak.session.session import Session
from napari_infoleak.widgets.layers import KEY


def open_image(viewer: Any, path: Path) -> Any:
    data = np.asarray(np.load(path))
    return viewer.add_image(data, name=path.stem, metadata={KEY: {"file": str(path)}})


def stroke(layer: Any, z: int, y: int, value: int, x: int = 3) -> None:
    """Paint a row of ten pixels as the brush does: one item of the layer's own history."""
    where = (np.full(10, z), np.full(10, y), np.arange(x, x + 10))
    layer.data_setitem(where, value)


def answered_and_celled(dock: Any, settle: Any) -> Any:
    """Paint a stroke of each class, answer the stack and make cells; return the paint."""
    layer = dock.annotate.layer.layer
    stroke(layer, 0, 2, 1)
    stroke(layer, 0, 9, 2)
    dock.annotate.count_now()
    dock.segment.segment_stack()
    settle(dock)
    dock.cells.make_cells()
    settle(dock)
    return layer


@pytest.fixture
def image_file(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "my cells.npy"
    np.save(path, rng.random((5, 40, 48)).astype(np.float32))
    return path


@pytest.fixture
def painting(dock: Any, viewer: Any, image_file: Path) -> Any:
    open_image(viewer, image_file)
    dock.annotate.make_layer()
    return dock


@pytest.fixture
def reopen(qtbot: Any, executor: Any) -> Any:
    """Open a dock in another viewer, as after a crash."""
    from napari.components import ViewerModel

    from napari_infoleak.widgets.dock import InfoleakDock

    docks = []

    def open_dock(path: Path | None = None) -> Any:
        dock = InfoleakDock(ViewerModel(), executor)
        qtbot.addWidget(dock)
        docks.append(dock)
        if path is not None:
            open_image(dock.viewer, path)
        return dock

    yield open_dock
    for dock in docks:
        dock.shut()


def journals(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.infoleak-journal"))


def written(folder: Path) -> Session:
    (path,) = journals(folder)
    return Session(read_journal(path)[0])


def crash(dock: Any) -> None:
    """End a dock as the system does when the process is gone: nothing more is written."""
    recorder = dock.keeping._recorder
    recorder._journal.close()
    recorder._journal = recorder.source = None
    dock.keeping._soon.stop()


def test_each_stroke_is_in_the_journal_at_once(painting: Any, image_file: Path) -> None:
    layer = painting.annotate.layer.layer
    assert journals(image_file.parent) == [], "an image that is only looked at leaves no file"
    for z in range(5):
        stroke(layer, z, 2 * z, z % 2 + 1)
        session = written(image_file.parent)
        assert np.array_equal(session.layers[1].paint.whole("ZYX"), layer.data)


def test_what_tools_write_into_the_layer_is_written_down_too(
    painting: Any, image_file: Path, qtbot: Any
) -> None:
    layer = painting.annotate.layer.layer
    layer.data[3, 5:9, 5:9] = 2
    layer.refresh()

    def there() -> bool:
        found = journals(image_file.parent)
        return bool(found) and bool(written(image_file.parent).layers[1].paint.plane(0, 3).any())

    qtbot.waitUntil(there, timeout=1000)


def test_strokes_classes_and_settings_come_back_after_a_crash(
    painting: Any, image_file: Path, reopen: Any
) -> None:
    layer = painting.annotate.layer.layer
    painting.annotate.append_class()
    painting.annotate.rows_of_classes[2].renamed.emit(3, "nucleus")
    painting.segment.leak.setValue(0.4)
    for z in range(5):
        stroke(layer, z, 3 * z, z % 3 + 1)
    stroke(layer, 1, 3, 0)
    painting.keeping.undo()
    before, classes = layer.data.copy(), painting.state.classes
    crash(painting)

    dock = reopen(image_file)
    assert not dock.resume.isHidden()
    assert "nucleus" in dock.resume.text.text()
    dock.resume.go_on.click()
    assert dock.resume.isHidden()
    restored = dock.state.annotation.layer
    assert restored.data.tobytes() == before.tobytes()
    assert dock.state.classes == classes
    assert dock.state.leak == 0.4
    stroke(restored, 4, 30, 2)
    assert len(journals(image_file.parent)) == 1
    assert np.array_equal(written(image_file.parent).layers[1].paint.whole("ZYX"), restored.data)


def test_the_journal_keeps_the_channel_when_another_image_is_chosen(
    dock: Any, viewer: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    path = tmp_path / "stained.npy"
    np.save(path, rng.random((3, 5, 40, 48)).astype(np.float32))
    open_image(viewer, path)
    dock.image.use_letters("CZYX")
    dock.image.channel.setCurrentIndex(2)
    dock.annotate.make_layer()
    stroke(dock.annotate.layer.layer, 0, 2, 1)
    assert written(tmp_path).settings["channel"] == 2
    dock.image.layer.choose(viewer.add_image(rng.random((5, 40, 48))))
    assert written(tmp_path).settings["channel"] == 2


def test_a_session_can_be_left(painting: Any, image_file: Path, reopen: Any) -> None:
    stroke(painting.annotate.layer.layer, 0, 2, 1)
    crash(painting)
    dock = reopen(image_file)
    dock.resume.anew.click()
    assert journals(image_file.parent) == []
    assert list(image_file.parent.glob("*.infoleak-journal-old")), "put aside, not deleted"
    assert reopen(image_file).resume.isHidden()


def test_paint_that_is_on_screen_is_not_offered(
    painting: Any, image_file: Path, reopen: Any
) -> None:
    stroke(painting.annotate.layer.layer, 2, 7, 1)
    crash(painting)
    dock = reopen(image_file)
    assert not dock.resume.isHidden()
    dock.annotate.make_layer()
    assert not dock.resume.isHidden()
    stroke(dock.annotate.layer.layer, 2, 7, 1)
    assert dock.resume.isHidden()


def test_a_dock_that_is_closed_and_opened_again_offers_nothing(
    painting: Any, qtbot: Any, executor: Any
) -> None:
    stroke(painting.annotate.layer.layer, 2, 7, 1)
    painting.shut()
    again = type(painting)(painting.viewer, executor)
    qtbot.addWidget(again)
    assert again.keeping.unfinished is not None
    assert again.resume.isHidden()
    again.shut()


def test_what_is_painted_before_the_answer_is_kept_as_well(
    painting: Any, image_file: Path, reopen: Any
) -> None:
    stroke(painting.annotate.layer.layer, 0, 2, 1)
    crash(painting)
    dock = reopen(image_file)
    dock.annotate.make_layer()
    stroke(dock.annotate.layer.layer, 1, 2, 2)
    assert len(journals(image_file.parent)) == 2
    dock.resume.go_on.click()
    session = written(image_file.parent)
    assert [layer.paint.plane(0, z).max() for z, layer in enumerate(session.layers.values())] == [
        *(1, 2)
    ]
    assert dock.state.annotation.layer.data[0].any()


def test_other_images_are_offered_nothing(
    painting: Any, image_file: Path, reopen: Any, rng: np.random.Generator
) -> None:
    stroke(painting.annotate.layer.layer, 0, 2, 1)
    crash(painting)
    other = image_file.with_name("other.npy")
    np.save(other, rng.random((5, 40, 48)))
    assert reopen(other).resume.isHidden()
    np.save(other, np.load(image_file))
    assert not reopen(other).resume.isHidden(), "a copy under another name is the same image"


def test_an_image_without_a_file_is_kept_in_the_users_folder(
    dock: Any, viewer: Any, rng: np.random.Generator
) -> None:
    viewer.add_image(rng.random((5, 40, 48)), name="only here")
    dock.annotate.make_layer()
    stroke(dock.annotate.layer.layer, 1, 2, 2)
    (path,) = journals(places.user_folder())
    assert path.name.startswith("only_here.")


def test_a_folder_that_may_not_be_written_to_is_gone_around(
    painting: Any, image_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = places.Journal

    def refuse(path: Path) -> Any:
        if path.parent == image_file.parent:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(places, "Journal", refuse)
    stroke(painting.annotate.layer.layer, 1, 2, 2)
    assert len(journals(places.user_folder())) == 1
    assert painting.footer.message.isHidden()


def test_a_full_disk_is_said_and_painting_goes_on(
    painting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(image: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(places, "new_journal", full)
    layer = painting.annotate.layer.layer
    stroke(layer, 1, 2, 2)
    assert "No space left" in painting.footer.text.text()
    stroke(layer, 2, 2, 2)
    painting.keeping.undo()
    assert layer.data[1].any()
    assert not layer.data[2].any()


def test_undo_and_redo_go_over_slices(painting: Any, viewer: Any) -> None:
    layer = painting.annotate.layer.layer
    states = [layer.data.copy()]
    for number in range(60):
        z = number % 5
        viewer.dims.set_current_step(0, z)  # napari forgets its own history here
        stroke(layer, z, (number * 7) % 40, number % 3 + 1, x=number % 30)
        states.append(layer.data.copy())
    assert painting.keeping.can_undo == 60
    for state in states[-2::-1]:
        painting.keeping.undo()
        assert np.array_equal(layer.data, state)
    painting.keeping.undo()
    assert "nothing to undo" in painting.footer.text.text()
    for state in states[1:]:
        painting.keeping.redo()
        assert np.array_equal(layer.data, state)
        assert viewer.dims.current_step[0] in np.flatnonzero(state.any((1, 2)))
    painting.keeping.undo()
    viewer.dims.set_current_step(0, 2)
    stroke(layer, 2, 39, 3)
    assert painting.keeping.can_redo == 0


def test_undo_shows_the_slice(painting: Any, viewer: Any) -> None:
    layer = painting.annotate.layer.layer
    stroke(layer, 4, 3, 1)
    viewer.dims.set_current_step(0, 0)
    painting.keeping.undo()
    assert viewer.dims.current_step[0] == 4
    assert painting.state.count.total == {} or not layer.data.any()


def test_the_keys_belong_to_the_annotation_alone(painting: Any, viewer: Any) -> None:
    from app_model.types import KeyBinding

    undo = KeyBinding.from_str("Ctrl+Z")
    layer = painting.annotate.layer.layer
    other = viewer.add_labels(np.zeros((5, 40, 48), int), name="other")
    assert undo in layer.keymap
    assert undo not in other.keymap
    assert undo not in viewer.keymap
    stroke(layer, 4, 3, 1)
    layer.keymap[undo](layer)
    assert not layer.data.any()
    painting.annotate.layer.choose(other)
    assert undo in other.keymap
    assert undo not in layer.keymap


def test_the_brush_paints_one_step(window: Any, image_file: Path, qtbot: Any) -> None:
    """A stroke of many mouse moves is undone as one, and is written down while it goes on."""
    from napari.utils.interactions import (
        mouse_move_callbacks,
        mouse_press_callbacks,
        mouse_release_callbacks,
    )

    viewer = window.viewer
    open_image(viewer, image_file)
    window.annotate.make_layer()
    layer = window.annotate.layer.layer
    layer.mode = "paint"

    event = SimpleNamespace(
        type="mouse_press",
        position=(2.0, 5.0, 20.0),
        view_direction=None,
        dims_displayed=[1, 2],
        dims_point=[2, 0, 0],
        button=1,
        modifiers=[],
        handled=False,
        is_dragging=True,
    )
    viewer.dims.set_current_step(0, 2)
    mouse_press_callbacks(layer, event)
    for y in range(6, 30):
        event.type, event.position = "mouse_move", (2.0, float(y), 20.0)
        mouse_move_callbacks(layer, event)
        if y == 18:
            window.keeping._write()
            assert written(image_file.parent).layers[1].paint.plane(0, 2).any()
            assert window.keeping.can_undo == 0
    event.type = "mouse_release"
    mouse_release_callbacks(layer, event)
    qtbot.waitUntil(lambda: window.keeping.can_undo == 1, timeout=1000)
    assert layer.data[2].any()
    assert np.array_equal(written(image_file.parent).layers[1].paint.whole("ZYX"), layer.data)
    window.keeping.undo()
    assert not layer.data.any()


def test_a_saved_session_opens_elsewhere(
    painting: Any, image_file: Path, reopen: Any, tmp_path: Path
) -> None:
    layer = painting.annotate.layer.layer
    stroke(layer, 0, 2, 1)
    stroke(layer, 3, 4, 2)
    assert painting.session.save_to(tmp_path / "a.infoleak")
    elsewhere = tmp_path / "another computer"
    elsewhere.mkdir()
    (tmp_path / "a.infoleak").rename(elsewhere / "a.infoleak")
    image_file.rename(elsewhere / image_file.name)
    dock = reopen()
    assert dock.session.open_from(elsewhere / "a.infoleak")
    assert dock.state.source.name == "my cells"
    assert np.array_equal(dock.state.annotation.layer.data, layer.data)


def test_a_session_opens_in_the_layer_that_it_came_from(
    painting: Any, viewer: Any, image_file: Path, tmp_path: Path
) -> None:
    layer = painting.annotate.layer.layer
    stroke(layer, 1, 4, 1)
    stroke(layer, 3, 4, 2)
    saved = layer.data.copy()
    assert painting.session.save_to(tmp_path / "a.infoleak")
    stroke(layer, 2, 8, 2)
    stroke(layer, 3, 4, 0)
    later, count = layer.data.copy(), len(viewer.layers)
    assert painting.session.open_from(tmp_path / "a.infoleak")
    assert len(viewer.layers) == count
    assert painting.state.annotation.layer is layer
    assert np.array_equal(layer.data, saved)
    assert np.array_equal(written(image_file.parent).layers[1].paint.whole("ZYX"), saved)
    assert len(written(image_file.parent).layers) == 1
    painting.keeping.undo()
    assert np.array_equal(layer.data, later), "what was painted since comes back"
    assert painting.session.open_from(tmp_path / "a.infoleak")
    assert len(viewer.layers) == count
    assert np.array_equal(layer.data, saved)


def test_a_missing_image_is_asked_for(
    painting: Any, image_file: Path, reopen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qtpy.QtWidgets import QFileDialog

    stroke(painting.annotate.layer.layer, 0, 2, 1)
    assert painting.session.save_to(tmp_path / "a.infoleak")
    (tmp_path / "moved").mkdir()
    moved = image_file.rename(tmp_path / "moved" / "renamed.npy")
    wrong = tmp_path / "wrong.npy"
    np.save(wrong, np.ones((5, 40, 48), np.float32))
    asked = []

    def ask(parent: Any, title: str, *rest: Any) -> tuple[str, str]:
        asked.append(title)
        return str(wrong if len(asked) == 1 else moved), ""

    monkeypatch.setattr(QFileDialog, "getOpenFileName", ask)
    dock = reopen()
    assert dock.session.open_from(tmp_path / "a.infoleak")
    assert "not at" in asked[0]
    assert "pixels differ" in asked[1]
    assert dock.state.annotation.layer.data[0].any()


def test_support_and_model_come_back(
    dock: Any, viewer: Any, image_file: Path, reopen: Any, tmp_path: Path, settle: Any, qtbot: Any
) -> None:
    known = tmp_path / "known.npy"
    np.save(known, np.random.default_rng(3).random((3, 30, 30)))
    other = open_image(viewer, known)
    paint = np.zeros((3, 30, 30), np.uint8)
    paint[1, :5], paint[1, 9:] = 1, 2
    viewer.add_labels(paint, name="known paint")
    dock.image.layer.choose(open_image(viewer, image_file))
    dock.annotate.support.open_form.setChecked(True)
    dock.annotate.support.image.choose(other)
    dock.annotate.support.add_pair()
    dock.segment.segment_stack()
    settle(dock)
    assert dock.session.save_to(tmp_path / "a.infoleak")
    again = reopen()
    assert again.session.open_from(tmp_path / "a.infoleak")
    (pair,) = again.state.supports
    assert pair.source.name == "known"
    assert np.array_equal(pair.annotation.data, paint)
    qtbot.waitUntil(lambda: again.state.answer is not None, timeout=5000)
    assert again.segment.reason.text() == "", "the paint of the other image is what it was"
    assert [step.name for step in again.keeping.session.steps] == ["segment"]
    count = len(dock.viewer.layers)
    assert dock.session.open_from(tmp_path / "a.infoleak")
    assert len(dock.viewer.layers) == count, "what is on screen is used"


def test_steps_are_written_with_the_paint_of_their_moment(
    painting: Any, image_file: Path, settle: Any, executor: Any
) -> None:
    layer = answered_and_celled(painting, settle)
    stroke(layer, 1, 2, 1)
    session = painting.keeping.snapshot()
    assert [step.name for step in session.steps] == ["segment", "cells"]
    at = [record["kind"] for record in session.records].index("step")
    then = Session(session.records[: at + 1]).layers[1].paint
    assert then.plane(0, 0).any()
    assert not then.plane(0, 1).any()
    assert session.steps[0].arguments["region"] is None


def test_new_letters_begin_anew(painting: Any, image_file: Path) -> None:
    layer = painting.annotate.layer.layer
    stroke(layer, 3, 2, 1)
    painting.image.use_letters("TYX")
    stroke(layer, 4, 2, 2)
    session = written(image_file.parent)
    assert session.images[0].shape == (5, 1, 40, 48)
    assert np.array_equal(session.layers[1].paint.whole("TYX"), layer.data)


def test_a_saved_session_says_what_is_wrong(dock: Any, tmp_path: Path) -> None:
    broken = tmp_path / "a.infoleak"
    broken.write_bytes(b"no zip")
    assert not dock.session.open_from(broken)
    assert "no session" in dock.footer.text.text()
    assert dock.footer.message.property("level") == "error"


def test_written_files_are_ours(painting: Any, tmp_path: Path, image_file: Path) -> None:
    """An image written by us and opened by our reader is known again."""
    stroke(painting.annotate.layer.layer, 0, 2, 1)
    path = write(tmp_path / "same.ome.tif", np.load(image_file), axes="ZYX", kind="image")
    from napari_infoleak.io import read
    from napari_infoleak.session import fingerprint

    assert fingerprint(read(path)) == fingerprint(painting.state.source.image)


def test_cells_are_offered_to_be_paint(dock: Any, viewer: Any, rng: np.random.Generator) -> None:
    viewer.add_image(rng.random((2, 40, 48)), name="cells")
    cells = np.kron(np.arange(1, 61).reshape(1, 6, 10), np.ones((2, 6, 4), int))
    wide = np.zeros((2, 40, 48), int)
    wide[:, :36, :40] = cells
    dock.annotate.layer.choose(viewer.add_labels(wide, name="from elsewhere"))
    assert not dock.annotate.convert.isHidden()
    dock.annotate.convert_cells()
    assert dock.annotate.convert.isHidden()
    assert dock.state.annotation.layer.name == "from elsewhere as paint"
    assert dock.state.count.total[2] > 100


@pytest.fixture
def celled(painting: Any, settle: Any, image_file: Path) -> Any:
    """Answered, with cells of which one is painted and finished."""
    answered_and_celled(painting, settle)
    painting.storing.finish()
    correcting = painting.cells.correcting
    corrections = correcting._current()
    correcting._show(corrections.paint([(0, 2, 5, x) for x in range(5, 20)]), "", 1)
    correcting._show(corrections.finish([(0, 2, 5, 10)]), "", 1)
    return painting


def assert_as_it_was(dock: Any, before: Any, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not dock.storing.busy, timeout=5000)
    name = dock.state.source.name
    for kind in ("labels", "cells", "finished"):
        old, new = (one.viewer.layers[f"{name} {kind}"].data for one in (before, dock))
        assert np.array_equal(old, new), kind
    assert dock.state.cells == before.state.cells
    assert dock.cells.correcting.finished() == before.cells.correcting.finished() != frozenset()
    assert np.allclose(
        dock.state.answer.probabilities, before.state.answer.probabilities, atol=1e-4
    )
    assert dock.segment.reason.text() == before.segment.reason.text()
    assert dock.cells.reason.text() == ""
    assert dock.export.save.isEnabled()
    assert dock.cells.make.isEnabled()


def test_answer_and_corrected_cells_come_back_after_a_crash(
    celled: Any, image_file: Path, reopen: Any, qtbot: Any
) -> None:
    crash(celled)
    dock = reopen(image_file)
    dock.resume.go_on.click()
    assert_as_it_was(dock, celled, qtbot)
    layer = dock.state.annotation.layer
    stroke(layer, 4, 30, 2)
    dock.annotate.count_now()
    assert "older than your paint" in dock.segment.reason.text()


def test_results_of_paint_that_is_on_screen_are_offered(
    celled: Any, image_file: Path, reopen: Any, qtbot: Any
) -> None:
    crash(celled)
    dock = reopen(image_file)
    dock.annotate.make_layer()
    layer = dock.annotate.layer.layer
    layer.data[...] = celled.annotate.layer.layer.data
    layer.refresh()
    dock.keeping._write(everything=True)
    assert not dock.resume.isHidden()
    assert "painted interior and membrane on 1 slice, segmented it and made cells" in (
        dock.resume.text.text()
    )
    dock.resume.go_on.click()
    assert_as_it_was(dock, celled, qtbot)


def test_paint_after_the_answer_makes_it_old_after_a_crash_too(
    celled: Any, image_file: Path, reopen: Any, qtbot: Any
) -> None:
    stroke(celled.annotate.layer.layer, 3, 20, 2)
    crash(celled)
    dock = reopen(image_file)
    dock.resume.go_on.click()
    qtbot.waitUntil(lambda: dock.state.answer is not None, timeout=5000)
    assert "older than your paint" in dock.segment.reason.text()


def test_results_that_know_other_images_by_name_open_as_old(
    celled: Any, image_file: Path, reopen: Any, qtbot: Any
) -> None:
    celled.storing.finish()
    folder = celled.storing.folder
    arrays, told = results.kept(folder, results.ANSWER)
    for name in ("basis", "oldest"):
        told[name]["supports"] = [["known", "known paint"]]
    results.keep(folder, results.ANSWER, arrays, told)
    crash(celled)
    dock = reopen(image_file)
    dock.resume.go_on.click()
    qtbot.waitUntil(lambda: dock.state.answer is not None, timeout=5000)
    assert "older than the other images" in dock.segment.reason.text()


@pytest.mark.parametrize("kind", ["labels", "cells"])
def test_what_napari_paints_over_results_is_saved(
    kind: str, celled: Any, reopen: Any, qtbot: Any, tmp_path: Path
) -> None:
    celled.storing.finish()
    layer = celled.viewer.layers[f"{celled.state.source.name} {kind}"]
    stroke(layer, 4, 30, 2)
    assert celled.session.save_to(tmp_path / "a.infoleak")
    dock = reopen()
    assert dock.session.open_from(tmp_path / "a.infoleak")
    qtbot.waitUntil(lambda: not dock.storing.busy, timeout=5000)
    again = dock.viewer.layers[f"{dock.state.source.name} {kind}"]
    assert np.array_equal(again.data, layer.data)


def test_how_labels_were_spread_comes_back_after_a_crash(
    painting: Any, image_file: Path, reopen: Any, settle: Any, qtbot: Any
) -> None:
    layer = painting.annotate.layer.layer
    stroke(layer, 1, 2, 1)
    stroke(layer, 1, 9, 2)
    painting.annotate.count_now()
    painting.spread.stop.setValue(0.7)
    painting.spread.spread()
    settle(painting)
    painting.storing.finish()
    crash(painting)
    dock = reopen(image_file)
    dock.resume.go_on.click()
    qtbot.waitUntil(lambda: dock.state.answer is not None, timeout=5000)
    assert dock.spread.words.text() == painting.spread.words.text() != ""
    assert not dock.spread.plot.isHidden()
    assert dock.spread.plot._limit.value() == 0.7
    dock.spread.next.click()
    assert dock.viewer.dims.current_step[0] == 2
    old, new = (one.spreading.last(one.state.source) for one in (painting, dock))
    assert new.frames == old.frames
    assert np.array_equal(new.labels, old.labels)


def test_a_saved_session_holds_its_results(
    celled: Any, reopen: Any, qtbot: Any, tmp_path: Path
) -> None:
    assert celled.session.save_to(tmp_path / "a.infoleak")
    dock = reopen()
    assert dock.session.open_from(tmp_path / "a.infoleak")
    assert_as_it_was(dock, celled, qtbot)


def test_results_go_with_their_journal(celled: Any, image_file: Path, reopen: Any) -> None:
    folders = list(image_file.parent.glob("*.infoleak-results"))
    assert len(folders) == 1
    crash(celled)
    dock = reopen(image_file)
    dock.resume.anew.click()
    assert not list(image_file.parent.glob("*.infoleak-results"))


def test_damaged_results_are_one_sentence(
    celled: Any, image_file: Path, reopen: Any, qtbot: Any
) -> None:
    (folder,) = image_file.parent.glob("*.infoleak-results")
    path = folder / "answer.npz"
    path.write_bytes(path.read_bytes()[:200])
    crash(celled)
    dock = reopen(image_file)
    dock.resume.go_on.click()
    qtbot.waitUntil(lambda: not dock.storing.busy, timeout=5000)
    assert dock.state.annotation.layer.data.any()
    assert dock.state.answer is None
    assert "damaged" in dock.footer.text.text()


def test_large_results_are_not_kept_and_it_is_said(
    painting: Any, image_file: Path, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_infoleak.session import results

    monkeypatch.setattr(results, "LARGEST", 1000)
    painting.segment.segment_stack()
    settle(painting)
    painting.storing.finish()
    assert "too large to be kept" in painting.footer.text.text()
    assert not list(image_file.parent.glob("*.infoleak-results/*"))


@pytest.mark.parametrize("shape", [(7, 40, 48), (5, 40, 48), (40, 48)])
def test_an_image_that_is_replaced_keeps_its_journal(
    painting: Any, viewer: Any, rng: np.random.Generator, shape: tuple[int, ...]
) -> None:
    layer = painting.annotate.layer.layer
    stroke(layer, 3, 2, 1)
    journal, saved = painting.keeping.journal, layer.data.copy()
    viewer.layers["my cells"].data = rng.random(shape).astype(np.float32)
    if shape != layer.data.shape:
        assert painting.state.annotation is None
        assert "does not lie on the image any more" in painting.annotate.trouble.text()
        painting.annotate.make_layer()
    new = painting.annotate.layer.layer
    new.data_setitem((*(np.full(9, n // 2) for n in shape[:-1]), np.arange(9)), 2)
    assert painting.keeping.journal not in (None, journal)
    old = Session(read_journal(journal)[0])
    assert np.array_equal(old.layers[1].paint.whole("ZYX"), saved)
