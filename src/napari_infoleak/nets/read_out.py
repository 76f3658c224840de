"""How labels of annotated places leak into the answer for a new image.

Three steps, each a function or module of its own: a key for each cell of `stride` x `stride` pixels
(`KeyHead`), two read-outs of what was annotated (`attend`, by similarity of places; `ridge`, by the
best linear rule in closed form), and their fusion with what the network says by itself (`Fusion`).

Label attention without parameters is after Kato, Hotta 2023, arXiv 2304.07991; the closed-form
read-out after Bertinetto et al. 2019, arXiv 1805.08136; label patches, the fusion and the way they
are joined are ours.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

TAU_RANGE = (0.03, 0.2)
_CHUNK = 2**20  # similarities held at a time; those of a 2048 x 2048 tile take gigabytes


class KeyHead(nn.Module):
    """Unit-length keys of cells of `stride` x `stride` pixels, and features for the linear rule."""

    def __init__(self, features: int = 32, dimensions: int = 32, stride: int = 4) -> None:
        super().__init__()
        self.stride = stride
        self.to_key = nn.Conv2d(features, dimensions, stride, stride=stride)
        self.to_linear = nn.Conv2d(features, dimensions, 1)
        self.log_tau = nn.Parameter(torch.tensor(math.log(0.1)))

    @property
    def tau(self) -> Tensor:
        """Temperature of the read-out, learned within `TAU_RANGE`."""
        return self.log_tau.exp().clamp(*TAU_RANGE)

    def keys(self, features: Tensor) -> Tensor:
        """(B F Y X) -> (B D Y/stride X/stride), unit length."""
        return F.normalize(self.to_key(features), dim=1)

    def linear(self, features: Tensor) -> Tensor:
        """(B F Y X) -> (B D+1 Y X); the last is 1, for the offset."""
        phi = self.to_linear(features)
        return torch.cat([phi, torch.ones_like(phi[:, :1])], 1)

    def ruled(self, features: Tensor, rule: Tensor) -> Tensor:
        """Scores of a linear rule; (B F Y X), (K D+1) -> (B K Y X).

        The rule goes into the convolution: `linear` of a whole tile takes time and memory.
        """
        slopes, offset = rule[:, :-1], rule[:, -1]
        weight = slopes @ self.to_linear.weight.flatten(1)
        bias = offset + slopes @ cast("Tensor", self.to_linear.bias)
        return F.conv2d(features, weight[..., None, None], bias)


def label_patches(annotation: Tensor, stride: int, classes: int) -> Tensor:
    """Cut an annotation into the cells that keys belong to.

    Parameters
    ----------
    annotation : Tensor, shape (Y, X), int64
        Class index from 0; -1 where unlabelled. Sizes are multiples of `stride`.
    stride : int
    classes : int
        K.

    Returns
    -------
    Tensor, shape (Y/stride * X/stride, K, stride * stride), float32
        One-hot; all classes 0 where unlabelled.
    """
    hot = F.one_hot(annotation.clamp(min=0), classes) * (annotation >= 0)[..., None]
    return rearrange(hot.float(), "(y a) (x b) k -> (y x) k (a b)", a=stride, b=stride)


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, tau: Tensor
) -> tuple[Tensor, Tensor]:
    """Labels of the annotated cells most like each queried cell.

    Parameters
    ----------
    queries : Tensor, shape (N, D)
    keys : Tensor, shape (M, D)
        Both of unit length.
    values : Tensor, shape (M, K, P)
        Label patches, see `label_patches`.
    bias : Tensor, shape (M,)
        Logarithm of each entry's weight.
    tau : Tensor, scalar

    Returns
    -------
    probabilities : Tensor, shape (N, K, P)
        Sum to 1 over K; equal for all classes where nothing labelled was found.
    likeness : Tensor, shape (N,)
        Cosine between the query and what it read, -1 to 1.
    """
    count, classes, pixels = values.shape
    # One product gives labels and the mean key alike; the bias rides along as one more dimension.
    # Written out, because torch's fused attention needs values as long as keys: on MPS it cuts
    # them off (pytorch issue 176767), elsewhere it holds all similarities at once.
    key = torch.cat([keys / tau, bias[:, None]], 1).T
    value = torch.cat([values.reshape(count, -1), keys], 1)
    probabilities, likeness = [], []
    for part in queries.split(max(1, _CHUNK // max(1, count))):
        weights = (torch.cat([part, torch.ones_like(part[:, :1])], 1) @ key).softmax(1)
        read = weights @ value
        labels = read[:, : classes * pixels].reshape(-1, classes, pixels) + 1e-4 / classes
        probabilities.append(labels / labels.sum(1, keepdim=True))
        likeness.append((part * read[:, classes * pixels :]).sum(1))
    return torch.cat(probabilities), torch.cat(likeness)


def class_moments(phi: Tensor, index: Tensor, classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Sums over the labelled pixels that `ridge` needs; sums of two images add up.

    Parameters
    ----------
    phi : Tensor, shape (N, D)
    index : Tensor, shape (N,), int64
        Class of each pixel, 0 to K - 1.
    classes : int

    Returns
    -------
    outer : Tensor, shape (K, D, D)
    first : Tensor, shape (K, D)
    count : Tensor, shape (K,)
    """
    outer, first = [], []
    for c in range(classes):
        own = phi[index == c]
        outer.append(own.T @ own)
        first.append(own.sum(0))
    count = torch.bincount(index, minlength=classes).to(phi.dtype)
    return torch.stack(outer), torch.stack(first), count


