"""What the training loop asks of a segmenter; every `Trainable` offers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.segmenters.batch import Batch
    from napari_infoleak.segmenters.protocol import SegmenterSpec


class Learner(Protocol):
    """A segmenter that learns, see `segmenters.protocol`; how it is made is no concern here."""

    @property
    def spec(self) -> SegmenterSpec:
        """What it takes."""

    @property
    def classes(self) -> ClassTable:
        """Classes in the order of `Batch.truth`."""

    def modules(self) -> Iterable[nn.Module]:
        """All that is trained or kept."""

    def begin(self, sample: Batch) -> None:
        """Look at some crops once, before the first step."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Say how wrong the answers are, in named terms."""

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        """Parameters to be learned, an optimiser a name."""

    def remember(self, support: SupportSet) -> Any:
        """Make a memory of a support set."""

    def scores(self, tiles: Tensor, memory: Any) -> Tensor:
        """Answer, (B C *S) -> (B K *S)."""

    def tensors(self) -> dict[str, Tensor]:
        """Weights by name, to be saved."""

    def header(self) -> dict[str, Any]:
        """All else that a model file needs."""
