"""Object queries: learned vectors ask what an image holds, see `nets.object_queries`."""

from __future__ import annotations

from napari_infoleak.nets.object_queries import QueriesNet
from napari_infoleak.segmenters.leaky import LeakySegmenter


class ObjectQueriesSegmenter(LeakySegmenter):
    """A U-Net whose bottom is asked by learned vectors, and reads their answers."""

    method = "object-queries"
    network = QueriesNet
