"""Pixels that lie uncompressed in a file, mapped when they are asked for."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt


EAGER_BYTES = 128 << 20
"""Files up to this size may be read at once."""


@dataclass(frozen=True, eq=False)
class MappedPixels:
    """An array in a file. Other than a memory map, it travels to another process as its path.

    Parameters
    ----------
    path : Path
        The file.
    dtype : numpy dtype
        Type of the pixels, with their byte order.
    shape : tuple of int
        In the file's order, last axis fastest.
    offset : int
        Where the pixels begin, in bytes.
    """

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __getitem__(self, place: tuple[slice, ...]) -> npt.NDArray[Any]:
        mapped = np.memmap(self.path, self.dtype, mode="r", offset=self.offset, shape=self.shape)
        return np.array(mapped[place])


def by_planes(pixels: Any, page_ndim: int = 2) -> Any:
    """Return a dask array whose chunks are the pages of an array that is read lazily.

    Parameters
    ----------
    pixels : object
        With ``shape``, ``dtype``, ``ndim`` and slicing.
    page_ndim : int
        Number of axes of one page, the last ones.
    """
    dask: Any = importlib.import_module("dask.array")
    pages = len(pixels.shape) - page_ndim
    chunks = (1,) * pages + tuple(pixels.shape[pages:])
    meta = np.empty((0,) * len(pixels.shape), pixels.dtype)
    return dask.from_array(pixels, chunks=chunks, name=False, meta=meta)
