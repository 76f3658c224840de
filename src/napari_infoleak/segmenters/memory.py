"""The memory of annotation leakage: what is kept of annotated images, and how it is chosen.

An entry is a cell of `stride` x `stride` pixels: its key and its label patch. Too many entries make
the read-out slow and drown rare classes, so each class has the same room, half of it for cells that
lie on a border between classes: there thin membranes are decided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class LeakageMemory:
    """Keys, label patches and the linear rule of a support set.

    Attributes
    ----------
    class_ids : tuple of int
        The user's class ids in the order of K.
    keys : Tensor, shape (M, D)
        Unit length.
    values : Tensor, shape (M, K, P)
        Label patches, one-hot, 0 where unlabelled; P pixels a cell.
    bias : Tensor, shape (M,)
        Logarithm of the entries' weights.
    rule : Tensor, shape (K, D + 1)
        Weights of the linear rule.
    affinity : Tensor, shape (K,)
        How much of each class's paint the network takes for membrane.
    frequency : Tensor, shape (K,)
        How often each class was painted, as far as that tells how frequent it is.
    preset : bool
        Whether the network's own opinion answers for the first two classes as they stand.
    places : Tensor, shape (M, 3), int64
        Where an entry came from: plane of the support set in the order of the hashes, y, x.
    version : str
        Hash of the support set and of the weights.
    head : Tensor, shape (K, F + 1), or None
        Linear correction of the scores, see `segmenters.fitted_head`.
    """

    class_ids: tuple[int, ...]
    keys: Tensor
    values: Tensor
    bias: Tensor
    rule: Tensor
    affinity: Tensor
    frequency: Tensor
    preset: bool
    places: Tensor
    version: str
    head: Tensor | None = None

    def __len__(self) -> int:
        """Number of entries."""
        return len(self.keys)

    def to(self, device: torch.device) -> LeakageMemory:
        """Return the memory on a device; `places` stay on the CPU."""
        moved = {
            name: getattr(self, name).to(device)
            for name in ("keys", "values", "bias", "rule", "affinity", "frequency")
        }
        head = None if self.head is None else self.head.to(device)
        return replace(self, head=head, **moved)


def majority(values: Tensor) -> Tensor:
    """Class that most labelled pixels of each entry have; (M K P) -> (M,)."""
    return values.sum(2).argmax(1)


def choose(counts: Tensor, cap: int, generator: torch.Generator | None = None) -> Tensor:
    """Entries to keep: the same room for every class, half of it for cells with two classes.

    Parameters
    ----------
    counts : Tensor, shape (M, K)
        Labelled pixels of each class in each entry; entries without any are never kept.
    cap : int
        Most entries kept.
    generator : Generator, optional
        Where there are too many, they are drawn at random.

    Returns
    -------
    Tensor, shape (N,), int64
        Indices, ascending.
    """
    held = counts > 0
    labelled = held.any(1)
    if int(labelled.sum()) <= cap:
        return labelled.nonzero()[:, 0]
    classes = counts.shape[1]
    mixed = held.sum(1) > 1
    of_class = counts.argmax(1)
    for c in range(classes):  # lines so thin that they are nowhere the larger part of a cell
        if not (labelled & (of_class == c)).any():
            of_class[held[:, c]] = c
    kept = []
    spare = cap
    sizes = [int((labelled & (of_class == c)).sum()) for c in range(classes)]
    for rank, c in enumerate(sorted(range(classes), key=lambda c: sizes[c])):
        room = spare // (classes - rank)  # what a small class leaves, larger ones may use
        chosen = _draw(labelled & (of_class == c), mixed, room, generator)
        spare -= len(chosen)
        kept.append(chosen)
    return torch.cat(kept).sort().values


def _draw(own: Tensor, mixed: Tensor, room: int, generator: torch.Generator | None) -> Tensor:
    border = _sample((own & mixed).nonzero()[:, 0], room, generator)
    plain = _sample((own & ~mixed).nonzero()[:, 0], room, generator)
    half = room // 2
    border = border[: max(half, room - len(plain))]
    return torch.cat([border, plain[: room - len(border)]])


def _sample(indices: Tensor, room: int, generator: torch.Generator | None) -> Tensor:
    order = torch.randperm(len(indices), generator=generator).to(indices.device)
    return indices[order[:room]]


def balance(values: Tensor, weights: Tensor | None = None) -> Tensor:
    """Bias that makes all classes weigh the same, whatever was painted more.

    Parameters
    ----------
    values : Tensor, shape (M, K, P)
    weights : Tensor, shape (M,), optional
        Weight of each entry's image, above 0; 1 by default.

    Returns
    -------
    Tensor, shape (M,)
    """
    weights = torch.ones(len(values), device=values.device) if weights is None else weights
    of_class = majority(values)
    total = torch.zeros(values.shape[1], device=values.device).index_add_(0, of_class, weights)
    return (weights / total[of_class]).log()
