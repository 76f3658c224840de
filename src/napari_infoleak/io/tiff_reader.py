"""Read TIFF: plain, ImageJ hyperstacks, OME-TIFF. Large files stay lazy."""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.units import UNKNOWN_UNIT, factor, unit_name
from napari_infoleak.io import record
from napari_infoleak.io.stored import Stored, finite, positive

if TYPE_CHECKING:
    from pathlib import Path

    from tifffile import TiffFile, TiffPageSeries

_EAGER_BYTES = 128 << 20  # smaller files are read at once and closed
_RGB = 2  # values of the TIFF tags PhotometricInterpretation and ResolutionUnit
_CENTIMETRE = 3
_COARSEST_STEP = 20.0  # micrometres; resolutions beyond it are meant for printers


def read_tiff(path: Path) -> Stored:
    """Read the first image of a TIFF file.

    Parameters
    ----------
    path : Path
        An existing file.

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
        with tifffile.TiffFile(path) as file:
            if not file.series:
                raise BadInput(f"{path} holds no image")
            series = file.series[0]
            _refuse_truncated(path, file, series)
            stored = _calibrated(file, series)
            stored.array = _pixels(path, series)
            return stored
    except (BadInput, MemoryError):
        raise
    except Exception as error:  # a damaged file fails anywhere in its parsing
        raise BadInput(
            f"{path} cannot be read as TIFF ({_short(error)}); it is damaged, cut short, or no "
            f"TIFF file"
        ) from error


class LazyPages:
    """Pages of a TIFF series that are decoded when they are asked for.

    It opens its file by itself, so that it can be sent to another process.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Shape of the series; all but the page's own axes count pages.
    page_ndim : int
        Number of axes within one page.
    dtype : numpy dtype
        Type of the pixels.
    """

    def __init__(
        self, path: Path, shape: tuple[int, ...], page_ndim: int, dtype: np.dtype[Any]
    ) -> None:
        self.path = path
        self.shape = shape
        self.dtype = dtype
        self.ndim = len(shape)
        self._page_ndim = page_ndim
        self._file: TiffFile | None = None
        self._lock = threading.Lock()

    def __getitem__(self, place: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        leading = self.shape[: self.ndim - self._page_ndim]
        wanted = [range(*part.indices(size)) for part, size in zip(place, leading, strict=False)]
        block = np.empty([*map(len, wanted), *self.shape[len(leading) :]], self.dtype)
        for target in np.ndindex(*map(len, wanted)):
            position = tuple(along[i] for along, i in zip(wanted, target, strict=True))
            number = int(np.ravel_multi_index(position, leading)) if leading else 0
            block[target] = self._page(number).reshape(block.shape[len(leading) :])
        return block[(slice(None),) * len(leading) + tuple(place[len(leading) :])]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def _page(self, number: int) -> np.ndarray[Any, Any]:
        import tifffile

        with self._lock:
            if self._file is None:
                self._file = tifffile.TiffFile(self.path)
            page = self._file.series[0].pages[number]
            if page is None:  # OME-TIFF may leave planes out
                return np.zeros(self.shape[self.ndim - self._page_ndim :], self.dtype)
            return np.asarray(page.asarray())


def _pixels(path: Path, series: TiffPageSeries) -> Any:
    if series.nbytes <= _EAGER_BYTES:
        return np.asarray(series.asarray())
    if series.dataoffset is not None:
        return np.memmap(
            path,
            dtype=np.dtype(series.dtype).newbyteorder(series.keyframe.parent.byteorder),
            mode="r",
            offset=series.dataoffset,
            shape=series.shape,
        )
    page_shape = series.keyframe.shape
    pages = LazyPages(path, series.shape, len(page_shape), series.dtype)
    dask: Any = importlib.import_module("dask.array")
    chunks = (1,) * (len(series.shape) - len(page_shape)) + tuple(page_shape)
    return dask.from_array(pages, chunks=chunks, name=False, meta=np.empty((), series.dtype))


def _refuse_truncated(path: Path, file: TiffFile, series: TiffPageSeries) -> None:
    """Refuse a file whose end is missing: pages that are listed, or bytes that they name."""
    size = file.filehandle.size
    if series.dataoffset is not None:
        if series.dataoffset + series.nbytes > size:
            raise BadInput(_cut_short(path, series.dataoffset + series.nbytes, size))
        promised = _promised_pages(file)
        pages = int(np.prod(series.shape[: -len(series.keyframe.shape)], dtype=np.int64))
        if promised > pages:
            raise BadInput(
                f"{path} was cut short: it announces {promised} planes and holds {pages}; copy it "
                f"again"
            )
        return
    for page in series.pages:
        if page is None:
            continue
        ends = [
            offset + count
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
        ]
        if max(ends, default=0) > size:
            raise BadInput(_cut_short(path, max(ends), size))
    promised = _promised_pages(file)
    if promised > len(series.pages):
        raise BadInput(
            f"{path} was cut short: it announces {promised} planes and holds {len(series.pages)}; "
            f"copy it again"
        )


def _promised_pages(file: TiffFile) -> int:
    """Return how many planes the description announces; 0 if it says nothing."""
    images = (file.imagej_metadata or {}).get("images", 0) if file.is_imagej else 0
    return images if isinstance(images, int) else 0


def _cut_short(path: Path, expected: int, size: int) -> str:
    return f"{path} was cut short: it has {size} bytes where {expected} are needed; copy it again"


def _calibrated(file: TiffFile, series: TiffPageSeries) -> Stored:
    """Collect what the file says of its pixels, without reading them."""
    rgb = series.keyframe.photometric == _RGB and series.axes.endswith("S")
    stored = Stored(array=None, hint=series.axes, rgb=rgb)
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
