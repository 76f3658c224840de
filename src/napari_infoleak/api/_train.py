"""From annotated images to a model."""

from __future__ import annotations

import time
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_infoleak.api._inputs import annotated, as_image
from napari_infoleak.api._model import Model, model_path
from napari_infoleak.api._segment import SHORT_HASH, limited_threads
from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.core.provenance import provenance
from napari_infoleak.core.support import SupportSet
from napari_infoleak.io.weights import load_weights
from napari_infoleak.segmenters import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from napari_infoleak.core.config import TrainConfig
    from napari_infoleak.learn.checkpoints import Store
    from napari_infoleak.learn.frames import Frame
    from napari_infoleak.learn.loop import Outcome, Report
    from napari_infoleak.segmenters.protocol import Segmenter, Trainable
    from napari_infoleak.segmenters.registry import MethodInfo

MINUTES = 10.0
"""How long a training takes where nothing is said."""

VOLUMES = {"crop": 96, "depth": 8, "batch": 2}
"""Crops where nothing is said, of networks that take volumes: a processor takes seconds for one."""

_OWN = "default"


def train(
    support: SupportSet | Sequence[tuple[Any, Any]],
    *,
    method: str = "unet",
    init: str | Path | None = _OWN,
    minutes: float | None = None,
    steps: int | None = None,
    validation: SupportSet | Sequence[tuple[Any, Any]] | None = None,
    seed: int = 0,
    output: str | Path | None = None,
    resume: bool = False,
    axes: str | None = None,
    channel: int | None = None,
    options: Mapping[str, Any] | None = None,
    listen: Callable[[Report], None] | None = None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
    **settings: Any,
) -> Model:
    """Train a model on annotated images.

    Parameters
    ----------
    support : SupportSet, or sequence of (image, annotation)
        Images and annotations are arrays or paths; an annotation has its image's axes without C,
        0 is unlabelled. A few strokes do.
    method : str
        A name of `methods`.
    init : str, Path or None
        Model to start from: a shipped one by its name, or a file. By default what suits the
        method; None, or "none", starts from nothing.
    minutes, steps : float, int, optional
        The budget; what is reached first ends it. Ten minutes by default.
    validation : SupportSet, or sequence of (image, annotation), optional
        What the model is judged by. By default some planes or strokes of `support` are kept from
        training for it.
    seed : int
        The same seed, steps and inputs give the same weights on one processor.
    output : str or Path, optional
        Model file to write, ending in ``.safetensors``. Beside it, in a folder ending in
        ``.training``, lie the last state, the best model so far and ``log.csv``.
    resume : bool
        Whether to go on with the training of `output` that was broken off; the budget is that of
        the whole.
    axes : str, optional
        Axes of the images where they are arrays or paths; guessed if None.
    channel : int, optional
        Channel to look at, likewise.
    options : mapping, optional
        Sizes of the network, as the method has them, where it starts from nothing.
    listen : callable, optional
        Told how the training stands, about once a second: a `learn.loop.Report`.
    progress, cancel
        Told of each step; looked at before each layer. What was learned is kept: a training that
        is cancelled returns its model as well.
    **settings
        Fields of `core.config.TrainConfig`: crop, batch, rate, device, threads, hold_out ...

    Returns
    -------
    Model

    Raises
    ------
    BadInput
        If images, annotations, method, model or a setting cannot be used.
    OutOfMemory
        If not even one crop fits into memory.
    WriteFailed
        If the disk is full or may not be written to.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_infoleak as il
    >>> image = np.random.default_rng(0).normal(size=(64, 64))
    >>> strokes = np.zeros((64, 64), np.uint8)
    >>> strokes[20, 5:40], strokes[40, 5:40] = 1, 2
    >>> model = il.train([(image, strokes)], method="unet", steps=2, crop=32)  # doctest: +SKIP
    >>> result = il.segment(image, model=model)  # doctest: +SKIP
    """
    began = time.monotonic()
    chosen = train_settings(method, minutes, steps, seed, settings)
    info = registry.method(method)
    known = joined_support(support, axes, channel)
    judged = None if validation is None else joined_support(validation, axes, channel)
    refuse_overlap(known, judged)
    target = None if output is None else model_path(output)
    if resume and target is None:
        raise BadInput("there is nothing to resume without output: name the model's file")
    frames = {"frames": _frames(support, known, axes, channel)} if info.frames else {}
    cancel.check()
    with limited_threads(chosen.threads):
        progress(0, 1, "starting")
        segmenter, source = _start(info, init, _classes(known, judged), seed, options or {})
        noted = training_provenance(chosen, source, known, judged)
        outcome = _recipe(info)(
            segmenter,
            known,
            chosen,
            validation=judged,
            store=store_beside(target, noted, known, judged),
            resume=resume,
            began=began,
            listen=listen or deaf,
            progress=progress,
            cancel=cancel,
            **frames,
        )
    return finished(segmenter, outcome, noted, target)


def train_settings(
    method: str, minutes: float | None, steps: int | None, seed: int, others: dict[str, Any]
) -> TrainConfig:
    """Check the settings; pydantic is loaded only now."""
    from napari_infoleak.core.config import TrainConfig

    if minutes is None and steps is None:
        minutes = MINUTES
    usual = {} if 2 in registry.method(method).dims else VOLUMES
    return TrainConfig.checked(
        method=method, minutes=minutes, steps=steps, seed=seed, **usual | others
    )


