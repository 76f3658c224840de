"""What every segmenter offers, so that the floors above need to know none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.core.support import SupportSet


@dataclass(frozen=True)
class SegmenterSpec:
    """What the tiling and the user need to know of a segmenter.

    Attributes
    ----------
    name : str
        Name of the method.
    dims : tuple of int
        Dimensions of space that it takes: 2, 3 or both.
    halo : int
        Pixels to each side that an answer depends on; negative if there is no bound.
    multiple_of : int
        Sizes of tiles must be multiples of it.
    channels : int
    needs_support : bool
        Whether it has no answer without annotations.
    """

    name: str
    dims: tuple[int, ...]
    halo: int
    multiple_of: int
    channels: int
    needs_support: bool


class Memory(Protocol):
    """What a segmenter made of a support set."""

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Class ids in the order of the scores."""

    @property
    def version(self) -> str:
        """Changes whenever the support set or the weights do."""


@runtime_checkable
class Segmenter(Protocol):
    """Turn tiles into class scores. B tiles, C channels, K classes."""

    @property
    def spec(self) -> SegmenterSpec:
        """What it takes."""

    @property
    def classes(self) -> ClassTable:
        """Classes that it answers with when there is no support set."""

    def remember(self, support: SupportSet) -> Any:
        """Make a memory of a support set: dear, once a version of it, incremental."""

    def scores(self, tiles: Tensor, memory: Any) -> Tensor:
        """Answer; (B C Y X) of normalised grey values -> (B K Y X), pure."""

    def modules(self) -> Iterable[nn.Module]:
        """Networks inside, to be moved to a device and folded."""

    def with_leak(self, leak: float) -> Segmenter:
        """Return the same segmenter with another strength of the leak, 0 to 1."""

    def tensors(self) -> dict[str, Tensor]:
        """Weights by name, to be saved."""

    def header(self) -> dict[str, Any]:
        """All else that `registry.load` needs: method, configuration, classes; plain JSON."""
