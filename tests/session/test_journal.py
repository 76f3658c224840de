"""A journal outlives its process, is cut at a torn record, and does not grow without end."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_infoleak.core.image import Image
from napari_infoleak.session import ImageReference, Session
from napari_infoleak.session import journal as journal_module
from napari_infoleak.session import session as records
from napari_infoleak.session.journal import InUse, Journal, line_of, read_journal
from napari_infoleak.session.paint import Paint

SHAPE = (1, 2, 16, 16)


@pytest.fixture
def reference() -> ImageReference:
    return ImageReference.of(Image.from_array(np.zeros((2, 16, 16), np.uint8), "ZYX"))


def begun(reference: ImageReference) -> list[dict]:
    return [
        records.header(),
        records.image(0, reference),
        records.layer(1, 0, "paint"),
        records.use(1, ()),
    ]


def strokes(count: int) -> tuple[list[dict], Paint]:
    paint, made = Paint(SHAPE), []
    rng = np.random.default_rng(0)
    for number in range(count):
        plane = paint.plane(0, number % 2).copy()
        y, x = rng.integers(0, 12, 2)
        plane[y : y + 4, x : x + 4] = number % 3
        made.append(records.paint(1, paint.become(0, number % 2, plane)))
    return made, paint


def test_what_is_appended_is_read_again(tmp_path: Path, reference: ImageReference) -> None:
    journal = Journal(tmp_path / "a")
    made, paint = strokes(20)
    for record in [*begun(reference), *made]:
        assert journal.append(record)
    found, size = read_journal(tmp_path / "a")
    assert size == (tmp_path / "a").stat().st_size == journal.size
    again = Session(found)
    assert np.array_equal(again.layers[1].paint.whole("TZYX"), paint.whole("TZYX"))
    assert again.images[0] == reference


def test_a_file_torn_anywhere_gives_what_came_before(
    tmp_path: Path, reference: ImageReference
) -> None:
    path = tmp_path / "a"
    made = [*begun(reference), *strokes(5)[0]]
    lines = [line_of(record) for record in made]
    text = b"".join(lines)
    ends = np.cumsum([len(line) for line in lines])
    for cut in range(len(text)):
        path.write_bytes(text[:cut])
        found, size = read_journal(path)
        whole = int((ends <= cut).sum())
        assert found == made[:whole]
        assert size == (ends[whole - 1] if whole else 0)
    path.write_bytes(text[:-3])
    journal = Journal(path)
    journal.append(made[-1])
    assert read_journal(path)[0] == made


def test_a_changed_byte_is_noticed(tmp_path: Path, reference: ImageReference) -> None:
    path = tmp_path / "a"
    made = [*begun(reference), *strokes(3)[0]]
    lines = [line_of(record) for record in made]
    lines[5] = lines[5].replace(b"paint", b"point")
    path.write_bytes(b"".join(lines))
    assert read_journal(path)[0] == made[:5]


def test_only_one_window_writes_a_journal(tmp_path: Path) -> None:
    first = Journal(tmp_path / "a")
    with pytest.raises(InUse):
        Journal(tmp_path / "a")
    first.close()
    Journal(tmp_path / "a").close()


def test_no_window_comes_between_while_a_journal_is_written_anew(
    tmp_path: Path, reference: ImageReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "a")
    made = [*begun(reference), *strokes(4)[0]]
    tried = []
    replace = os.replace

    def between(*given: object) -> None:
        for act in (replace, None):
            with pytest.raises(InUse):
                Journal(tmp_path / "a")
            tried.append(act)
            if act is not None:
                act(*given)

    if os.name != "nt":  # which replaces no file that is open
        monkeypatch.setattr(os, "replace", between)
    journal.rewrite(made)
    assert len(tried) == 2 or os.name == "nt"
    monkeypatch.undo()
    journal.append(made[-1])
    assert read_journal(tmp_path / "a")[0] == [*made, made[-1]]
    with pytest.raises(InUse):
        Journal(tmp_path / "a")


def test_a_full_disk_is_told_and_made_up_for(
    tmp_path: Path, reference: ImageReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "a")
    made = [*begun(reference), *strokes(4)[0]]
    journal.append(made[0])

    class Full:
        closed = False

        def __init__(self, file: object) -> None:
            self.file = file

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def write(self, text: bytes) -> int:
            self.file.write(text[:7])  # what still fits
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real = journal._file
    journal._file = Full(real)
    assert not journal.append(made[1])
    assert not journal.append(made[2])
    assert "No space left" in journal.trouble
    journal._file = real
    assert read_journal(tmp_path / "a")[0] == made[:1]
    for record in made[3:]:
        assert journal.append(record)
    assert journal.trouble == ""
    assert read_journal(tmp_path / "a")[0] == made


def test_a_long_session_stays_small(
    tmp_path: Path, reference: ImageReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "SMALL", 4000)
    journal, session = Journal(tmp_path / "a"), Session()
    made, paint = strokes(400)
    for record in [*begun(reference), *made]:
        journal.append(session.take(record))
        if journal.grown:
            session = session.compact()
            journal.rewrite(session.records)
    assert journal.size < 6000
    again = Session(read_journal(tmp_path / "a")[0])
    assert np.array_equal(again.layers[1].paint.whole("TZYX"), paint.whole("TZYX"))


PAINTER = """
import sys
from pathlib import Path
import numpy as np
from napari_infoleak.session import session as records
from napari_infoleak.session.journal import Journal
from napari_infoleak.session.paint import Paint
journal, paint = Journal(Path(sys.argv[1])), Paint((1, 1, 64, 64))
for number in range(100_000):
    plane = paint.plane(0, 0).copy()
    plane.flat[number % 4096] = number // 4096 + 1
    journal.append(records.paint(1, paint.become(0, 0, plane)))
    print(number, flush=True)
"""


def test_what_was_painted_before_a_kill_is_there(tmp_path: Path) -> None:
    """The process is killed while it writes: each stroke that it had told of is whole."""
    path = tmp_path / "a"
    with subprocess.Popen(
        [sys.executable, "-c", PAINTER, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        told = -1
        for line in child.stdout:
            told = int(line)
            if told == 500:
                child.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
                break
        for line in child.stdout:
            told = int(line)
    found, _ = read_journal(path)
    assert len(found) in (told + 1, told + 2)
    paint = Paint((1, 1, 64, 64))
    for record in found[: told + 1]:
        paint.apply_text(record["runs"])
    assert np.count_nonzero(paint.plane(0, 0)) == told + 1
