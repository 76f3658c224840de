"""A class joins a trained model."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from napari_infoleak.api._model import Model, model_path
from napari_infoleak.api._segment import SHORT_HASH, limited_threads
from napari_infoleak.api._train import (
    deaf,
    finished,
    joined_support,
    refuse_overlap,
    store_beside,
    train_settings,
    training_provenance,
)
from napari_infoleak.core.classes import ClassEntry, ClassTable, colour_of
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.io.weights import read_header, weights_hash
from napari_infoleak.segmenters import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.learn.loop import Report
    from napari_infoleak.learn.recipes.growing import Kept

GROW_MINUTES = 3.0
"""How long it takes for a class to join where nothing is said."""

_NO_TRAINING = "annotation-leakage"


def add_class(
    model: str | Path | Model,
    name: str,
    support: SupportSet | Sequence[tuple[Any, Any]],
    *,
    class_id: int | None = None,
    replay: SupportSet | Sequence[tuple[Any, Any]] | None = None,
    complete: bool = False,
    lower: float = 0.0,
    settle: bool = False,
    minutes: float | None = None,
    steps: int | None = None,
    validation: SupportSet | Sequence[tuple[Any, Any]] | None = None,
    seed: int = 0,
    output: str | Path | None = None,
    axes: str | None = None,
    channel: int | None = None,
    listen: Callable[[Report], None] | None = None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
    **settings: Any,
) -> Model:
    """Add a class to a trained model, from a few annotated images of it.

    The model given is not changed, and neither is its file: to undo the step, go on using it.

    Parameters
    ----------
    model : str, Path or Model
        A model file, or what `train` or `add_class` returned.
    name : str
        Name of the class.
    support : SupportSet, or sequence of (image, annotation)
        Where the new class is painted, under the id above the model's highest; other ids are those
        of the model. 0 is unlabelled.
    class_id : int, optional
        Id that the new class is painted with and will have, where it is another.
    replay : SupportSet, or sequence of (image, annotation), optional
        What the model was trained on, if it is still there: old classes are kept better by it. The
        new class may hide in it under another name.
    complete : bool
        Whether every pixel of the new class is painted in `support`. Then all that is not painted
        there is known to be of old classes, and the new one is learned from fewer images.
    lower : float
        Weight of lower-layer leakage, see the page on continual learning.
    settle : bool
        Whether the weights are averaged with those from before, at the end.
    minutes, steps : float, int, optional
        The budget; what is reached first ends it. Three minutes by default.
    validation : SupportSet, or sequence of (image, annotation), optional
        What the model is judged by. By default some of `support` and `replay` is kept from
        training for it.
    seed : int
        The same seed, steps and inputs give the same weights on one processor.
    output : str or Path, optional
        Model file to write, ending in ``.safetensors``; another than that of `model`.
    axes, channel
        Of the images, as for `train`.
    listen, progress, cancel
        As for `train`: what was learned until it was cancelled is kept.
    **settings
        As for `train`.

    Returns
    -------
    Model
        Its classes are the old ones with their ids, then the new one. ``provenance["added"]`` says
        what joined which model, with a table of the classes before and after.

    Raises
    ------
    BadInput
        If the name or the id is taken, nothing is painted of the class, no class can join a model
        of that kind, or anything that `train` refuses.

    Examples
    --------
    >>> import napari_infoleak as il
    >>> model = il.add_class(
    ...     "own.safetensors", "mitochondria", [("more.tif", "mitochondria.tif")],
    ...     replay=[("stack.tif", "strokes.tif")], output="own2.safetensors",
    ... )  # doctest: +SKIP
    """
    began = time.monotonic()
    source = model if isinstance(model, Model) else registry.path_of(model)
    header = source.segmenter.header() if isinstance(source, Model) else read_header(source)
    target = None if output is None else model_path(output)
    _refuse_overwriting(source, target)
    entry = _entry(header, name, class_id)
    if not 0 <= lower < math.inf:
        raise BadInput(f"lower is {lower}; expected a weight of 0 or more")
    painted = joined_support(support, axes, channel)
    _check_ids(painted, header, entry)
    earlier = None if replay is None else joined_support(replay, axes, channel)
    if earlier is not None:
        _check_replay(earlier, header, entry)
    judged = None if validation is None else joined_support(validation, axes, channel)
    learned = painted if earlier is None else _both(painted, earlier)
    refuse_overlap(learned, judged)
    minutes = GROW_MINUTES if minutes is None and steps is None else minutes
    chosen = train_settings(str(header.get("method")), minutes, steps, seed, settings)
    cancel.check()
    with limited_threads(chosen.threads):
        progress(0, 1, "starting")
        from napari_infoleak.learn.recipes.growing import growing
        from napari_infoleak.segmenters.growing import Growing

        learner = Growing(_loaded(source), entry, lower)
        noted = training_provenance(chosen, str(model_name(source)), learned, judged)
        noted["trained_on"] = sorted({*noted["trained_on"], *_trained_on(source, header)})
        kept = growing(
            learner,
            painted,
            chosen,
            replay=earlier,
            complete=complete,
            settle=settle,
            validation=judged,
            store=store_beside(target, noted, learned, judged),
            began=began,
            listen=listen or deaf,
            progress=progress,
            cancel=cancel,
        )
    noted["added"] = {
        "class": {"id": entry.id, "name": entry.name},
        "from": {"name": model_name(source), "sha256": model_hash(source)},
        "replay": earlier is not None,
        "complete": complete,
        "table": table_of(learner.classes, kept),
    }
    return finished(learner.segmenter, kept.outcome, noted, target)


def table_of(classes: ClassTable, kept: Kept) -> list[dict[str, Any]]:
    """Say of each class how good it was and is, on paint kept apart, and how much agrees."""
    before, after = kept.outcome.before, kept.outcome.score
    agreed = kept.agreement.iou if kept.agreement else {}
    return [
        {
            "id": one.id,
            "name": one.name,
            "before": before.iou.get(one.id) if before else None,
            "after": after.iou.get(one.id) if after else None,
            "agreement": agreed.get(one.id),
        }
        for one in classes
    ]


def _refuse_overwriting(source: Path | Model, target: Path | None) -> None:
    """The model from before is what undoes the step."""
    if target is not None and same_model(source, target):
        raise BadInput(
            f"the output {target.name} is the model that the class joins; name another file, so "
            f"that you can return to this one"
        )


def _entry(header: Mapping[str, Any], name: str, class_id: int | None) -> ClassEntry:
    """The new class."""
    if header.get("method") == _NO_TRAINING:
        raise BadInput(
            "a model of annotation-leakage needs no training for a new class: paint it under a "
            "new id beside the others, and segment with that paint"
        )
    classes = ClassTable.from_json(header.get("classes") or [])
    if not classes:
        raise BadInput("the model has no classes, so none can join them; train it first")
    taken = next((one for one in classes if one.name == name.strip()), None)
    if taken:
        raise BadInput(
            f"the model has a class {taken.name} already (id {taken.id}); choose another name, or "
            f"train the model further to improve that class"
        )
    if class_id is None:
        return classes.add(name).entries[-1]
    if class_id in classes:
        raise BadInput(
            f"the id {class_id} is that of {classes[class_id].name} in the model; a new class "
            f"needs an id of its own, such as {max(classes.ids) + 1}"
        )
    return ClassEntry(class_id, name, colour_of(class_id))


def _check_ids(support: SupportSet, header: Mapping[str, Any], entry: ClassEntry) -> None:
    """The new class must be painted, and nothing else that the model does not know."""
    known = [int(one["id"]) for one in header["classes"]]
    foreign = sorted(set(support.class_ids) - {*known, entry.id})
    if foreign:
        raise BadInput(
            f"the annotations hold class {foreign[0]}, which is neither of the model "
            f"({', '.join(map(str, known))}) nor the new one ({entry.id}); if it is the new one, "
            f"give its id"
        )
    if entry.id not in support.class_ids:
        painted = ", ".join(map(str, support.class_ids))
        raise BadInput(
            f"nothing is painted as class {entry.id} ({entry.name}), only as {painted}; paint the "
            f"new class under an id that the model does not have"
        )


def _check_replay(support: SupportSet, header: Mapping[str, Any], entry: ClassEntry) -> None:
    known = {int(one["id"]) for one in header["classes"]}
    foreign = sorted(set(support.class_ids) - known - {entry.id})
    if foreign:
        raise BadInput(
            f"the earlier annotations hold class {foreign[0]}, which the model does not know; give "
            f"those that it was trained on"
        )


def _both(first: SupportSet, second: SupportSet) -> SupportSet:
    """Join two support sets, to note what was learned from."""
    joined = first
    for plane in second.planes:
        joined = joined.add(
            plane.image, plane.annotation, axes="YX", weight=plane.weight, name=plane.source
        )
    return joined


def _loaded(source: Path | Model) -> Any:
    """Build the segmenter anew; that of the model is left as it is."""
    if not isinstance(source, Model):
        return registry.load(source)
    kind: Any = type(source.segmenter)
    return kind.from_file(source.segmenter.tensors(), source.segmenter.header())


def same_model(source: Path | Model, target: Path) -> bool:
    """Whether a model lies in a file."""
    path = source.path if isinstance(source, Model) else source
    return path is not None and path.resolve() == target.resolve()


def model_name(source: Path | Model) -> str:
    """Name a model as provenance does."""
    return str(source) if isinstance(source, Model) else source.name


def model_hash(source: Path | Model) -> str:
    """sha256 of the model's file, or of its weights where it has none."""
    path = source.path if isinstance(source, Model) else source
    if path is not None and path.is_file():
        return weights_hash(path)
    from napari_infoleak.segmenters.fingerprint import weights_hash as hash_of

    assert isinstance(source, Model)  # noqa: S101 - a file was found to be one
    return hash_of(source.segmenter.tensors())


def _trained_on(source: Path | Model, header: Mapping[str, Any]) -> list[str]:
    """Short hashes of the planes that the model from before has learned from."""
    found = source.trained_on if isinstance(source, Model) else header.get("trained_on") or ()
    return [str(one)[:SHORT_HASH] for one in found]
