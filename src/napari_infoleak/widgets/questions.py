"""What the child process is asked to explain. No Qt and no napari in here.

The images of a question are known by number, for two layers may have one name: "0" is the image
itself, "1" and so on are the other annotated ones, in their order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_infoleak.core.image import Image
    from napari_infoleak.core.region import Region
    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.explain.reasons import DoubtfulPlace, Why
    from napari_infoleak.explain.review import Review
    from napari_infoleak.widgets.travel import Painted, Pixels

    Pair = tuple[Pixels, Painted | Any]

HERE = __name__
"""Dotted name of this module, in front of the names of its functions."""


def why(
    pixels: Pixels,
    annotation: Painted | Any | None,
    supports: Sequence[Pair],
    *,
    place: Sequence[int],
    model: str,
    channel: int | None,
    leak: float,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Why:
    """Name the annotated places that leaked into the answer for a pixel."""
    from napari_infoleak import api

    return api.why(
        _numbered(pixels, 0),
        place,
        _annotated(pixels, annotation, supports, channel, cancel),
        model,
        channel=channel,
        leak=leak,
        cancel=cancel,
    )


def review(
    pixels: Pixels,
    annotation: Painted | Any | None,
    supports: Sequence[Pair],
    *,
    model: str,
    channel: int | None,
    leak: float,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Review:
    """Score all that is painted; the leak's strength does not matter to that."""
    from napari_infoleak import api

    known = _annotated(pixels, annotation, supports, channel, cancel)
    return api.review(known or api.SupportSet(), model, progress=progress, cancel=cancel)


def doubtful(
    pixels: Pixels,
    annotation: Painted | Any | None,
    supports: Sequence[Pair],
    *,
    model: str,
    channel: int | None,
    leak: float,
    region: Region | None,
    planes: int,
    count: int,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> list[DoubtfulPlace]:
    """Find the places where paint is expected to help most."""
    from napari_infoleak import api

    return api.doubtful(
        _numbered(pixels, 0),
        _annotated(pixels, annotation, supports, channel, cancel),
        model,
        channel=channel,
        leak=leak,
        region=region,
        planes=planes,
        count=count,
        progress=progress,
        cancel=cancel,
    )


def _annotated(
    pixels: Pixels,
    annotation: Painted | Any | None,
    supports: Sequence[Pair],
    channel: int | None,
    cancel: CancelToken,
) -> SupportSet | None:
    """Put all that is annotated into one support set; None if nothing is."""
    from napari_infoleak import api
    from napari_infoleak.widgets.travel import whole

    known = api.SupportSet()
    own = () if annotation is None else ((0, (pixels, annotation)),)
    for number, (other, paint) in (*own, *enumerate(supports, 1)):
        cancel.check()
        image = _numbered(other, number)
        known = api.annotated(known, image, whole(paint, other.axes), channel=channel)
    return known or None


def _numbered(pixels: Pixels, number: int) -> Image:
    return replace(pixels.image(), name=str(number))
