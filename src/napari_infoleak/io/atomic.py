"""Put a file or folder in place whole, or leave nothing behind."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from typing import TYPE_CHECKING

from napari_infoleak.core.errors import BadInput, OutOfMemory, WriteFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`, and rename it to `target` at the end.

    Parameters
    ----------
    target : Path
        Where the file, or the folder of a zarr store, shall be. What is there is replaced only
        after the new one is complete.

    Yields
    ------
    Path
        A path in the same folder, with the same suffix, at which nothing exists yet.

    Raises
    ------
    BadInput
        If the folder of `target` does not exist.
    WriteFailed
        If the disk is full or may not be written to. Nothing half-written is left.
    """
    target = target.resolve() if target.is_symlink() else target  # a link stays a link
    if not target.parent.is_dir():
        raise BadInput(f"the folder {target.parent} does not exist; make it first")
    suffix = "".join(target.suffixes[-2:])
    # The name is short, so that a long name of the target does not become too long.
    part = target.parent / f".part-{uuid.uuid4().hex[:12]}{suffix[-24:]}"
    try:
        yield part
        _replace(part, target)
    except OSError as error:
        raise WriteFailed(_explanation(target, error)) from error
    except MemoryError as error:
        raise OutOfMemory(f"no memory left to write {target}") from error
    finally:
        _remove(part)


def _replace(part: Path, target: Path) -> None:
    if not target.is_dir():
        os.replace(part, target)
        return
    old = target.parent / f".old-{uuid.uuid4().hex[:12]}"
    os.replace(target, old)  # a folder cannot be replaced in one step
    try:
        os.replace(part, target)
    except OSError:
        os.replace(old, target)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _explanation(target: Path, error: OSError) -> str:
    # numpy tells of a full disk in words alone: "90000 requested and 24224 written".
    if error.errno in _FULL or (error.errno is None and "requested and" in str(error)):
        return f"{target} was not written: the disk is full; free some space or choose another disk"
    if error.errno in _FORBIDDEN:
        return f"{target} was not written: the folder or file may not be written to; choose another"
    return f"{target} was not written: {error.strerror or error}"
