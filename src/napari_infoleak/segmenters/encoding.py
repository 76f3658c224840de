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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_infoleak.core.support import SupportPlane
    from napari_infoleak.nets.leakage_net import LeakageNet

Window = tuple[slice, slice]
_BLOCK = 1024  # pixels a side that are encoded at a time, and only where there is paint
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
    """

    keys: Tensor
    patches: Tensor
    places: Tensor
    moments: dict[int, tuple[Tensor, Tensor, Tensor]]
    membrane: dict[int, float]

    @property
    def size_bytes(self) -> int:
        """Memory that it takes."""
        sums = [part for three in self.moments.values() for part in three]
        return sum(part.nbytes for part in (self.keys, self.patches, self.places, *sums))

    def counts(self, ids: Sequence[int]) -> Tensor:
        """Labelled pixels of each class in each entry, shape (M, K), int16."""
        return torch.stack([(self.patches == k).sum(1, dtype=torch.int16) for k in ids], 1)


def encode(net: LeakageNet, plane: SupportPlane) -> EncodedPlane:
    """Run the network over the painted parts of a plane.

    Parameters
    ----------
    net : LeakageNet
        In evaluation mode.
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
        _encode_block(net, image, annotation, window) for window in _painted(annotation, step)
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


def _painted(annotation: NDArray[Any], step: int) -> Iterator[Window]:
    """Boxes around the paint, one a block, on the grid of the network's steps."""
    side = _BLOCK // step * step
    for top in range(0, annotation.shape[0], side):
        for left in range(0, annotation.shape[1], side):
            block = annotation[top : top + side, left : left + side]
            rows, columns = np.flatnonzero(block.any(1)), np.flatnonzero(block.any(0))
            if len(rows):
                yield _on_grid(top, rows, step), _on_grid(left, columns, step)


def _on_grid(start: int, used: NDArray[np.int64], step: int) -> slice:
    low, high = start + int(used[0]), start + int(used[-1]) + 1
    return slice(low // step * step, -(-high // step) * step)


def _encode_block(
    net: LeakageNet, image: NDArray[Any], annotation: NDArray[Any], window: Window
) -> EncodedPlane:
    stride = net.key_head.stride
    features = features_of(net, image, window)
    labels = torch.from_numpy(annotation[window].astype(np.int64))
    cells = rearrange(labels, "(y a) (x b) -> (y x) (a b)", a=stride, b=stride)
    used = (cells > 0).any(1)
    rows, columns = (torch.arange(w.start, w.stop, stride) for w in window)

    seen = labels > 0
    ids = torch.unique(labels[seen])
    index = torch.searchsorted(ids, labels[seen])
    phi = net.key_head.linear(features)[0].permute(1, 2, 0).cpu()[seen].double()
    sums = class_moments(phi, index, len(ids))
    wall = net.own(features).softmax(1)[0, 1].cpu()[seen]
    return EncodedPlane(
        net.key_head.keys(features)[0].flatten(1).T.cpu()[used].float(),
        cells[used].to(torch.uint8),
        torch.cartesian_prod(rows, columns)[used],
        {int(k): (sums[0][i], sums[1][i], sums[2][i]) for i, k in enumerate(ids)},
        {int(k): float(wall[index == i].sum()) for i, k in enumerate(ids)},
    )


def features_of(net: LeakageNet, image: NDArray[Any], window: Window) -> Tensor:
    """Features of a window, seen with what surrounds it, shape (1, F, Y, X)."""
    halo = net.reach
    outer = tuple(
        slice(max(0, w.start - halo), min(n, w.stop + halo))
        for w, n in zip(window, image.shape, strict=True)
    )
    device = net.log_penalty.device
    tile = torch.from_numpy(np.ascontiguousarray(image[outer], np.float32))[None, None].to(device)
    features = net.body(tile.contiguous(memory_format=torch.channels_last))
    crop = [slice(w.start - o.start, w.stop - o.start) for w, o in zip(window, outer, strict=True)]
    inside: Tensor = features[..., crop[0], crop[1]].contiguous()
    return inside
