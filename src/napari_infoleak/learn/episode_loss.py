"""What a network loses in an episode: every crop is answered with the annotations of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from napari_infoleak.infer.backends import bf16_is_fast
from napari_infoleak.nets.leakage_net import frequency
from napari_infoleak.nets.losses import cross_entropy, cross_entropy_of_log, dice, log_likelihood
from napari_infoleak.nets.read_out import class_moments, label_patches, ridge
from napari_infoleak.nets.thin import soft_cldice
from napari_infoleak.segmenters.memory import balance, choose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_infoleak.learn.episodes import Episode
    from napari_infoleak.nets.leakage_net import LeakageNet

ENTRIES, PIXELS = 1536, 12_000  # that the memory and the linear rule learn from, at most
WEIGHTS = {"fused": 1.0, "first": 0.3, "lines": 0.3, "own": 0.5, "read": 0.25, "linear": 0.25}
"""Of the terms in the sum."""

_AS_PRESET = 0.7  # share of the membrane tasks in which the network's own opinion is the start
_FLIPPED = 0.05  # share of the entries of a memory that lie


class Asked(NamedTuple):
    """What was read for one crop, and its truth; all with a leading axis of 1 but the last."""

    features: Tensor
    base: Tensor
    own: Tensor
    affinity: Tensor
    frequency: Tensor
    read: Tensor
    likeness: Tensor
    linear: Tensor
    truth: Tensor
    preset: bool


_GIVEN = Asked._fields[:-2]
"""What the fusion takes."""


def episode_losses(
    net: LeakageNet, features: Tensor, episode: Episode, rng: np.random.Generator
) -> dict[str, list[Tensor]]:
    """Losses of one episode; no crop ever reads its own annotation.

    Parameters
    ----------
    net : LeakageNet
    features : Tensor, shape (G, F, Y, X)
        Of the crops.
    episode : Episode
    rng : Generator
        Which annotations are given, and which of them are lost or wrong.

    Returns
    -------
    dict of list of Tensor
        Named terms, see `WEIGHTS`; lists are empty where nothing could be asked.
    """
    terms: dict[str, list[Tensor]] = {name: [] for name in WEIGHTS}
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16_is_fast()):
        own = net.own(features).float().log_softmax(1)
    target = torch.from_numpy(episode.membrane)
    if bool((target >= 0).any()):
        terms["own"].append(cross_entropy_of_log(own, target) + dice(own, target))
    asked: dict[int, list[Asked]] = {}
    for one in questions(net, features, own, episode, rng):
        asked.setdefault(one.read.shape[1], []).append(one)
    for alike in asked.values():  # crops with as many classes go through the fusion together
        given = {name: torch.cat([getattr(one, name) for one in alike]) for name in _GIVEN}
        truth = torch.cat([one.truth for one in alike])
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16_is_fast()):
            rounds = net.fuse(**given)
        first, last = (given["base"] + added.float() for added in (rounds[0], rounds[-1]))
        terms["first"].append(cross_entropy(first, truth) + 0.7 * dice(first, truth))
        terms["fused"].append(cross_entropy(last, truth) + 0.7 * dice(last, truth))
        terms["read"].append(log_likelihood(given["read"], truth))
        terms["linear"].append(cross_entropy(8 * given["linear"], truth))
        lines = torch.tensor([one.preset for one in alike])
        if bool(lines.any()):
            known = truth[lines] >= 0
            wall = last[lines].softmax(1)[:, 1] * known
            terms["lines"].append(soft_cldice(wall, (truth[lines] == 1) & known))
    return terms


def questions(
    net: LeakageNet, features: Tensor, own: Tensor, episode: Episode, rng: np.random.Generator
) -> Iterator[Asked]:
    """Read for each crop from the annotations of some others.

    Parameters
    ----------
    net : LeakageNet
    features : Tensor, shape (G, F, Y, X)
    own : Tensor, shape (G, 2, Y, X)
        The network's own opinion, log-probabilities.
    episode : Episode
    rng : Generator

    Yields
    ------
    Asked
        None for a crop of which nothing is known, or for which fewer than two classes are painted.
    """
    keys, phi = net.key_head.keys(features).float(), net.key_head.linear(features).float()
    # Split once: the gradient of a slice is as large as what it was cut from.
    features_of, own_of, keys_of, phi_of = (t.split(1) for t in (features, own, keys, phi))
    membrane = own[:, 1].detach().exp()
    for query in range(len(features)):
        others = [g for g in range(len(features)) if g != query]
        picked = rng.permutation(others)[: int(rng.integers(1, len(others) + 1))]
        present = np.unique(episode.painted[picked])
        present = present[present >= 0]
        count = len(present)
        if count < 2:
            continue
        number = np.full(episode.count + 1, -1)  # the last place is for -1, unlabelled
        number[present] = np.arange(count)
        painted = torch.from_numpy(number[episode.painted[picked]])
        truth = torch.from_numpy(number[episode.truth[query : query + 1]])
        if not bool((truth >= 0).any()):
            continue
        preset = episode.preset and count == 2
        read, likeness = _read(net, keys_of, query, picked, painted, count, rng)
        rule, often = _rule(net, [phi_of[g] for g in picked], painted, count)
        share = torch.stack([membrane[picked][painted == k].mean() for k in range(count)])
        as_it_is = preset and rng.uniform() < _AS_PRESET
        yield Asked(
            features_of[query],
            own_of[query] if as_it_is else torch.zeros_like(read),
            own_of[query],
            share[None],
            often[None],
            read,
            likeness,
            torch.einsum("bdyx,kd->bkyx", phi_of[query], rule),
            truth,
            preset,
        )


def _rule(
    net: LeakageNet, phi: list[Tensor], painted: Tensor, classes: int
) -> tuple[Tensor, Tensor]:
    """The linear rule of some crops, and how often each class was painted."""
    seen = painted >= 0
    index = painted[seen]
    often = frequency(torch.bincount(index, minlength=classes).float(), painted.numel())
    few = torch.randperm(len(index))[:PIXELS].sort().values
    # Gathered by flat index, crop after crop: far cheaper to go back through than a mask.
    counts = seen.flatten(1).sum(1).tolist()
    places = seen.flatten(1).nonzero()[:, 1][few]
    crop = torch.arange(len(phi)).repeat_interleave(torch.tensor(counts))[few]
    pixels = torch.cat([one[0].flatten(1)[:, places[crop == g]].T for g, one in enumerate(phi)])
    return ridge(*class_moments(pixels, index[few], classes), net.penalty), often


def _read(
    net: LeakageNet,
    keys: tuple[Tensor, ...],
    query: int,
    picked: NDArray[np.int64],
    painted: Tensor,
    classes: int,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Read from a memory of which some is lost and a little is wrong."""
    values = torch.cat([label_patches(p, net.key_head.stride, classes) for p in painted])
    most = int(ENTRIES * (rng.uniform(0.2, 1.0) if rng.uniform() < 0.5 else 1.0))
    kept = choose(values.sum(2), most)
    memory_keys = torch.cat([keys[g][0].flatten(1).T for g in picked])[kept]
    values = values[kept]
    wrong = torch.from_numpy(rng.uniform(size=len(values)) < _FLIPPED)
    values[wrong] = values[wrong].roll(1, dims=1)
    return net.read(keys[query], memory_keys, values, balance(values))