def ridge(outer: Tensor, first: Tensor, count: Tensor, penalty: Tensor) -> Tensor:
    """Best linear rule from features to classes, each class counting the same.

    Parameters
    ----------
    outer, first, count : Tensor
        See `class_moments`.
    penalty : Tensor, scalar

    Returns
    -------
    Tensor, shape (K, D)
        Weights: the score of class k for features phi is ``weights[k] @ phi``.
    """
    share = torch.where(count > 0, count, 1)  # weights may make it less than one pixel
    system = (outer / share[:, None, None]).mean(0)
    system = system + penalty * torch.eye(system.shape[0], dtype=system.dtype, device=system.device)
    target = first / share[:, None] / len(count)
    weights: Tensor = torch.linalg.solve(system, target.T).T
    return weights


def over_others(scores: Tensor) -> Tensor:
    """How far each class is ahead of the best other one; (B K Y X) -> (B K Y X)."""
    if scores.shape[1] == 1:
        return scores
    if scores.shape[1] == 2:  # the same, ten times as fast
        return scores - scores.flip(1)
    best, where = scores.topk(2, dim=1)
    rival = best[:, :1].expand_as(scores).clone()
    rival.scatter_(1, where[:, :1], best[:, 1:2])
    return scores - rival


class Fusion(nn.Module):
    """Join what the network says with what was read; the same weights for every class.

    The answer is fed back: from the second round on, its own answer of the round before is one more
    piece of evidence, so that a gap in a membrane can be closed and a stray line given up. The last
    layers start at zero: an untrained fusion changes nothing.
    """

    EVIDENCE = 6

    def __init__(self, features: int = 32, width: int = 16) -> None:
        super().__init__()
        self.shared = nn.Conv2d(features, width, 1)
        self.evidence = nn.Conv2d(self.EVIDENCE, width, 3, padding=1)
        self.around = nn.Sequential(  # at half the size: where a line comes from and goes to
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=2, dilation=2),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
        )
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.out = nn.Conv2d(width, 1, 1, bias=False)  # what all classes gain, none does
        self.direct = nn.Parameter(torch.zeros(self.EVIDENCE))
        last = self.around[-1]
        for parameter in (*self.out.parameters(), *last.parameters()):
            nn.init.zeros_(parameter)

    @property
    def reach(self) -> int:
        """Pixels to each side that the answer of one round can depend on."""
        return 2 + 2 * (1 + 2 + 1)  # at half the size: two convolutions, the bilinear neighbour

    def forward(self, shared: Tensor, evidence: Tensor) -> Tensor:
        """One round.

        Parameters
        ----------
        shared : Tensor, shape (B, W, Y, X)
            What `shared` made of the features: the same in every round.
        evidence : Tensor, shape (B, K, E, Y, X)
            The last piece is the answer of the round before.

        Returns
        -------
        Tensor, shape (B, K, Y, X)
            To be added to the scores.
        """
        # Class after class: at once, a hundred classes would take a hundred times the memory.
        return torch.stack([self._one(shared, one) for one in evidence.unbind(1)], 1)

    def _one(self, shared: Tensor, evidence: Tensor) -> Tensor:
        """(B W Y X), (B E Y X) -> (B Y X)."""
        hidden = F.relu(self.evidence(evidence).add_(shared), inplace=True)
        around = self.around(F.avg_pool2d(hidden, 2))
        around = F.interpolate(around, scale_factor=2.0, mode="bilinear", align_corners=False)
        hidden = F.relu(self.mix(around.add_(hidden)), inplace=True)
        added: Tensor = self.out(hidden)[:, 0] + torch.einsum("beyx,e->byx", evidence, self.direct)
        return added
