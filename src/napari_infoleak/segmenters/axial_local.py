"""Axial attention with local embedding: neighbours leak into each place, see `nets.axial`."""

from __future__ import annotations

from napari_infoleak.nets.axial import AxialUNet
from napari_infoleak.segmenters.leaky import LeakySegmenter


class AxialLocalSegmenter(LeakySegmenter):
    """A U-Net with axial attention that sees oblique neighbours too."""

    method = "axial-local"
    network = AxialUNet
