"""All that a training step changes, and nothing else: what a checkpoint must hold."""

from __future__ import annotations

import copy
import itertools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from napari_infoleak.infer.prepare import channels_last
from napari_infoleak.learn.validation import Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torch import Tensor, nn

    from napari_infoleak.learn.learner import Learner

DECAY = 1e-4  # of the weights


@dataclass
class State:
    """Weights, their average, the moments of the optimisers, and how far the training is.

    Attributes
    ----------
    segmenter, average : Learner
        The weights that learn, and their running average, which answers.
    optimisers : dict of str to AdamW
        By name of the group.
    batch : int
        Crops a step; less than was asked for once memory ran out.
    step : int
    seconds : float
    before, best : Score or None
        Of the weights that were started from, and the best so far.
    best_step : int
        When that was.
    """

    segmenter: Learner
    average: Learner
    optimisers: dict[str, torch.optim.AdamW]
    batch: int
    step: int = 0
    seconds: float = 0.0
    before: Score | None = None
    best: Score | None = None
    best_step: int = 0

    @classmethod
    def of(cls, segmenter: Learner, batch: int, device: torch.device) -> State:
        """Begin with a segmenter, which is moved to the device and will be changed."""
        for module in segmenter.modules():
            module.to(device)
            channels_last(module)
        average = copy.deepcopy(segmenter)
        for module in average.modules():
            module.eval().requires_grad_(False)
        for module in segmenter.modules():
            module.train()
        optimisers = {
            name: torch.optim.AdamW(list(parameters), weight_decay=DECAY)
            for name, parameters in segmenter.groups().items()
        }
        return cls(segmenter, average, optimisers, batch)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name."""
        return dict(itertools.chain(self._weights(), self._moments()))

    def header(self) -> dict[str, Any]:
        """All but the tensors, as plain JSON."""
        scores = {"before": self.before, "best": self.best}
        return {
            "batch": self.batch,
            "step": self.step,
            "seconds": self.seconds,
            "best_step": self.best_step,
            **{name: asdict(score) for name, score in scores.items() if score},
        }

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        """Take over what `tensors` and `header` gave for the same networks.

        Raises
        ------
        LookupError, RuntimeError, TypeError, ValueError
            If they are of others.
        """
        for name, tensor in self._weights():
            tensor.copy_(tensors[name])
        for group, optimiser in self.optimisers.items():
            moments: dict[int, dict[str, Tensor]] = {}
            for name, tensor in tensors.items():
                kind, *rest = name.split("/")
                if kind == "optimiser" and rest[0] == group:
                    moments.setdefault(int(rest[1]), {})[rest[2]] = tensor
            settings = optimiser.state_dict()["param_groups"]
            optimiser.load_state_dict({"state": moments, "param_groups": settings})
        self.batch, self.step = int(header["batch"]), int(header["step"])
        self.seconds, self.best_step = float(header["seconds"]), int(header["best_step"])
        self.before, self.best = (Score.from_json(header.get(n)) for n in ("before", "best"))

    def _weights(self) -> Iterator[tuple[str, Tensor]]:
        yield from _named("weights", self.segmenter.modules())
        yield from _named("average", self.average.modules())

    def _moments(self) -> Iterator[tuple[str, Tensor]]:
        for group, optimiser in self.optimisers.items():
            for index, moments in optimiser.state_dict()["state"].items():
                for key, value in moments.items():
                    yield f"optimiser/{group}/{index}/{key}", value


def _named(prefix: str, modules: Iterable[nn.Module]) -> Iterator[tuple[str, Tensor]]:
    for index, module in enumerate(modules):
        for name, tensor in module.state_dict().items():
            yield f"{prefix}/{index}/{name}", tensor
