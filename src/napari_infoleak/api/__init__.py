"""The headless facade: all that a script, the command line and the dock share.

`read` or make an image, collect annotations in a `SupportSet`, `train` a model of them or none, let
a class join it (`add_class`), `segment`, make `cells`, `evaluate`, `write`. Arrays in are numpy,
dask or zarr, or the path of a file; long work takes ``progress`` and ``cancel``. On a processor,
the same call gives the same bytes whoever makes it.

Examples
--------
>>> import numpy as np
>>> import napari_infoleak as il
>>> image = np.random.default_rng(0).normal(size=(3, 64, 64))
>>> strokes = np.zeros((3, 64, 64), np.uint8)
>>> strokes[1, 20, 5:40], strokes[1, 40, 5:40] = 1, 2
>>> result = il.segment(image, annotations=strokes, axes="ZYX")  # doctest: +SKIP
>>> il.write("labels.ome.tif", result.labels, axes=result.axes)  # doctest: +SKIP
"""

from __future__ import annotations

from napari_infoleak.api._cells import cells
from napari_infoleak.api._corrections import Corrections
from napari_infoleak.api._evaluate import evaluate, planes_seen
from napari_infoleak.api._explain import MOST_PLANES, Unknown, doubtful, review, unknown, why
from napari_infoleak.api._grow import add_class
from napari_infoleak.api._inputs import annotated
from napari_infoleak.api._link import Linked, link
from napari_infoleak.api._membranes import Membranes, membranes_of
from napari_infoleak.api._model import Model, model_path
from napari_infoleak.api._replay import Replayed, replay
from napari_infoleak.api._result import Result, membrane_index
from napari_infoleak.api._segment import segment
from napari_infoleak.api._shrink import shrink
from napari_infoleak.api._spread import Spread, propagate
from napari_infoleak.api._train import train
from napari_infoleak.core.support import SupportSet
from napari_infoleak.instances.paint import annotation_of_cells
from napari_infoleak.io import read, read_labels, read_record, write
from napari_infoleak.segmenters.registry import methods, models

__all__ = [
    "MOST_PLANES",
    "Corrections",
    "Linked",
    "Membranes",
    "Model",
    "Replayed",
    "Result",
    "Spread",
    "SupportSet",
    "Unknown",
    "add_class",
    "annotated",
    "annotation_of_cells",
    "cells",
    "doubtful",
    "evaluate",
    "link",
    "membrane_index",
    "membranes_of",
    "methods",
    "model_path",
    "models",
    "planes_seen",
    "propagate",
    "read",
    "read_labels",
    "read_record",
    "replay",
    "review",
    "segment",
    "shrink",
    "train",
    "unknown",
    "why",
    "write",
]
