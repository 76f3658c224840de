"""Read TIFF: plain, ImageJ hyperstacks, OME-TIFF. Large files stay lazy."""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.units import UNKNOWN_UNIT, factor, unit_name
from napari_infoleak.io import mapped, record
from napari_infoleak.io.mapped import MappedPixels, by_planes
from napari_infoleak.io.stored import Stored, finite, positive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy.typing as npt
    from tifffile import TiffFile, TiffPageSeries

_RGB = 2  # values of the TIFF tags PhotometricInterpretation and ResolutionUnit
_CENTIMETRE = 3
_COARSEST_STEP = 20.0  # micrometres; resolutions beyond it are meant for printers


def read_tiff(path: Path, *, pixels: bool = True) -> Stored:
    """Read the first image of a TIFF file.

    Parameters
    ----------
    path : Path
        An existing file.
    pixels : bool
        False leaves the array out, where only the metadata are wanted.

    Returns
    -------
    Stored
        Its array is a numpy array for files up to 128 MB, and lazy above.

    Raises
    ------
    BadInput
        If it is no TIFF file, is damaged or cut short, or its compression is unknown.
    """
    import tifffile

    try:
        with _complaints() as complaints, tifffile.TiffFile(path) as file:
            if not file.series:
                raise BadInput(f"{path} holds no image")
            planes = _Planes.of(file)
            _refuse_truncated(path, file, planes, complaints)
            stored = _calibrated(file, planes)
            if pixels:
                stored.array = _pixels(path, file, planes)
            return stored
    except (BadInput, MemoryError):
        raise
    except Exception as error:  # a damaged file fails anywhere in its parsing
        raise BadInput(
            f"{path} cannot be read as TIFF ({_short(error)}); it is damaged, cut short, or no "
            f"TIFF file"
        ) from error


@dataclass(frozen=True)
class _Planes:
    """The pages of the first image, and how they are arranged."""

    series: TiffPageSeries
    shape: tuple[int, ...]
    axes: str
    loose: bool  # pages that were written one by one, each as an image of its own

    @classmethod
    def of(cls, file: TiffFile) -> _Planes:
        first = file.series[0]
        loose = (
            len(file.series) > 1
            and not (file.is_ome or file.is_imagej)
            and all(
                len(one) == 1 and (one.shape, one.dtype) == (first.keyframe.shape, first.dtype)
                for one in file.series
            )
        )
        if not loose:
            return cls(first, tuple(first.shape), first.axes, loose=False)
        return cls(first, (len(file.series), *first.shape), "Q" + first.axes, loose=True)

    @property
    def page_shape(self) -> tuple[int, ...]:
        return tuple(self.series.keyframe.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.series.dtype)

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def count(self) -> int:
        leading = self.shape[: len(self.shape) - len(self.page_shape)]
        return int(np.prod(leading, dtype=np.int64))

    @property
    def offset(self) -> int | None:
        """Where the pixels begin, if they lie in one uncompressed piece."""
        return None if self.loose else self.series.dataoffset


class LazyPages:
    """Pages of a TIFF image that are decoded when they are asked for.

    It opens its file by itself, so that it can be sent to another process.

    Parameters
    ----------
    path : Path
        The file.
    planes : object
        Arrangement of the pages.
    """

    def __init__(self, path: Path, planes: _Planes) -> None:
        self.path = path
        self.shape = planes.shape
        self.dtype = planes.dtype
        self.ndim = len(planes.shape)
        self._page_shape = planes.page_shape
        self._loose = planes.loose
        self._file: TiffFile | None = None
        self._lock = threading.Lock()

    def __getitem__(self, place: tuple[slice, ...]) -> npt.NDArray[Any]:
        leading = self.shape[: self.ndim - len(self._page_shape)]
        wanted = [range(*part.indices(size)) for part, size in zip(place, leading, strict=False)]
        block = np.empty((*map(len, wanted), *self._page_shape), self.dtype)
        for target in np.ndindex(*map(len, wanted)):
            position = tuple(along[i] for along, i in zip(wanted, target, strict=True))
            number = int(np.ravel_multi_index(position, leading)) if leading else 0
            block[target] = self._page(number).reshape(self._page_shape)
        return block[(slice(None),) * len(leading) + tuple(place[len(leading) :])]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def _page(self, number: int) -> npt.NDArray[Any]:
        with self._lock, _complaints():
            file = self._opened()
            page = (file.pages if self._loose else file.series[0])[number]
            if page is None:  # OME-TIFF may leave planes out
                return np.zeros(self._page_shape, self.dtype)
            return np.asarray(page.asarray())

    def _opened(self) -> TiffFile:
        import tifffile

        if self._file is None:
            self._file = tifffile.TiffFile(self.path)
        return self._file


