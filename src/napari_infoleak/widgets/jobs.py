"""What runs in the child process for the window. No Qt and no napari in here.

The window hands over pixels and paint as they are; the child makes images and support sets of them
and calls the same public functions as a script would, with the same defaults.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.axes import labels_from_canonical
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_infoleak.api import Result
    from napari_infoleak.core.image import Image
    from napari_infoleak.core.region import Region

MIN_SIZE = 64
"""Pixels that a cell has at least, unless the user says otherwise."""

HERE = __name__
"""Dotted name of this module, in front of the names of its functions."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """An image on its way to the child.

    Parameters
    ----------
    array : numpy, dask or zarr array
        The pixels as the layer holds them.
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

        return Image.from_array(self.array, self.axes, **self.description)


@dataclass(frozen=True, eq=False)
class Painted:
    """The painted slices of an annotation; all others are empty and need not travel.

    Parameters
    ----------
    shape : tuple of int
        (T, Z, Y, X) of the whole annotation.
    places : tuple of (t, z)
        Which slices are painted.
    planes : numpy array, (N, Y, X)
        Their class ids.
    """

    shape: tuple[int, int, int, int]
    places: tuple[tuple[int, int], ...]
    planes: np.ndarray[Any, Any]

    def whole(self, axes: str) -> Any:
        """Return the annotation in the axes of its image, without C."""
        array = np.zeros(self.shape, self.planes.dtype)
        for (t, z), plane in zip(self.places, self.planes, strict=True):
            array[t, z] = plane
        return labels_from_canonical(array, axes)


def segment(
    pixels: Pixels,
    annotation: Painted | Any | None,
    supports: Sequence[tuple[Pixels, Painted | Any]],
    *,
    model: str,
    channel: int | None,
    leak: float,
    region: Region | None,
    uncertainty: bool,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Result:
    """Segment an image, or a region of it, with its own paint and that of other images."""
    from napari_infoleak import api
    from napari_infoleak.core.support import SupportSet

    support = SupportSet()
    for other, paint in supports:
        cancel.check()
        support = api.annotated(support, other.image(), _whole(paint, other.axes), channel=channel)
    own = None if annotation is None else _whole(annotation, pixels.axes)
    return api.segment(
        pixels.image(),
        support if support else None,
        model,
        annotations=own,
        channel=channel,
        leak=leak,
        region=region,
        uncertainty=uncertainty,
        progress=progress,
        cancel=cancel,
    )


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells and their number.

    Parameters
    ----------
    labels : numpy array
        Cell ids in the axes of the membranes; 0 between cells.
    count : int
        How many there are.
    """

    labels: Any
    count: int


def make_cells(
    membranes: Any,
    *,
    axes: str,
    spacing: Mapping[str, float],
    method: str,
    min_size: int,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Cells:
    """Make cells of membrane probabilities."""
    from napari_infoleak import api

    labels = api.cells(
        membranes,
        axes=axes,
        method=method,
        spacing=spacing,
        min_size=min_size,
        progress=progress,
        cancel=cancel,
    )
    return Cells(labels, int(np.count_nonzero(np.unique(labels))))


def doubt(
    probabilities: Any, *, progress: Progress = NULL, cancel: CancelToken = NEVER
) -> np.ndarray[Any, Any]:
    """Measure the uncertainty of an answer that was given before it was asked for."""
    from napari_infoleak.infer.uncertainty import entropy

    return entropy(probabilities)


def save(
    path: str,
    values: Painted | Any,
    *,
    kind: str,
    axes: str,
    classes: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any] | None = None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
    **calibration: Mapping[str, Any],
) -> Path:
    """Write a result to a file; its ending chooses the format."""
    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.io.write import write

    return write(
        path,
        _whole(values, axes),
        axes=axes,
        kind=kind,
        classes=ClassTable.from_json(classes) if kind in ("labels", "probabilities") else None,
        provenance=provenance,
        progress=progress,
        cancel=cancel,
        **calibration,
    )


def _whole(paint: Painted | Any, axes: str) -> Any:
    return paint.whole(axes) if isinstance(paint, Painted) else paint
