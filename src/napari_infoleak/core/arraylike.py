"""Arrays of any library: brought to numpy or dask, and nothing read that is stored."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_infoleak.core.errors import BadInput

_NUMERIC_KINDS = "biuf"


def lazy_or_numpy(array: Any) -> Any:
    """Return a numpy or dask array of anything array-like, reading nothing that is stored.

    Parameters
    ----------
    array : array-like
        Numpy and dask arrays are returned as they are, arrays stored in chunks (zarr, HDF5) are
        wrapped lazily by dask, masked pixels become NaN, and anything else is converted by numpy.

    Raises
    ------
    BadInput
        If it is no array.
    """
    home = type(array).__module__.partition(".")[0]
    if isinstance(array, np.ma.MaskedArray):
        return np.ma.filled(array.astype(np.float32), np.nan)
    if isinstance(array, np.ndarray) or (home == "dask" and hasattr(array, "dask")):
        return array
    if hasattr(array, "chunks") and hasattr(array, "dtype") and hasattr(array, "shape"):
        dask: Any = importlib.import_module("dask.array")
        if home == "zarr":
            return dask.from_zarr(array)
        by_plane = (1,) * (len(array.shape) - 2) + tuple(array.shape[-2:])
        return dask.from_array(array, chunks=array.chunks or by_plane)
    is_sequence = isinstance(array, Sequence) and not isinstance(array, str | bytes)
    if not hasattr(array, "__array__") and not is_sequence:
        raise BadInput(
            f"a {type(array).__name__} is no array of pixels; give a numpy, dask or zarr array, "
            f"such as reading a file returns"
        )
    try:
        return np.asarray(array)
    except (ValueError, TypeError, RuntimeError) as error:
        raise BadInput(
            f"a {type(array).__name__} cannot be turned into an array ({error})"
        ) from error


def full_resolution(array: Any) -> Any:
    """Return level 0 of multiscale levels, and any other array as it is.

    Parameters
    ----------
    array : array-like, or sequence of arrays of falling size
        Levels of a multiscale image, the finest first.

    Raises
    ------
    BadInput
        If it is a sequence of arrays of one size, which are planes rather than levels.
    """
    is_array = hasattr(array, "dtype") and hasattr(array, "ndim")
    if is_array or not isinstance(array, Sequence) or isinstance(array, str | bytes):
        return array
    shapes = [tuple(level.shape) for level in array if hasattr(level, "shape")]
    if not shapes or len(shapes) < len(array):
        return array
    if len(shapes) > 1 and len(set(shapes)) == 1:
        raise BadInput(
            f"a list of {len(shapes)} arrays of one shape {shapes[0]} is no multiscale image; "
            f"stack them into one array first"
        )
    return array[0]


def refuse_unusable(pixels: Any, shape: tuple[int, ...]) -> None:
    """Refuse an array that holds no pixel, or no real numbers.

    Parameters
    ----------
    pixels : numpy or dask array
        The array.
    shape : tuple of int
        Its shape.
    """
    kind = np.dtype(pixels.dtype).kind
    if kind not in _NUMERIC_KINDS:
        raise BadInput(
            f"pixels of type {pixels.dtype} cannot be used; expected integers or real numbers"
            + ("; take the magnitude first" if kind == "c" else "")
        )
    if any(math.isnan(size) or size == 0 for size in shape):
        raise BadInput(f"an array of shape {shape} holds no pixel; expected at least one")
