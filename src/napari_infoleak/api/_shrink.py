"""One small model made of a large one, or of several."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.api._grow import model_hash, model_name, same_model
from napari_infoleak.api._inputs import as_image, is_path
from napari_infoleak.api._model import Model, model_path
from napari_infoleak.api._segment import limited_threads, refuse_blank, segment
from napari_infoleak.api._train import (
    deaf,
    finished,
    fresh_segmenter,
    joined_support,
    store_beside,
    train_settings,
    training_provenance,
)
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.core.region import Region
from napari_infoleak.core.support import SupportSet
from napari_infoleak.segmenters import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari_infoleak.core.image import Image
    from napari_infoleak.learn.frames import Frame
    from napari_infoleak.learn.loop import Report
    from napari_infoleak.learn.recipes.shrinking import Shrunk
    from napari_infoleak.segmenters.protocol import Segmenter

_METHOD = "class-distillation"
_RARE = 0.01  # of the pixels; of such a class little can be learned
_MOST = 64  # planes that are taught on, spread evenly
_TIMED = 512  # pixels a side of what the time is taken on


def shrink(
    models: str | Path | Model | Sequence[str | Path | Model],
    images: str | Path | Sequence[Any],
    *,
    annotations: SupportSet | Sequence[tuple[Any, Any]] | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    output: str | Path | None = None,
    axes: str | None = None,
    channel: int | None = None,
    listen: Callable[[Report], None] | None = None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
    **settings: Any,
) -> Model:
    """Make a small, fast model that answers as a large one does, or as several do together.

    Each class is taught by itself, so that rare ones are not drowned, see the page on class-wise
    distillation. The images need no annotation.

    Parameters
    ----------
    models : str, Path, Model, or sequence of them
        The teachers. Of several, the classes are joined by their ids.
    images : path, or sequence of Image, array or path
        To be taught on: of the kind that will be segmented. Some planes are kept to judge by.
    annotations : SupportSet, or sequence of (image, annotation), optional
        Learned from and judged by as well. A model that reads annotations reads these.
    minutes, steps, seed, output, axes, channel, listen, progress, cancel, **settings
        As for `train`.

    Returns
    -------
    Model
        ``provenance["shrunk"]`` says what it was made of: bytes and seconds a megapixel before and
        after, and a table of the classes.

    Raises
    ------
    BadInput
        If there is no image, one shows nothing, two models mean different classes by one id, or
        anything that `train` refuses.

    Examples
    --------
    >>> import napari_infoleak as il
    >>> small = il.shrink(
    ...     "own.safetensors", ["stack.tif"], output="small.safetensors"
    ... )  # doctest: +SKIP
    """
    began = time.monotonic()
    given: list[Any] = [*models] if isinstance(models, list | tuple) else [models]
    if not given:
        raise BadInput("there is no model to be made small; give at least one")
    sources = [one if isinstance(one, Model) else registry.path_of(one) for one in given]
    target = None if output is None else model_path(output)
    if target is not None and any(same_model(one, target) for one in sources):
        raise BadInput(f"the output {target.name} is one of the models given; name another file")
    known = SupportSet() if annotations is None else joined_support(annotations, axes, channel)
    shown: Any = [images] if is_path(images) else images
    frames = _frames([as_image(one, axes) for one in shown], channel, known)
    chosen = train_settings(_METHOD, minutes, steps, seed, settings)
    cancel.check()
    with limited_threads(chosen.threads):
        progress(0, 1, "starting")
        from napari_infoleak.learn.recipes.shrinking import shrinking
        from napari_infoleak.segmenters.shrinking import Shrinking, Teachers

        teachers = Teachers([_ready(one) for one in sources], known)
        student = fresh_segmenter(registry.method(_METHOD), teachers.classes, seed, {})
        student.teachers = None  # type: ignore[attr-defined]  # those given take their place
        noted = training_provenance(chosen, ", ".join(map(model_name, sources)), known, None)
        shrunk = shrinking(
            Shrinking(student, teachers),
            frames,
            known,
            chosen,
            store=store_beside(target, noted, known, None),
            began=began,
            listen=listen or deaf,
            progress=progress,
            cancel=cancel,
        )
        small: Any = type(student)
        after = small.from_file(shrunk.outcome.tensors, shrunk.outcome.header)
        noted["shrunk"] = {
            "from": [{"name": model_name(one), "sha256": model_hash(one)} for one in sources],
            "bytes": {"before": sum(map(_bytes, teachers.each)), "after": _bytes(after)},
            "seconds_per_megapixel": {
                "before": sum(_seconds(one, known) for one in teachers.each),
                "after": _seconds(after, known),
            },
            "table": _table(shrunk, teachers.classes),
        }
    return finished(student, shrunk.outcome, noted, target)


def _frames(images: Sequence[Image], channel: int | None, known: SupportSet) -> list[Frame]:
    """Planes to be taught on, spread evenly; those that are annotated come by themselves."""
    from napari_infoleak.learn.frames import others

    found: list[Frame] = []
    for image in images:
        looked_at = None if image.sizes["C"] == 1 else channel
        refuse_blank(image, Region.whole(image.label_shape), looked_at)
        found += others(image, looked_at, known.planes)
    step = -(-len(found) // _MOST) or 1
    return found[step // 2 :: step]


def _ready(source: Path | Model) -> Segmenter:
    segmenter = source.segmenter if isinstance(source, Model) else registry.load(source)
    if segmenter.spec.dims != (2,):
        raise BadInput(
            f"a model of {segmenter.spec.name} looks at volumes, and no small network for them is "
            f"made; give a model for planes"
        )
    return segmenter


def _table(shrunk: Shrunk, classes: Any) -> list[dict[str, Any]]:
    """Say of each class how good teacher and student are, and how far they agree."""
    teachers, student = (one.iou if one else {} for one in (shrunk.teachers, shrunk.student))
    agreed = shrunk.outcome.score.iou if shrunk.outcome.score else {}
    return [
        {
            "id": one.id,
            "name": one.name,
            "before": teachers.get(one.id),
            "after": student.get(one.id),
            "agreement": agreed.get(one.id),
            "share": round(shrunk.shares[one.id], 6),
            "rare": shrunk.shares[one.id] < _RARE,
        }
        for one in classes
    ]


def _bytes(segmenter: Segmenter) -> int:
    return sum(one.numel() * one.element_size() for one in segmenter.tensors().values())


def _seconds(segmenter: Segmenter, known: SupportSet) -> float:
    """Time that a megapixel takes on this processor, the way `segment` answers it."""
    model = Model(segmenter, segmenter.spec.name, segmenter.classes, 0, 0, 0.0, None, None, False)
    rng = np.random.default_rng(0)
    taken = math.inf
    for _ in range(3):  # the first time it is made ready
        noise = rng.normal(size=(_TIMED, _TIMED)).astype(np.float32)
        begun = time.perf_counter()
        segment(noise, known or None, model, device="cpu", probabilities=False)
        taken = min(taken, time.perf_counter() - begun)
    return round(taken / (_TIMED**2 / 1e6), 3)
