"""Self-distillation: a network is its own teacher, see `nets.self_distillation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import torch

from napari_infoleak.nets.losses import cross_entropy
from napari_infoleak.nets.self_distillation import Pupils, distance, softened_divergence
from napari_infoleak.nets.stages import decode, encode
from napari_infoleak.segmenters.leaky import wrongness
from napari_infoleak.segmenters.unet import PlainUNet, unet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor, nn

    from napari_infoleak.core.classes import ClassEntry, ClassTable
    from napari_infoleak.segmenters.batch import Batch


@dataclass(frozen=True)
class Teaching:
    """How the last layer teaches those before it.

    Attributes
    ----------
    alpha : float
        What the last answer counts beside the annotation, 0 to 1; with `beta` 0 as well this is
        plain deep supervision.
    temperature : float
        Above 1 softens what both say.
    beta : float
        Of the distance to the last map.
    """

    alpha: float = 0.3
    temperature: float = 3.0
    beta: float = 0.03


class SelfDistillationSegmenter(PlainUNet):
    """A U-Net whose last layer teaches its other layers.

    Parameters
    ----------
    net : Module
        A plain U-Net: all that is needed to answer.
    classes : ClassTable
    teaching : Teaching, optional

    Attributes
    ----------
    pupils : Pupils
        What is needed to learn: heads of the other layers, "down N" and "up N" by the level.
    """

    method = "self-distillation"

    def __init__(self, net: Any, classes: ClassTable, teaching: Teaching | None = None) -> None:
        super().__init__(net, classes)
        self.teaching = teaching or Teaching()
        widths = net.config["widths"]
        names = {f"down {level}": width for level, width in enumerate(widths)}
        names |= {f"up {level}": width for level, width in enumerate(widths) if level}
        with torch.random.fork_rng([]):
            self.pupils = Pupils(names, net.config["features"], len(classes))

    @classmethod
    def fresh(cls, classes: ClassTable, channels: int = 1, **options: Any) -> Self:
        """Make one that has learned nothing.

        Parameters
        ----------
        classes : ClassTable
        channels : int
        **options
            `widths` and `features`, see `UNet`; `alpha`, `temperature` and `beta`, see `Teaching`.
        """
        sizes = {name: options.pop(name) for name in ("widths", "features") if name in options}
        return cls(unet(channels, len(classes), **sizes), classes, Teaching(**options))

    def modules(self) -> Iterable[nn.Module]:
        """The network, and what it needs while it learns."""
        return [self.net, self.pupils]

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        """All parameters."""
        return {"network": [one for part in self.modules() for one in part.parameters()]}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """What is wrong with the answer, and with what the other layers would say."""
        maps: dict[str, Tensor] = {}

        def note(way: str) -> Any:
            def visit(level: int, found: Tensor) -> Tensor:
                maps[f"{way} {level}"] = found
                return found

            return visit

        features = decode(
            self.net.body, encode(self.net.body, batch.images, note("down")), note("up")
        )
        scores = self.net.head(features)
        terms = {"answer": wrongness(scores, batch.truth)}
        del maps["up 0"]  # the last map itself
        how = self.teaching
        said = self.pupils(maps, batch.images.shape[-2:])
        by_truth = [cross_entropy(one, batch.truth) for one, _ in said.values()]
        terms["supervised"] = (1 - how.alpha) * _total(by_truth)
        if how.alpha:
            taught = [softened_divergence(one, scores, how.temperature) for one, _ in said.values()]
            terms["distilled"] = how.alpha * _total(taught)
        if how.beta:
            terms["features"] = how.beta * _total([distance(v, features) for _, v in said.values()])
        return terms

    def grow(self, entries: Sequence[ClassEntry]) -> None:
        """Append classes."""
        super().grow(entries)
        self.pupils.grow(len(entries))


def _total(terms: Sequence[Tensor]) -> Tensor:
    return torch.stack(tuple(terms)).sum()
