"""Losses; unlabelled pixels (class index -1) carry none. *S is Y X or Z Y X."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(scores: Tensor, truth: Tensor, balance: Tensor | None = None) -> Tensor:
    """Mean over labelled pixels; 0 if there is none.

    Parameters
    ----------
    scores : Tensor, shape (B, K, *S)
    truth : Tensor, shape (B, *S), int64
    balance : Tensor, shape (K,), optional
        Weight of each class; all count the same by default.

    Returns
    -------
    Tensor, scalar
    """
    return cross_entropy_of_log(scores.float().log_softmax(1), truth, balance)


def log_likelihood(probabilities: Tensor, truth: Tensor) -> Tensor:
    """As `cross_entropy`, of probabilities: never a softmax twice."""
    return cross_entropy_of_log((probabilities + 1e-4).log(), truth)


def cross_entropy_of_log(logs: Tensor, truth: Tensor, balance: Tensor | None = None) -> Tensor:
    """As `cross_entropy`, of log-probabilities."""
    total = F.nll_loss(logs, truth, balance, ignore_index=-1, reduction="sum")
    seen = truth >= 0
    if balance is None:
        return total / seen.sum().clamp(min=1)
    return total / balance[truth.clamp(min=0)].where(seen, 0.0).sum().clamp(min=1e-6)


def dice(scores: Tensor, truth: Tensor) -> Tensor:
    """One minus Dice, mean over the classes that the truth holds, pooled over the batch.

    Parameters
    ----------
    scores : Tensor, shape (B, K, *S)
    truth : Tensor, shape (B, *S), int64

    Returns
    -------
    Tensor, scalar
    """
    seen = (truth >= 0)[:, None]
    hot = F.one_hot(truth.clamp(min=0), scores.shape[1]).movedim(-1, 1) * seen
    share = scores.float().softmax(1) * seen
    space = (0, *range(2, scores.dim()))
    both = (share * hot).sum(space)
    size = (share + hot).sum(space)
    present = hot.sum(space) > 0
    if not bool(present.any()):
        return torch.zeros((), device=scores.device)
    return (1 - (2 * both[present] + 1) / (size[present] + 1)).mean()
