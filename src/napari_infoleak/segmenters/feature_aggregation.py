"""Localized feature aggregation: skips look for what they bring, see `nets.aggregation`."""

from __future__ import annotations

from napari_infoleak.nets.aggregation import AggregationUNet
from napari_infoleak.segmenters.leaky import LeakySegmenter


class FeatureAggregationSegmenter(LeakySegmenter):
    """A U-Net whose decoder asks the encoder where things are."""

    method = "feature-aggregation"
    network = AggregationUNet
