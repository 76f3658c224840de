"""Keep some of the user's annotations from training, to tell how good the model is.

Of several annotated planes a block of neighbours is kept, for neighbours resemble each other; of a
densely annotated plane a strip; of strokes some strokes, whole. Never the last of a class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage as ndi

from napari_infoleak.learn.batches import Annotated, counts, mixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

SHARE = 0.2
_PLANES = 5  # from so many volumes on, whole ones are held out
_STROKES = 3  # from so many strokes of a class on, some are held out
_DENSE = 0.5  # of the annotation's box; more is no strokes


def hold_out(
    data: Sequence[Annotated], classes: int, seed: int = 0
) -> tuple[list[Annotated], list[Annotated]]:
    """Part annotations in those to learn from and those to be judged by.

    Parameters
    ----------
    data : sequence of Annotated
        In their order in the images. Propagated ones stay in training.
    classes : int
        K.
    seed : int
        Which strokes.

    Returns
    -------
    training, validation : list of Annotated
        Every class that is annotated is in the first. The second is empty where there is too
        little to be parted.
    """
    own = [one for one in data if one.permanent]
    others = [one for one in data if not one.permanent]
    parted = _blocks(own, classes) if len(own) >= _PLANES else None
    training, validation = parted or _parts(own, classes, seed)
    return training + others, [one for one in validation if bool(one.labels.any())]


def _blocks(data: list[Annotated], classes: int) -> tuple[list[Annotated], list[Annotated]] | None:
    """A block of neighbouring volumes with as many classes as can be; the last of those."""
    held = torch.stack([counts([one], classes) > 0 for one in data])
    length = max(1, round(SHARE * len(data)))
    best, most = None, 0
    for start in range(len(data) - length + 1):
        inside = torch.zeros(len(data), dtype=torch.bool)
        inside[start : start + length] = True
        kept = held[~inside].any(0)
        shown = int(held[inside].any(0).sum())
        if bool((kept == held.any(0)).all()) and shown >= max(most, 1):
            best, most = start, shown
    if best is None:
        return None
    return data[:best] + data[best + length :], data[best : best + length]


def _parts(
    data: list[Annotated], classes: int, seed: int
) -> tuple[list[Annotated], list[Annotated]]:
    """A strip of what is dense, some strokes of the rest."""
    rng = np.random.default_rng(mixed(seed, 3))
    held = [_strip(one.labels) if is_dense(one.labels) else None for one in data]
    strokes = [i for i, mask in enumerate(held) if mask is None]
    masks = {i: torch.zeros(data[i].labels.shape, dtype=torch.bool) for i in strokes}
    for number in range(1, classes + 1):
        pieces = []
        for i in strokes:
            found, count = ndi.label(
                (data[i].labels == number).numpy(), structure=np.ones((3, 3, 3))
            )
            pieces += [(i, found, k) for k in range(1, count + 1)]
        if len(pieces) < _STROKES:
            continue
        for k in rng.permutation(len(pieces))[: max(1, round(SHARE * len(pieces)))]:
            i, found, piece = pieces[int(k)]
            masks[i] |= torch.from_numpy(found == piece)
    masks |= {i: mask for i, mask in enumerate(held) if mask is not None}
    training = [one.with_labels(one.labels.masked_fill(masks[i], 0)) for i, one in enumerate(data)]
    if not bool((counts(training, classes) > 0).eq(counts(data, classes) > 0).all()):
        return data, []
    validation = [
        one.with_labels(one.labels.masked_fill(~masks[i], 0)) for i, one in enumerate(data)
    ]
    return training, validation


def is_dense(labels: Tensor) -> bool:
    """Whether an annotation, (Z Y X), covers its box and is no set of strokes."""
    rows, columns = (labels > 0).any(0).any(1), (labels > 0).any(0).any(0)
    planes = int((labels > 0).flatten(1).any(1).sum())
    area = planes * _span(rows) * _span(columns)
    return int((labels > 0).sum()) > _DENSE * area


def _strip(labels: Tensor) -> Tensor:
    """The right part of the annotation's box."""
    columns = (labels > 0).any(0).any(0).nonzero()[:, 0]
    first, last = int(columns[0]), int(columns[-1]) + 1
    mask = torch.zeros(labels.shape, dtype=torch.bool)
    mask[..., last - round(SHARE * (last - first)) : last] = True
    return mask


def _span(used: Tensor) -> int:
    places = used.nonzero()[:, 0]
    return int(places[-1] - places[0]) + 1 if len(places) else 0
