"""Why here: the annotated places that leaked into the answer for one pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from napari_infoleak.explain.lookup import in_order, looking_up
from napari_infoleak.explain.reasons import LeakedPatch, Why
from napari_infoleak.segmenters.protocol import Repeatable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.segmenters.protocol import Segmenter

_ONE_PLACE = 12  # pixels: entries of a class that are no farther apart are one place to look at
_LOOKED_AT = 256  # entries, strongest first, that places are made of


@torch.inference_mode()
def why(
    segmenter: Segmenter,
    support: SupportSet,
    memory: Any,
    plane: NDArray[np.float32],
    place: tuple[int, int],
    top: int = 5,
) -> Why:
    """Name the annotated places that leaked into the answer for a pixel.

    Parameters
    ----------
    segmenter : Segmenter
        Made ready by `infer.prepare`.
    support : SupportSet
        What `memory` was made of.
    memory : Memory
        What that very segmenter made of it.
    plane : ndarray, shape (C, Y, X), float32
        The whole plane, normalised and padded, see `infer.planes.read_planes`.
    place : (int, int)
        y and x of the pixel.
    top : int
        Most places named.

    Returns
    -------
    Why

    Raises
    ------
    BadInput
        If the segmenter looks no annotation up.
    """
    looking = looking_up(segmenter)
    tile, (y, x) = _around(segmenter, plane, place)
    tile = tile.to(memory.keys.device)
    key = looking.keys(tile)[0, :, y // looking.stride, x // looking.stride]
    likeness = memory.keys @ key
    attention = (likeness / looking.tau + memory.bias).softmax(0)
    pixel = y % looking.stride * looking.stride + x % looking.stride
    shares = attention[:, None] * memory.values[:, :, pixel]  # (M, K)
    total = float(shares.sum())
    known = total > 0
    return Why(
        class_ids=tuple(memory.class_ids),
        probabilities=_answer(segmenter, tile, memory, y, x),
        alone=_answer(segmenter.with_leak(0), tile, memory, y, x),
        read=tuple((shares.sum(0) / total).tolist()) if known else (0.0,) * shares.shape[1],
        patches=tuple(_places(shares / total, likeness, memory, support, pixel, looking.stride))[
            :top
        ]
        if known
        else (),
    )


def _around(
    segmenter: Segmenter, plane: NDArray[np.float32], place: tuple[int, int]
) -> tuple[Tensor, tuple[int, int]]:
    """Cut out all that the answer for a pixel can depend on; the pixel's place in the cutting."""
    step, halo = segmenter.spec.multiple_of, segmenter.spec.halo
    if halo < 0:
        return torch.from_numpy(plane)[None], place
    rows, columns = (
        slice(max(0, at // step * step - halo), min(size, at // step * step + step + halo))
        for at, size in zip(place, plane.shape[1:], strict=True)
    )
    cutting = torch.from_numpy(plane[:, rows, columns].copy())[None]
    return cutting, (place[0] - rows.start, place[1] - columns.start)


def _answer(segmenter: Segmenter, tile: Tensor, memory: Any, y: int, x: int) -> tuple[float, ...]:
    ask = segmenter.scores_again if isinstance(segmenter, Repeatable) else segmenter.scores
    return tuple(ask(tile, memory)[0, :, y, x].float().softmax(0).tolist())


def _places(
    shares: Tensor, likeness: Tensor, memory: Any, support: SupportSet, pixel: int, stride: int
) -> list[LeakedPatch]:
    """Join entries that lie side by side: nobody wants to be shown one stroke five times."""
    planes = in_order(support)
    strength, of_class = (part.cpu() for part in shares.max(1))
    strongest = strength.argsort(descending=True, stable=True)[:_LOOKED_AT]
    heads: list[int] = []
    weights: list[float] = []
    for entry in strongest[strength[strongest] > 0].tolist():
        for index, head in enumerate(heads):
            apart = (memory.places[entry] - memory.places[head]).abs()
            if of_class[entry] == of_class[head] and not apart[0] and apart.max() <= _ONE_PLACE:
                weights[index] += float(strength[entry])
                break
        else:
            heads.append(entry)
            weights.append(float(strength[entry]))
    found = []
    for head, weight in zip(heads, weights, strict=True):
        number, y, x = memory.places[head].tolist()
        t, z = planes[number].index
        found.append(
            LeakedPatch(
                source=planes[number].source,
                t=t,
                z=z,
                y=y + pixel // stride,
                x=x + pixel % stride,
                class_id=memory.class_ids[int(of_class[head])],
                weight=weight,
                likeness=float(likeness[head]),
            )
        )
    return sorted(found, key=lambda patch: -patch.weight)
