"""Train a segmenter on what is annotated: the recipe of every method that needs no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_infoleak.core.errors import BadInput
from napari_infoleak.infer.tiles import up_to
from napari_infoleak.learn.batches import Annotated, Crops, annotated, as_support, counts
from napari_infoleak.learn.fit import fit
from napari_infoleak.learn.held_out import hold_out
from napari_infoleak.learn.validation import HeldOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.core.config import TrainConfig
    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.learn.frames import Frame
    from napari_infoleak.learn.loop import Outcome
    from napari_infoleak.segmenters.protocol import Trainable


def supervised(
    segmenter: Trainable,
    support: SupportSet,
    settings: TrainConfig,
    *,
    validation: SupportSet | None = None,
    frames: Sequence[Frame] = (),
    **run: Any,
) -> Outcome:
    """Train a segmenter.

    Parameters
    ----------
    segmenter : Trainable
        Its table holds every class that is painted. It will be changed.
    support : SupportSet
        What to learn from.
    settings : TrainConfig
    validation : SupportSet, optional
        What to be judged by; by default a part of `support` is kept from training for it.
    frames : sequence of Frame
        Planes that nobody annotated: what a network for volumes sees around the annotated ones.
    **run
        Where to keep the training and whom to tell, see `fit`.

    Returns
    -------
    Outcome

    Raises
    ------
    BadInput
        If less than two classes are painted, or the training to be resumed is another one.
    """
    spec, classes = segmenter.spec, segmenter.classes
    dims = 2 if 2 in spec.dims else 3
    training, held = parted(support, validation, classes, settings, dims, frames)
    size = crop_size(settings, spec.multiple_of, dims)
    step = (spec.multiple_of, spec.multiple_of)
    judged = HeldOut(held, as_support(training, classes), dims=dims, multiple_of=step)

    def crops(rank: int) -> Crops:
        return Crops(training, len(classes), size, dims=dims, seed=settings.seed, rank=rank)

    return fit(segmenter, crops, settings, held_out=judged if held else None, **run)


def parted(
    support: SupportSet,
    validation: SupportSet | None,
    classes: ClassTable,
    settings: TrainConfig,
    dims: int = 2,
    frames: Sequence[Frame] = (),
) -> tuple[list[Annotated], list[Annotated]]:
    """Give what to learn from, and what to be judged by.

    Raises
    ------
    BadInput
        If less than two classes are painted.
    """
    data = annotated(support, classes, dims, frames, settings.depth)
    refuse_one_class(data, classes)
    if validation is not None:
        return data, annotated(validation, classes, dims)
    return hold_out(data, len(classes), settings.seed) if settings.hold_out else (data, [])


def refuse_one_class(data: Sequence[Annotated], classes: ClassTable) -> None:
    """Refuse to learn where there is nothing to tell apart.

    Raises
    ------
    BadInput
        If less than two classes are painted.
    """
    found = counts(data, len(classes)).tolist()
    painted = [number for number, count in zip(classes.ids, found, strict=True) if count]
    if len(painted) < 2:
        raise BadInput(
            f"only class {painted[0]} is annotated; paint at least one stroke of a second class"
            if painted
            else "nothing is annotated; paint at least one stroke of each of two classes"
        )


def crop_size(settings: TrainConfig, multiple_of: int, dims: int = 2) -> tuple[int, int, int]:
    """(z, y, x) of a crop, as the network takes it."""
    side = up_to(settings.crop, multiple_of)
    return (up_to(settings.depth, multiple_of) if dims == 3 else 1, side, side)
