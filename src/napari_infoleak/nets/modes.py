"""How a network behaves in training and at test."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch.nn.modules.batchnorm import _BatchNorm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


@contextmanager
def as_at_test(net: nn.Module) -> Iterator[None]:
    """Run a network without a gradient, and without its statistics learning from it."""
    training = [part for part in net.modules() if part.training]
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part in training:
            part.training = True


def has_measured(net: nn.Module) -> bool:
    """Whether the norms of a network hold statistics of images, or those that they begin with."""
    norms = [part for part in net.modules() if isinstance(part, _BatchNorm)]
    return any(int(one.num_batches_tracked or 0) for one in norms)
