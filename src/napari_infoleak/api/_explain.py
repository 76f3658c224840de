"""What an answer came from, what the annotations are worth, and where to paint next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.api._inputs import as_annotation, as_image
from napari_infoleak.api._segment import (
    known_support,
    limited_threads,
    ready_segmenter,
    region_of,
    remember,
    settings_of,
)
from napari_infoleak.core.axes import labels_from_canonical
from napari_infoleak.core.errors import BadInput, EmptySupportError
from napari_infoleak.core.image import Image, plane_hash
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.core.region import Region
from napari_infoleak.core.support import SupportSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from napari_infoleak.api._model import Model
    from napari_infoleak.explain.doubtful import Field
    from napari_infoleak.explain.reasons import DoubtfulPlace, Why
    from napari_infoleak.explain.review import Review
    from napari_infoleak.explain.unknown import UnknownPlace
    from napari_infoleak.segmenters.protocol import Segmenter

MOST_PLANES = 8
"""Planes that are looked at for doubtful places, spread evenly, where there are more."""


def why(
    image: Any,
    place: Sequence[int],
    support: SupportSet | None = None,
    model: str | Path | Model = "membrane",
    *,
    annotations: Any = None,
    axes: str | None = None,
    channel: int | None = None,
    leak: float = 1.0,
    device: str = "auto",
    threads: int | None = None,
    top: int = 5,
    cancel: CancelToken = NEVER,
) -> Why:
    """Name the annotated places that leaked into the answer for one pixel.

    Parameters
    ----------
    image : Image, array or path
        2 to 5 dimensions out of T, C, Z, Y, X.
    place : sequence of int
        The pixel: one index for each axis of the image but C.
    support, model, annotations, axes, channel, leak, device, threads
        As for `segment`.
    top : int
        Most places named.
    cancel
        Asked between the steps.

    Returns
    -------
    Why
        The answer, what it would be without annotations, what was read from them, and the places
        that it was read from, strongest first.

    Raises
    ------
    BadInput
        If the place lies outside the image, the model looks no annotation up, or anything that
        `segment` refuses.
    EmptySupportError
        If nothing is annotated.
    """
    settings = settings_of(
        model=str(model), axes=axes, channel=channel, leak=leak, device=device, threads=threads
    )
    picture = as_image(image, axes)
    t, z, y, x = _pixel(place, picture)
    known = _annotated(support, picture, annotations, settings.channel)
    from napari_infoleak.explain.why import why as explained
    from napari_infoleak.infer.planes import read_planes

    with limited_threads(settings.threads):
        segmenter = ready_segmenter(model, settings.device).with_leak(settings.leak)
        cancel.check()
        memory = remember(segmenter, known)
        cancel.check()
        spec = segmenter.spec
        here = Region.from_slices(picture.label_shape, t=t, z=z)
        (plane,) = read_planes(picture, here, settings.channel, spec.channels, spec.multiple_of)
        return explained(segmenter, known, memory, plane.values, (y, x), _positive(top, "top"))


def review(
    support: SupportSet,
    model: str | Path | Model = "membrane",
    *,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Review:
    """Score what each stroke and each annotated plane does to how the others are answered.

    Parameters
    ----------
    support : SupportSet
        The annotated images.
    model, device, threads
        As for `segment`.
    progress, cancel
        Told of, and asked before, each stroke.

    Returns
    -------
    Review
        Planes and strokes, suspects first, then the most harmful first.

    Raises
    ------
    BadInput
        If the model looks no annotation up, or only one class is painted.
    EmptySupportError
        If nothing is annotated.
    """
    settings = settings_of(model=str(model), device=device, threads=threads)
    if not isinstance(support, SupportSet):
        raise BadInput(
            f"support is a {type(support).__name__}; expected a SupportSet: "
            f"SupportSet().add(image, annotation)"
        )
    from napari_infoleak.explain.review import review as reviewed

    with limited_threads(settings.threads):
        progress(0, 1, "looking at the annotations")
        segmenter = ready_segmenter(model, settings.device)
        memory = remember(segmenter, support or None)
        return reviewed(segmenter, support, memory, progress, cancel)


def doubtful(
    image: Any,
    support: SupportSet | None = None,
    model: str | Path | Model = "membrane",
    *,
    annotations: Any = None,
    axes: str | None = None,
    channel: int | None = None,
    leak: float = 1.0,
    device: str = "auto",
    threads: int | None = None,
    region: Region | None = None,
    planes: int = MOST_PLANES,
    count: int = 5,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> list[DoubtfulPlace]:
    """Find the places of an image where one more stroke is expected to help most.

    Parameters
    ----------
    image : Image, array or path
        2 to 5 dimensions out of T, C, Z, Y, X.
    support, model, annotations, axes, channel, leak, device, threads
        As for `segment`; here there may be no annotation at all.
    region : Region, optional
        Where to look; all of the image by default.
    planes : int
        Most planes looked at; they are spread evenly over the region.
    count : int
        Most places named.
    progress, cancel
        Told of each plane; asked before each layer of the network.

    Returns
    -------
    list of DoubtfulPlace
        The best first, each with the ones before it taken as painted.

    Raises
    ------
    BadInput
        If the model looks no annotation up, or anything that `segment` refuses.
    """
    settings = settings_of(
        model=str(model), axes=axes, channel=channel, leak=leak, device=device, threads=threads
    )
    picture = as_image(image, axes)
    part = region_of(region, picture)
    paint = None if annotations is None else as_annotation(annotations, picture)
    known = known_support(support, picture, paint, settings.channel)
    shown = _spread(part.planes, _positive(planes, "planes"))
    from napari_infoleak.explain.doubtful import doubtful as found

    with limited_threads(settings.threads):
        progress(0, len(shown), "looking at the annotations" if known else "loading the model")
        segmenter = ready_segmenter(model, settings.device).with_leak(settings.leak)
        cancel.check()
        memory = remember(segmenter, known)
        fields = _fields(picture, segmenter, known, part, shown, settings.channel)
        return found(
            segmenter, memory, fields, len(shown), _positive(count, "count"), progress, cancel
        )


@dataclass(frozen=True, eq=False)
class Unknown:
    """What looks like no class.

    Attributes
    ----------
    map : array, float32
        In the axes of the image without C: 0 is what a class looks like, from 1 on it looks like
        none.
    places : list of UnknownPlace
        The strangest first: what might be the next class to paint.
    axes : str
        Axes of `map`.
    calibration : mapping
        Scale, translation and units, as `write` takes them.
    """

    map: Any
    places: list[UnknownPlace]
    axes: str
    calibration: Mapping[str, Any]


def unknown(
    image: Any,
    support: SupportSet | None = None,
    model: str | Path | Model = "membrane",
    *,
    annotations: Any = None,
    axes: str | None = None,
    channel: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    count: int = 5,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Unknown:
    """Find what looks like no class yet: it may be the next one to paint.

    Parameters
    ----------
    image : Image, array or path
        2 to 5 dimensions out of T, C, Z, Y, X.
    support, model, annotations, axes, channel, device, threads
        As for `segment`. A model of ``continual`` is asked for the likeness to its class vectors,
        one of ``annotation-leakage`` for that to what is annotated.
    count : int
        Most places named.
    progress, cancel
        Told of each plane; asked before each layer of the network.

    Returns
    -------
    Unknown

    Raises
    ------
    BadInput
        If the model cannot tell, nothing is annotated where that is what it looks at, or anything
        that `segment` refuses.
    """
    settings = settings_of(
        model=str(model), axes=axes, channel=channel, device=device, threads=threads
    )
    picture = as_image(image, axes)
    part = region_of(None, picture)
    paint = None if annotations is None else as_annotation(annotations, picture)
    known = known_support(support, picture, paint, settings.channel)
    from napari_infoleak.explain.unknown import unknown as found

    with limited_threads(settings.threads):
        progress(0, len(part.planes), "looking at the annotations" if known else "starting")
        segmenter = ready_segmenter(model, settings.device)
        memory = remember(segmenter, known)
        fields = _fields(picture, segmenter, known, part, part.planes, settings.channel)
        total, most = len(part.planes), _positive(count, "count")
        maps, places = found(segmenter, memory, fields, total, most, progress, cancel)
    whole = np.stack(maps).reshape(picture.label_shape)
    return Unknown(
        labels_from_canonical(whole, picture.axes),
        places,
        picture.label_axes,
        {"scale": picture.scale, "translate": picture.translate, "units": picture.units},
    )


def _annotated(
    support: SupportSet | None, image: Image, annotations: Any, channel: int | None
) -> SupportSet:
    """Join the annotations; there must be some."""
    paint = None if annotations is None else as_annotation(annotations, image)
    known = known_support(support, image, paint, channel)
    if known is None:
        raise EmptySupportError(
            "nothing is annotated, so nothing leaked into the answer: paint some strokes of each "
            "class, or give annotated images"
        )
    return known


def _pixel(place: Sequence[int], image: Image) -> tuple[int, int, int, int]:
    """Bring a place to t, z, y, x."""
    letters = image.label_axes
    numbers = [int(number) for number in place]
    if len(numbers) != len(letters):
        raise BadInput(
            f"the place {tuple(numbers)} has {len(numbers)} numbers; expected one for each of the "
            f"axes {letters}"
        )
    at = dict.fromkeys("TZYX", 0) | dict(zip(letters, numbers, strict=True))
    for letter, number in at.items():
        if not 0 <= number < image.sizes[letter]:
            raise BadInput(
                f"{letter} = {number} lies outside the image {image.name}, which has "
                f"{image.sizes[letter]} along {letter}, counted from 0"
            )
    return at["T"], at["Z"], at["Y"], at["X"]


def _positive(number: int, name: str) -> int:
    if number < 1:
        raise BadInput(f"{name} is {number}; expected 1 or more")
    return number


def _spread(planes: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Choose planes that lie evenly among all."""
    if len(planes) <= most:
        return planes
    return [planes[int((i + 0.5) * len(planes) / most)] for i in range(most)]


def _fields(
    image: Image,
    segmenter: Segmenter,
    support: SupportSet | None,
    region: Region,
    planes: list[tuple[int, int]],
    channel: int | None,
) -> Iterator[Field]:
    """Read planes one by one, with what is painted on them, under whatever name."""
    from napari_infoleak.explain.doubtful import Field
    from napari_infoleak.infer.planes import read_planes
    from napari_infoleak.infer.tiles import Box

    spec = segmenter.spec
    box = Box(region.y0, region.y1, region.x0, region.x1)
    for t, z in planes:
        here = Region.from_slices(image.label_shape, t=t, z=z)
        (plane,) = read_planes(image, here, channel, spec.channels, spec.multiple_of)
        painted = np.zeros(image.label_shape[2:], bool)
        own = plane_hash(image.plane(t, z, channel)) if support else ""
        for other in support.planes if support else ():
            if other.image_hash == own:
                painted |= other.annotation > 0
        yield Field(t, z, plane.values, painted, box)
