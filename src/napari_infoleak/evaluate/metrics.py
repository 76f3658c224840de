"""All figures of one prediction against the truth: the function behind ``infoleak evaluate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.evaluate.matching import average_precision
from napari_infoleak.evaluate.partitions import Overlap, cells_within, overlap, v_scores
from napari_infoleak.evaluate.pixels import (
    cl_dice,
    class_iou,
    mean_iou,
    membrane_iou,
    precision_recall,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

Kind = Literal["semantic", "probability", "instances"]

THRESHOLDS: NDArray[np.float64] = np.linspace(0.05, 0.95, 19)
"""Where V_rand and V_info of probabilities are taken; the best of them counts (ISBI 2012)."""


def evaluate(
    prediction: Any,
    truth: Any,
    kind: Kind = "semantic",
    membrane: int = 2,
    truth_membrane: int | None = None,
    *,
    details: bool = False,
) -> dict[str, Any]:
    """Score a prediction against the truth.

    Planes are scored one by one where a score is about shapes (clDice, V_rand, V_info, AP50) and
    then averaged; intersections over unions pool the pixels of all planes.

    Parameters
    ----------
    prediction : array, shape (..., Y, X)
        Class ids (``semantic``), the probability of being membrane, 0 to 1 (``probability``), or
        cell ids, 0 between cells (``instances``).
    truth : array of int, the same shape
        Class ids, 0 is unlabelled and left out; for ``instances`` cell ids.
    kind : {"semantic", "probability", "instances"}
        What `prediction` holds.
    membrane : int
        Class id of membrane. Not used by ``instances``.
    truth_membrane : int, optional
        The same in the truth, where its ids differ.
    details : bool
        Add what tells the kinds of error apart: precision, recall and F1 of the membrane; the
        merge and split parts of V_rand; adapted Rand error and variation of information of cells.

    Returns
    -------
    dict
        Plain numbers. ``semantic``: iou (by class), miou, cldice, v_rand, v_info;
        ``probability``: membrane_iou and miou at 0.5, cldice at 0.5, v_rand and v_info at the
        best of 19 thresholds each; ``instances``: ap50, v_rand, v_info.

    Raises
    ------
    BadInput
        If the kind is unknown, the shapes differ, or the values are not what the kind asks for.
    """
    if kind not in get_args(Kind):
        raise BadInput(f"kind {kind!r} is not known: use one of {', '.join(get_args(Kind))}")
    ours, theirs = _planes(prediction, "prediction"), _planes(truth, "truth")
    if np.shape(prediction) != np.shape(truth):
        raise BadInput(
            f"prediction has shape {np.shape(prediction)} and truth {np.shape(truth)}: "
            "both must be the same pixels, without a channel or class axis"
        )
    theirs = _ids(theirs, "truth")
    truth_membrane = membrane if truth_membrane is None else truth_membrane
    if kind == "instances":
        return _instances(_ids(ours, "prediction"), theirs, details)
    if not theirs.any():
        raise BadInput("the truth holds no labelled pixel: 0 is unlabelled, classes start at 1")
    if kind == "semantic":
        return _semantic(_ids(ours, "prediction"), theirs, membrane, truth_membrane, details)
    return _probability(_probabilities(ours), theirs, truth_membrane, details)


def _semantic(
    ours: NDArray[np.integer],
    theirs: NDArray[np.integer],
    membrane: int,
    truth_membrane: int,
    details: bool,
) -> dict[str, Any]:
    iou = class_iou(ours, theirs)
    found, wall = ours == membrane, theirs == truth_membrane
    result: dict[str, Any] = {"iou": iou, "miou": mean_iou(iou)}
    result |= _shapes(found, wall, theirs, [found])
    return result | (_membrane_details(found, wall, theirs) if details else {})


def _probability(
    ours: NDArray[np.floating], theirs: NDArray[np.integer], truth_membrane: int, details: bool
) -> dict[str, Any]:
    found, wall = ours > 0.5, theirs == truth_membrane
    iou, miou = membrane_iou(found, wall, theirs > 0)
    result: dict[str, Any] = {"membrane_iou": iou, "miou": miou}
    result |= _shapes(found, wall, theirs, (ours > step for step in THRESHOLDS))
    return result | (_membrane_details(found, wall, theirs) if details else {})


def _instances(
    ours: NDArray[np.integer], theirs: NDArray[np.integer], details: bool
) -> dict[str, Any]:
    tables = [overlap(p, t) for p, t in zip(ours, theirs, strict=True)]
    v = [(o.rand[0], o.info) for o in tables if o is not None]
    ap50 = [average_precision(p, t) for p, t in zip(ours, theirs, strict=True)]
    result: dict[str, Any] = {"ap50": float(np.mean(ap50))}
    result |= dict(zip(("v_rand", "v_info"), _mean(v), strict=True))
    return result | (_cell_details([o for o in tables if o is not None]) if details else {})


def _shapes(
    found: NDArray[np.bool_],
    wall: NDArray[np.bool_],
    theirs: NDArray[np.integer],
    steps: Iterable[NDArray[np.bool_]],
) -> dict[str, float]:
    """ClDice of one mask, and the best V_rand and V_info of the cells within several."""
    cldice = [cl_dice(p, t) for p, t in zip(found, wall, strict=True)]
    cells = [cells_within(outside) for outside in (theirs == 0) | wall]
    each = [
        _mean([v_scores(cells_within(p), t) for p, t in zip(step, cells, strict=True)])
        for step in steps
    ]
    best = np.max(each, axis=0)  # all steps are NaN where the truth holds no cell, or none is
    return {"cldice": float(np.mean(cldice)), "v_rand": float(best[0]), "v_info": float(best[1])}


def _membrane_details(
    found: NDArray[np.bool_], wall: NDArray[np.bool_], theirs: NDArray[np.integer]
) -> dict[str, float]:
    precision, recall, f1 = precision_recall(found, wall, theirs > 0)
    cells = [cells_within(outside) for outside in (theirs == 0) | wall]
    tables = [overlap(cells_within(p), t) for p, t in zip(found, cells, strict=True)]
    names = {"membrane_precision": precision, "membrane_recall": recall, "membrane_f1": f1}
    return names | _parts([o for o in tables if o is not None])


def _cell_details(tables: Sequence[Overlap]) -> dict[str, float]:
    split, merge = _mean([o.variation for o in tables])
    parts = _parts(tables)
    error = 1 - _mean([o.rand[:2] for o in tables])[0]
    return parts | {"adapted_rand_error": error, "voi_split": split, "voi_merge": merge}


def _parts(tables: Sequence[Overlap]) -> dict[str, float]:
    merge, split = _mean([o.rand[1:] for o in tables])
    return {"v_rand_merge": merge, "v_rand_split": split}


def _mean(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean of each column over the rows that hold a number; NaN where none does."""
    held = [pair for pair in pairs if not np.isnan(pair[0])]
    if not held:
        return float("nan"), float("nan")
    first, second = np.mean(held, axis=0)
    return float(first), float(second)


