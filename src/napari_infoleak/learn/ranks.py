"""Several processes that train one model, started by torch's own launcher.

``torchrun --nproc-per-node 4 -m napari_infoleak train ...`` gives every process a part of each
batch's crops; gradients are averaged, so that all keep the same weights. The first process alone
validates, writes and reports.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import distributed

from napari_infoleak.infer.backends import choose_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor, nn


@dataclass(frozen=True)
class Ranks:
    """One process among those that train together.

    Attributes
    ----------
    rank, size : int
        Its number, from 0, and how many there are.
    device : torch.device
        Where it computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process validates, writes and reports."""
        return self.rank == 0

    def same(self, tensors: Iterable[Tensor]) -> None:
        """Give all processes the tensors of the first, in place."""
        if self.size > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, 0)

    def average(self, parameters: Sequence[nn.Parameter]) -> None:
        """Average gradients over all processes, in place."""
        if self.size == 1:
            return
        for one in parameters:  # one that some process has no gradient for has one in all
            if one.grad is None:
                one.grad = torch.zeros_like(one)
        flat = torch.cat([one.grad.flatten() for one in parameters if one.grad is not None])
        distributed.all_reduce(flat)
        flat /= self.size
        sizes = [one.numel() for one in parameters]
        for one, part in zip(parameters, flat.split(sizes), strict=True):
            one.grad = part.view_as(one)

    def agree(self, value: float) -> float:
        """Return the value of the first process in all of them."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, 0)
        return float(shared)


def is_first() -> bool:
    """Whether this process writes and reports: the only one, or the first of several."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def ranks(device: str) -> Iterator[Ranks]:
    """Join the processes of the launcher for a while; without one, be alone.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
        Of several GPUs each process takes the one of its local number.

    Yields
    ------
    Ranks
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        yield Ranks(0, 1, choose_device(device))
        return
    where = choose_device(device)
    if where.type == "cuda":
        where = choose_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
        torch.cuda.set_device(where)
    distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank(), size, where)
    finally:
        distributed.destroy_process_group()
