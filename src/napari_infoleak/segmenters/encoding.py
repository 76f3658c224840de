"""What one annotated plane gives to the memory, whatever the other planes are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from napari_infoleak.core.normalise import normalise
from napari_infoleak.nets.read_out import class_moments
from napari_infoleak.segmenters.memory import choose
from napari_infoleak.segmenters.pixel_rule import painted_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_infoleak.core.support import SupportPlane
    from napari_infoleak.nets.leakage_net import LeakageNet
    from napari_infoleak.segmenters.features import Features, Window

_WHOLE = 1024  # planes with sides up to this are seen whole, as they are when they are answered
_BLOCK = 512  # pixels a side of larger planes that are seen at a time, where there is paint
_MOST = 65_536  # entries of a plane: all of 1024 x 1024 painted pixels, and a sample of more


@dataclass(frozen=True, eq=False)
class EncodedPlane:
    """Keys, labels and sums of an annotated plane.

    Attributes
    ----------
    keys : Tensor, shape (M, D)
        Of the cells that hold a labelled pixel.
    patches : Tensor, shape (M, P), uint8
        Class ids of the cell's pixels, 0 where unlabelled.
    places : Tensor, shape (M, 2), int64
        y and x of the cell's first pixel.
    moments : dict of int to tuple of Tensor
        By class id, see `nets.read_out.class_moments`; float64.
    membrane : dict of int to float
        By class id, the network's own membrane probability summed over its pixels.
    pixels : Tensor, shape (N, I), float32
        See `pixel_rule.painted_pixels`.
    pixel_ids : Tensor, shape (N,), int64
        Their class ids.
    """

    keys: Tensor
    patches: Tensor
    places: Tensor
    moments: dict[int, tuple[Tensor, Tensor, Tensor]]
    membrane: dict[int, float]
    pixels: Tensor
    pixel_ids: Tensor

    @property
    def size_bytes(self) -> int:
        """Memory that it takes."""
        sums = [part for three in self.moments.values() for part in three]
        return sum(
            part.nbytes for part in (self.keys, self.patches, self.places, self.pixels, *sums)
        )

    def counts(self, ids: Sequence[int]) -> Tensor:
        """Labelled pixels of each class in each entry, shape (M, K), int16."""
        return torch.stack([(self.patches == k).sum(1, dtype=torch.int16) for k in ids], 1)


def encode(net: LeakageNet, features: Features, plane: SupportPlane) -> EncodedPlane:
    """Gather what the network sees under the paint of a plane.

    Parameters
    ----------
    net : LeakageNet
        In evaluation mode.
    features : Features
        Of its body.
    plane : SupportPlane
        With at least one labelled pixel.

    Returns
    -------
    EncodedPlane
        On the CPU.
    """
    step = net.multiple_of
    image = padded(normalise(plane.image), step, "reflect")
    annotation = padded(plane.annotation, step, "constant")
    blocks = [
        _encode_block(net, features_of(net, features, image, window), annotation[window], window)
        for window in _blocks(image.shape, step)
        if annotation[window].any()
    ]
    moments: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
    membrane: dict[int, float] = {}
    for block in blocks:
        for k, (outer, first, count) in block.moments.items():
            before = moments.get(k, (torch.zeros(()), torch.zeros(()), torch.zeros(())))
            moments[k] = (before[0] + outer, before[1] + first, before[2] + count)
            membrane[k] = membrane.get(k, 0.0) + block.membrane[k]
    whole = EncodedPlane(
        torch.cat([b.keys for b in blocks]),
        torch.cat([b.patches for b in blocks]),
        torch.cat([b.places for b in blocks]),
        moments,
        membrane,
        torch.cat([b.pixels for b in blocks]),
        torch.cat([b.pixel_ids for b in blocks]),
    )
    return _thinned(whole)


def _thinned(plane: EncodedPlane) -> EncodedPlane:
    """Keep no more entries than are ever needed; the sums are of all pixels as before."""
    if len(plane.keys) <= _MOST:
        return plane
    ids = sorted(plane.moments)
    kept = choose(plane.counts(ids), _MOST, torch.Generator().manual_seed(0))
    return replace(
        plane, keys=plane.keys[kept], patches=plane.patches[kept], places=plane.places[kept]
    )


def padded(array: NDArray[Any], step: int, mode: str) -> NDArray[Any]:
    """Pad at the bottom and right to whole steps, as the tiles of an image are."""
    height, width = array.shape
    margins = [(0, -height % step), (0, -width % step)]
    if not any(high for _, high in margins):
        return array
    return np.pad(array, margins, mode=mode)  # type: ignore[call-overload,no-any-return]


def _blocks(shape: tuple[int, ...], step: int) -> Iterator[Window]:
    """Cut a plane into what is seen at a time: always at the same places, wherever the paint is.

    So a stroke more asks for features that are there already, and a stroke less leaves no trace.
    """
    side = max(shape) if max(shape) <= _WHOLE else _BLOCK // step * step
    for top in range(0, shape[0], side):
        for left in range(0, shape[1], side):
            yield slice(top, min(top + side, shape[0])), slice(left, min(left + side, shape[1]))


def features_of(net: LeakageNet, features: Features, image: NDArray[Any], window: Window) -> Tensor:
    """Features of a window, seen with what surrounds it.

    Parameters
    ----------
    net : LeakageNet
    features : Features
        Of its body.
    image : ndarray, shape (Y, X)
        Normalised and `padded`.
    window : (slice, slice)
        On the grid of the network's steps.

    Returns
    -------
    Tensor, shape (1, F, rows, columns)
        On the network's device; to be read only.
    """
    outer = [slice(0, size) for size in image.shape]
    if max(image.shape) > _WHOLE:
        halo = net.body.reach
        outer = [
            slice(max(0, w.start - halo), min(size, w.stop + halo))
            for w, size in zip(window, image.shape, strict=True)
        ]
    tile = torch.from_numpy(np.ascontiguousarray(image[tuple(outer)], np.float32))[None, None]
    rows, columns = (
        slice(w.start - o.start, w.stop - o.start) for w, o in zip(window, outer, strict=True)
    )
    tile = tile.to(net.log_penalty.device)
    if max(image.shape) > _WHOLE:
        return features.again(tile, (rows, columns))
    return features.again(tile)[..., rows, columns]


def _encode_block(
    net: LeakageNet, features: Tensor, annotation: NDArray[Any], window: Window
) -> EncodedPlane:
    """Look at the painted cells alone; (1 F Y X), (Y X)."""
    stride = net.key_head.stride
    labels = torch.from_numpy(annotation.astype(np.int64))
    cells = rearrange(labels, "(y a) (x b) -> y x (a b)", a=stride, b=stride)
    used = (cells > 0).any(2)
    rows, columns = (torch.arange(w.start, w.stop, stride) for w in window)
    patches = rearrange(features[0], "f (y a) (x b) -> y x f a b", a=stride, b=stride)[used]
    cells = cells[used]

    seen = cells > 0
    ids = torch.unique(cells[seen])
    index = torch.searchsorted(ids, cells[seen])
    # Each pixel by itself: what is asked of it here looks at no neighbour.
    pixels = rearrange(patches, "m f a b -> m (a b) f")[seen].T[None, ..., None]
    phi = net.key_head.linear(pixels)[0, ..., 0].T.cpu().double()
    sums = class_moments(phi, index, len(ids))
    wall = net.own(pixels).softmax(1)[0, 1, :, 0].cpu()
    return EncodedPlane(
        net.key_head.keys(patches).flatten(1).cpu(),
        cells.to(torch.uint8),
        torch.cartesian_prod(rows, columns)[used.flatten()],
        {int(k): (sums[0][i], sums[1][i], sums[2][i]) for i, k in enumerate(ids)},
        {int(k): float(wall[index == i].sum()) for i, k in enumerate(ids)},
        *painted_pixels(features, labels),
    )
