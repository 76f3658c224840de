"""Answers that leak back into a network, and classes that join later.

A network that reads its own probabilities would change all its answers the moment a class is added.
So a class that joined is left out of what is read until the next step of training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Familiar(nn.Module):
    """Probabilities of the classes that have been learned.

    Parameters
    ----------
    classes : int
        K at the beginning.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.count: Tensor
        self.register_buffer("count", torch.tensor(classes))

    def meet(self, classes: int) -> None:
        """Count so many classes as learned."""
        self.count.fill_(classes)

    def forward(self, scores: Tensor) -> Tensor:
        """(B K *S) -> (B K *S); they sum to 1, those of unfamiliar classes are 0."""
        if self.training:
            self.meet(scores.shape[1])
        known = int(self.count)
        shares = scores[:, :known].float().softmax(1)
        if known == scores.shape[1]:
            return shares
        return torch.cat([shares, torch.zeros_like(scores[:, known:], dtype=shares.dtype)], 1)


@torch.no_grad()
def widened(layer: nn.Conv2d, count: int) -> nn.Conv2d:
    """Give a layer `count` inputs more, which it does not look at yet."""
    seen = layer.in_channels
    wide = nn.Conv2d(
        seen + count,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]
        stride=layer.stride,  # type: ignore[arg-type]
        padding=layer.padding,  # type: ignore[arg-type]
        bias=layer.bias is not None,
    ).to(layer.weight)
    wide.weight[:, :seen] = layer.weight
    wide.weight[:, seen:] = 0
    if layer.bias is not None and wide.bias is not None:
        wide.bias.copy_(layer.bias)
    return wide
