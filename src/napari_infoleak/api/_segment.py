"""From an image and what is annotated to classes of every pixel."""

from __future__ import annotations

import contextlib
from dataclasses import fields, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.api._inputs import as_annotation, as_image
from napari_infoleak.api._model import Model
from napari_infoleak.api._result import Result
from napari_infoleak.core.axes import (
    labels_from_canonical,
    labels_to_canonical,
    planes_from_canonical,
)
from napari_infoleak.core.errors import BadInput, BadModelFile, EmptySupportError, OutOfMemory
from napari_infoleak.core.image import Image, plane_hash
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.core.provenance import provenance
from napari_infoleak.core.region import Region
from napari_infoleak.core.support import SupportSet
from napari_infoleak.io.weights import read_header
from napari_infoleak.scale.failures import is_out_of_memory
from napari_infoleak.scale.scratch import zeros
from napari_infoleak.segmenters import registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_infoleak.core.config import SegmentConfig
    from napari_infoleak.infer.outputs import Answer, Outputs
    from napari_infoleak.segmenters.protocol import Segmenter

MOST_THREADS = 1024

SHORT_HASH = 16
"""Letters of a plane's hash that provenance keeps."""


def segment(
    image: Any,
    support: SupportSet | None = None,
    model: str | Path | Model = "membrane",
    *,
    annotations: Any = None,
    axes: str | None = None,
    channel: int | None = None,
    leak: float = 1.0,
    device: str = "auto",
    tile: int | None = None,
    threads: int | None = None,
    region: Region | None = None,
    probabilities: bool = True,
    uncertainty: bool = False,
    rounds: bool = False,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Result:
    """Segment an image with what is annotated, without training.

    Parameters
    ----------
    image : Image, array or path
        2 to 5 dimensions out of T, C, Z, Y, X.
    support : SupportSet, optional
        Other annotated images. Without any annotation the model answers by itself.
    model : str, Path or Model
        Name of a shipped model, a model file, or what `train` returned.
    annotations : integer array or path, optional
        Paint on this very image: its axes without C, 0 unlabelled. Painted pixels keep their
        class in the labels.
    axes : str, optional
        One letter a dimension of `image`; guessed if None.
    channel : int, optional
        Channel to look at, from 0; by default the first, or the mean of colours.
    leak : float
        How strongly annotations count, 0 (not at all) to 1.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    tile : int, optional
        Longest side of a tile in pixels; chosen if None.
    threads : int, optional
        Threads of the processor to use while this runs; torch's choice if None.
    region : Region, optional
        The part to answer; all of the image by default.
    probabilities, uncertainty : bool
        Whether these are wanted beside the labels.
    rounds : bool
        Whether the probabilities after each look are wanted, of a model that looks several times.
    progress, cancel
        Told of each tile; asked before each layer of the network.

    Returns
    -------
    Result
        In the axes of the image without C, with its scale, translation and units.

    Raises
    ------
    BadInput
        If the image, the annotations, the model or a setting cannot be used.
    EmptySupportError
        If `annotations` hold no label.
    OutOfMemory
        If even the smallest tile does not fit into memory.
    Cancelled
        If the token was set.
    """
    settings = settings_of(
        model=str(model),
        axes=axes,
        channel=channel,
        leak=leak,
        device=device,
        tile=tile,
        threads=threads,
        probabilities=probabilities,
        uncertainty=uncertainty,
        rounds=rounds,
    )
    picture = Witness.of(as_image(image, axes))
    part = region_of(region, picture)
    refuse_blank(picture, part, channel)
    paint = None if annotations is None else as_annotation(annotations, picture)
    known = known_support(support, picture, paint, channel)
    cancel.check()
    with limited_threads(settings.threads):
        progress(0, 1, "loading the model")
        segmenter = ready_segmenter(model, settings.device).with_leak(settings.leak)
        cancel.check()
        progress(0, 1, "looking at the annotations" if known else "starting")
        memory = remember(segmenter, known)
        cancel.check()
        looks = _earlier(segmenter) if settings.rounds else []
        found = [
            _answer(picture, look, memory, part, settings, progress=progress, cancel=cancel)
            for look in [*looks, segmenter]
        ]
        answer = found[-1]
    if paint is not None:
        _keep_paint(answer.labels, paint, picture, part)
    made = {
        "model": describe_model(model, segmenter, memory.version),
        "image": describe_image(picture, part),
        "support": describe_support(known),
        "settings": settings,
    }
    result = _result(answer, picture, part, known, segmenter, provenance(**made))
    if not settings.rounds:
        return result
    thoughts = (planes_from_canonical(one.probabilities, picture.axes) for one in found)
    return replace(result, rounds=tuple(thoughts))


class Witness(Image):
    """An image that notes which planes were looked at, by their hashes."""

    seen: dict[tuple[int, int], str]

    @classmethod
    def of(cls, image: Image) -> Witness:
        """Watch an image."""
        return cls(**{one.name: getattr(image, one.name) for one in fields(Image)})

    def __post_init__(self) -> None:
        """Begin with nothing seen."""
        super().__post_init__()
        object.__setattr__(self, "seen", {})

    def plane(self, t: int, z: int, channel: int | None = None) -> NDArray[np.float32]:
        """Read one plane and note its hash; of several channels the first counts."""
        pixels = super().plane(t, z, channel)
        if (t, z) not in self.seen:
            self.seen[t, z] = plane_hash(pixels)
        return pixels


def settings_of(**given: Any) -> SegmentConfig:
    """Check the settings; pydantic is loaded only now."""
    from napari_infoleak.core.config import SegmentConfig

    numpy_free = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in given.items()
    }
    return SegmentConfig.checked(**numpy_free)


