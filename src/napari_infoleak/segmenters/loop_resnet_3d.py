"""3-D Loop ResNet: volumes are looked at twice, see `nets.loop3d`."""

from __future__ import annotations

from typing import ClassVar

from napari_infoleak.nets.loop3d import LoopNet3D
from napari_infoleak.segmenters.rounds import RoundsSegmenter


class LoopResNet3DSegmenter(RoundsSegmenter):
    """A 3-D residual network that is told, in a second look, what it saw deep in the first."""

    method = "loop-resnet-3d"
    network = LoopNet3D
    dims: ClassVar[tuple[int, ...]] = (3,)
