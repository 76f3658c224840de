"""Time-series constraint: what lies next to the annotated is labelled first.

The leak is in how it learns, see `learn.recipes.pseudo_labels`; what answers is a plain U-Net.
"""

from __future__ import annotations

from napari_infoleak.segmenters.unet import PlainUNet


class TimeSeriesSegmenter(PlainUNet):
    """A U-Net that learns from planes which nobody annotated, in the order of their distance."""

    method = "time-series"
