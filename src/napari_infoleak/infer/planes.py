"""Planes of an image as a network wants them: normalised as a whole, padded, channels first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.normalise import normalise
from napari_infoleak.infer.tiles import pad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_infoleak.core.image import Image
    from napari_infoleak.core.region import Region


@dataclass(frozen=True)
class Plane:
    """One plane, ready for tiling.

    Attributes
    ----------
    index : (int, int)
        t and z in the image.
    values : ndarray, shape (C, Y, X), float32
        Normalised by the statistics of the whole plane, padded at the bottom and right.
    """

    index: tuple[int, int]
    values: NDArray[np.float32]

    @property
    def count(self) -> int:
        """How many planes it answers."""
        return 1

    def parts(self, answer: Tensor) -> Iterator[tuple[tuple[int, int], Tensor]]:
        """Give t, z and answer, (K, Y, X), of each plane that it answers."""
        yield self.index, answer


def read_planes(
    image: Image, region: Region, channel: int | None, channels: int, multiple_of: int
) -> Iterator[Plane]:
    """Read the planes of a region one by one.

    Parameters
    ----------
    image : Image
        Lazy or in memory; each plane is read whole, once.
    region : Region
        Its t and z ranges say which planes.
    channel : int, optional
        Channel of the image; see `sources`.
    channels : int
        Channels that the network expects.
    multiple_of : int
        The sides of the planes are padded to multiples of it.

    Yields
    ------
    Plane
        In the order of t, then z.

    Raises
    ------
    BadInput
        If the image lacks the channel.
    """
    wanted = sources(image, channel, channels)
    for t in range(region.t0, region.t1):
        for z in range(region.z0, region.z1):
            read = {c: normalise(image.plane(t, z, c)) for c in dict.fromkeys(wanted)}
            values = np.stack([read[c] for c in wanted])
            yield Plane((t, z), pad(values, multiple_of))


def sources(image: Image, channel: int | None, channels: int) -> tuple[int | None, ...]:
    """Say which channel of the image feeds each channel of the network.

    Parameters
    ----------
    image : Image
        The image to be read.
    channel : int, optional
        The user's choice; it feeds all channels of the network.
    channels : int
        Channels that the network expects.

    Returns
    -------
    tuple of int or None
        One entry a channel of the network; None leaves the choice to the image.

    Raises
    ------
    BadInput
        If the network wants more channels than the image has, and none was chosen.
    """
    available = int(image.sizes["C"])
    if channel is not None or channels == 1 or available == 1:
        return (channel,) * channels
    if available < channels:
        raise BadInput(
            f"the model expects {channels} channels, but the image has {available}: choose one"
            " channel, or another model"
        )
    return tuple(range(channels))
