"""The image: a canonical array, in memory or lazy, and what is known about it."""

from __future__ import annotations

import hashlib
import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.axes import (
    CANONICAL,
    guess_axes,
    looks_like_colour,
    parse_axes,
    to_canonical,
    without_channel,
)
from napari_infoleak.core.errors import BadInput, InfoleakError, OutOfMemory
from napari_infoleak.core.units import UNKNOWN_UNIT, unit_name

if TYPE_CHECKING:
    import numpy.typing as npt

_SPATIAL = "TZYX"  # the axes that carry a step, an offset and a unit
_NUMERIC_KINDS = "biuf"


@dataclass(frozen=True, eq=False)
class Image:
    """An image and what is known about it. Make one with `from_array` or by reading a file.

    Parameters
    ----------
    data : numpy or dask array, 5-D TCZYX
        The pixels; dask arrays stay lazy.
    axes : str
        Axes of the source, such as ``"ZYX"``; results are returned in them.
    name : str
        What people call the image.
    scale : mapping of str to float
        Physical step along T, Z, Y, X. A letter that is missing is unknown and counts as 1.
    translate : mapping of str to float
        Physical position of the first pixel; a missing letter counts as 0.
    units : mapping of str to str
        Unit along T, Z, Y, X by its full name, such as ``"micrometer"`` or ``"second"``;
        ``"pixel"`` where unknown. Other spellings are turned into these.
    source : str or None
        The file it came from.
    rgb : bool
        Whether the channels are colours (RGB or RGBA).
    channel_names : tuple of str
        Names of the channels, or empty.
    """

    data: Any
    axes: str
    name: str = "image"
    scale: Mapping[str, float] = field(default_factory=dict)
    translate: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None
    rgb: bool = False
    channel_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the data, fill in unknown units, and keep mappings of our own."""
        if self.data.ndim != len(CANONICAL):
            raise BadInput(
                f"image data of shape {tuple(self.data.shape)} are not canonical; expected 5 "
                f"dimensions {CANONICAL}: use Image.from_array"
            )
        known = {letter: unit_name(unit) for letter, unit in self.units.items()}
        units = dict.fromkeys(_SPATIAL, UNKNOWN_UNIT) | known
        object.__setattr__(self, "scale", dict(self.scale))
        object.__setattr__(self, "translate", dict(self.translate))
        object.__setattr__(self, "units", units)

    @classmethod
    def from_array(
        cls,
        array: Any,
        axes: str | None = None,
        *,
        scale: Mapping[str, float] | Sequence[float] | None = None,
        translate: Mapping[str, float] | Sequence[float] | None = None,
        units: Mapping[str, str] | None = None,
        name: str = "image",
        rgb: bool | None = None,
        source: str | None = None,
        channel_names: Sequence[str] = (),
    ) -> Image:
        """Make an image of an array.

        Parameters
        ----------
        array : numpy, dask or zarr array, or the levels of a multiscale image
            2 to 5 dimensions of any integer, boolean or floating type. Dask and zarr arrays stay
            lazy. Of multiscale levels the first, the full resolution, is taken.
        axes : str or None
            One letter a dimension out of T, C, Z, Y, X; None guesses.
        scale, translate : mapping of letters, or a number for each of `axes`, or None
            Physical step and position; the entry of C may be left out.
        units : mapping of letters to str, or None
            Units of scale and translate.
        name : str
            What people call the image.
        rgb : bool or None
            Whether the channels are colours; None guesses: a last axis C of 3 or 4.
        source : str or None
            The file it came from.
        channel_names : sequence of str
            Names of the channels.

        Raises
        ------
        BadInput
            If the array is empty, not numeric, or does not fit the axes.
        """
        pixels = lazy_or_numpy(_full_resolution(array))
        shape = tuple(int(size) for size in pixels.shape)
        _refuse_unusable(pixels, shape)
        if axes is None:
            colours = looks_like_colour(shape) if rgb is None else rgb
            letters = guess_axes(shape, rgb=colours)
        else:
            letters = parse_axes(axes, shape)
        if rgb is None:
            rgb = letters[-1] == "C" and shape[-1] in (3, 4)
        return cls(
            data=to_canonical(pixels, letters),
            axes=letters,
            name=name,
            scale=calibration(scale, letters, "scale"),
            translate=calibration(translate, letters, "translate"),
            units={str(key).upper(): value for key, value in (units or {}).items()},
            source=source,
            rgb=rgb,
            channel_names=tuple(channel_names),
        )

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each of T, C, Z, Y, X."""
        return dict(zip(CANONICAL, (int(size) for size in self.data.shape), strict=True))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype

    @property
    def label_shape(self) -> tuple[int, int, int, int]:
        """Shape of labels of this image: (T, Z, Y, X)."""
        sizes = self.sizes
        return sizes["T"], sizes["Z"], sizes["Y"], sizes["X"]

    @property
    def label_axes(self) -> str:
        """Axes of labels of this image, as its source has them: without C."""
        return without_channel(self.axes)

    def step(self, letter: str) -> float:
        """Return the physical step along T, Z, Y or X; 1.0 where unknown."""
        return self.scale.get(letter, 1.0)

    def plane(self, t: int, z: int, channel: int | None = None) -> npt.NDArray[np.float32]:
        """Read one plane.

        Parameters
        ----------
        t, z : int
            Which plane.
        channel : int or None
            Channel from 0; None is the mean of the three colours of an RGB image, and else the
            first channel.

        Returns
        -------
        numpy array, (Y, X), float32
            The values as they are. NaN and infinities are kept; values beyond float32 become
            infinite.

        Raises
        ------
        BadInput
            If there is no such plane or channel, or the file behind it cannot be read.
        """
        self._check_plane(t, z, channel)
        if channel is None and self.rgb:
            colours = self._read(t, slice(0, 3), z)
            return np.asarray(colours.mean(axis=0, dtype=np.float32))
        return self._read(t, channel or 0, z)

    def content_hash(self) -> str:
        """Return the sha256 over shape, type and pixels, read plane by plane."""
        digest = hashlib.sha256()
        little_endian = self.dtype.newbyteorder("<")
        digest.update(f"{self.data.shape} {little_endian.str}".encode())
        for t in range(self.sizes["T"]):
            for c in range(self.sizes["C"]):
                for z in range(self.sizes["Z"]):
                    plane = self._compute(self.data[t, c, z])
                    digest.update(np.ascontiguousarray(plane, dtype=little_endian).data)
        return digest.hexdigest()

    def _check_plane(self, t: int, z: int, channel: int | None) -> None:
        for letter, position in (("T", t), ("Z", z)):
            size = self.sizes[letter]
            if not 0 <= position < size:
                raise BadInput(
                    f"{self.name} has no plane {letter} = {position}; it has {size} along "
                    f"{letter}, counted from 0"
                )
        channels = self.sizes["C"]
        if channel is not None and not 0 <= channel < channels:
            last = "channel 0 alone" if channels == 1 else f"channels 0 to {channels - 1}"
            raise BadInput(
                f"{self.name} has no channel {channel}; it has {channels}, choose {last}"
            )

    def _read(self, t: int, c: int | slice, z: int) -> npt.NDArray[np.float32]:
        pixels = self._compute(self.data[t, c, z])
        with np.errstate(over="ignore", invalid="ignore"):
            return np.array(pixels, dtype=np.float32, order="C")

    def _compute(self, part: Any) -> npt.NDArray[Any]:
        """Get pixels that may be lazy, so that a damaged file is told in one line."""
        if isinstance(part, np.ndarray):
            return part
        try:
            return np.asarray(part)
        except InfoleakError:
            raise
        except MemoryError as error:
            raise OutOfMemory(f"no memory left to read a plane of {self.name}") from error
        except Exception as error:  # any codec or file system may stand behind a lazy array
            raise BadInput(
                f"a plane of {self.source or self.name} cannot be read ({error}); the file is "
                f"damaged, or was moved or changed since it was opened"
            ) from error


