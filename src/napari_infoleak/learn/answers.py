"""What a segmenter says of a whole plane while it learns from pixels or teaches another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from napari_infoleak.infer.tiles import up_to

if TYPE_CHECKING:
    from torch import Tensor

_SIDE = 512  # pixels a side that are answered at a time, so that a large plane fits in memory


@torch.no_grad()
def answer_plane(segmenter: Any, image: Tensor) -> tuple[Tensor, Tensor]:
    """Answer a plane part by part, with what surrounds each.

    Parameters
    ----------
    segmenter : Segmenter
        That answers without annotations; as it is, on its device.
    image : Tensor, shape (C, Y, X), float32
        Brought to range by `core.normalise`.

    Returns
    -------
    place : Tensor, shape (Y, X), int64
        Of the likeliest class, from 0.
    share : Tensor, shape (Y, X), float32
        Its probability.
    """
    memory, step = segmenter.remember(None), segmenter.spec.multiple_of
    halo = up_to(max(0, segmenter.spec.halo), step)
    device = next(iter(next(iter(segmenter.modules())).parameters())).device
    height, width = image.shape[1:]
    place, share = torch.zeros(height, width, dtype=torch.int64), torch.zeros(height, width)
    for y in range(0, height, _SIDE):
        for x in range(0, width, _SIDE):
            top, left = max(0, y - halo), max(0, x - halo)
            part = image[:, top : y + _SIDE + halo, left : x + _SIDE + halo]
            margin = [up_to(n, step) - n for n in part.shape[1:]]
            padded = F.pad(part[None], [0, margin[1], 0, margin[0]], mode="replicate")
            found = segmenter.scores(padded.to(device), memory)[0].float().softmax(0).max(0)
            own = slice(y, min(y + _SIDE, height)), slice(x, min(x + _SIDE, width))
            inner = tuple(
                slice(one.start - start, one.stop - start)
                for one, start in zip(own, (top, left), strict=True)
            )
            place[own], share[own] = found.indices[inner].cpu(), found.values[inner].cpu()
    return place, share
