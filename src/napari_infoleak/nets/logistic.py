"""A linear head that corrects scores: fitted by Newton steps, no training run, nothing random."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch.nn import functional as F

_STEPS = 12
_ENOUGH = 1e-7  # gain of a step, of a loss of about 1, below which the fit is done


def fit_logistic(
    inputs: Tensor, index: Tensor, scores: Tensor, weights: Tensor, penalty: float
) -> Tensor:
    """Fit what to add to scores, linear in some inputs, by penalised maximum likelihood.

    The loss is convex; it is solved by Newton's method with halved steps where one goes too far.

    Parameters
    ----------
    inputs : Tensor, shape (N, F), float64
        About of deviation 1, so that the penalty means the same for all.
    index : Tensor, shape (N,), int64
        True class, 0 to K - 1.
    scores : Tensor, shape (N, K), float64
        Scores as they are; a head of zeros leaves them.
    weights : Tensor, shape (N,), float64
        Of the samples; they are brought to a sum of 1.
    penalty : float
        Of the squared head, above 0.

    Returns
    -------
    Tensor, shape (K, F), float64
        ``scores + inputs @ head.T`` are the better scores.
    """
    width = inputs.shape[1]
    classes = scores.shape[1]
    share = weights / weights.sum()
    hot = F.one_hot(index, classes).to(inputs.dtype)
    ridge = penalty * torch.eye(classes * width, dtype=inputs.dtype)

    def loss(head: Tensor) -> Tensor:
        logs = (scores + inputs @ head.T).log_softmax(1)
        return -(share * (hot * logs).sum(1)).sum() + 0.5 * penalty * head.square().sum()

    head = torch.zeros(classes, width, dtype=inputs.dtype)
    before = loss(head)
    for _ in range(_STEPS):
        found = (scores + inputs @ head.T).softmax(1)
        slope = (share[:, None] * (found - hot)).T @ inputs + penalty * head
        curve = torch.zeros(classes, width, classes, width, dtype=inputs.dtype)
        for a, b in itertools.combinations(range(classes), 2):
            # What one class gains another loses: the pairs tell the whole curvature.
            pair = (inputs * (share * found[:, a] * found[:, b])[:, None]).T @ inputs
            curve[a, :, b] -= pair
            curve[b, :, a] -= pair
            curve[a, :, a] += pair
            curve[b, :, b] += pair
        full = curve.view(classes * width, classes * width) + ridge
        step = torch.linalg.solve(full, slope.flatten()).view(classes, width)
        for halvings in range(8):
            moved = head - step * 0.5**halvings
            after = loss(moved)
            if after < before:
                break
        else:
            break
        gain, head, before = float(before - after), moved, after
        if gain < _ENOUGH:
            break
    return head
