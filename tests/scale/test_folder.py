from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pytest

from napari_infoleak.core.errors import WriteFailed
from napari_infoleak.scale.folder import PrivateFolder


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def old(path):
    os.utime(path, (0, 0))


def test_a_folder_goes_when_it_is_removed(place):
    folder = PrivateFolder()
    (folder.path / "something").touch()
    folder.remove()
    folder.remove()
    assert not list(place.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="no locks of this kind there")
def test_what_a_crash_left_is_removed_and_nothing_else(place):
    code = (
        "import os, tempfile\n"
        f"tempfile.tempdir = {str(place)!r}\n"
        "from napari_infoleak.scale.folder import PrivateFolder\n"
        "folder = PrivateFolder()\n"
        "os._exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    (left,) = place.iterdir()
    used, strange = PrivateFolder(), place / "infoleak-notes"
    assert left.exists()  # too young to judge
    strange.mkdir()
    for folder in (left, used.path, strange):
        old(folder)
    PrivateFolder().remove()
    assert not left.exists()
    assert used.path.exists()
    assert strange.exists()
    used.remove()


def test_no_place_is_told_in_one_line(place, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(place / "missing"))
    with pytest.raises(WriteFailed, match="temporary folder"):
        PrivateFolder()
