"""The centreline Dice: a loss that asks whether thin lines are unbroken, not how wide they are.

Shit et al. 2021, arXiv 2003.07311.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def soft_skeleton(lines: Tensor, steps: int = 4) -> Tensor:
    """Centrelines of soft lines.

    Parameters
    ----------
    lines : Tensor, shape (B, Y, X)
        0 to 1.
    steps : int
        At least half the width of the widest line, in pixels.

    Returns
    -------
    Tensor, shape (B, Y, X)
        0 to 1.
    """
    thin = lines[:, None]
    skeleton = F.relu(thin - _dilate(_erode(thin)))
    for _ in range(steps):
        thin = _erode(thin)
        found = F.relu(thin - _dilate(_erode(thin)))
        skeleton = skeleton + F.relu(found - skeleton * found)
    return skeleton[:, 0]


def soft_cldice(lines: Tensor, truth: Tensor, steps: int = 4) -> Tensor:
    """One minus the centreline Dice, mean over the pictures that hold a line.

    Beside a Dice or a cross-entropy only: the width of a line is nothing to it.

    Parameters
    ----------
    lines : Tensor, shape (B, Y, X)
        Probability of the line; 0 where the truth is not known.
    truth : Tensor, shape (B, Y, X)
        1 on the line, 0 elsewhere, and where it is not known.
    steps : int
        See `soft_skeleton`.

    Returns
    -------
    Tensor, scalar
    """
    held = truth.flatten(1).any(1)
    if not bool(held.any()):
        return lines.sum() * 0
    lines, truth = lines[held], truth[held].to(lines.dtype)
    found, meant = soft_skeleton(lines, steps), soft_skeleton(truth, steps)
    precision = ((found * truth).sum((1, 2)) + 1) / (found.sum((1, 2)) + 1)
    recall = ((meant * lines).sum((1, 2)) + 1) / (meant.sum((1, 2)) + 1)
    return (1 - 2 * precision * recall / (precision + recall)).mean()


def _erode(lines: Tensor) -> Tensor:
    flat = -F.max_pool2d(-lines, (3, 1), 1, (1, 0))
    tall = -F.max_pool2d(-lines, (1, 3), 1, (0, 1))
    return torch.minimum(flat, tall)


def _dilate(lines: Tensor) -> Tensor:
    return F.max_pool2d(lines, 3, 1, 1)
