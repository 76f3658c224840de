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
    from collections.abc import Mapping, Sequence


def unbiased_cross_entropy(scores: Tensor, among: Sequence[int], where: Tensor) -> Tensor:
    """Cross-entropy of pixels of which no more is known than that they are of one of some classes.

    "Host", said before a new class was thought of, means host or new; "not new" any old class.

    Parameters
    ----------
    scores : Tensor, shape (B, K, *S)
    among : sequence of int
        Places of these classes.
    where : Tensor, shape (B, *S), bool
        Pixels that count.

    Returns
    -------
    Tensor, scalar
        Mean over these pixels; 0 if there is none.
    """
    logs = scores.float().log_softmax(1)[:, list(among)].logsumexp(1)
    return -(logs * where).sum() / where.sum().clamp(min=1)


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
        Cross-entropy, a mean over the old classes. Pixels that the old network called the same
        count as much together as those of any other class, for rare classes are forgotten first.
        0 if there is no pixel.
    """
    old = before.shape[1]
    logs = scores.float().log_softmax(1)
    merged = logs[:, :old].clone()
    merged[:, host] = torch.cat([logs[:, host : host + 1], logs[:, old:]], 1).logsumexp(1)
    share = before.detach().float().softmax(1)
    per_pixel = -(share * merged).mean(1)[where]
    said = share.argmax(1)[where]
    total = per_pixel.new_zeros(old).index_add(0, said, per_pixel)
    count = torch.bincount(said, minlength=old)
    return (total / count.clamp(min=1)).sum() / (count > 0).sum().clamp(min=1)


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
