"""Classes that join a trained segmenter: learn the new one, keep the old ones.

Before it joined, pixels of a new class were called something else: its *host*, often the interior.
So what the old network calls host may be host or new now. The losses are those of Cermelli et al.
2020 (MiB, arXiv 2002.00718), the average of weights that of Xiao et al. 2023 (EWF). Written anew.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping


def unbiased_cross_entropy(scores: Tensor, truth: Tensor, host: int, old: int) -> Tensor:
    """Cross-entropy where "host" means any of the old classes.

    For annotations that mark the new classes and call all else host.

    Parameters
    ----------
    scores : Tensor, shape (B, K, *S)
        Old classes first.
    truth : Tensor, shape (B, *S), int64
        -1 where nothing is annotated.
    host : int
        Place of the host.
    old : int
        Number of old classes.

    Returns
    -------
    Tensor, scalar
        Mean over annotated pixels; 0 if there is none.
    """
    logs = scores.float().log_softmax(1)
    own = logs.gather(1, truth.clamp(min=0)[:, None])[:, 0]
    any_old = logs[:, :old].logsumexp(1)
    seen = truth >= 0
    gain = torch.where(truth == host, any_old, own)
    return -(gain * seen).sum() / seen.sum().clamp(min=1)


def unbiased_distillation(scores: Tensor, before: Tensor, host: int, where: Tensor) -> Tensor:
    """Keep what the old network said, where host may have become new.

    Parameters
    ----------
    scores : Tensor, shape (B, K, *S)
        Old classes first.
    before : Tensor, shape (B, O, *S)
        Scores of the old network; no gradient reaches them.
    host : int
    where : Tensor, shape (B, *S), bool
        Pixels that count.

    Returns
    -------
    Tensor, scalar
        Cross-entropy, a mean over these pixels and the old classes; 0 if there is no pixel.
    """
    old = before.shape[1]
    logs = scores.float().log_softmax(1)
    merged = logs[:, :old].clone()
    merged[:, host] = torch.cat([logs[:, host : host + 1], logs[:, old:]], 1).logsumexp(1)
    share = before.detach().float().softmax(1)
    per_pixel = -(share * merged).mean(1)
    return (per_pixel * where).sum() / where.sum().clamp(min=1)


@torch.no_grad()
def woven(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], old: int, new: int
) -> dict[str, Tensor]:
    """Average the weights from before and after a class joined.

    Parameters
    ----------
    before, after : mapping of str to Tensor
        Along the first axis, a tensor may hold rows for the old classes only, or for all.
    old, new : int
        Numbers of classes. The new weights count ``sqrt(new / (old + new))``.

    Returns
    -------
    dict of str to Tensor
        As `after`.
    """
    share = math.sqrt(new / (old + new))
    found = {name: one.clone() for name, one in after.items()}
    for name, first in before.items():
        second = found.get(name)
        if second is None or not second.is_floating_point():
            continue
        if second.shape == first.shape:
            second.copy_(first.lerp(second, share))
        elif second.shape[1:] == first.shape[1:] and len(second) == len(first) + new:
            second[: len(first)] = first.lerp(second[: len(first)], share)
    return found
