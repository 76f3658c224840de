"""Arguments and results as bytes that another process can read.

Small things are pickled. A large array is laid down as a ``.npy`` file in a folder that only the
two processes use, and is memory-mapped on the other side, wherever it hides in the arguments; an
array that is a file already (a memory-mapped TIFF) is passed by name. Pickle is safe here because
both ends of the pipe are ours; files of a user never come this way.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import pickle
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

BY_FILE = 1_000_000
"""Bytes from which an array travels as a file."""


class _Packer(pickle.Pickler):
    """Pickle, with large arrays replaced by the name of a file."""

    def __init__(
        self, stream: io.BytesIO, folder: Path, held: Mapping[int, Path], by_name: bool
    ) -> None:
        super().__init__(stream, protocol=pickle.HIGHEST_PROTOCOL)
        self._folder = folder
        self._held = held
        self._by_name = by_name
        self.written: dict[int, tuple[NDArray[Any], Path]] = {}

    def persistent_id(self, thing: Any) -> tuple[Any, ...] | None:
        """Name of the file that stands for an array; None pickles the thing as usual."""
        if type(thing) not in (np.ndarray, np.memmap) or thing.dtype.hasobject:
            return None
        if id(thing) in self._held:
            return ("held", str(self._held[id(thing)]))
        if thing.nbytes < BY_FILE:
            return None
        mapped = file_behind(thing) if self._by_name else None
        if mapped is not None:
            return mapped
        if id(thing) not in self.written:
            self.written[id(thing)] = (thing, save_array(thing, self._folder))
        return ("file", str(self.written[id(thing)][1]))


class _Unpacker(pickle.Unpickler):
    """The way back; the same file gives the same array within one parcel."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self._seen: dict[Any, NDArray[Any]] = {}

    def persistent_load(self, name: Any) -> NDArray[Any]:
        """Map the file that stands for an array."""
        if name not in self._seen:
            kind, *details = name
            if kind == "mapped":
                self._seen[name] = _map_raw(*details)
            else:
                self._seen[name] = _map_npy(Path(details[0]), once=kind == "file")
        return self._seen[name]


def pack(
    thing: Any,
    folder: Path,
    held: Mapping[int, Path] | None = None,
    *,
    by_name: bool = True,
) -> bytes:
    """Turn arguments or a result into bytes for the other process.

    Parameters
    ----------
    thing : object
        Anything that pickle takes.
    folder : Path
        Existing folder for the large arrays; the receiver removes each file once mapped.
    held : mapping of int to Path, optional
        Files that already hold an array, by its ``id``; the receiver leaves them.
    by_name : bool
        Whether a memory-mapped file may be passed by its name; not when it may be gone before
        the receiver opens it.

    Returns
    -------
    bytes
        For `unpack`.

    Raises
    ------
    Exception
        Whatever pickle raises; no file is left behind.
    """
    stream = io.BytesIO()
    packer = _Packer(stream, folder, held or {}, by_name)
    try:
        packer.dump(thing)
    except BaseException:
        for _, path in packer.written.values():
            path.unlink(missing_ok=True)
        raise
    return stream.getvalue()


def unpack(parcel: bytes) -> Any:
    """Read what `pack` made; arrays from files can be written to without changing the file."""
    return _Unpacker(io.BytesIO(parcel)).load()


def save_array(array: NDArray[Any], folder: Path) -> Path:
    """Write an array to a new ``.npy`` file; a failed write leaves none."""
    path = folder / f"{uuid.uuid4().hex}.npy"
    try:
        np.save(path, array, allow_pickle=False)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _map_npy(path: Path, *, once: bool) -> NDArray[Any]:
    """Map a ``.npy`` file copy-on-write and, if it was made for one reading, drop its name."""
    array: NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False).view(np.ndarray)
    if once:
        # Windows keeps a mapped file; it goes with its folder when the executor closes.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return array


def file_behind(array: NDArray[Any]) -> tuple[Any, ...] | None:
    """Describe the file of a memory-mapped array, if the array is a plain stretch of it."""
    root: Any = array
    while isinstance(root, np.ndarray) and not isinstance(root.base, mmap.mmap):
        root = root.base
    if not isinstance(root, np.memmap) or not array.flags.c_contiguous:
        return None
    # A copy-on-write map may hold changes that its file does not.
    if root.mode == "c" or root.filename is None or not Path(root.filename).is_file():
        return None
    start = root.offset + array.ctypes.data - root.ctypes.data
    return ("mapped", str(root.filename), array.dtype, start, array.shape)


def _map_raw(path: str, dtype: np.dtype[Any], offset: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Map a stretch of a raw file copy-on-write."""
    mapped = np.memmap(path, dtype=dtype, mode="c", offset=offset, shape=shape)
    return mapped.view(np.ndarray)