def region_of(region: Any, image: Image) -> Region:
    """Clip a region to an image; None is all of it."""
    if region is None:
        return Region.whole(image.label_shape)
    if not isinstance(region, Region):
        raise BadInput(f"a {type(region).__name__} is no region: make one with Region.from_slices")
    return region.clip(image.label_shape)


def refuse_blank(image: Image, region: Region, channel: int | None) -> None:
    """Refuse to answer where there is nothing to see; one plane with contrast is enough."""
    values: set[float] = set()
    for t in range(region.t0, region.t1):
        for z in range(region.z0, region.z1):
            plane = image.plane(t, z, channel)
            finite = plane[np.isfinite(plane)]
            values.update((float(finite.min()), float(finite.max())) if finite.size else ())
            if len(values) > 1:
                return
    what = f"every pixel has the value {values.pop():g}" if values else "no pixel is a number"
    raise BadInput(f"the image {image.name} shows nothing: {what}; check the file and the channel")


def known_support(support: Any, image: Image, paint: Any, channel: int | None) -> SupportSet | None:
    """Join the support set and the image's own paint; None if nothing is annotated."""
    if support is not None and not isinstance(support, SupportSet):
        raise BadInput(
            f"support is a {type(support).__name__}; expected a SupportSet: "
            f"SupportSet().add(image, annotation)"
        )
    if paint is not None:
        return (support or SupportSet()).add(image, paint, channel=channel)
    return support or None


@contextlib.contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Use so many threads for a while: the process may be the caller's own."""
    if count is None:
        yield
        return
    if count > MOST_THREADS:
        raise BadInput(f"{count} threads were asked for; expected 1 to {MOST_THREADS}")
    from napari_infoleak.infer.backends import set_threads

    before = set_threads()
    set_threads(count)
    try:
        yield
    finally:
        set_threads(before)


def ready_segmenter(model: str | Path | Model, device: str) -> Segmenter:
    """Load a model and make it ready, or take the one that is."""
    from napari_infoleak.infer.backends import choose_device

    return _ready(model, _stamp(model), str(choose_device(device)))


@lru_cache(maxsize=2)
def _ready(model: str | Path | Model, stamp: tuple[int, int] | None, device: str) -> Segmenter:
    """Load a model and make it ready; kept for the next call, as long as its file is the same."""
    from napari_infoleak.infer.backends import prepare

    plain = model.segmenter if isinstance(model, Model) else registry.load(model)
    return prepare(plain, device)


def _stamp(model: str | Path | Model) -> tuple[int, int] | None:
    """Return what changes when a model file does."""
    if isinstance(model, Model):
        return None
    try:
        status = Path(model).stat()
    except (OSError, ValueError):
        return None  # a shipped model, or none at all
    return status.st_mtime_ns, status.st_size


def remember(segmenter: Segmenter, support: SupportSet | None) -> Any:
    """Make the memory, or take the empty one."""
    if support is None and segmenter.spec.needs_support:
        raise EmptySupportError(
            f"the model {segmenter.spec.name} needs annotations: paint at least one stroke of "
            f"each class, or give annotated images"
        )
    try:
        return segmenter.remember(support or SupportSet())
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(
            "memory ran out while looking at the annotations: annotate smaller images, or close "
            "other programs"
        ) from error


def _earlier(segmenter: Segmenter) -> list[Segmenter]:
    """Return the segmenter as it answers after each look but the last."""
    from napari_infoleak.segmenters.protocol import Rounds

    if not isinstance(segmenter, Rounds):
        raise BadInput(
            f"the model {segmenter.spec.name} looks once, so there are no rounds to show; train "
            f"one by the method feedback-unet"
        )
    return [segmenter.after(count) for count in range(1, segmenter.rounds)]


