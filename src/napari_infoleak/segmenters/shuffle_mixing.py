"""Shuffle mixing: an encoder whose channels leak into one another, see `nets.shuffle_mixing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_infoleak.nets.leaky_classifier import LeakyClassifier
from napari_infoleak.nets.shuffle_mixing import Shift, ShuffleNet
from napari_infoleak.segmenters.leaky import LeakySegmenter

if TYPE_CHECKING:
    from collections.abc import Sequence


def shuffle_net(
    channels: int,
    classes: int,
    widths: Sequence[int] = (16, 32, 64, 128),
    features: int = 32,
    depths: Sequence[int] = (1, 2, 2, 2),
    kernel: int = 5,
    shift: Shift = "exchange",
    overlap: bool = True,
) -> LeakyClassifier:
    """Make the network, see `ShuffleNet`."""
    config = {
        "channels": channels,
        "classes": classes,
        "widths": list(widths),
        "features": features,
        "depths": list(depths),
        "kernel": kernel,
        "shift": shift,
        "overlap": overlap,
    }
    body = ShuffleNet(channels, widths, features, depths, kernel, shift, overlap)
    return LeakyClassifier(body, features, classes, config)


class ShuffleMixingSegmenter(LeakySegmenter):
    """A network that mixes channels by moving their pixels."""

    method = "shuffle-mixing"
    network = staticmethod(shuffle_net)
