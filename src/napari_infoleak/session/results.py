"""Results beside a journal, so that after a crash they are there again and need no computing.

A zip of numpy arrays and of plain JSON for each kind of result, written whole or not at all. It
holds numbers and words only, no code.
"""

from __future__ import annotations

import json
import shutil
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.provenance import plain_json
from napari_infoleak.io.atomic import atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

KINDS = ANSWER, CELLS, TABLE = "answer", "cells", "table"
LARGEST = 512 << 20
"""Bytes of arrays beyond which a result is not kept: it would take longer than it is worth."""
_MOST = 2 * LARGEST  # bytes that a file may hold: one that would fill the memory is none of ours
_SUFFIX = ".infoleak-results"
_TOLD = "told.json"
_WHOLE = 65535


def folder_of(journal: Path) -> Path:
    """Return where the results of a journal lie; it need not be there."""
    return journal.with_suffix(_SUFFIX)


def keep(folder: Path, kind: str, arrays: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    """Write a result in the place of the one before.

    Parameters
    ----------
    folder : Path
        Made if need be.
    kind : str
        ``"answer"``, ``"cells"`` or ``"table"``.
    arrays : mapping of str to ndarray
        They may change while they are written; then they are to be written again.
    told : mapping
        Plain JSON.

    Raises
    ------
    WriteFailed
        If the disk is full or may not be written to.
    OSError
        If the folder cannot be made.
    """
    folder.mkdir(exist_ok=True)
    with (
        atomic(folder / f"{kind}.npz") as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
    ):
        file.writestr(_TOLD, json.dumps(plain_json(told)))
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as place:
                np.lib.format.write_array(place, np.asarray(array), allow_pickle=False)


def kept(folder: Path, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
    """Read a result that `keep` wrote; None if there is none.

    Raises
    ------
    BadInput
        If it is damaged.
    """
    path = folder / f"{kind}.npz"
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as file:
            if sum(part.file_size for part in file.infolist()) > _MOST:
                raise ValueError("too large")
            told = json.loads(file.read(_TOLD))
            arrays = {}
            for name in file.namelist():
                if name != _TOLD:
                    with file.open(name) as place:
                        read = np.lib.format.read_array(place, allow_pickle=False)
                    arrays[name.removesuffix(".npy")] = read
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        MemoryError,
        RuntimeError,
        zlib.error,
        zipfile.BadZipFile,
    ) as error:
        raise BadInput(f"{path} is damaged") from error
    return arrays, told


def forget(folder: Path, *kinds: str) -> None:
    """Remove results; all of them where no kind is named."""
    if not kinds:
        shutil.rmtree(folder, ignore_errors=True)
    for kind in kinds:
        (folder / f"{kind}.npz").unlink(missing_ok=True)


def files(folder: Path) -> Iterator[Path]:
    """Return the files of all results that are kept in a folder."""
    for kind in KINDS:
        if (folder / f"{kind}.npz").is_file():
            yield folder / f"{kind}.npz"


def rounded(planes: Any, *, complete: bool) -> NDArray[np.uint16]:
    """Return probabilities to 1 / 65535, which halves what they take.

    Parameters
    ----------
    planes : array, K first
        Probabilities.
    complete : bool
        Whether they sum to 1 everywhere; then the last plane is left out.
    """
    count = len(planes) - (complete and len(planes) > 1)
    small = np.empty((count, *planes.shape[1:]), np.uint16)
    for plane, wanted in zip(planes, small, strict=False):
        wanted[...] = np.rint(np.clip(plane, 0, 1) * _WHOLE)
    return small


def widened(small: NDArray[np.uint16], count: int) -> NDArray[np.float32]:
    """Undo `rounded` for so many classes."""
    planes = np.empty((count, *small.shape[1:]), np.float32)
    planes[: len(small)] = small
    planes[: len(small)] /= _WHOLE
    if len(small) < count:
        planes[-1] = 1 - planes[:-1].sum(axis=0)
        planes[-1].clip(0, 1, out=planes[-1])
    return planes
