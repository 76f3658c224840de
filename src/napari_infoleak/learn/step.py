"""One step of learning: losses, gradients by group, weights, their average."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from napari_infoleak.infer.interrupt import interruptible
from napari_infoleak.infer.process import bf16_is_fast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_infoleak.core.progress import CancelToken
    from napari_infoleak.learn.ranks import Ranks
    from napari_infoleak.learn.state import State
    from napari_infoleak.segmenters.batch import Batch

CLIP = 1.0  # longest gradient of a group


class NotANumber(ArithmeticError):
    """The gradients are not finite; nothing was changed."""


class Stepper:
    """Take steps. One that fails or is interrupted leaves the state as it was.

    Parameters
    ----------
    state : State
        On the device; changed by each step.
    ranks : Ranks
    mixed : bool
        Whether to compute in bfloat16 where the hardware does.
    average : float
        How much of the averaged weights a step keeps, at most.
    """

    def __init__(self, state: State, ranks: Ranks, *, mixed: bool, average: float) -> None:
        self._state = state
        self._ranks = ranks
        self._keep = average
        self._mixed = mixed and computes_bf16(ranks.device)
        modules = list(state.segmenter.modules())
        self._buffers = [buffer for module in modules for buffer in module.buffers()]
        self._norms = [
            (part, part.momentum)
            for module in modules
            for part in module.modules()
            if isinstance(part, _BatchNorm) and part.momentum and part.track_running_stats
        ]
        self._groups = {
            name: [one for group in optimiser.param_groups for one in group["params"]]
            for name, optimiser in state.optimisers.items()
        }

    def take(self, batch: Batch, rate: float, seed: int) -> dict[str, Tensor]:
        """Learn from a batch.

        Parameters
        ----------
        batch : Batch
            On the device.
        rate : float
            Rate of learning.
        seed : int
            Of the random numbers that the loss draws.

        Returns
        -------
        dict of str to Tensor
            The terms, detached.

        Raises
        ------
        NotANumber
            If the gradients are not finite.
        """
        before = [buffer.clone() for buffer in self._buffers]
        try:
            torch.manual_seed(seed)
            terms = self._gradients(batch)
        except BaseException:
            for buffer, kept in zip(self._buffers, before, strict=True):
                buffer.detach().copy_(kept)
            self._clear()
            raise
        for optimiser in self._state.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
        self._clear()
        self._follow()
        self._state.step += 1
        return {name: term.detach() for name, term in terms.items()}

    @contextmanager
    def interruptible(self, cancel: CancelToken) -> Iterator[None]:
        """Let a token end a step within a layer, forward or backward, as long as the block lasts.

        Steps of several processes are never interrupted: the others would wait for ever.
        """
        if self._ranks.size > 1:
            yield
            return

        def look(_gradient: Tensor) -> None:
            cancel.check()

        hooks = [
            one.register_hook(look)
            for group in self._groups.values()
            for one in group
            if one.requires_grad
        ]
        try:
            with interruptible(self._state.segmenter.modules(), cancel):
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _gradients(self, batch: Batch) -> dict[str, Tensor]:
        """Fill in the gradients of every group from its own terms, averaged and clipped."""
        for norm, momentum in self._norms:
            # New statistics are the mean of all so far, not of the last few and of zeros.
            seen = 0 if norm.num_batches_tracked is None else int(norm.num_batches_tracked)
            norm.momentum = max(momentum, 1 / (seen + 1))
        device = self._ranks.device.type
        with torch.autocast(device, torch.bfloat16, enabled=self._mixed):
            terms = self._state.segmenter.loss(batch)
        sums = [(name, total) for name, total in self._sums(terms).items() if total.requires_grad]
        for index, (name, total) in enumerate(sums):
            wanted = [one for one in self._groups[name] if one.requires_grad]
            total.backward(inputs=wanted, retain_graph=index + 1 < len(sums))
        for parameters in self._groups.values():
            self._ranks.average(parameters)
            # What is no number in one process is none in the average, so all stop together.
            length = torch.nn.utils.clip_grad_norm_(parameters, CLIP)
            if not math.isfinite(float(length)):
                raise NotANumber
        return terms

    def _sums(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """Add up the terms of each group; a term of no group belongs to the first."""
        first = next(iter(self._groups))
        sums: dict[str, Tensor] = {}
        for name, term in terms.items():
            group = name.partition("/")[0] if "/" in name else first
            group = group if group in self._groups else first
            sums[group] = sums[group] + term.float() if group in sums else term.float()
        return sums

    def _clear(self) -> None:
        for optimiser in self._state.optimisers.values():
            optimiser.zero_grad()

    @torch.no_grad()
    def _follow(self) -> None:
        """Let the average follow; quickly at first, when the weights are far from good."""
        step = self._state.step
        keep = min(self._keep, (step + 1) / (step + 10)) if self._keep else 0.0
        ours, theirs = self._state.average.modules(), self._state.segmenter.modules()
        for average, module in zip(ours, theirs, strict=True):
            pairs = zip(average.state_dict().values(), module.state_dict().values(), strict=True)
            for mine, newest in pairs:
                if mine.dtype.is_floating_point:
                    mine.lerp_(newest, 1 - keep)
                else:
                    mine.copy_(newest)


def computes_bf16(device: torch.device) -> bool:
    """Tell whether a device computes in bfloat16, and is faster by it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bf16_is_fast()
