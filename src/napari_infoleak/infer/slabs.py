"""Slabs of planes, for networks that look at volumes.

A stack that is not deeper than `DEPTH` planes is one slab. A deeper one is cut into slabs that
reach `MARGIN` planes beyond what is kept of each, and begin on a grid on which networks may halve
z. How far a network sees along z is not asked: at a cut it does not see beyond the margin.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_infoleak.core.region import Region
from napari_infoleak.infer.planes import Plane, read_planes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from napari_infoleak.core.image import Image
    from napari_infoleak.segmenters.protocol import Segmenter

DEPTH = 48
MARGIN = 8


def takes_volumes(segmenter: Segmenter) -> bool:
    """Whether a segmenter takes (B C Z Y X) and not (B C Y X)."""
    return 2 not in segmenter.spec.dims


@dataclass(frozen=True)
class Slab(Plane):
    """Several planes, ready for tiling.

    Attributes
    ----------
    index : (int, int)
        t and z of the first plane that is kept.
    values : ndarray, shape (C, Z, Y, X), float32
        As those of `Plane`.
    kept : range
        Along z: the planes whose answer is kept.
    """

    kept: range = range(0)

    @property
    def count(self) -> int:
        """How many planes it answers."""
        return len(self.kept)

    def parts(self, answer: Tensor) -> Iterator[tuple[tuple[int, int], Tensor]]:
        """Give t, z and answer, (K, Y, X), of each plane that is kept; `answer` is (K, Z, Y, X)."""
        t, z = self.index
        for number, place in enumerate(self.kept):
            yield (t, z + number), answer[:, place]


def read_slabs(
    image: Image, region: Region, channel: int | None, channels: int, multiple_of: int
) -> Iterator[Slab]:
    """Read the planes of a region, and those around them, slab by slab.

    Parameters
    ----------
    image, region, channel, channels, multiple_of
        See `read_planes`.

    Yields
    ------
    Slab
        Together they keep each plane of the region once, in the order of t, then z.
    """
    depth = image.label_shape[1]
    for t in range(region.t0, region.t1):
        for first, last, start, stop in spans(depth, region.z0, region.z1):
            part = Region(t, t + 1, start, stop, region.y0, region.y1, region.x0, region.x1)
            planes = read_planes(image, part, channel, channels, multiple_of)
            values = np.stack([plane.values for plane in planes], 1)
            yield Slab((t, first), values, range(first - start, last - start))


def spans(depth: int, low: int, high: int) -> list[tuple[int, int, int, int]]:
    """Cut z into slabs.

    Parameters
    ----------
    depth : int
        Planes of the stack.
    low, high : int
        Planes that are wanted.

    Returns
    -------
    list of (first, last, start, stop)
        What is kept and what is read; the ends are exclusive. They do not depend on what is wanted,
        so that a part of a stack is answered as the whole.
    """
    if depth <= DEPTH:
        return [(low, high, 0, depth)]
    step = DEPTH - 2 * MARGIN
    cuts = [0, *range(MARGIN + step, depth - MARGIN, step), depth]
    found = []
    for begin, end in itertools.pairwise(cuts):
        first, last = max(begin, low), min(end, high)
        if first < last:
            start = max(0, (begin - MARGIN) // MARGIN * MARGIN)
            found.append((first, last, start, min(depth, end + MARGIN)))
    return found
