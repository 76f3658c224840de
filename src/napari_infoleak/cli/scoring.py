"""``infoleak evaluate``: how good a prediction is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from napari_infoleak import api
from napari_infoleak.cli.bar import Bar
from napari_infoleak.cli.console import note, number, print_json, table
from napari_infoleak.cli.options import Json, Pairs, support_set


def evaluate(
    prediction: Path,
    truth: Path,
    /,
    *,
    kind: Literal["semantic", "probability", "instances"] = "semantic",
    membrane: int = 2,
    truth_membrane: int | None = None,
    support: Pairs | None = None,
    image: Path | None = None,
    axes: str | None = None,
    support_axes: str | None = None,
    details: Annotated[bool, Parameter(negative=())] = False,
    json: Json = False,
) -> None:
    """Score a prediction against a truth.

    Parameters
    ----------
    prediction
        File of class ids, probabilities or cell ids.
    truth
        File of class ids or cell ids; 0 does not count.
    kind
        What the prediction holds.
    membrane
        Id of the membrane class.
    truth_membrane
        Id of the membrane class in the truth, if it differs there.
    support
        An annotated image and its annotation that the prediction was made with; may be repeated.
        An image that is among them is refused.
    image
        The image that was segmented, where the prediction does not say.
    axes
        Axes of the truth, such as ZYX; read from the file or guessed by default.
    support_axes
        Axes of the support images; guessed by default.
    details
        Tell the kinds of error apart as well.
    json
        Print the scores as JSON.
    """
    known = support_set(support or [], None, support_axes, None)
    with Bar() as bar:
        scores = api.evaluate(
            prediction,
            truth,
            kind,
            membrane,
            truth_membrane,
            support=known,
            image=image,
            axes=axes,
            details=details,
            progress=bar,
        )
    planes, painted = api.planes_seen(prediction)
    count = sum(plane in painted for plane in planes)
    if count:
        note(
            f"note: {count} of {len(planes)} planes were annotated by hand for this prediction; "
            f"they flatter the score"
        )
    if json:
        print_json(scores)
    else:
        print(table(_rows(scores)))


def _rows(scores: dict[str, Any]) -> list[tuple[str, str]]:
    """Write one score a line, with a line for each class."""
    rows = []
    for name, value in scores.items():
        if isinstance(value, dict):
            rows += [(f"{name} of class {key}", number(part)) for key, part in value.items()]
        else:
            rows.append((name, number(value)))
    return rows
