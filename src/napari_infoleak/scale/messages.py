"""Messages over a pair of pipes: eight bytes of length, then a small pickled tuple.

Everything that is larger than a pipe's buffer travels as a file, so a sender never waits for the
other side to read.
"""

from __future__ import annotations

import pickle
import struct
import uuid
from pathlib import Path
from typing import IO, Any

IN_MESSAGE = 16_000
"""Bytes up to which a parcel travels inside its message."""

_LENGTH = struct.Struct("<Q")


def send(stream: IO[bytes], message: tuple[Any, ...]) -> None:
    """Write one message and flush."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[Any, ...] | None:
    """Read one message; None when the other side is gone."""
    head = _read(stream, _LENGTH.size)
    if head is None:
        return None
    body = _read(stream, _LENGTH.unpack(head)[0])
    if body is None:
        return None
    message: tuple[Any, ...] = pickle.loads(body)  # noqa: S301 - both ends of the pipe are ours
    return message


def stow(parcel: bytes, folder: Path) -> bytes | str:
    """Return a small parcel itself, the name of a file for a large one."""
    if len(parcel) <= IN_MESSAGE:
        return parcel
    path = folder / f"{uuid.uuid4().hex}.parcel"
    try:
        path.write_bytes(parcel)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return str(path)


def fetch(stowed: bytes | str) -> bytes:
    """Give the parcel back; its file is removed."""
    if isinstance(stowed, bytes):
        return stowed
    path = Path(stowed)
    parcel = path.read_bytes()
    path.unlink(missing_ok=True)
    return parcel


def _read(stream: IO[bytes], count: int) -> bytes | None:
    """Read exactly ``count`` bytes, None at the end of the stream."""
    parts = []
    while count:
        try:
            part = stream.read(count)
        except (OSError, ValueError):
            return None
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
