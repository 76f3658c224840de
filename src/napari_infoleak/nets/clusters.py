"""K-means: typical patches of images."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_infoleak.core.errors import BadInput

_ROUNDS = 50


def k_means(points: Tensor, count: int, seed: int = 0) -> Tensor:
    """Find centres such that every point is near one.

    Parameters
    ----------
    points : Tensor, shape (N, D), float32
    count : int
    seed : int
        Of the first centres (k-means++).

    Returns
    -------
    Tensor, shape (count, D)

    Raises
    ------
    BadInput
        If points are not finite, or fewer than `count` of them differ.
    """
    if not bool(torch.isfinite(points).all()):
        raise BadInput("the patches hold values that are no numbers; check the images")
    generator = torch.Generator().manual_seed(seed)
    centres = _spread(points, count, generator)
    for _ in range(_ROUNDS):
        nearest = torch.cdist(points, centres).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        sizes = torch.bincount(nearest, minlength=count).to(points.dtype)
        moved = torch.where(sizes[:, None] > 0, sums / sizes.clamp(min=1)[:, None], centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres


def _spread(points: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """First centres, each far from those before."""
    first = int(torch.randint(len(points), (), generator=generator)) if len(points) else 0
    chosen = [first]
    far = torch.full((len(points),), float("inf"))
    while len(chosen) <= count:
        if len(points):
            far = torch.minimum(far, (points - points[chosen[-1]]).square().sum(1))
        if len(chosen) == count:
            break
        if not bool((far > 0).any()):
            raise BadInput(
                f"there are {len(chosen) if len(points) else 0} different patches in what is"
                f" annotated, and {count} words are wanted; give images with more to see, or ask"
                " for fewer words"
            )
        chosen.append(int(torch.multinomial(far, 1, generator=generator)))
    return points[chosen].clone()
