"""Pixels and paint on their way to the child process. No Qt and no napari in here."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.axes import labels_from_canonical
from napari_infoleak.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_infoleak.core.image import Image


_MOST = 2**30  # bytes that are read here, where the child cannot: it takes seconds


class Lazy:
    """A lazy array on its way to the child, with whatever functions its graph is made of.

    Plain pickle names functions, which fails for those of a notebook; here they travel as they
    are. Arrays inside the graph are handed on as arrays, which the executor lays down as files.
    What reads from a file that is open in this process alone is read here, if it is small.

    Parameters
    ----------
    array : dask, zarr or other lazy array
        The array; it arrives as itself, or as the numbers in it.
    """

    def __init__(self, array: Any) -> None:
        self.array = array

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by value, large arrays apart."""
        import cloudpickle  # type: ignore[import-untyped]

        buffers: list[np.ndarray[Any, Any]] = []

        def keep(buffer: pickle.PickleBuffer) -> None:
            buffers.append(np.frombuffer(buffer.raw(), np.uint8))

        try:
            graph = cloudpickle.dumps(self.array, protocol=5, buffer_callback=keep)
        except Exception as error:
            return np.asarray, (self._read(error),)
        return _revive, (graph, buffers)

    def _read(self, error: Exception) -> np.ndarray[Any, Any]:
        size = int(np.prod(self.array.shape, dtype=np.int64)) * np.dtype(self.array.dtype).itemsize
        if size > _MOST:
            raise BadInput(
                "this image is read in a way that no other process can follow, and is too large to "
                "be copied; save it as OME-Zarr or TIFF, and open that"
            ) from error
        return np.asarray(self.array)


def sendable(array: Any) -> Any:
    """Return an array, or the wrapper that it travels in."""
    return array if isinstance(array, np.ndarray) else Lazy(array)


def _revive(graph: bytes, buffers: list[np.ndarray[Any, Any]]) -> Any:
    return pickle.loads(graph, buffers=buffers)  # noqa: S301 - written by our own window


@dataclass(frozen=True, eq=False)
class Pixels:
    """An image on its way to the child.

    Parameters
    ----------
    array : numpy, dask or zarr array
        The pixels as the layer holds them; dask arrays as `Lazy`.
    axes : str
        Their axes.
    description : mapping
        What `Image.from_array` takes besides.
    """

    array: Any
    axes: str
    description: Mapping[str, Any] = field(default_factory=dict)

    def image(self) -> Image:
        """Make the image."""
        from napari_infoleak.core.image import Image

        array = self.array.array if isinstance(self.array, Lazy) else self.array
        return Image.from_array(array, self.axes, **self.description)


@dataclass(frozen=True, eq=False)
class Patch:
    """The part of a slice that holds paint.

    Parameters
    ----------
    t, z, y, x : int
        Place of its first pixel.
    ids : numpy array, (rows, columns)
        Class ids.
    """

    t: int
    z: int
    y: int
    x: int
    ids: np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Painted:
    """What is painted; all the rest of an annotation is empty and need not travel.

    Parameters
    ----------
    shape : tuple of int
        (T, Z, Y, X) of the whole annotation.
    dtype : numpy dtype
        Its type.
    patches : tuple of Patch
        At most one a slice.
    """

    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]
    patches: tuple[Patch, ...]

    def whole(self, axes: str) -> Any:
        """Return the annotation in the axes of its image, without C."""
        array = np.zeros(self.shape, self.dtype)
        for patch in self.patches:
            rows, columns = patch.ids.shape
            into = array[patch.t, patch.z, patch.y : patch.y + rows, patch.x : patch.x + columns]
            into[...] = patch.ids
        return labels_from_canonical(array, axes)


def whole(paint: Painted | Any, axes: str) -> Any:
    """Return an annotation in the axes of its image, however it travelled."""
    return paint.whole(axes) if isinstance(paint, Painted) else paint
