"""A linear head on top of the fusion, fitted to what is annotated; kept only if it helps.

What a fusion learned from thousands of tasks cannot know is this user's hand: how thick she draws a
membrane, what she counts as one. Where she painted much, a part of the paint is held back at a
time, answered with the rest, and a linear correction of the scores is fitted to those answers. It
is kept if it also helps on paint that it was not fitted to. Strokes alone do not say where a
membrane ends: they run along its middle. So it takes much paint before anything is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from scipy import ndimage as ndi
from torch import Tensor
from torch.nn import functional as F

from napari_infoleak.nets.logistic import fit_logistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FOLDS = 3
_BLOCK = 64  # pixels a side of what is held back together, of paint that goes on and on
_STROKE = 96  # a stroke no longer than this is held back whole
_CELL = 16  # pixels a side; paint within one says about the same
ENOUGH = 400  # painted cells
_PENALTY = 10.0  # times the number of painted cells
_GAIN = 0.02  # of the loss on paint that was held back: less is no help
_SAMPLES = 20_000
AROUND = (3, 9)  # pixels a side of squares over which features are averaged


@dataclass(frozen=True, eq=False)
class HeldBack:
    """Painted pixels, answered without the paint around them.

    Attributes
    ----------
    scores : Tensor, shape (N, K)
    inputs : Tensor, shape (N, F)
        What the head may use.
    classes : Tensor, shape (N,), int64
        As painted, 0 to K - 1.
    """

    scores: Tensor
    inputs: Tensor
    classes: Tensor


def joined(parts: Sequence[HeldBack]) -> HeldBack:
    """Join what was asked of several planes."""
    return HeldBack(
        torch.cat([part.scores for part in parts]),
        torch.cat([part.inputs for part in parts]),
        torch.cat([part.classes for part in parts]),
    )


def folds(annotation: NDArray[np.integer]) -> NDArray[np.int8]:
    """Share the paint of a plane out, neighbours together.

    Parameters
    ----------
    annotation : ndarray, shape (Y, X)
        0 unlabelled.

    Returns
    -------
    ndarray, shape (Y, X), int8
        0 to `FOLDS` - 1; -1 where nothing is painted.
    """
    out = np.full(annotation.shape, -1, np.int8)
    strokes, _ = ndi.label(annotation > 0, np.ones((3, 3)))
    y, x = np.ogrid[: annotation.shape[0], : annotation.shape[1]]
    blocks = ((y // _BLOCK + x // _BLOCK) % FOLDS).astype(np.int8)
    boxes = cast("list[tuple[slice, slice]]", ndi.find_objects(strokes))
    for number, box in enumerate(boxes, 1):
        own = strokes[box] == number
        if max(own.shape) <= _STROKE:
            out[box][own] = number % FOLDS
        else:
            out[box][own] = blocks[box][own]
    return out


def fullest(annotation: NDArray[np.integer], side: int, step: int) -> tuple[slice, slice]:
    """Find the window that holds most paint.

    Parameters
    ----------
    annotation : ndarray, shape (Y, X)
        Sizes are multiples of `step`.
    side : int
        Pixels a side of the window, at most.
    step : int
        The window lies on this grid.

    Returns
    -------
    tuple of slice
    """
    height, width = annotation.shape
    rows, columns = (min(side // step, n // step) for n in (height, width))
    cells = (annotation > 0).reshape(height // step, step, width // step, step).sum((1, 3))
    total = np.pad(cells.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    held = total[rows:, columns:] - total[:-rows, columns:]
    held = held - (total[rows:, :-columns] - total[:-rows, :-columns])
    top, left = np.unravel_index(int(held.argmax()), held.shape)
    return slice(top * step, (top + rows) * step), slice(left * step, (left + columns) * step)


def painted_cells(annotation: NDArray[np.integer]) -> int:
    """Count the places that are painted, as far as they tell different things."""
    y, x = np.nonzero(annotation)
    return len(np.unique((y // _CELL) * (annotation.shape[1] // _CELL + 1) + x // _CELL))


def head_inputs(features: Tensor, others: Tensor) -> Tensor:
    """What a head may correct scores by, pixel by pixel.

    Parameters
    ----------
    features : Tensor, shape (B, F, Y, X)
        They are seen in the pixel itself and around it: how thick a membrane is drawn cannot be
        told from one pixel.
    others : Tensor, shape (B, G, Y, X)
        Seen in the pixel alone.

    Returns
    -------
    Tensor, shape (B, F + G + F + F, Y, X)
    """
    return torch.cat([features, others, *(_mean(features, side) for side in AROUND)], 1)


def corrected(scores: Tensor, features: Tensor, others: Tensor, head: Tensor) -> Tensor:
    """Scores and what a head adds to them: ``head`` applied to `head_inputs`.

    The mean of a product is the product of the mean: a few planes of scores are averaged, not all
    the features.

    Parameters
    ----------
    scores : Tensor, shape (B, K, Y, X)
    features, others : Tensor
        See `head_inputs`.
    head : Tensor, shape (K, N + 1)
        See `fit_head`.

    Returns
    -------
    Tensor, shape (B, K, Y, X)
    """
    width = features.shape[1]
    here, *around = head[:, :-1].split([width + others.shape[1], *(width for _ in AROUND)], 1)
    added = _weighted(features, here[:, :width]) + _weighted(others, here[:, width:])
    for slopes, side in zip(around, AROUND, strict=True):
        added += _mean(_weighted(features, slopes), side)
    return scores + added + head[:, -1, None, None]


def _weighted(planes: Tensor, slopes: Tensor) -> Tensor:
    return F.conv2d(planes, slopes[..., None, None])


def _mean(planes: Tensor, side: int) -> Tensor:
    """Mean over the part of a square that lies within the plane; (B C Y X) -> (B C Y X)."""
    # Sums along rows and then columns take a fortieth of what `avg_pool2d` takes for these squares.
    return _sum(planes, side) / _sum(torch.ones_like(planes[:1, :1]), side)


def _sum(planes: Tensor, side: int) -> Tensor:
    channels = planes.shape[1]
    ones = planes.new_ones(channels, 1, 1, side)
    sums = F.conv2d(planes, ones, padding=(0, side // 2), groups=channels)
    return F.conv2d(sums, ones.mT, padding=(side // 2, 0), groups=channels)


def fit_head(parts: Sequence[HeldBack], cells: int) -> Tensor | None:
    """Fit a head to paint that was held back, if that helps on paint held back from the fit.

    Parameters
    ----------
    parts : sequence of HeldBack
        One a fold.
    cells : int
        See `painted_cells`; the more, the freer the head.

    Returns
    -------
    Tensor, shape (K, F + 1), or None
        What the inputs, and a 1 after them, add to the scores.
    """
    parts = [part for part in parts if len(part.classes)]
    if len(parts) < 2:
        return None
    inputs = torch.cat([part.inputs for part in parts]).double()
    centre, spread = inputs.mean(0), inputs.std(0) + 1e-6
    scores = torch.cat([part.scores for part in parts]).double()
    index = torch.cat([part.classes for part in parts])
    fold = torch.arange(len(parts)).repeat_interleave(torch.tensor([len(p.classes) for p in parts]))
    if len(index) > _SAMPLES:
        few = torch.randperm(len(index), generator=torch.Generator().manual_seed(0))[:_SAMPLES]
        inputs, scores, index, fold = inputs[few], scores[few], index[few], fold[few]
    known = torch.cat([(inputs - centre) / spread, torch.ones_like(inputs[:, :1])], 1)
    penalty = _PENALTY / cells

    def fit(chosen: Tensor) -> Tensor:
        weights = torch.ones(int(chosen.sum()), dtype=torch.float64)
        return fit_logistic(known[chosen], index[chosen], scores[chosen], weights, penalty)

    before, after = 0.0, 0.0
    for held_back in range(len(parts)):
        asked = fold == held_back
        better = scores[asked] + known[asked] @ fit(~asked).T
        before += _loss(scores[asked], index[asked])
        after += _loss(better, index[asked])
    if not after < (1 - _GAIN) * before:
        return None
    head = fit(torch.ones_like(fold, dtype=torch.bool))
    slopes = head[:, :-1] / spread
    return torch.cat([slopes, head[:, -1:] - (slopes @ centre)[:, None]], 1).float()


def _loss(scores: Tensor, index: Tensor) -> float:
    return float(-scores.log_softmax(1).gather(1, index[:, None]).sum())
