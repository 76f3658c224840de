"""Class-wise distillation: a teacher for each class, one small network that learns from all.

After Ikedo, Nagata, Hotta 2023, doi 10.5220/0011719900003414. Confirmed by the paper: the target of
the small network is the output distribution of a teacher *learned for each class*, and prediction
costs nothing more. Reconstructed here: a teacher tells its class from all the rest, and the
divergence is that of two binary distributions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_SURE = 13.8  # logit of a probability of 1 - 1e-6; teachers are never surer


def margins(scores: Tensor) -> Tensor:
    """Logit of each class against all the rest: ``sigmoid(margins(z)) == softmax(z)``.

    Parameters
    ----------
    scores : Tensor, shape (B, K, *S)
        K at least 2.

    Returns
    -------
    Tensor, shape (B, K, *S)
    """
    scores = scores.float()
    if scores.shape[1] == 2:
        return scores - scores.flip(1)
    rest = [
        torch.cat([scores[:, :k], scores[:, k + 1 :]], 1).logsumexp(1)
        for k in range(scores.shape[1])
    ]
    return scores - torch.stack(rest, 1)


def classwise_divergence(
    scores: Tensor, teachers: Tensor, taught: Tensor, temperature: float = 1.0
) -> Tensor:
    """How far the small network is from each teacher on the teacher's own class.

    Parameters
    ----------
    scores : Tensor, shape (B, K, *S)
        Of the small network.
    teachers : Tensor, shape (B, K, *S)
        Logit of each teacher; no gradient reaches them.
    taught : Tensor, shape (K,), bool
        Which classes have a teacher that learned.
    temperature : float
        Above 1 softens both.

    Returns
    -------
    Tensor, scalar
        Mean over pixels, annotated or not, and taught classes, of the divergence of ``(q, 1 - q)``
        from ``(p, 1 - p)``, times the squared temperature; 0 if no class is taught.
    """
    if not bool(taught.any()):
        return scores.sum() * 0
    ours = margins(scores)[:, taught] / temperature
    theirs = teachers[:, taught].detach().float().clamp(-_SURE, _SURE) / temperature
    q = theirs.sigmoid()
    yes = q * (F.logsigmoid(theirs) - F.logsigmoid(ours))
    no = (1 - q) * (F.logsigmoid(-theirs) - F.logsigmoid(-ours))
    return (yes + no).mean() * temperature**2


def joint_divergence(scores: Tensor, teachers: Tensor, taught: Tensor) -> Tensor:
    """The other reading: the teachers' probabilities, made to sum to 1, are one target.

    Parameters
    ----------
    scores, teachers, taught
        See `classwise_divergence`; a class without a teacher has the target 0.

    Returns
    -------
    Tensor, scalar
        Mean over pixels of the divergence of the small network from the target.
    """
    if not bool(taught.any()):
        return scores.sum() * 0
    q = teachers.detach().float().clamp(-_SURE, _SURE).sigmoid()
    q = q * taught.view(1, -1, *[1] * (q.dim() - 2))
    target = q / q.sum(1, keepdim=True)
    logs = scores.float().log_softmax(1)
    return (torch.xlogy(target, target) - target * logs).sum(1).mean()
