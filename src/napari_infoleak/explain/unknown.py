"""Places that look like no class: what might be the next one.

After the *unknown* of class-incremental segmentation (Cha et al. 2021, arXiv 2106.11562), which is
trained there; here it is read off: a pixel is unknown as far as nothing that is known is near it,
no class vector and no annotated place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import ndimage as ndi

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.infer.interrupt import interruptible
from napari_infoleak.infer.tiles import plan
from napari_infoleak.segmenters.protocol import Wonders

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_infoleak.explain.doubtful import Field
    from napari_infoleak.segmenters.protocol import Segmenter

_TILE = 1024
_BLUR = 4.0  # pixels: a place is a patch, not a speck
_APART = 32  # pixels between two places of a plane
_EDGE = 8  # pixels from the border, where little is seen
_CLEAR = 8  # pixels around paint where nothing is proposed


@dataclass(frozen=True)
class UnknownPlace:
    """A place that looks like no class.

    Attributes
    ----------
    t, z, y, x : int
    strangeness : float
        Mean around it: 0 is what a class looks like, from 1 on it looks like none.
    """

    t: int
    z: int
    y: int
    x: int
    strangeness: float


def unknown(
    segmenter: Segmenter,
    memory: Any,
    fields: Iterable[Field],
    total: int,
    count: int = 5,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> tuple[list[NDArray[np.float32]], list[UnknownPlace]]:
    """Measure how strange each pixel is, and name the strangest places.

    Parameters
    ----------
    segmenter : Segmenter
        Made ready by `infer.prepare`.
    memory : Memory
        What that very segmenter made of the annotations.
    fields : iterable of Field
        Read one at a time.
    total : int
        How many fields there are.
    count : int
        Most places named.
    progress, cancel
        Told of each field; asked before each layer of the network.

    Returns
    -------
    maps : list of ndarray
        Of each field, the size of its box.
    places : list of UnknownPlace
        The strangest first.

    Raises
    ------
    BadInput
        If the segmenter does not know what it has never seen.
    """
    if not isinstance(segmenter, Wonders):
        raise BadInput(
            f"a model of {segmenter.spec.name} cannot tell what it has never seen; use a model of "
            f"continual, or paint and use membrane"
        )
    maps, places = [], []
    with torch.inference_mode(), interruptible(segmenter.modules(), cancel):
        for done, field in enumerate(fields):
            progress(done, total, f"plane {done + 1} of {total}")
            maps.append(_map(segmenter, segmenter, memory, field))
            places += _places(maps[-1], field, count)
    return maps, sorted(places, key=lambda one: -one.strangeness)[:count]


def _map(
    segmenter: Segmenter, wondering: Wonders, memory: Any, field: Field
) -> NDArray[np.float32]:
    """Ask tile by tile."""
    height, width = field.values.shape[1:]
    box, spec = field.box, segmenter.spec
    found = np.zeros(box.shape, np.float32)
    device = next(next(iter(segmenter.modules())).parameters()).device
    halo = max(height, width) if spec.halo < 0 else spec.halo
    for tile in plan(height, width, _TILE, halo, spec.multiple_of, box):
        values = torch.from_numpy(field.values[(..., *tile.outer.slices)].copy())[None]
        rows, columns = tile.crop
        said = wondering.strangeness(values.to(device), memory)[0, rows, columns]
        inner = tile.inner
        top, left = inner.y0 - box.y0, inner.x0 - box.x0
        part = found[top : top + said.shape[0], left : left + said.shape[1]]
        part[...] = said.float().cpu().numpy()[: part.shape[0], : part.shape[1]]
    return found


def _places(strange: NDArray[np.float32], field: Field, count: int) -> list[UnknownPlace]:
    """Take the strangest place, leave out what is near it, and so on."""
    smooth = ndi.gaussian_filter(strange, _BLUR)
    open_ = np.zeros(smooth.shape, bool)
    open_[_EDGE:-_EDGE, _EDGE:-_EDGE] = True
    box = field.box
    painted = field.painted[box.y0 : box.y1, box.x0 : box.x1]
    if painted.any():
        open_ &= ndi.distance_transform_edt(~painted) > _CLEAR
    found: list[UnknownPlace] = []
    while open_.any() and len(found) < count:
        y, x = np.unravel_index(np.where(open_, smooth, -np.inf).argmax(), smooth.shape)
        worth = round(float(smooth[y, x]), 4)
        found.append(UnknownPlace(field.t, field.z, int(y) + box.y0, int(x) + box.x0, worth))
        open_[max(0, y - _APART) : y + _APART, max(0, x - _APART) : x + _APART] = False
    return found
