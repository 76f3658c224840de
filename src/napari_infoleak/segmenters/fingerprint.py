"""By what a network's answers are known again."""

from __future__ import annotations

import hashlib
import platform
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn


def weights_hash(tensors: Mapping[str, Tensor]) -> str:
    """Return the sha256 over names and values of weights."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        flat = tensors[name].detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def fingerprint(network: nn.Module) -> str:
    """Name all that the last bit of an answer depends on, beside the question.

    Parameters
    ----------
    network : Module
        Its weights are looked at as they are now, folded and rounded as they may be.

    Returns
    -------
    str
        sha256 over the weights, the computer, torch and its threads.
    """
    where = f"{platform.node()} {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    how = f"torch {torch.__version__} {torch.get_num_threads()}"
    text = f"{weights_hash(network.state_dict())} {where} {how}"
    return hashlib.sha256(text.encode()).hexdigest()
