"""Score a prediction, and refuse to where the score would not be honest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_infoleak.api._inputs import as_image, is_path
from napari_infoleak.api._membranes import Membranes, membranes_of
from napari_infoleak.api._result import MEMBRANE, Result
from napari_infoleak.api._segment import SHORT_HASH
from napari_infoleak.core.axes import labels_to_canonical
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.image import lazy_or_numpy, plane_hash
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.core.support import SupportSet
from napari_infoleak.io import read_labels, read_record

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["semantic", "probability", "instances"]
KINDS = ("semantic", "probability", "instances")

_NO_CHANNELS = {2: "YX", 3: "ZYX", 4: "TZYX"}


def evaluate(
    prediction: Any,
    truth: Any,
    kind: Kind = "semantic",
    membrane: int = MEMBRANE,
    truth_membrane: int | None = None,
    *,
    support: SupportSet | None = None,
    image: Any = None,
    axes: str | None = None,
    details: bool = False,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> dict[str, Any]:
    """Score a prediction against a truth.

    Parameters
    ----------
    prediction : Result, array or path
        Class ids, probabilities of being membrane (or of all classes, the class axis first), or
        cell ids; axes as those of the truth.
    truth : array or path
        Class ids, or cell ids for instances; 0 does not count.
    kind : {"semantic", "probability", "instances"}
        What the prediction holds.
    membrane, truth_membrane : int
        Id of the membrane class; in the truth, if it differs there.
    support : SupportSet, optional
        What the prediction was made with; an image that is in it is refused.
    image : Image, array or path, optional
        The image that was segmented, where the prediction does not know: a result and a file of
        this program do.
    axes : str, optional
        Axes of prediction, truth and image where they are arrays.
    details : bool
        Whether the kinds of error are told apart as well, see `napari_infoleak.evaluate`.
    progress, cancel
        Told of the work; asked before it.

    Returns
    -------
    dict
        For semantic ``iou`` (by class), ``miou``, ``cldice``, ``v_rand``, ``v_info``; for
        probability ``membrane_iou``, ``miou``, ``cldice``, ``v_rand``, ``v_info``; for instances
        ``ap50``, ``v_rand``, ``v_info``.

    Raises
    ------
    BadInput
        If prediction and truth do not fit each other or their kind, the truth holds no membrane,
        or the image is in the support set.
    """
    from napari_infoleak.evaluate.metrics import evaluate as score

    if kind not in KINDS:
        raise BadInput(f"kind {kind!r} is unknown; choose one of {', '.join(KINDS)}")
    answers = _answers(prediction, kind, membrane, axes)
    known, letters = _ids(truth, axes)
    real = _fitting(known, letters, answers)
    _refuse_support(prediction, real, support, image, axes)
    cancel.check()
    progress(0, 1, "scoring")
    values, ids = np.asarray(answers.data), np.asarray(real)
    result = score(values, ids, kind, membrane, truth_membrane, details=details)
    if kind != "instances":
        _refuse_without(ids, membrane if truth_membrane is None else truth_membrane)
    progress(1, 1, "scored")
    return result


def _refuse_without(truth: Any, membrane: int) -> None:
    """Refuse a truth without membrane: with none of them, all cells would count as one."""
    held = np.unique(truth[truth > 0])
    if len(held) and membrane not in held:
        told = ", ".join(map(str, held[:8]))
        raise BadInput(
            f"the truth holds no membrane: class {membrane} is nowhere in it, {told} are; "
            f"say which class of the truth is membrane"
        )


def planes_seen(prediction: Any) -> tuple[list[str], set[str]]:
    """Tell what a prediction says of the pixels it was made of.

    Parameters
    ----------
    prediction : Result, array or path

    Returns
    -------
    planes : list of str
        Short hash of each plane that was segmented, in the order of t and z; empty if unknown.
    painted : set of str
        Short hashes of all annotated planes that it was made with, in training or after.
    """
    noted: Any = {}
    if isinstance(prediction, Result):
        noted = prediction.provenance
    elif is_path(prediction):
        noted = read_record(prediction).get("provenance")
    learned = _hashes(noted, "model", "trained_on")
    return _hashes(noted, "image"), {*_hashes(noted, "support"), *learned}


def _hashes(noted: Any, part: str, name: str = "planes") -> list[str]:
    """Read hashes of planes from a provenance that anybody may have edited."""
    found = noted.get(part) if isinstance(noted, dict) else None
    planes = found.get(name) if isinstance(found, dict) else None
    return [str(one) for one in planes] if isinstance(planes, list) else []


def _answers(prediction: Any, kind: Kind, membrane: int, axes: str | None) -> Membranes:
    """Bring a prediction to TZYX."""
    if kind == "probability":
        found = membranes_of(prediction, axes, membrane)
        if found.are_labels:
            raise BadInput(
                f"the prediction holds {found.data.dtype}; probabilities are floating-point "
                f"numbers: score class ids with the kind semantic"
            )
        return found
    if isinstance(prediction, Result):
        if kind == "instances":
            raise BadInput("a result holds no cells; make them with cells, and score those")
        labels, letters = prediction.labels, prediction.axes
    else:
        labels, letters = _ids(prediction, axes)
    return Membranes(labels_to_canonical(labels, letters), letters, are_labels=True)


def _ids(source: Any, axes: str | None) -> tuple[Any, str]:
    """Read class or cell ids and their axes."""
    if is_path(source):
        return read_labels(source, axes)
    array = lazy_or_numpy(source)
    if np.dtype(array.dtype).kind not in "biu":
        raise BadInput(f"ids are {array.dtype}; expected whole numbers")
    letters = (axes or _NO_CHANNELS.get(array.ndim, "")).upper().replace("C", "")
    if not letters:
        raise BadInput(f"an array of shape {tuple(array.shape)} holds no labels; give their axes")
    return array, letters


def _fitting(truth: Any, letters: str, answers: Membranes) -> Any:
    """Bring the truth to TZYX, taking the prediction's axes where the shapes agree as they are."""
    canonical = labels_to_canonical(truth, letters)
    if canonical.shape == answers.data.shape:
        return canonical
    sizes = dict(zip("TZYX", answers.data.shape, strict=True))
    own = tuple(sizes[letter] for letter in answers.axes)
    if tuple(truth.shape) == own:
        return labels_to_canonical(truth, answers.axes)
    raise BadInput(
        f"the prediction has {answers.axes} {' x '.join(map(str, own))}, but the truth has "
        f"{letters} {' x '.join(map(str, truth.shape))}; score images of one shape"
    )


