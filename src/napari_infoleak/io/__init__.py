"""Floor 1: files in, files out.

What a file holds decides how it is read; its suffix decides how it is written.

``read``, ``read_labels``, ``read_record``
    TIFF, OME-TIFF, ImageJ TIFF, PNG, NPY and OME-Zarr (0.4 and 0.5) to `core.Image`, to labels, and
    to what this program noted in its own files. Large files stay lazy: a plane is read when it is
    asked for.
``write``
    Labels, probabilities, cells, uncertainty or images, with axes, scale, units, class names and
    provenance. A file appears whole or not at all.
``tracks.write_tracks``
    Cells over time in the folder layout of the Cell Tracking Challenge.
``save_weights``, ``load_weights``, ``read_header``, ``weights_hash``
    Model files: safetensors with a JSON header. Nothing in here ever unpickles.

The way of a file: `readers` take a path and return `Stored` (pixels and what the file says of
them), `read` turns that into an `Image`. Back: `write` checks and makes an `Output`, the writers
take its planes one after the other, and `atomic` puts the finished file in place.
tifffile, zarr, Pillow, dask and torch are imported only where a file needs them.
"""

from __future__ import annotations

from napari_infoleak.io.read import read, read_labels, read_record
from napari_infoleak.io.weights import load_weights, read_header, save_weights, weights_hash
from napari_infoleak.io.write import write

__all__ = [
    "load_weights",
    "read",
    "read_header",
    "read_labels",
    "read_record",
    "save_weights",
    "weights_hash",
    "write",
]
