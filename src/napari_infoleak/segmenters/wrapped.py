"""A segmenter that learns within another one, by losses of that one's, and answers as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.segmenters.batch import Batch
    from napari_infoleak.segmenters.protocol import SegmenterSpec, Trainable


class Wrapped:
    """All of a segmenter but its loss.

    Parameters
    ----------
    segmenter : Trainable
    """

    def __init__(self, segmenter: Trainable) -> None:
        self.segmenter: Any = segmenter

    @property
    def spec(self) -> SegmenterSpec:
        """What it takes."""
        found: SegmenterSpec = self.segmenter.spec
        return found

    @property
    def classes(self) -> ClassTable:
        """In the order of the scores."""
        found: ClassTable = self.segmenter.classes
        return found

    def modules(self) -> Iterable[nn.Module]:
        """All that is trained or kept."""
        found: Iterable[nn.Module] = self.segmenter.modules()
        return found

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        """Parameters to be learned."""
        found: dict[str, Iterable[nn.Parameter]] = self.segmenter.groups()
        return found

    def begin(self, sample: Batch) -> None:
        """Need no look at the crops."""

    def remember(self, support: SupportSet | None) -> Any:
        """Make a memory of a support set."""
        return self.segmenter.remember(support)

    def scores(self, tiles: Tensor, memory: Any) -> Tensor:
        """Answer."""
        found: Tensor = self.segmenter.scores(tiles, memory)
        return found

    def tensors(self) -> dict[str, Tensor]:
        """Weights by name."""
        found: dict[str, Tensor] = self.segmenter.tensors()
        return found

    def header(self) -> dict[str, Any]:
        """Method, configuration and classes."""
        found: dict[str, Any] = self.segmenter.header()
        return found