def plane_hash(plane: npt.NDArray[Any], extra: bytes = b"") -> str:
    """Return the sha256 over the shape, type and values of a plane.

    Parameters
    ----------
    plane : numpy array
        The values; their byte order and layout in memory do not matter.
    extra : bytes
        More to go into the hash.
    """
    little_endian = plane.dtype.newbyteorder("<")
    digest = hashlib.sha256(f"{plane.shape} {little_endian.str}".encode())
    digest.update(np.ascontiguousarray(plane, dtype=little_endian).data)
    digest.update(extra)
    return digest.hexdigest()


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


def calibration(
    values: Mapping[str, float] | Sequence[float] | None, letters: str, what: str
) -> dict[str, float]:
    """Return scale or translation by letter, checked.

    Parameters
    ----------
    values : mapping of letters, or a number for each axis, or None
        In a sequence the entry of C may be left out.
    letters : str
        Axes of the array.
    what : {"scale", "translate"}
        Scales must be positive.

    Returns
    -------
    dict
        By letter out of T, Z, Y, X; only what was given.

    Raises
    ------
    BadInput
        If there are too many or too few numbers, or impossible ones.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        named = without_channel(letters) if len(values) == len(letters) - 1 else letters
        if len(values) != len(named):
            raise BadInput(
                f"{what} has {len(values)} numbers for axes {letters}; give one for each axis"
            )
        values = dict(zip(named, values, strict=True))
    checked: dict[str, float] = {}
    for key, value in values.items():
        letter, number = str(key).upper(), float(value)
        if letter not in CANONICAL:
            raise BadInput(f"{what} names {key!r}, which is no axis letter out of {_SPATIAL}")
        if not math.isfinite(number) or (what == "scale" and number <= 0):
            expected = "a positive number" if what == "scale" else "a finite number"
            raise BadInput(f"{what} of {letter} is {value}; expected {expected}")
        if letter in _SPATIAL:
            checked[letter] = number
    return checked


def _full_resolution(array: Any) -> Any:
    """Return level 0 of multiscale levels, and any other array as it is."""
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


def _refuse_unusable(pixels: Any, shape: tuple[int, ...]) -> None:
    kind = np.dtype(pixels.dtype).kind
    if kind not in _NUMERIC_KINDS:
        raise BadInput(
            f"pixels of type {pixels.dtype} cannot be used; expected integers or real numbers"
            + ("; take the magnitude first" if kind == "c" else "")
        )
    if any(math.isnan(size) or size == 0 for size in shape):
        raise BadInput(f"an array of shape {shape} holds no pixel; expected at least one")
