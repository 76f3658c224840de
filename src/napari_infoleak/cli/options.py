"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from napari_infoleak import api
from napari_infoleak.core.support import SupportSet

Json = Annotated[bool, Parameter(name="--json", negative=())]
Pairs = Annotated[list[tuple[Path, Path]], Parameter(negative=())]
PaintKind = Literal["classes", "instances"]


def painted(path: Path, kind: PaintKind) -> Any:
    """Return an annotation: the file itself, or what the cells in it say of classes."""
    return path if kind == "classes" else api.annotation_of_cells(api.read_labels(path)[0])


def support_set(
    pairs: list[tuple[Path, Path]],
    axes: str | None,
    support_axes: str | None,
    channel: int | None,
    kind: PaintKind = "classes",
) -> SupportSet | None:
    """Read annotated images.

    Parameters
    ----------
    pairs : list of (Path, Path)
        Image and annotation.
    axes : str or None
        Axes of the image that is to be segmented; they hold for support images of as many
        dimensions.
    support_axes : str or None
        Axes of the support images, where they are known.
    channel : int or None
        Channel to look at.
    kind : {"classes", "instances"}
        What the numbers of the annotations are.

    Returns
    -------
    SupportSet or None
        None if there are no pairs.
    """
    known = SupportSet()
    for image, annotation in pairs:
        letters = support_axes or axes_of(image, axes)
        paint = painted(annotation, kind)
        known = api.annotated(known, image, paint, axes=letters, channel=channel)
    return known if pairs else None


def axes_of(path: Path, axes: str | None) -> str | None:
    """Take the axes of an image for another one of as many dimensions."""
    if axes is None:
        return None
    return axes if len(api.read(path).axes) == len(axes.strip()) else None
