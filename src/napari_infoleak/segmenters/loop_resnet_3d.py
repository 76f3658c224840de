"""3-D Loop ResNet: volumes are looked at twice, see `nets.loop3d`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from napari_infoleak.nets.loop3d import LoopNet3D
from napari_infoleak.segmenters.rounds import RoundsSegmenter

if TYPE_CHECKING:
    from torch import Tensor

    from napari_infoleak.segmenters.batch import Batch


class LoopResNet3DSegmenter(RoundsSegmenter):
    """A 3-D residual network that is told, in a second look, what it saw deep in the first."""

    method = "loop-resnet-3d"
    network = LoopNet3D
    dims: ClassVar[tuple[int, ...]] = (3,)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of the last look, and half of those before."""
        terms = super().loss(batch)
        last = len(terms)
        return {n: t if i == last else t / 2 for i, (n, t) in enumerate(terms.items(), 1)}
