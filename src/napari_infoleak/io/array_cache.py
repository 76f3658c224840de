"""Arrays that are dear to make, kept in a folder from one run to the next."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import BadInput, InfoleakError
from napari_infoleak.io.atomic import atomic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SETTING = "INFOLEAK_CACHE_GB"
"""Environment variable with the most gigabytes that may be kept; 0 keeps nothing."""

FOLDER = "INFOLEAK_CACHE_FOLDER"
"""Environment variable with the folder to keep them in."""

DEFAULT_GB = 2.0

_TIDY_EVERY = 32  # files written between two looks at the size of the folder


class ArrayCache:
    """Arrays by name, in files of a folder.

    The folder can be deleted at any moment and shared by any number of processes: a file appears
    whole or not at all, one that is damaged counts as missing, and what cannot be written is not.
    Files that were not used for longest go first.

    Parameters
    ----------
    folder : Path
        Made when something is written.
    limit : int
        Most bytes that are kept, but for the last few files.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self._written = 0

    def read(self, name: str) -> dict[str, NDArray[Any]] | None:
        """Give what was written under a name; None if it is not there, or damaged."""
        path = self._path(name)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                found = {key: stored[key] for key in stored.files}  # each is checked by its CRC
            os.utime(path)
        except FileNotFoundError:
            return None
        except Exception:  # there is no end to what a damaged file can raise
            _remove(path)
            return None
        return found

    def write(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays under a name, if that can be done."""
        if sum(array.nbytes for array in arrays.values()) > self.limit:
            return
        with contextlib.suppress(OSError, InfoleakError):
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._written % _TIDY_EVERY == 0:
                self._tidy()
            self._written += 1
            with atomic(self._path(name)) as part:
                np.savez(part, **arrays)  # type: ignore[arg-type]

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _tidy(self) -> None:
        """Remove the files that were not used for longest, unfinished ones among them."""
        with os.scandir(self.folder) as entries:
            files = [(e.stat(), e.path) for e in entries if e.name.endswith(".npz")]
        size = sum(status.st_size for status, _ in files)
        for status, path in sorted(files, key=lambda file: file[0].st_mtime_ns):
            if size <= self.limit:
                return
            _remove(Path(path))
            size -= status.st_size


def cache_folder() -> Path:
    """Folder in which this user's files are kept from one run to the next; it may not exist yet."""
    if chosen := os.environ.get(FOLDER):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("napari-infoleak", appauthor=False) / "encodings"


def user_cache() -> ArrayCache | None:
    """Find the cache of this user; None if the user wants none.

    Raises
    ------
    BadInput
        If the environment variable `SETTING` is no number of gigabytes.
    """
    text = os.environ.get(SETTING, str(DEFAULT_GB))
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = math.nan
    if not 0 <= gigabytes < math.inf:
        raise BadInput(f"{SETTING} is {text!r}; expected a number of gigabytes, 0 for no cache")
    if gigabytes == 0:
        return None
    return ArrayCache(cache_folder(), int(gigabytes * 1e9))


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
