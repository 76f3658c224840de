"""Room for large results: in memory while there is enough, else in a file that goes by itself."""

from __future__ import annotations

import contextlib
import shutil
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import OutOfMemory
from napari_infoleak.scale.folder import PrivateFolder

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

SHARE = 0.4
"""Share of the free memory that results may take; the network and its input need the rest."""


def zeros(
    shape: tuple[int, ...], dtype: DTypeLike, *, free: int | None, total: int
) -> NDArray[Any]:
    """Make an array of zeros where there is room for it.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    dtype : dtype
        Its type.
    free : int or None
        Bytes of memory that are free; None where the system does not tell.
    total : int
        Bytes of all arrays that are wanted together.

    Returns
    -------
    numpy array
        In memory, or mapped to a temporary file that is removed with the array.

    Raises
    ------
    OutOfMemory
        If neither the memory nor the folder for temporary files has room.
    """
    if free is None or total <= SHARE * free:
        with contextlib.suppress(MemoryError):
            return np.zeros(shape, dtype)
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    return _on_disk(shape, np.dtype(dtype), size)


def _on_disk(shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> NDArray[Any]:
    """Map a new temporary file; a full disk is told now and not in the middle of the work."""
    folder = PrivateFolder()
    room = shutil.disk_usage(folder.path).free
    if size > room:
        folder.remove()
        raise OutOfMemory(
            f"the result takes {size / 1e9:.1f} GB, but neither the memory nor "
            f"{folder.path.parent} ({room / 1e9:.1f} GB free) has room: "
            "segment a region, or free some space"
        )
    array = np.memmap(folder.path / "result.raw", dtype=dtype, mode="w+", shape=shape)
    # Views keep the map alive, not the first array.
    weakref.finalize(array.base, folder.remove)
    return array
