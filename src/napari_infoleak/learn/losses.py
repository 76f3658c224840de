"""Losses; unlabelled pixels (class index -1) carry none."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(scores: Tensor, truth: Tensor) -> Tensor:
    """Mean over labelled pixels; 0 if there is none.

    Parameters
    ----------
    scores : Tensor, shape (B, K, Y, X)
    truth : Tensor, shape (B, Y, X), int64

    Returns
    -------
    Tensor, scalar
    """
    total = F.cross_entropy(scores, truth, ignore_index=-1, reduction="sum")
    return total / (truth >= 0).sum().clamp(min=1)


def log_likelihood(probabilities: Tensor, truth: Tensor) -> Tensor:
    """As `cross_entropy`, of probabilities: never a softmax twice."""
    return cross_entropy_of_log((probabilities + 1e-4).log(), truth)


def cross_entropy_of_log(logs: Tensor, truth: Tensor) -> Tensor:
    """As `cross_entropy`, of log-probabilities."""
    total = F.nll_loss(logs, truth, ignore_index=-1, reduction="sum")
    return total / (truth >= 0).sum().clamp(min=1)


def dice(scores: Tensor, truth: Tensor) -> Tensor:
    """One minus Dice, mean over the classes that the truth holds, pooled over the batch.

    Parameters
    ----------
    scores : Tensor, shape (B, K, Y, X)
    truth : Tensor, shape (B, Y, X), int64

    Returns
    -------
    Tensor, scalar
    """
    seen = (truth >= 0)[:, None]
    hot = F.one_hot(truth.clamp(min=0), scores.shape[1]).permute(0, 3, 1, 2) * seen
    share = scores.softmax(1) * seen
    both = (share * hot).sum((0, 2, 3))
    size = (share + hot).sum((0, 2, 3))
    present = hot.sum((0, 2, 3)) > 0
    if not bool(present.any()):
        return torch.zeros((), device=scores.device)
    return (1 - (2 * both[present] + 1) / (size[present] + 1)).mean()
