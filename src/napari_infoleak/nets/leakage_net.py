"""The network of annotation leakage: a U-Net, its own opinion, keys and the fusion."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from napari_infoleak.nets.read_out import Fusion, KeyHead, attend, over_others
from napari_infoleak.nets.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Sequence


class LeakageNet(nn.Module):
    """What is learned of annotation leakage; knows tensors, not support sets.

    Parameters
    ----------
    channels : int
        Channels of the image.
    widths : sequence of int
        Channels of the U-Net at full, half, quarter ... size.
    features, dimensions, stride : int
        Channels of the feature map, of a key, and pixels a side of a key's cell.
    rounds : int
        How often the fusion considers its answer.

    Attributes
    ----------
    config : dict
        These arguments as plain JSON: what a model file needs to make the network again.
    """

    def __init__(
        self,
        channels: int = 1,
        widths: Sequence[int] = (16, 32, 64, 128),
        features: int = 32,
        dimensions: int = 32,
        stride: int = 4,
        rounds: int = 2,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "widths": list(widths),
            "features": features,
            "dimensions": dimensions,
            "stride": stride,
            "rounds": rounds,
        }
        self.rounds = rounds
        self.body = UNet(channels, widths, features)
        self.own = nn.Conv2d(features, 2, 1)
        self.key_head = KeyHead(features, dimensions, stride)
        self.fusion = Fusion(features)
        self.log_penalty = nn.Parameter(torch.tensor(-3.0))

    @property
    def multiple_of(self) -> int:
        """Sizes must be multiples of it: whole steps of the U-Net, whole cells of the keys."""
        return math.lcm(self.body.multiple_of, self.key_head.stride)

    @property
    def margin(self) -> int:
        """Pixels to each side whose features an answer can depend on."""
        return self.rounds * self.fusion.reach + self.key_head.stride - 1

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on, a multiple of `multiple_of`."""
        beyond = self.body.sight + self.margin
        return -(-beyond // self.multiple_of) * self.multiple_of

    @property
    def penalty(self) -> Tensor:
        """Penalty of the linear rule."""
        return self.log_penalty.clamp(-7, 3).exp()

    def fuse(
        self,
        features: Tensor,
        base: Tensor,
        own: Tensor,
        affinity: Tensor,
        frequency: Tensor,
        read: Tensor,
        likeness: Tensor,
        linear: Tensor,
    ) -> list[Tensor]:
        """What the annotations add to the scores of each class, round by round.

        Parameters
        ----------
        features : Tensor, shape (B, F, Y, X)
        base : Tensor, shape (B, K, Y, X)
            Scores to which it is added.
        own : Tensor, shape (B, 2, Y, X)
            Log-probabilities of interior and membrane by the network itself.
        affinity : Tensor, shape (B, K) or (1, K)
            Share of membrane, as the network sees it, among the annotated pixels of each class.
        frequency : Tensor, shape (B, K) or (1, K)
            See `frequency`.
        read : Tensor, shape (B, K, Y, X)
            Probabilities found by `attend`.
        likeness : Tensor, shape (B, Y, X)
        linear : Tensor, shape (B, K, Y, X)
            Scores of the linear rule.

        Returns
        -------
        list of Tensor, shape (B, K, Y, X)
            One a round; the last is the answer.
        """
        evidence = torch.stack(
            [
                over_others(prior_scores(own, affinity)),
                4 * over_others(linear),
                over_others((read + 1e-4).log()),
                likeness[:, None].expand_as(read),
                frequency[..., None, None].expand_as(read),
                torch.zeros_like(read),
            ],
            2,
        )
        shared = self.fusion.shared(features)
        added = [self.fusion(shared, evidence)]
        for _ in range(1, self.rounds):
            answer = over_others(base + added[-1]).clamp(-8, 8)
            evidence = torch.cat([evidence[:, :, :-1], answer[:, :, None]], 2)
            added.append(self.fusion(shared, evidence))
        return added

    def read(
        self, keys: Tensor, memory_keys: Tensor, values: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Attend from a grid of cells and bring the patches back to full size.

        Parameters
        ----------
        keys : Tensor, shape (B, D, y, x)
        memory_keys, values, bias : Tensor
            See `attend`.

        Returns
        -------
        probabilities : Tensor, shape (B, K, Y, X)
        likeness : Tensor, shape (B, Y, X)
        """
        stride = self.key_head.stride
        batch, _, rows, columns = keys.shape
        queries = rearrange(keys, "b d y x -> (b y x) d")
        read, likeness = attend(queries, memory_keys, values, bias, self.key_head.tau)
        size = {"b": batch, "y": rows, "x": columns}
        full = rearrange(read, "(b y x) k (u v) -> b k (y u) (x v)", u=stride, v=stride, **size)
        coarse = rearrange(likeness, "(b y x) -> b 1 y x", **size)
        return full, F.interpolate(coarse, scale_factor=float(stride), mode="nearest")[:, 0]


def prior_scores(own: Tensor, affinity: Tensor) -> Tensor:
    """What the network's own opinion on membranes says of the user's classes.

    A class whose annotated pixels the network takes for membrane scores high where the network
    sees membrane; classes that are no membrane share the rest.

    Parameters
    ----------
    own : Tensor, shape (B, 2, Y, X)
        Log-probabilities of interior and membrane.
    affinity : Tensor, shape (K,), (1, K) or (B, K)
        0 interior .. 1 membrane.

    Returns
    -------
    Tensor, shape (B, K, Y, X)
        Logarithms.
    """
    share = affinity.clamp(0.02, 0.98)[..., None, None]
    inside, membrane = own[:, :1].exp(), own[:, 1:].exp()
    return (share * membrane + (1 - share) * inside).log()


def frequency(labelled: Tensor, pixels: float) -> Tensor:
    """How much more often each class was painted than the most frequent other one.

    Strokes tell nothing of how frequent a class is, a plane painted all over tells it exactly.

    Parameters
    ----------
    labelled : Tensor, shape (K,)
        Labelled pixels of each class.
    pixels : float
        All pixels of the annotated planes.

    Returns
    -------
    Tensor, shape (K,)
        Logarithm of the ratio, times the share of the pixels that is labelled.
    """
    share = (labelled + 1).log()
    return over_others(share[None, :, None, None])[0, :, 0, 0] * labelled.sum() / max(1, pixels)