@contextlib.contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect what tifffile would log in this thread: errors are one line of ours, or none."""
    collected: list[str] = []
    thread = threading.get_ident()

    def take(entry: logging.LogRecord) -> bool:
        if entry.thread != thread:
            return True
        collected.append(entry.getMessage())
        return False

    logger = logging.getLogger("tifffile")
    logger.addFilter(take)
    try:
        yield collected
    finally:
        logger.removeFilter(take)


def _pixels(path: Path, file: TiffFile, planes: _Planes) -> Any:
    if planes.nbytes <= mapped.EAGER_BYTES:
        if planes.loose:
            return np.stack([page.asarray() for page in file.pages])
        return np.asarray(planes.series.asarray())
    if planes.offset is not None:
        dtype = planes.dtype.newbyteorder(file.byteorder)
        return by_planes(MappedPixels(path, dtype, planes.shape, planes.offset))
    return by_planes(LazyPages(path, planes), len(planes.page_shape))


def _refuse_truncated(path: Path, file: TiffFile, planes: _Planes, complaints: list[str]) -> None:
    """Refuse a file whose end is missing: pages that are listed, or bytes that they name."""
    size = file.filehandle.size
    pages = file.pages if planes.loose else planes.series
    needed = _bytes_needed(pages) if planes.offset is None else planes.offset + planes.nbytes
    if needed > size:
        raise BadInput(
            f"{path} was cut short: it has {size} bytes where {needed} are needed; copy it again"
        )
    announced = _announced(file)
    if announced > planes.count:
        raise BadInput(
            f"{path} was cut short: it announces {announced} planes and holds {planes.count}; "
            f"copy it again"
        )
    # The list of pages is a chain through the file; tifffile logs where it breaks and goes on.
    if any("TiffPages @" in one for one in complaints):
        raise BadInput(
            f"{path} is damaged or was cut short: its list of planes breaks off; copy it again"
        )


def _bytes_needed(pages: Iterable[Any]) -> int:
    needed = 0
    for page in pages:
        if page is not None:
            parts = zip(page.dataoffsets, page.databytecounts, strict=False)
            needed = max(needed, *(offset + count for offset, count in parts), 0)
    return needed


def _announced(file: TiffFile) -> int:
    """Return how many planes ImageJ's description announces; 0 if there is none."""
    images = (file.imagej_metadata or {}).get("images", 0) if file.is_imagej else 0
    return images if isinstance(images, int) else 0


def _calibrated(file: TiffFile, planes: _Planes) -> Stored:
    """Collect what the file says of its pixels, without reading them."""
    series = planes.series
    rgb = series.keyframe.photometric == _RGB and planes.axes.endswith("S")
    stored = Stored(array=None, hint=planes.axes, rgb=rgb)
    if file.is_ome:
        _take_ome(stored, file.ome_metadata)
    elif file.is_imagej:
        _take_imagej(stored, file.imagej_metadata or {}, series)
    else:
        stored.record = _shaped_record(series)
        _take_resolution(stored, series)
    return stored


