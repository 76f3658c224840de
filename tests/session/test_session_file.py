"""A session is shortened without loss, and opens from one file anywhere."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from recording import Recording

from napari_infoleak.core.errors import BadInput
from napari_infoleak.session import Session, load_session, needed_steps, save_session
from napari_infoleak.session import session as records
from napari_infoleak.session.session import Step


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "my cells.npy"
    np.save(path, np.random.default_rng(0).random((3, 20, 24)))
    return path


@pytest.fixture
def recording(image: Path) -> Recording:
    made = Recording(image)
    strokes = np.zeros((3, 20, 24), np.uint8)
    strokes[1, 3:5] = 1
    made.paint(strokes)
    made.step("segment")
    strokes[2, 7:9] = 2
    made.paint(strokes)
    made.step("segment", leak=0.5)
    strokes[0, 1] = 1
    made.paint(strokes)
    return made


def state(session: Session) -> tuple:
    layers = {n: one.paint.whole("ZYX").tobytes() for n, one in session.layers.items()}
    return layers, session.images, session.classes, session.settings, session.steps[-1]


def test_a_shortened_session_leads_to_the_same(recording: Recording) -> None:
    for _ in range(50):
        recording.step("segment", leak=0.5)
    short = recording.session.compact()
    assert state(short) == state(recording.session)
    assert len(short.steps) == 1
    assert len(short.records) < 10
    at = [record["kind"] for record in short.records].index("step")
    then = Session(short.records[:at]).layers[1].paint
    assert then.plane(0, 2).any() == then.plane(0, 1).any()
    assert state(short.compact()) == state(short)


def test_a_step_that_runs_is_kept_when_the_session_is_shortened(recording: Recording) -> None:
    number = recording.session.next_step
    recording.session.take(records.step(number, "segment", {"region": None}))
    short = recording.session.compact()
    short.take(records.done(number, {}))
    assert short.steps[-1].number == number


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["segment", "segment"], [2]),
        (["segment", "cells", "cells"], [1, 3]),
        (["segment", "segment", "cells", "segment", "segment"], [2, 3, 5]),
        (["segment", "cells", "segment", "cells"], [3, 4]),
        (["train", "segment", "cells", "train"], [1, 2, 3, 4]),
    ],
)
def test_only_steps_with_a_result_left_are_needed(names: list[str], kept: list[int]) -> None:
    steps = [
        Step(number, name, {"output": str(number)} if name == "train" else {"region": None})
        for number, name in enumerate(names, 1)
    ]
    assert [step.number for step in needed_steps(steps)] == kept


def test_answers_of_other_parts_are_needed() -> None:
    one, other = [0, 1, 0, 1, 0, 9, 0, 9], [0, 1, 1, 2, 0, 9, 0, 9]
    steps = [Step(n, "segment", {"region": r}) for n, r in enumerate([one, other, one], 1)]
    assert [step.number for step in needed_steps(steps)] == [2, 3]


def test_a_saved_session_is_the_same_when_opened(
    recording: Recording, image: Path, tmp_path: Path
) -> None:
    model = tmp_path / "mine.safetensors"
    model.write_bytes(b"weights")
    from napari_infoleak.io import weights_hash

    recording.session.take(records.model(str(model), weights_hash(model)))
    recording.session.take(records.settings({"model": str(model), "leak": 1.0, "channel": None}))
    path = save_session(tmp_path / "a.infoleak", recording.session)
    moved = tmp_path / "müsli und brot"
    moved.mkdir()
    for file in (path, image):
        file.rename(moved / file.name)
    model.unlink()
    session = load_session(moved / "a.infoleak", tmp_path / "models")
    assert session.images[0].path == str(moved / "my cells.npy")
    assert session.layers[1].paint.whole("ZYX").tobytes() == state(recording.session)[0][1]
    assert Path(session.settings["model"]).read_bytes() == b"weights"
    assert session.images[0].load().label_shape == (1, 3, 20, 24)


def test_nothing_in_the_file_is_code(recording: Recording, tmp_path: Path) -> None:
    with zipfile.ZipFile(save_session(tmp_path / "a.infoleak", recording.session)) as file:
        assert file.namelist() == ["records"]
        assert file.read("records").isascii()


@pytest.mark.parametrize("damage", ["cut", "records", "empty", "newer"])
def test_a_damaged_file_is_told(recording: Recording, tmp_path: Path, damage: str) -> None:
    path = save_session(tmp_path / "a.infoleak", recording.session)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    else:
        with zipfile.ZipFile(path) as file:
            text = file.read("records")
        newer = records.header() | {"format": 99, "version": "9.9"}
        from napari_infoleak.session.journal import line_of

        new = {"records": text.replace(b"paint", b"point"), "empty": b"", "newer": line_of(newer)}
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("records", new[damage])
    expected = "9.9" if damage == "newer" else "damaged"
    with pytest.raises(BadInput, match=expected):
        load_session(path, tmp_path)


def test_an_encrypted_file_is_told(recording: Recording, tmp_path: Path) -> None:
    path = save_session(tmp_path / "a.infoleak", recording.session)
    content = bytearray(path.read_bytes())
    content[6] |= 1  # what zip files say so by, at the part and in the directory
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(BadInput, match="no session"):
        load_session(path, tmp_path)


def test_another_image_is_noticed(recording: Recording, image: Path) -> None:
    reference = recording.session.images[0]
    np.save(image, np.random.default_rng(1).random((3, 20, 24)))
    with pytest.raises(BadInput, match="pixels differ"):
        reference.load()
    image.unlink()
    with pytest.raises(BadInput, match="--image my cells=FILE"):
        reference.load()
