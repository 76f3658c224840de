"""Floor 5: how good a result is.

`evaluate` is the one door: class ids, probabilities or cells on one side, the truth on the other,
plain numbers out. Behind it stand, each by its published definition:

``pixels``
    Intersection over union, precision and recall, clDice.
``partitions``
    V_rand and V_info of a division into cells, with their merge and split parts.
``matching``
    AP50: cells found, missed and invented.
``calibration``
    Whether probabilities can be believed.

Nothing here knows files or networks. That an image of the support set is never scored is the
business of whoever holds both, the facade.
"""

from __future__ import annotations

from napari_infoleak.evaluate.calibration import auroc, expected_calibration_error
from napari_infoleak.evaluate.matching import average_precision
from napari_infoleak.evaluate.metrics import evaluate
from napari_infoleak.evaluate.partitions import thin_borders, v_scores
from napari_infoleak.evaluate.pixels import cl_dice, class_iou, mean_iou

__all__ = [
    "auroc",
    "average_precision",
    "cl_dice",
    "class_iou",
    "evaluate",
    "expected_calibration_error",
    "mean_iou",
    "thin_borders",
    "v_scores",
]
