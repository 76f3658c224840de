"""The journal: a session on disk while it goes on, a line a record, each with its checksum.

Lines are only ever added. Whatever ends the process, all lines but the last are whole; a last one
that is torn is known by its checksum, and dropped. Once the file has grown to several times of what
the session needs, it is written anew.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import zlib
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.errors import BadInput, InfoleakError
from napari_infoleak.io.atomic import atomic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import IO


Record = dict[str, Any]

SMALL = 4 << 20
"""A journal of fewer bytes is left as it is."""
_GROWN = 3


class InUse(InfoleakError):
    """Another window writes this journal."""


class Journal:
    """A file that records are added to.

    Parameters
    ----------
    path : Path
        The file; made if need be. What is whole in it stays, a torn end is cut off.

    Attributes
    ----------
    trouble : str
        Why the last record could not be written; empty if it was. It is kept, and tried again
        with the next one.

    Raises
    ------
    InUse
        If another process, or another dock, writes it.
    OSError
        If it can be neither opened nor made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        self._waiting: list[bytes] = []
        self._file = _locked_file(path)
        _, self._size = read_journal(path)
        self._compact_size = self._size
        self._file.truncate(self._size)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._size

    def append(self, record: Mapping[str, Any]) -> bool:
        """Add a record; False if it could not be written, see `trouble`.

        The record is with the system when this returns: it outlives the process.
        """
        self._waiting.append(line_of(record))
        if self._file.closed:
            return False
        text = b"".join(self._waiting)
        try:
            self._file.seek(self._size)
            written = self._file.write(text)
            if written != len(text):
                raise OSError("the disk is full")
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            self.trouble = f"{self.path} cannot be written ({error.strerror or error})"
            return False
        self._size += len(text)
        self._waiting.clear()
        self.trouble = ""
        return True

    @property
    def grown(self) -> bool:
        """Whether the file is several times as large as when it was written anew last."""
        return self._size > max(SMALL, _GROWN * self._compact_size)

    def rewrite(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Replace all records; the old file stays if that fails.

        The new file is locked before it takes its place, and the old one let go after, so that no
        other window can come between.
        """
        text = b"".join(map(line_of, records))
        old = self._file
        try:
            with atomic(self.path) as part:
                self._file = _locked_file(part)
                if self._file.write(text) != len(text):
                    raise OSError("the disk is full")
                if _REPLACES_CLOSED_ONLY:
                    self._file.close()
                    old.close()
            self._waiting.clear()
        except InfoleakError as error:
            self.trouble = str(error)
            self._file.close()
            self._file = old
        else:
            old.close()
        if self._file.closed:
            self._reopen()
        self._size = self.path.stat().st_size
        self._compact_size = self._size

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(OSError):
            self._file.close()

    def remove(self) -> None:
        """Close and delete it."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _reopen(self) -> None:
        """Open the file again, where it had to be closed to be replaced."""
        try:
            self._file = _locked_file(self.path)
        except (InUse, OSError) as error:
            self.trouble = str(error)


_BINARY = getattr(os, "O_BINARY", 0)
_REPLACES_CLOSED_ONLY = os.name == "nt"
"""Whether the system replaces no file that is open; a moment without a lock is the price."""
_FAR = 0x7FFFFFFE
_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}


def _locked_file(path: Path) -> IO[bytes]:
    # Unbuffered: what is written is the system's at once, and outlives this process.
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o644), "r+b", 0)
    if not _lock(file):
        file.close()
        raise InUse(f"{path} is in use by another window")
    return file


def _lock(file: IO[bytes]) -> bool:
    """Lock a journal for as long as it is open; False if somebody else has it."""
    try:
        try:
            fcntl = importlib.import_module("fcntl")
        except ImportError:  # Windows lets nobody read bytes that are locked: take one far behind
            msvcrt = importlib.import_module("msvcrt")
            file.seek(_FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _TAKEN  # a file system without locks has no other windows
    return True


def read_journal(path: Path) -> tuple[list[Record], int]:
    """Read the whole records at the beginning of a journal.

    Returns
    -------
    records : list of dict
        As they were added.
    size : int
        Bytes that they take; what comes after is torn.
    """
    text = path.read_bytes()
    records: list[Record] = []
    size = 0
    while (end := text.find(b"\n", size)) >= 0:
        record = _record_of(text[size:end])
        if record is None:
            break
        records.append(record)
        size = end + 1
    return records, size


def parse_journal(text: bytes, name: str) -> list[Record]:
    """Read the records of a file that has to be whole.

    Raises
    ------
    BadInput
        If a record is damaged.
    """
    found = [_record_of(line) for line in text.splitlines()]
    if not found or None in found or not text.endswith(b"\n"):
        raise BadInput(f"{name} is damaged: not all of its records can be read")
    return [record for record in found if record is not None]


def line_of(record: Mapping[str, Any]) -> bytes:
    """Return a record as a line: its checksum, a space, JSON."""
    body = json.dumps(record, separators=(",", ":"), allow_nan=False).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _record_of(line: bytes) -> Record | None:
    """Return the record of a line; None if it is damaged."""
    checksum, _, body = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(body):
        return None
    try:
        record = json.loads(body)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