def _take_imagej(stored: Stored, told: dict[str, Any], series: TiffPageSeries) -> None:
    unit = unit_name(told.get("unit", UNKNOWN_UNIT))
    units = {"X": unit, "Y": unit_name(told.get("yunit", unit))}
    units["Z"] = unit_name(told.get("zunit", unit))
    stored.record = record.from_text(told.get("Info"))
    steps: dict[str, float | None] = {
        "X": _pixels_per_unit(series, "XResolution"),
        "Y": _pixels_per_unit(series, "YResolution"),
        "Z": positive(told.get("spacing")),
    }
    for letter, step in steps.items():
        # A step of one pixel is how programs write that they know none.
        if step is not None and not (step == 1.0 and units[letter] == UNKNOWN_UNIT):
            stored.scale[letter] = step
            stored.units[letter] = units[letter]
    for letter in "XYZ":
        origin = finite(told.get(f"{letter.lower()}origin"))
        if origin:
            stored.translate[letter] = -origin * stored.scale.get(letter, 1.0)
    interval = positive(told.get("finterval"))
    if interval is None and (frames := positive(told.get("fps"))):
        interval = 1.0 / frames
    if interval is not None:
        stored.scale["T"] = interval
        stored.units["T"] = unit_name(told.get("tunit", "second"))
    stored.channel_names = _imagej_channels(told, series)


def _imagej_channels(told: dict[str, Any], series: TiffPageSeries) -> tuple[str, ...]:
    """Return names of channels where the slice labels name nothing but channels."""
    labels, channels = told.get("Labels"), told.get("channels", 1)
    only_channels = series.axes == "CYX" and isinstance(labels, list) and len(labels) == channels
    return tuple(str(label) for label in labels) if only_channels and labels else ()


def _pixels_per_unit(series: TiffPageSeries, tag: str) -> float | None:
    """Return the step, which TIFF keeps upside down and as a fraction."""
    found = series.keyframe.tags.get(tag)
    value = found.value if found is not None else None
    if not isinstance(value, tuple) or len(value) != 2 or not all(value):
        return None
    return positive(value[1] / value[0])


def _take_resolution(stored: Stored, series: TiffPageSeries) -> None:
    """Take pixels per centimetre, unless they are the dots per inch of a printer."""
    unit = series.keyframe.tags.get("ResolutionUnit")
    if unit is None or unit.value != _CENTIMETRE:
        return
    for letter in "XY":
        step = _pixels_per_unit(series, f"{letter}Resolution")
        change = factor("centimeter", "micrometer")
        if step is not None and change is not None and step * change <= _COARSEST_STEP:
            stored.scale[letter] = step * change
            stored.units[letter] = "micrometer"


def _shaped_record(series: TiffPageSeries) -> dict[str, Any]:
    description = getattr(series.keyframe, "description", "")
    return record.from_text(description)


def _take_ome(stored: Stored, xml: str | None) -> None:
    import tifffile

    image = _first(tifffile.xml2dict(xml or "").get("OME", {}).get("Image"))
    pixels = _first(image.get("Pixels"))
    stored.record = record.from_text(str(image.get("Description", "")))
    for letter in "XYZ":
        step = positive(pixels.get(f"PhysicalSize{letter}"))
        if step is not None:
            stored.scale[letter] = step
            stored.units[letter] = unit_name(pixels.get(f"PhysicalSize{letter}Unit", "µm"))
    interval = positive(pixels.get("TimeIncrement"))
    if interval is not None:
        stored.scale["T"] = interval
        stored.units["T"] = unit_name(pixels.get("TimeIncrementUnit", "s"))
    _take_position(stored, _first(pixels.get("Plane")))
    channels = [channel.get("Name") for channel in _all(pixels.get("Channel"))]
    if channels and all(channels):
        stored.channel_names = tuple(str(name) for name in channels)


def _take_position(stored: Stored, plane: dict[str, Any]) -> None:
    """Take the position of the first plane, in the unit of the scale."""
    for letter in "XYZ":
        position = finite(plane.get(f"Position{letter}"))
        unit = unit_name(plane.get(f"Position{letter}Unit", "reference frame"))
        change = factor(unit, stored.units.get(letter, unit))
        if position is not None and change is not None:
            stored.translate[letter] = position * change


def _first(value: Any) -> dict[str, Any]:
    """Return the first of what XML holds once or many times."""
    return next(iter(_all(value)), {})


def _all(value: Any) -> list[dict[str, Any]]:
    values = value if isinstance(value, list | tuple) else [value]
    return [one for one in values if isinstance(one, dict)]


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
