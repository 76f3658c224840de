"""Private temporary folders that go away, even after a crash of everybody who knew them."""

from __future__ import annotations

import contextlib
import importlib
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO

from napari_infoleak.core.errors import WriteFailed

PREFIX = "infoleak-"
YOUNG = 60.0
"""Seconds in which a folder may not have its lock yet."""

_LOCK = "in-use"


class PrivateFolder:
    """A temporary folder that only this user can read.

    A lock tells other processes that it is in use. The system drops the lock when this process
    ends, however it ends, and whoever makes the next folder removes what is no longer in use.

    Attributes
    ----------
    path : Path
        The folder.

    Raises
    ------
    WriteFailed
        If there is no place for temporary files.
    """

    def __init__(self) -> None:
        try:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
            self._lock = (self.path / _LOCK).open("wb")
        except OSError as error:
            reason = error.strerror or error
            raise WriteFailed(f"no temporary folder can be made: {reason}") from error
        _try_lock(self._lock)
        _sweep(self.path)

    def remove(self) -> None:
        """Remove the folder with all that is in it; idempotent."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _sweep(own: Path) -> None:
    """Remove folders that nobody uses any more."""
    for folder in own.parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder != own and time.time() - folder.stat().st_mtime > YOUNG:
                _remove_unused(folder)


def _remove_unused(folder: Path) -> None:
    """Remove a folder if its lock can be had; one without a lock is none of ours."""
    with (folder / _LOCK).open("r+b") as lock:
        unused = _try_lock(lock)
    if unused:
        shutil.rmtree(folder, ignore_errors=True)


def _try_lock(file: IO[bytes]) -> bool:
    """Lock a file for as long as it is open; False if somebody has it, or nobody can tell."""
    try:
        fcntl = importlib.import_module("fcntl")
    except ImportError:  # Windows: what is left there is left to the system
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