def _refuse_support(
    prediction: Any, truth: Any, support: SupportSet | None, image: Any, axes: str | None
) -> None:
    """Refuse an image whose annotation helped to make the prediction."""
    noted, painted = planes_seen(prediction)
    planes = noted if image is None else _planes_of(image, axes)
    if support is not None:
        if not isinstance(support, SupportSet):
            raise BadInput(f"support is a {type(support).__name__}; expected a SupportSet")
        _refuse_same_truth(truth, support)
        if not planes and support:
            raise BadInput(
                "the prediction does not say of which image it is, so it cannot be checked "
                "against the support set; give the image as well"
            )
        given = {one[:SHORT_HASH] for one in support.image_hashes}
        if given & set(planes):
            raise BadInput(_in_support(planes, given))
    if noted and set(noted) <= painted:
        raise BadInput(
            "every plane of the prediction was annotated by hand and the annotation was given to "
            "the model, so a score would not be honest; score an image that nobody painted on"
        )


def _planes_of(image: Any, axes: str | None) -> list[str]:
    """Hash every plane of every channel of an image: any of them may have been annotated."""
    shown = as_image(image, axes)
    count = shown.sizes["C"]
    channels: Sequence[int | None] = [None, *range(count)] if count > 1 else [None]
    return [
        plane_hash(shown.plane(t, z, channel))[:SHORT_HASH]
        for t, z in np.ndindex(*shown.label_shape[:2])
        for channel in channels
    ]


def _refuse_same_truth(truth: Any, support: SupportSet) -> None:
    """Refuse a truth that is itself an annotation of the support set."""
    known = {plane_hash(plane.annotation): plane for plane in support.planes}
    for t, z in np.ndindex(*truth.shape[:2]):
        ids = np.asarray(truth[t, z])
        if int(ids.max(initial=0)) > np.iinfo(np.uint8).max or int(ids.min(initial=0)) < 0:
            continue
        plane = known.get(plane_hash(ids.astype(np.uint8)))
        if plane is not None:
            raise BadInput(
                f"the truth is the annotation of {plane.source} in the support set, which the "
                f"model has read; score an image that is not in the support set"
            )


def _in_support(planes: Sequence[str], given: set[str]) -> str:
    """Say that the image is in the support set."""
    count = sum(plane in given for plane in planes)
    which = "the image" if len(planes) == 1 else f"{count} of the {len(planes)} planes"
    return (
        f"{which} of the prediction {'is' if count == 1 else 'are'} in the support set, so a score "
        f"would not be honest; score an image that is not in it"
    )