def _planes(array: Any, name: str) -> NDArray[Any]:
    """Fold all leading axes into one: (N, Y, X)."""
    values = np.asarray(array)
    if values.ndim < 2 or not values.size:
        raise BadInput(f"the {name} has shape {values.shape}: expected planes, (Y, X) or (N, Y, X)")
    return values.reshape(-1, *values.shape[-2:])


def _ids(values: NDArray[Any], name: str) -> NDArray[np.integer]:
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind not in "iu":
        raise BadInput(
            f"the {name} is of {values.dtype} where whole numbers are expected: "
            "class or cell ids; use kind 'probability' to score probabilities"
        )
    if values.dtype.kind == "i" and values.min() < 0:
        raise BadInput(f"the {name} holds {values.min()}: ids are 0 (unlabelled, between cells) up")
    return values


def _probabilities(values: NDArray[Any]) -> NDArray[np.floating]:
    if values.dtype.kind not in "fiub":
        raise BadInput(f"the prediction is of {values.dtype}: expected numbers from 0 to 1")
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 1):  # also refuses NaN
        raise BadInput(
            f"the prediction reaches from {low:g} to {high:g}: expected probabilities, 0 to 1; "
            "use kind 'semantic' for class ids"
        )
    return values if values.dtype.kind == "f" else values.astype(np.float32)
