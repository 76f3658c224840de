"""A table of cells: where they lie, how large they are and what shape they have.

Every number is in the unit of the image; without one, in pixels. The columns:

==============  =============================================================================
cell            id in the image of cells
t               frame, counted from 0; only in a time-lapse
z_plane         plane, counted from 0; only for cells of single planes in a stack
z, y, x         middle (centre of mass), with the image's place in space
pixels          number of pixels
area            planes: size of the cell
perimeter       planes: length of its outline
circularity     planes: 4 pi area / perimeter squared; 1 is a disc, a slit is near 0
volume          volumes: size of the cell
surface         volumes: area of its surface
sphericity      volumes: surface of the ball of this volume, over its own; 1 is a ball
length          longest axis of the ellipse (ellipsoid) that spreads as far as the cell
width           the next axis
height          volumes: the shortest axis
angle           planes: of the longest axis, degrees from the x axis towards the y axis, -90 to 90
neighbours      number of cells that touch it, over membranes of up to ten finest pixel steps
intensity       mean brightness of its pixels; only where an image is given
intensity_sd    standard deviation of that within the cell
on_edge         1 if it touches the edge of the image, where it may be cut off, else 0
unit            unit of length
==============  =============================================================================
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_infoleak.core.axes import labels_to_canonical
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.units import UNKNOWN_UNIT, in_one_unit
from napari_infoleak.instances.graph import Borders
from napari_infoleak.instances.outlines import outlines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from napari_infoleak.core.image import Image

    Column = NDArray[Any]

_TOUCH: Final = 5.0
"""Finest pixel steps by which a cell grows to find its neighbours."""


@dataclass(frozen=True, eq=False)
class Table:
    """Measurements, one row for each cell.

    Attributes
    ----------
    columns : mapping of str to ndarray
        Name of each column, in order -> its values, all of one length.
    """

    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.columns["cell"])

    def to_csv(self) -> str:
        """Return the table as text: comma-separated, a header first, decimal points."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        written = [_texts(values) for values in self.columns.values()]
        writer.writerows(zip(*written, strict=True))
        return text.getvalue()

    def write(self, path: str | PathLike[str]) -> Path:
        """Write the table as a CSV file, whole or not at all.

        Parameters
        ----------
        path : path
            The file.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        BadInput
            If its folder does not exist.
        WriteFailed
            If the disk is full or may not be written to.
        """
        from napari_infoleak.io.atomic import atomic

        target = Path(path)
        with atomic(target) as part:
            part.write_text(self.to_csv(), encoding="utf-8", newline="")
        return target


def measure(
    cells: Any,
    *,
    axes: str | None = None,
    scale: Mapping[str, float] | None = None,
    translate: Mapping[str, float] | None = None,
    units: Mapping[str, str] | None = None,
    dims: int | None = None,
    image: Any = None,
) -> Table:
    """Measure every cell.

    Parameters
    ----------
    cells : array of int
        Cell ids; 0 between cells.
    axes : str, optional
        Letters of its axes, out of T, Z, Y, X; by default the last ones of TZYX.
    scale, translate : mapping of str to float, optional
        By letter, the distance of pixels and the place of the first one; 1 and 0 if not given.
    units : mapping of str to str, optional
        By letter, the unit of both. Lengths are measured in the unit of X.
    dims : {2, 3}, optional
        2 measures the cells of each plane, 3 those of each volume. By default 3 if a cell lies
        on more than one plane.
    image : array of numbers, optional
        Brightness of every pixel, in the axes of the cells.

    Returns
    -------
    Table
        See the text of this module for the columns.

    Raises
    ------
    BadInput
        If these are no cell ids, or the axes do not fit.
    """
    ids = _checked(cells)
    canonical = np.asarray(labels_to_canonical(ids, axes or "TZYX"[-ids.ndim :]))
    chosen = _dims(canonical, dims)
    place = _Place.of(scale or {}, translate or {}, units or {}, chosen)
    shown = None if image is None else _brightness(image, ids.shape, axes or "TZYX"[-ids.ndim :])
    parts = [
        _part(
            canonical[t],
            None if shown is None else shown[t],
            place,
            chosen,
            {"t": t} if canonical.shape[0] > 1 else {},
        )
        for t in range(canonical.shape[0])
    ]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Table(columns | {"unit": np.full(len(columns["cell"]), place.unit)})


