"""What a caller may hand over: arrays, images, paths; brought to the values of the core."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.axes import labels_from_canonical, labels_to_canonical, parse_axes
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.image import Image, lazy_or_numpy
from napari_infoleak.io import read, read_labels

if TYPE_CHECKING:
    from napari_infoleak.core.support import SupportSet

_NO_CHANNELS = {2: "YX", 3: "ZYX", 4: "TZYX"}


def is_path(thing: object) -> bool:
    """Whether a caller named a file instead of handing over pixels."""
    return isinstance(thing, str | os.PathLike)


def as_image(image: Any, axes: str | None) -> Image:
    """Make an image of whatever was given.

    Raises
    ------
    BadInput
        If it is no image, or `axes` contradict an image that knows its own.
    """
    if isinstance(image, Image):
        if axes is not None and parse_axes(axes, _source_shape(image)) != image.axes:
            raise BadInput(
                f"axes {axes!r} were given, but the image {image.name} has {image.axes} already; "
                f"leave axes out, or make the image with them"
            )
        return image
    return read(image, axes) if is_path(image) else Image.from_array(image, axes)


def as_annotation(annotation: Any, image: Image) -> Any:
    """Bring an annotation of an image, or the path of one, to the image's axes without C.

    An annotation whose shape fits as it is is taken so: programs for painting seldom write axes.
    """
    if is_path(annotation):
        array, axes = read_labels(annotation)
    else:
        array = lazy_or_numpy(annotation)
        axes = _NO_CHANNELS.get(array.ndim, "")
    expected = tuple(image.sizes[letter] for letter in image.label_axes)
    if not axes or tuple(array.shape) == expected:
        return array
    canonical = labels_to_canonical(array, axes)
    if tuple(canonical.shape) == image.label_shape:
        return labels_from_canonical(canonical, image.label_axes)
    return array  # the support set says what is wrong with it


def annotated(
    support: SupportSet,
    image: Any,
    annotation: Any,
    *,
    axes: str | None = None,
    channel: int | None = None,
    weight: float = 1.0,
) -> SupportSet:
    """Return a successor of a support set that also holds an annotated image.

    Parameters
    ----------
    support : SupportSet
        Left as it is.
    image : Image, array or path
        The annotated image.
    annotation : integer array or path
        The image's axes without C; 0 is unlabelled.
    axes : str, optional
        Axes of the image; guessed if None.
    channel : int, optional
        Channel to look at; an image that has but one is looked at as it is.
    weight : float
        How much it counts, above 0.

    Returns
    -------
    SupportSet

    Raises
    ------
    BadInput
        If image and annotation do not fit each other, or cannot be read.
    EmptySupportError
        If nothing is annotated.
    """
    shown = as_image(image, axes)
    painted = as_annotation(annotation, shown)
    looked_at = None if shown.sizes["C"] == 1 else channel
    return support.add(shown, painted, channel=looked_at, weight=weight)


def _source_shape(image: Image) -> tuple[int, ...]:
    """Return the shape that an image had in its own axes."""
    return tuple(image.sizes[letter] for letter in image.axes)
