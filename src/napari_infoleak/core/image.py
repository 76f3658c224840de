"""The image: a canonical array, in memory or lazy, and what is known about it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.arraylike import full_resolution, lazy_or_numpy, refuse_unusable
from napari_infoleak.core.axes import (
    CANONICAL,
    guess_axes,
    looks_like_colour,
    parse_axes,
    to_canonical,
    without_channel,
)
from napari_infoleak.core.calibration import calibration
from napari_infoleak.core.errors import BadInput, InfoleakError, OutOfMemory
from napari_infoleak.core.units import UNKNOWN_UNIT, unit_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

__all__ = ["Image", "calibration", "lazy_or_numpy", "plane_hash"]

_SPATIAL = "TZYX"  # the axes that carry a step, an offset and a unit


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
        pixels = lazy_or_numpy(full_resolution(array))
        shape = tuple(int(size) for size in pixels.shape)
        refuse_unusable(pixels, shape)
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
            The values as they are, rounded to float32. NaN and infinities are kept; values beyond
            float32 become infinite.

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
