"""All but the network of a segmenter that answers from weights alone.

A method of this kind is a network that keeps `ScoreNet` and a few lines that name it, see `unet`;
one with losses of its own overrides `loss`, one with an adversary `loss`, `groups` and `modules`.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput, BadModelFile
from napari_infoleak.nets.losses import cross_entropy, dice
from napari_infoleak.segmenters.protocol import SegmenterSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from napari_infoleak.core.classes import ClassEntry
    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.segmenters.batch import Batch

HEAD = "head."
"""How the names of the layer begin that ends in a score a class."""


class ScoreNet(Protocol):
    """A module from tiles to scores, (B C *S) -> (B K *S).

    Attributes
    ----------
    multiple_of : int
        Sizes must be multiples of it.
    reach : int
        Pixels to each side that an answer depends on, a multiple of `multiple_of`; negative if
        there is no bound.
    config : dict
        Arguments that make the network again, plain JSON; `channels` and `classes` (K) among them.
    """

    multiple_of: int
    config: dict[str, Any]

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer depends on."""

    def grow(self, count: int) -> None:
        """Append classes; the scores of the old ones stay (`nets.heads.grown`)."""


@dataclass(frozen=True)
class Weights:
    """The memory of a segmenter that keeps nothing of a support set: its weights are all it has."""

    class_ids: tuple[int, ...]
    version: str


class SupervisedSegmenter:
    """A segmenter around a network.

    Parameters
    ----------
    net : Module
        Keeps `ScoreNet`; the layer that ends in a score a class is called ``head``.
    classes : ClassTable
        In the order of the scores.

    Attributes
    ----------
    method : str
        Its name in the registry.
    network : callable
        Makes the network: a class or function of `channels`, `classes` and options.
    dims : tuple of int
        Dimensions of space that the network takes.
    leak : float
        Strength of the leak; a network without one does not read it.
    """

    method: ClassVar[str]
    network: ClassVar[Callable[..., Any]]
    dims: ClassVar[tuple[int, ...]] = (2,)

    def __init__(self, net: Any, classes: ClassTable) -> None:
        self.net = net.eval()
        self.classes = classes
        self.leak = 1.0

    @classmethod
    def fresh(cls, classes: ClassTable, channels: int = 1, **options: Any) -> Self:
        """Make one that has learned nothing; `options` go to the network."""
        return cls(cls.network(channels=channels, classes=len(classes), **options), classes)

    @classmethod
    def from_file(cls, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> Self:
        """Build from what `io.weights.load_weights` read.

        Raises
        ------
        BadModelFile
            If tensors and configuration do not fit each other.
        """
        try:
            classes = ClassTable.from_json(header["classes"])
            config = dict(header["config"])
            if config["classes"] != len(classes):
                raise ValueError(f"{config['classes']} scores for {len(classes)} classes")
            made = cls(cls.network(**config), classes)
            made.net.load_state_dict(dict(tensors))
        except (RuntimeError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            why = " ".join(str(error).split())  # torch tells it in many lines
            raise BadModelFile(
                f"the file holds no network for {cls.method}, or a damaged one: {why[:200]}"
            ) from error
        return made

    @property
    def spec(self) -> SegmenterSpec:
        """What it takes."""
        net = self.net
        channels = int(net.config["channels"])
        return SegmenterSpec(self.method, self.dims, net.reach, net.multiple_of, channels, False)

    def tensors(self) -> dict[str, Tensor]:
        """Weights by name."""
        return {name: tensor.contiguous() for name, tensor in self.net.state_dict().items()}

    def header(self) -> dict[str, Any]:
        """Method, configuration and classes, as plain JSON."""
        return {
            "method": self.method,
            "config": self.net.config,
            "classes": self.classes.to_json(),
        }

    def modules(self) -> Iterable[nn.Module]:
        """The network."""
        return [self.net]

    def with_leak(self, leak: float) -> Self:
        """Return the same segmenter with another strength of the leak.

        Raises
        ------
        BadInput
            If `leak` is not within 0 to 1.
        """
        if not 0 <= leak <= 1:
            raise BadInput(f"the leak strength is {leak}; expected a number from 0 to 1")
        other = copy.copy(self)
        other.leak = float(leak)
        return other

    def remember(self, support: SupportSet | None) -> Weights:
        """Keep nothing: what there was to be learned is in the weights."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.net.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return Weights(self.classes.ids, digest.hexdigest()[:16])

    @torch.inference_mode()
    def scores(self, tiles: Tensor, memory: Weights) -> Tensor:
        """Answer tiles.

        Parameters
        ----------
        tiles : Tensor, shape (B, C, *S), float32
            Grey values brought to range by `core.normalise`.
        memory : Weights

        Returns
        -------
        Tensor, shape (B, K, *S)
            Scores, K in the order of ``memory.class_ids``.
        """
        if tiles.dim() == 4:
            tiles = tiles.contiguous(memory_format=torch.channels_last)
        found: Tensor = self.net(tiles)
        return found

    def begin(self, sample: Batch) -> None:
        """Need no look at the crops."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy and Dice over the annotated pixels."""
        scores = self.net(batch.images)
        return {
            "cross entropy": cross_entropy(scores, batch.truth),
            "dice": dice(scores, batch.truth),
        }

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        """All parameters of the network under one name."""
        return {"network": self.net.parameters()}

    def grow(self, entries: Sequence[ClassEntry]) -> None:
        """Append classes to the table; the scores of the old ones stay."""
        self.classes = ClassTable((*self.classes, *entries))
        self.net.grow(len(entries))
        self.net.config["classes"] = len(self.classes)

    @torch.no_grad()
    def adopt(self, tensors: Mapping[str, Tensor], classes: ClassTable) -> list[str]:
        """Take over weights of the same name and shape; of ``head``, those of the same classes."""
        own: dict[str, Tensor] = self.net.state_dict()
        shared = set(self.classes.ids) & set(classes.ids)
        taken = []
        for name in fitting(own, tensors):
            mine, theirs = own[name], tensors[name]
            if not name.startswith(HEAD):
                mine.copy_(theirs)
            elif shared:
                for number in shared:
                    mine[self.classes.ids.index(number)] = theirs[classes.ids.index(number)]
            else:
                continue
            taken.append(name)
        return taken


def fitting(mine: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> list[str]:
    """Name the tensors that one network can take over from another: of a layer all or none.

    What a layer has counted is of no use without what it has measured. Nothing fits where no layer
    below the head does.

    Parameters
    ----------
    mine, theirs : mapping of str to Tensor
        By names as torch has them. Tensors of the head may differ in their first size, the classes.
    """

    def same(name: str) -> bool:
        first = 1 if name.startswith(HEAD) else 0
        return mine[name].shape[first:] == theirs[name].shape[first:]

    layers: dict[str, list[str]] = {}
    for name in sorted(mine.keys() & theirs.keys()):
        layers.setdefault(name.rpartition(".")[0] or name, []).append(name)
    found = [name for names in layers.values() if all(map(same, names)) for name in names]
    below = any(mine[name].dim() > 1 and not name.startswith(HEAD) for name in found)
    return found if below else []