def brightness(image: Image, channel: int | None = None) -> NDArray[np.float32]:
    """Return one channel of an image.

    Parameters
    ----------
    image : Image
    channel : int, optional
        From 0; by default the first one, or the mean of the colours.

    Returns
    -------
    ndarray of float32, shape (T, Z, Y, X)
    """
    shown = np.empty(image.label_shape, np.float32)
    for t, z in np.ndindex(shown.shape[:2]):
        shown[t, z] = image.plane(t, z, channel)
    return shown


@dataclass(frozen=True)
class _Place:
    """Steps and origin along the axes that are measured, Z first."""

    step: tuple[float, ...]
    origin: tuple[float, ...]
    unit: str

    @classmethod
    def of(
        cls,
        scale: Mapping[str, float],
        translate: Mapping[str, float],
        units: Mapping[str, str],
        dims: int,
    ) -> _Place:
        letters, unit = "ZYX"[-dims:], units.get("X", UNKNOWN_UNIT)
        step = tuple(float(scale.get(one, 1.0)) for one in letters)
        if min(step) <= 0:
            raise BadInput(f"a scale of {step} along {letters}: distances of pixels are above 0")
        origin = tuple(float(translate.get(one, 0.0)) for one in letters)
        known = {one: units.get(one, unit) for one in letters}
        sizes = in_one_unit(known, letters)
        if sizes is None:
            told = ", ".join(f"{known[one]} along {one}" for one in letters)
            raise BadInput(f"pixels are given in {told}: give their size in one unit")
        return cls(
            tuple(one * size for one, size in zip(step, sizes, strict=True)),
            tuple(one * size for one, size in zip(origin, sizes, strict=True)),
            unit,
        )


def _part(
    stack: Column, shown: Column | None, place: _Place, dims: int, noted: dict[str, int]
) -> dict[str, Column]:
    """Measure one (Z, Y, X) frame, in the volume or plane by plane."""
    if dims == 3:
        return _rows(stack, shown, place, noted)
    planes = [
        _rows(
            plane,
            None if shown is None else shown[z],
            place,
            noted | ({"z_plane": z} if len(stack) > 1 else {}),
        )
        for z, plane in enumerate(stack)
    ]
    return {name: np.concatenate([one[name] for one in planes]) for name in planes[0]}


def _rows(
    cells: Column, shown: Column | None, place: _Place, noted: dict[str, int]
) -> dict[str, Column]:
    """Measure the cells of one plane or volume."""
    real, compact = _compact(cells)
    pixels = np.bincount(compact.ravel(), minlength=len(real))[1:]
    middle, axes, angle = _spread(compact, pixels, place.step)
    size = pixels * float(np.prod(place.step))
    outline = outlines(compact, place.step)[1:]
    columns: dict[str, Column] = {"cell": real[1:].astype(np.int64)}
    columns |= {name: np.full(len(pixels), value) for name, value in noted.items()}
    for letter, values, start in zip("zyx"[-cells.ndim :], middle.T, place.origin, strict=True):
        columns[letter] = values + start
    columns["pixels"] = pixels
    columns |= _shape(size, outline, cells.ndim)
    columns |= dict(zip(("length", "width", "height"), axes.T, strict=False))
    if cells.ndim == 2:
        columns["angle"] = angle
    columns["neighbours"] = _neighbours(compact, place.step)
    if shown is not None:
        columns |= _intensity(compact, pixels, np.asarray(shown, np.float64))
    columns["on_edge"] = _on_edge(compact)
    return columns


def _compact(cells: Column) -> tuple[Column, Column]:
    """Return the ids from 0 on, 0 first even if it is not there, and each pixel's place in them."""
    if int(cells.max()) <= 4 * cells.size:  # counting is faster than sorting
        held = np.bincount(cells.ravel().astype(np.int64)) > 0
        held[0] = True
        places = np.cumsum(held) - 1
        return held.nonzero()[0], places[cells].astype(np.uint32)
    real, compact = np.unique(cells, return_inverse=True)
    compact = compact.reshape(cells.shape).astype(np.uint32)
    if real[0] != 0:
        real, compact = np.concatenate([[0], real]), compact + np.uint32(1)
    return real, compact


def _shape(size: Column, outline: Column, ndim: int) -> dict[str, Column]:
    if ndim == 2:
        round_ = 4 * np.pi * size / outline**2
        return {"area": size, "perimeter": outline, "circularity": round_}
    ball = np.cbrt(36 * np.pi * size**2)
    return {"volume": size, "surface": outline, "sphericity": ball / outline}


