"""Planes that nobody annotated, and how far each is from an annotated one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_infoleak.core.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor

    from napari_infoleak.core.image import Image
    from napari_infoleak.core.support import SupportPlane

Place = tuple[str, tuple[int, int]]
"""Name of an image, and t and z in it."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A plane of an image, not read yet.

    Attributes
    ----------
    image : Image
    channel : int or None
        Channel to look at, see `Image.plane`.
    index : (int, int)
        t and z.
    """

    image: Image
    channel: int | None
    index: tuple[int, int]

    @property
    def place(self) -> Place:
        """Where it lies."""
        return self.image.name, self.index

    def read(self) -> Tensor:
        """Grey values brought to range, shape (1, 1, Y, X)."""
        plane = normalise(self.image.plane(*self.index, self.channel))
        return torch.from_numpy(plane)[None, None]


def others(image: Image, channel: int | None, planes: Iterable[SupportPlane]) -> Iterator[Frame]:
    """Planes of an image that are not among the annotated ones."""
    known = {(plane.source, plane.index) for plane in planes}
    for t, z in np.ndindex(*image.label_shape[:2]):
        frame = Frame(image, channel, (t, z))
        if frame.place not in known:
            yield frame


def by_distance(frames: Iterable[Frame], annotated: Sequence[Place]) -> dict[int, list[Frame]]:
    """Sort frames: those next to an annotated plane first.

    Parameters
    ----------
    frames : iterable of Frame
    annotated : sequence of Place
        Of the planes that are learned from.

    Returns
    -------
    dict of int to list of Frame
        By the distance, in time plus in z, to the nearest annotated plane of their image,
        ascending. Frames of images without one are left out.
    """
    rounds: dict[int, list[Frame]] = {}
    for frame in frames:
        name, (t, z) = frame.place
        apart = [abs(t - u) + abs(z - v) for source, (u, v) in annotated if source == name]
        if apart:
            rounds.setdefault(min(apart), []).append(frame)
    return {distance: rounds[distance] for distance in sorted(rounds)}