def _answer(
    image: Image,
    segmenter: Segmenter,
    memory: Any,
    region: Region,
    settings: SegmentConfig,
    *,
    progress: Progress,
    cancel: CancelToken,
) -> Answer:
    """Run the pipeline into arrays for what is wanted."""
    from napari_infoleak.infer.pipeline import answer

    return answer(
        image,
        segmenter,
        memory,
        channel=settings.channel,
        region=region,
        tile=settings.tile,
        out=outputs_for(region, len(memory.class_ids), settings),
        progress=progress,
        cancel=cancel,
    )


def outputs_for(region: Region, classes: int, settings: SegmentConfig) -> Outputs:
    """Make arrays for what is wanted; on disk where the memory is short."""
    import torch

    from napari_infoleak.infer.free_memory import free_bytes
    from napari_infoleak.infer.outputs import Outputs

    free = free_bytes(torch.device("cpu"))
    pixels = int(np.prod(region.shape, dtype=np.int64))
    wanted = settings.probabilities or settings.rounds
    maps = classes * wanted + settings.uncertainty
    room = partial(zeros, free=free, total=pixels * (1 + 4 * maps))
    return Outputs(
        labels=room(region.shape, np.uint8),
        probabilities=room((classes, *region.shape), np.float32) if wanted else None,
        uncertainty=room(region.shape, np.float32) if settings.uncertainty else None,
    )


def _keep_paint(labels: NDArray[np.uint8], paint: Any, image: Image, region: Region) -> None:
    """Let painted pixels keep their class: nobody wants to be contradicted where they painted."""
    canonical = labels_to_canonical(full_paint(paint, image), image.label_axes)
    for t, z in region.planes:
        plane = np.asarray(canonical[t, z])[region.slices[2:]]
        painted = plane > 0
        labels[t - region.t0, z - region.z0][painted] = plane[painted]


def full_paint(paint: Any, image: Image) -> Any:
    """Return paint with all axes of its image: a single plane may lack those of length 1."""
    shape = tuple(image.sizes[letter] for letter in image.label_axes)
    return paint if tuple(paint.shape) == shape else paint.reshape(shape)


def _result(
    answer: Answer,
    image: Image,
    region: Region,
    support: SupportSet | None,
    segmenter: Segmenter,
    made: dict[str, Any],
) -> Result:
    """Bring an answer back to the axes of its image."""
    known = segmenter.classes if support is None else support.classes
    planes, doubt = answer.probabilities, answer.uncertainty
    return Result(
        labels=labels_from_canonical(answer.labels, image.axes),
        probabilities=None if planes is None else planes_from_canonical(planes, image.axes),
        uncertainty=None if doubt is None else labels_from_canonical(doubt, image.axes),
        class_ids=answer.class_ids,
        classes=known.with_ids(answer.class_ids),
        axes=image.label_axes,
        scale=image.scale,
        translate=_corner(image, region),
        units=image.units,
        provenance=made,
    )


def _corner(image: Image, region: Region) -> dict[str, float]:
    """Return the physical position of a region's first pixel."""
    corner = dict(image.translate)
    for letter, (start, _) in zip("TZYX", region.bounds, strict=True):
        if start:
            corner[letter] = corner.get(letter, 0.0) + start * image.step(letter)
    return corner


def describe_model(model: str | Path | Model, segmenter: Segmenter, version: str) -> dict[str, Any]:
    """Say which weights answered, and which planes they have learned from."""
    name = Path(str(model)).name if _stamp(model) else str(model)
    return {
        "name": name,
        "method": segmenter.spec.name,
        "memory": version,
        "trained_on": _trained_on(model),
    }


def _trained_on(model: str | Path | Model) -> list[str]:
    """Short hashes of the planes that a user's own model has learned from."""
    if isinstance(model, Model):
        return list(model.trained_on)
    if _stamp(model) is None:
        return []  # a shipped model
    try:
        return [str(one) for one in read_header(model).get("trained_on", [])]
    except BadModelFile:
        return []  # it answers, so its file is that of another program


def describe_image(image: Witness, region: Region) -> dict[str, Any]:
    """Say which pixels were answered; the planes' hashes keep evaluation honest."""
    planes = [image.seen.get(place, "")[:SHORT_HASH] for place in region.planes]
    return {
        "name": image.name,
        "axes": image.axes,
        "shape": [image.sizes[letter] for letter in image.axes],
        "region": None if region == Region.whole(image.label_shape) else region,
        "planes": planes,
    }


def describe_support(support: SupportSet | None) -> dict[str, Any] | None:
    """Say what was annotated."""
    if support is None:
        return None
    return {
        "hash": support.hash,
        "images": sorted({plane.source for plane in support.planes}),
        "strokes": {str(number): count for number, count in support.strokes().items()},
        "planes": sorted(one[:SHORT_HASH] for one in support.image_hashes),
    }
