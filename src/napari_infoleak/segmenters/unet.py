"""The plain U-Net: no leak at all, the baseline that every other method is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from napari_infoleak.nets.heads import PixelClassifier
from napari_infoleak.nets.unet import UNet
from napari_infoleak.segmenters.supervised import SupervisedSegmenter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from napari_infoleak.core.classes import ClassTable


def unet(
    channels: int, classes: int, widths: Sequence[int] = (16, 32, 64, 128), features: int = 32
) -> PixelClassifier:
    """Make the network; with these sizes its body is that of the shipped weights."""
    config = {
        "channels": channels,
        "classes": classes,
        "widths": list(widths),
        "features": features,
    }
    return PixelClassifier(UNet(channels, widths, features), features, classes, config)


class PlainUNet(SupervisedSegmenter):
    """A U-Net trained on the user's annotations."""

    method = "unet"
    network: ClassVar[Callable[..., Any]] = staticmethod(unet)

    def adopt(self, tensors: Mapping[str, Tensor], classes: ClassTable) -> list[str]:
        """As any; the own opinion of annotation leakage on membranes becomes the head."""
        opinion = {"own.weight": "head.weight", "own.bias": "head.bias"}
        return super().adopt({opinion.get(k, k): v for k, v in tensors.items()}, classes)
