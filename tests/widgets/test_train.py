"""Training from the dock: what is asked for, what is shown, and how it is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import Cancelled
from napari_infoleak.core.progress import CancelToken
from napari_infoleak.segmenters.registry import methods
from napari_infoleak.widgets import jobs, training
from napari_infoleak.widgets.command import command_lines, done_in, python_script
from napari_infoleak.widgets.panel_train import in_words
from napari_infoleak.widgets.training import read_curves
from napari_infoleak.widgets.travel import Pixels


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(training, "models_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def painted(dock: Any, viewer: Any, qtbot: Any, rng: np.random.Generator) -> Any:
    viewer.add_image(rng.random((3, 40, 48)), name="my cells")
    dock.annotate.new.click()
    layer = viewer.layers["my cells annotation"]
    layer.data[1, 5:9, 5:20] = 1
    layer.data[1, 20:24, 5:20] = 2
    layer.refresh()
    layer.events.paint(value=[])
    qtbot.waitUntil(lambda: len(dock.state.count.total) == 2)
    return dock


def test_every_method_that_trains_is_offered_with_its_sentence(dock: Any) -> None:
    offered = [dock.train.method.itemData(i) for i in range(dock.train.method.count())]
    assert offered == [one.name for one in methods() if one.trains and 2 in one.dims]
    for index, info in enumerate(one for one in methods() if one.trains and 2 in one.dims):
        dock.train.method.setCurrentIndex(index)
        assert dock.train.sentence.text() == info.summary


def test_it_says_what_is_missing(dock: Any, viewer: Any) -> None:
    assert "Open an image" in dock.train.start.toolTip()
    viewer.add_image(np.zeros((40, 48)))
    assert "Nothing is painted" in dock.train.start.toolTip()
    assert not dock.train.keep.isEnabled()


def test_a_trained_model_answers_from_then_on(
    painted: Any, executor: Any, folder: Path, settle: Any
) -> None:
    painted.train.minutes.setValue(3)
    painted.train.train()
    function, asked = executor.asked[-1]
    assert function.endswith("jobs.train")
    assert (asked["method"], asked["minutes"], asked["init"]) == ("unet", 3, "default")
    assert asked["output"] == str(folder / "my_cells_unet.safetensors")
    assert [entry["name"] for entry in asked["classes"]] == ["interior", "membrane"]
    settle(painted)
    assert painted.state.model == asked["output"]
    assert "membrane: 0.50 → 0.75" in painted.train.result.text()
    assert not painted.training.running
    assert painted.train.init.findData(asked["output"]) >= 0
    painted.segment.segment_stack()
    assert executor.asked[-1][1]["model"] == asked["output"]


def test_no_model_is_overwritten(painted: Any, executor: Any, folder: Path, settle: Any) -> None:
    (folder / "my_cells_unet.safetensors").touch()
    painted.train.train()
    assert executor.asked[-1][1]["output"] == str(folder / "my_cells_unet_2.safetensors")
    settle(painted)


def test_stop_and_keep_asks_by_a_file(painted: Any, executor: Any, settle: Any) -> None:
    executor.waits = True
    painted.train.train()
    assert painted.train.keep.isEnabled()
    assert not painted.train.start.isEnabled()
    painted.train.keep.click()
    assert jobs.stop_file(Path(executor.asked[-1][1]["output"])).is_file()
    assert not painted.train.keep.isEnabled()
    painted.worker.cancel()
    settle(painted)
    assert painted.train.start.isEnabled()


def test_curves_follow_the_log(painted: Any, executor: Any, folder: Path, qtbot: Any) -> None:
    executor.waits = True
    painted.train.train()
    log = folder / "my_cells_unet.training" / "log.csv"
    log.parent.mkdir()
    log.write_text(
        "step,seconds,rate,dice,cross entropy,validation loss,validation mIoU\n"
        "0,1.0,0.1,,,0.7,0.25\n10,60.0,0.1,0.5,1.0,,\n20,120.0,0.1,0.25,0.5,0.6,0.5\n21,1"
    )
    qtbot.waitUntil(lambda: bool(painted.train.curves._lines), timeout=5000)
    curves = read_curves(log)
    assert curves.loss == [(1.0, 1.5), (2.0, 0.75)]
    assert [score for _, score in curves.iou] == [0.25, 0.5]
    assert not painted.train.curves.isHidden()
    painted.worker.cancel()


def test_little_paint_is_said_to_be_unjudged() -> None:
    assert "Too little" in in_words(jobs.Trained("x", {}, {}, False))


@pytest.fixture
def small_model(tmp_path: Path) -> Path:
    """A trained model of interior and membrane."""
    image, labels = pixels()
    output = tmp_path / "own.safetensors"
    settings: dict[str, Any] = {"method": "unet", "minutes": 0.005, "init": "none"}
    classes = ClassTable.membrane().to_json()
    jobs.train(image, labels, [], classes=classes, channel=None, output=str(output), **settings)
    return output


def test_a_painted_class_can_join_the_chosen_model(
    painted: Any, executor: Any, small_model: Path, settle: Any, viewer: Any, qtbot: Any
) -> None:
    assert painted.train.add.isHidden(), "a shipped model needs no training for it"
    painted.segment.use_model(str(small_model))
    assert painted.train.add.isHidden(), "it knows all that is painted"
    painted.state.classes = painted.state.classes.add("vesicles")
    layer = viewer.layers["my cells annotation"]
    layer.data[1, 30:34, 5:20] = 3
    layer.refresh()
    layer.events.paint(value=[])
    qtbot.waitUntil(lambda: 3 in painted.state.count.total)
    assert not painted.train.add.isHidden()
    assert painted.train.add.text() == "Add vesicles to own"
    painted.train.add.click()
    function, asked = executor.asked[-1]
    assert function.endswith("jobs.add_class")
    assert (asked["model"], asked["class_id"]) == (str(small_model), 3)
    settle(painted)
    assert painted.state.model == asked["output"]
    assert "vesicles: 0.50 → 0.75" in painted.train.result.text()
    assert "Answered as before: interior 0.98" in painted.train.result.text()
    painted.train.back.click()
    assert painted.state.model == str(small_model)
    assert painted.train.back.isHidden()


def test_the_job_lets_a_class_join(small_model: Path, folder: Path) -> None:
    image, labels = pixels()
    labels[:4], labels[4:8] = 3, 9
    output = folder / "more.safetensors"
    classes = ClassTable.membrane().add("vesicles").to_json()
    grown = jobs.add_class(
        image,
        labels,
        [],
        classes=classes,
        channel=None,
        model=str(small_model),
        class_id=3,
        minutes=0.01,
        output=str(output),
    )
    assert grown.origin == str(small_model)
    assert output.is_file()
    assert set(grown.agreement) <= {"interior", "membrane"}


def test_the_chosen_model_is_made_small(painted: Any, executor: Any, settle: Any) -> None:
    rows = [
        {"name": "interior", "before": 0.9, "after": 0.89, "agreement": 0.97, "rare": False},
        {"name": "membrane", "before": None, "after": None, "agreement": None, "rare": True},
    ]

    def fake_shrink(output: str, model: str, **rest: Any) -> jobs.Small:
        return jobs.Small(output, (2.81, 0.71), (1.2, 0.3), rows, False, model)

    executor.answers["shrink"] = fake_shrink
    assert painted.train.small.text() == "Make membrane small"
    painted.train.minutes.setValue(2)
    painted.train.small.click()
    function, asked = executor.asked[-1]
    assert function.endswith("jobs.shrink")
    assert (asked["model"], asked["minutes"]) == ("membrane", 2)
    assert asked["output"].endswith("my_cells_membrane_small.safetensors")
    settle(painted)
    assert painted.state.model == asked["output"]
    told = painted.train.result.text()
    assert "size: 2.81 → 0.71 MB" in told
    assert "time: 1.20 → 0.30 s a megapixel" in told
    assert "overlap of interior: 0.90 → 0.89" in told
    assert "overlap of membrane" not in told
    assert "look at it before you rely on it: membrane" in told
    done = done_in(painted.state, painted.keeping.session.steps)
    line = command_lines(done).splitlines()[1]
    assert line.startswith("# infoleak export membrane my_cells.tif --annotated my_cells.tif")
    assert " --small " in line
    assert "il.shrink('membrane', [il.read('my_cells.tif', 'ZYX')], annotations=[" in (
        python_script(done)
    )
    painted.train.back.click()
    assert painted.state.model == "membrane"


def test_the_job_makes_a_small_model(small_model: Path, folder: Path) -> None:
    image, labels = pixels()
    output = folder / "small.safetensors"
    asked: dict[str, Any] = {"classes": ClassTable.membrane().to_json(), "channel": None}
    asked |= {"model": str(small_model), "minutes": 0.02, "output": str(output)}
    small = jobs.shrink(image, labels, [], **asked)
    assert output.is_file()
    assert small.size[1] < small.size[0]
    assert {row["name"] for row in small.rows} == {"interior", "membrane"}
    with pytest.raises(Cancelled):
        jobs.shrink(image, None, [], cancel=Raised(), **asked)


def pixels() -> tuple[Pixels, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.ones((40, 48), np.uint8)
    labels[20:] = 2
    return Pixels(np.where(labels == 1, 0.0, 1.0) + rng.normal(0, 0.1, (40, 48)), "YX"), labels


class Raised(CancelToken):
    """Set from the first look on."""

    cancelled = True


def test_the_job_trains_a_model_file(folder: Path) -> None:
    image, labels = pixels()
    output = folder / "own.safetensors"
    classes = ClassTable.membrane().rename(2, "wall").to_json()
    settings: dict[str, Any] = {"classes": classes, "channel": None, "method": "unet"}
    settings |= {"minutes": 0.01, "init": "none", "output": str(output)}
    trained = jobs.train(image, labels, [], **settings)
    assert output.is_file()
    assert set(trained.after) <= {"interior", "wall"}

    def stop(done: int, total: int, message: str = "") -> None:
        jobs.stop_file(output).touch()

    kept = jobs.train(image, labels, [], progress=stop, **settings | {"minutes": 100.0})
    assert kept.stopped
    assert not jobs.stop_file(output).exists()
    with pytest.raises(Cancelled):
        jobs.train(image, labels, [], cancel=Raised(), **settings)


def test_a_training_that_is_cancelled_writes_nothing_any_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_infoleak.learn.checkpoints import Store

    image, labels = pixels()
    cancel, saved = CancelToken(), list[int]()
    monkeypatch.setattr(Store, "save", lambda store, state: saved.append(state.step))

    def raise_it(done: int, total: int, message: str = "") -> None:
        saved.clear()
        if done:
            cancel.cancel()

    settings: dict[str, Any] = {"classes": ClassTable.membrane().to_json(), "channel": None}
    settings |= {"method": "unet", "minutes": 0.2, "init": "none"}
    output = folder / "own.safetensors"
    with pytest.raises(Cancelled):
        jobs.train(
            image, labels, [], **settings, output=str(output), progress=raise_it, cancel=cancel
        )
    assert cancel.cancelled
    assert not saved
    assert not output.exists()


def test_closing_in_the_middle_leaves_nothing(painted: Any, executor: Any, folder: Path) -> None:
    executor.waits = True
    painted.train.train()
    log = painted.training._output.with_suffix(".training") / "log.csv"
    log.parent.mkdir()
    log.touch()
    painted.training.stop_and_keep()
    painted.shut()
    assert not list(folder.glob("my_cells*"))