def joined_support(given: Any, axes: str | None, channel: int | None) -> SupportSet:
    """Join annotated images to a support set."""
    if isinstance(given, SupportSet):
        if not given:
            raise BadInput("nothing is annotated; add an annotated image to the support set")
        return given
    support = SupportSet()
    try:
        pairs = [(image, annotation) for image, annotation in given]
    except (TypeError, ValueError) as error:
        raise BadInput(
            "training needs a SupportSet, or pairs of an image and its annotation"
        ) from error
    if not pairs:
        raise BadInput("nothing is annotated; give at least one image and its annotation")
    for image, annotation in pairs:
        support = annotated(support, image, annotation, axes=axes, channel=channel)
    return support


def _frames(given: Any, support: SupportSet, axes: str | None, channel: int | None) -> list[Frame]:
    """Planes of the images that are not annotated; a support set keeps none."""
    from napari_infoleak.learn.frames import others

    pairs = [] if isinstance(given, SupportSet) else given
    found: list[Frame] = []
    for image, _ in pairs:
        shown = as_image(image, axes)
        looked_at = None if shown.sizes["C"] == 1 else channel
        found += others(shown, looked_at, support.planes)
    return found


def refuse_overlap(support: SupportSet, validation: SupportSet | None) -> None:
    """Refuse to judge by what was learned from."""
    shared = support.image_hashes & validation.image_hashes if validation else None
    if shared:
        raise BadInput(
            f"{len(shared)} of the planes to be judged by are also trained on, so a score would "
            f"not be honest; give other planes, or none: some annotations are held out then"
        )


def _classes(support: SupportSet, validation: SupportSet | None) -> ClassTable:
    """The classes that are painted."""
    unknown = set(validation.class_ids) - set(support.class_ids) if validation else set()
    if unknown:
        raise BadInput(
            f"class {min(unknown)} is annotated for validation alone; annotate it for training "
            f"as well"
        )
    return ClassTable(tuple(support.classes[number] for number in support.class_ids))


def _start(
    info: MethodInfo,
    init: str | Path | None,
    classes: ClassTable,
    seed: int,
    options: Mapping[str, Any],
) -> tuple[Trainable, str | None]:
    """Make the segmenter that will be trained, and name the model it starts from."""
    from napari_infoleak.segmenters.protocol import Trainable

    source = info.init if init == _OWN else init
    if source is None or str(source) == "none":
        return fresh_segmenter(info, classes, seed, options), None
    path = registry.path_of(source)
    tensors, header = load_weights(path)
    if header.get("method") == info.name and not options:
        loaded: Any = registry.load(source)
        missing = [entry for entry in classes if entry.id not in loaded.classes]
        if missing and isinstance(loaded, Trainable):  # others take classes as they are painted
            loaded.grow(missing)
        return loaded, path.name
    segmenter = fresh_segmenter(info, classes, seed, options)
    if not segmenter.adopt(tensors, ClassTable.from_json(header.get("classes") or [])):
        raise BadInput(
            f"the model {source} shares no weights with the method {info.name}; start from a "
            f"model of that method, or from none"
        )
    return segmenter, path.name


def fresh_segmenter(
    info: MethodInfo, classes: ClassTable, seed: int, options: Mapping[str, Any]
) -> Trainable:
    """Draw the first weights; the caller's random numbers go on as if nothing had been drawn."""
    import torch

    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return registry.fresh(info.name, classes, **options)


def training_provenance(
    settings: TrainConfig, init: str | None, support: SupportSet, validation: SupportSet | None
) -> dict[str, Any]:
    """Say what makes the model; the planes' hashes keep its evaluation honest."""
    planes = support.image_hashes | (validation.image_hashes if validation else frozenset())
    return provenance(
        settings=settings,
        init=init,
        images=sorted({plane.source for plane in support.planes}),
        annotations={str(number): count for number, count in support.strokes().items()},
        trained_on=sorted(one[:SHORT_HASH] for one in planes),
    )


def store_beside(
    target: Path | None,
    noted: Mapping[str, Any],
    support: SupportSet,
    validation: SupportSet | None,
) -> Store | None:
    """The folder beside the model's file."""
    from napari_infoleak.learn.checkpoints import Store

    if target is None:
        return None
    kept = ("method", "seed", "crop", "depth", "batch", "rate", "average", "hold_out")
    fingerprint = {name: noted["settings"][name] for name in kept} | {
        "init": noted.get("init"),
        "annotations": support.hash,
        "validation": validation.hash if validation else None,
    }
    return Store(target.with_suffix(".training"), fingerprint, {"trained_on": noted["trained_on"]})


def _recipe(info: MethodInfo) -> Callable[..., Outcome]:
    module, name = info.recipe.split(":")
    found: Callable[..., Outcome] = getattr(import_module(module), name)
    return found


def finished(
    segmenter: Trainable, outcome: Outcome, noted: Mapping[str, Any], target: Path | None
) -> Model:
    """Build the model of the weights that are kept, and write it."""
    from napari_infoleak.learn.ranks import is_first

    before, score = (asdict(one) if one else None for one in (outcome.before, outcome.score))
    made = dict(noted) | {
        "steps": outcome.steps,
        "step": outcome.step,
        "seconds": round(outcome.seconds, 1),
        "before": before,
        "score": score,
    }
    kind: Any = type(segmenter)
    built: Segmenter = kind.from_file(outcome.tensors, outcome.header)
    model = Model(
        segmenter=built,
        method=built.spec.name,
        classes=built.classes,
        steps=outcome.steps,
        step=outcome.step,
        seconds=outcome.seconds,
        before=before,
        score=score,
        stopped=outcome.stopped,
        provenance=made,
        path=target,
    )
    if target is not None and is_first():
        model.save(target)
    return model


def deaf(report: Report) -> None:
    """Listen to nothing."""