def _spread(
    compact: Column, pixels: Column, step: Sequence[float]
) -> tuple[Column, Column, Column]:
    """Middle, axes of the ellipse (longest first) and, in planes, the angle of the longest."""
    count, ndim = len(pixels), compact.ndim
    inside = compact > 0
    owner = compact[inside] - 1
    places = [at * s for at, s in zip(np.nonzero(inside), step, strict=True)]
    middle = np.stack([np.bincount(owner, at, count) / pixels for at in places], axis=1)
    from_middle = [at - middle[owner, axis] for axis, at in enumerate(places)]
    moments = np.empty((count, ndim, ndim))
    for i in range(ndim):
        for j in range(i + 1):
            both = np.bincount(owner, from_middle[i] * from_middle[j], count) / pixels
            # A pixel is not a point: a square of side s spreads by s squared over 12.
            moments[:, i, j] = moments[:, j, i] = both + (step[i] ** 2 / 12 if i == j else 0)
    values, vectors = np.linalg.eigh(moments)
    axes = 2 * np.sqrt((ndim + 2) * np.maximum(values, 0))[:, ::-1]
    longest = vectors[:, :, -1]
    angle = np.degrees(np.arctan2(longest[:, -2], longest[:, -1]))
    return middle, axes, (angle + 90) % 180 - 90


def _neighbours(compact: Column, step: Sequence[float]) -> Column:
    """Count the cells that meet each cell when all grow over the membranes between them."""
    from scipy.ndimage import distance_transform_edt

    count = int(compact.max(initial=0))
    between = compact == 0
    if between.any() and count:
        far, nearest = distance_transform_edt(between, sampling=step, return_indices=True)
        compact = np.where(far <= _TOUCH * min(step), compact[tuple(nearest)], 0)
    borders = Borders.between(compact.astype(np.uint32), np.zeros(compact.shape, np.float32))
    return np.bincount(borders.pairs.ravel(), minlength=count + 1)[1:]


def _intensity(compact: Column, pixels: Column, shown: Column) -> dict[str, Column]:
    """Mean and standard deviation of the brightness in each cell."""
    owner = compact.ravel()
    count = len(pixels) + 1
    mean = np.bincount(owner, shown.ravel(), count)[1:] / pixels
    apart = shown.ravel() - np.concatenate([[0.0], mean])[owner]
    spread = np.sqrt(np.bincount(owner, apart**2, count)[1:] / pixels)
    return {"intensity": mean, "intensity_sd": spread}


def _brightness(image: Any, shape: tuple[int, ...], axes: str) -> Any:
    if tuple(image.shape) != shape or np.dtype(image.dtype).kind not in "iufb":
        raise BadInput(
            f"an image of {image.dtype} and shape {tuple(image.shape)} for cells of {shape}: "
            "expected numbers in the same shape, one channel"
        )
    return labels_to_canonical(image, axes)


def _on_edge(compact: Column) -> Column:
    """Tell the cells that touch the edge of the image; an axis of one pixel has none."""
    touched = np.zeros(int(compact.max(initial=0)) + 1, np.int64)
    for axis, length in enumerate(compact.shape):
        if length > 1:
            touched[np.take(compact, (0, -1), axis).ravel()] = 1
    return touched[1:]


def _checked(cells: Any) -> Column:
    ids = np.asarray(cells)
    if ids.dtype.kind not in "iu" or ids.ndim < 2 or not ids.size:
        raise BadInput(
            f"cells of {ids.dtype} and shape {ids.shape}: expected whole numbers over at least "
            "Y and X, 0 between cells"
        )
    if ids.dtype.kind == "i" and ids.min() < 0:
        raise BadInput(f"cells hold the id {ids.min()}: ids are 0 (between cells) and up")
    return ids


def _dims(canonical: Column, dims: int | None) -> int:
    if dims not in (None, 2, 3):
        raise BadInput(f"dims {dims}: use 2 for cells of planes, 3 for cells of volumes")
    if dims is not None:
        return dims
    for frame in canonical:
        seen: set[int] = set()
        for plane in frame:
            here = {int(one) for one in np.unique(plane)} - {0}
            if seen & here:
                return 3
            seen |= here
    return 2


def _texts(values: Column) -> list[str]:
    if values.dtype.kind == "f":
        return [f"{value:.6g}" for value in values.tolist()]
    return [str(value) for value in values.tolist()]
