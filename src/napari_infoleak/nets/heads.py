"""The last layer: a score a class, and classes that join later."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Head = TypeVar("Head", nn.Conv2d, nn.Conv3d)

_SILENCE = 4.0  # by how much a new class stays behind the mean of the old ones, at first
_RIDGE = 0.1  # of the mean spread of features, so that few pixels do


class PixelClassifier(nn.Module):
    """Features of each pixel, and a linear head on them.

    Parameters
    ----------
    body : Module
        (B C *S) -> (B F *S), with `multiple_of` and `reach`.
    features : int
        F.
    classes : int
        K.
    config : dict
        Arguments that make body and head again.
    """

    def __init__(self, body: Any, features: int, classes: int, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.body = body
        self.head = nn.Conv2d(features, classes, 1)
        self.multiple_of: int = body.multiple_of

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on."""
        return int(self.body.reach)

    def grow(self, count: int) -> None:
        """Append classes."""
        self.head = grown(self.head, count)

    def forward(self, x: Tensor) -> Tensor:
        """(B C Y X) -> (B K Y X)."""
        scores: Tensor = self.head(self.body(x))
        return scores


@torch.no_grad()
def grown(head: Head, count: int) -> Head:
    """Append classes to a head; the scores of the old ones stay bit by bit.

    A new class starts as the mean of all old ones, less a margin: it wins nowhere before it has
    learned, and the probabilities of the old ones hardly change.

    Parameters
    ----------
    head : Conv2d or Conv3d
        Scores along its channels.
    count : int
        How many classes more.

    Returns
    -------
    Conv2d or Conv3d
        A new layer.
    """
    old = head.out_channels
    wide = type(head)(
        head.in_channels,
        old + count,
        head.kernel_size,  # type: ignore[arg-type]
        stride=head.stride,  # type: ignore[arg-type]
        padding=head.padding,  # type: ignore[arg-type]
        bias=head.bias is not None,
    ).to(head.weight)
    wide.weight[:old] = head.weight
    wide.weight[old:] = head.weight.mean(0)
    if head.bias is not None and wide.bias is not None:
        wide.bias[:old] = head.bias
        wide.bias[old:] = head.bias.mean() - _SILENCE
    return wide


@torch.no_grad()
def imprint(head: Head, place: int, host: int, own: Tensor, others: Tensor) -> None:
    """Let a class be heard where pixels look like its own, beside the class that they were called.

    Its score becomes that of the host plus the logarithm of how much likelier the features are of
    the class than of the host, both taken as normally distributed with one spread.

    Parameters
    ----------
    head : Conv2d or Conv3d
        1 x 1.
    place, host : int
    own, others : Tensor, shape (N, F)
        Features of some pixels of the class, and of some of the host that are not its.
    """
    slope, offset = evidence(own, others)
    head.weight[place] = head.weight[host] + slope.to(head.weight).view_as(head.weight[host])
    if head.bias is not None:
        head.bias[place] = head.bias[host] + offset


@torch.no_grad()
def evidence(own: Tensor, others: Tensor) -> tuple[Tensor, float]:
    """Of two kinds of points, how much likelier each place is of the first: linear discriminant.

    Parameters
    ----------
    own, others : Tensor, shape (N, F)
        Taken as normally distributed with one spread.

    Returns
    -------
    slope : Tensor, shape (F,)
    offset : float
        ``slope @ x + offset`` is the logarithm of the ratio of both densities.
    """
    own, others = own.double().cpu(), others.double().cpu()
    centre, other = own.mean(0), others.mean(0)
    spread = torch.cat([own - centre, others - other]).T.cov()
    ridge = _RIDGE * spread.trace() / len(spread) + 1e-9
    slope = torch.linalg.solve(spread + ridge * torch.eye(len(spread)).to(spread), centre - other)
    return slope, float(-slope @ (centre + other) / 2)
