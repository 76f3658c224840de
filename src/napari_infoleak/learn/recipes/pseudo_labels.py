"""Pseudo-labels in order: what lies next to an annotated plane is labelled first, and learned from.

After Mano, Kato, Hotta 2023 (VISAPP, SciTePress 117218). Confirmed by the paper: unlabelled frames
get pseudo-labels in temporal order, because frames near in time look alike, and learning goes on
with them. Reconstructed here: when which frame gets its turn, that all pixels are taken, and how
often they are drawn. Taking the planes of a stack for frames is ours.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal

import torch

from napari_infoleak.core.progress import NULL
from napari_infoleak.io.weights import load_weights, save_weights
from napari_infoleak.learn.answers import answer_plane
from napari_infoleak.learn.batches import Annotated, Crops, Halves, annotated, as_support, mixed
from napari_infoleak.learn.fit import fit
from napari_infoleak.learn.frames import by_distance
from napari_infoleak.learn.recipes.supervised import crop_size, parted
from napari_infoleak.learn.validation import HeldOut
from napari_infoleak.nets.modes import as_at_test

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from napari_infoleak.core.config import TrainConfig
    from napari_infoleak.core.progress import Progress
    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.learn.checkpoints import Store
    from napari_infoleak.learn.frames import Frame
    from napari_infoleak.learn.loop import Outcome
    from napari_infoleak.segmenters.batch import Batch
    from napari_infoleak.segmenters.protocol import Trainable

FIRST, LAST = 0.3, 0.8
"""Shares of the training at which the nearest and the farthest frames get their labels."""
FADE = 0.9  # of the weight, from a distance to the next
_MOST = 128  # frames that are labelled: the nearest
_ROUNDS = 24

Order = Literal["time", "once", "random"]
Round = list[tuple["Frame", int]]
"""Frames that are labelled together, each with its distance to an annotated one."""


def pseudo_labels(
    segmenter: Trainable,
    support: SupportSet,
    settings: TrainConfig,
    *,
    frames: Sequence[Frame] = (),
    validation: SupportSet | None = None,
    order: Order = "time",
    sure: float = 0.0,
    store: Store | None = None,
    resume: bool = False,
    **run: Any,
) -> Outcome:
    """Train a segmenter on annotated planes and, one distance after the other, on all others.

    Parameters
    ----------
    segmenter : Trainable
        It will be changed.
    support : SupportSet
        What is annotated; such planes are in every batch.
    settings : TrainConfig
    frames : sequence of Frame
        What is not annotated. Without any, it learns from what is, in the usual way.
    validation : SupportSet, optional
        See `supervised`.
    order : {"time", "once", "random"}
        "once": all frames at the time of the first; "random": as many at a time, but any. Both are
        controls.
    sure : float
        Pixels whose likeliest class is less probable are left unlabelled.
    store, resume
        See `fit`. Each round's labels lie in the store's folder.
    **run
        Whom to tell, see `fit`.

    Returns
    -------
    Outcome

    Raises
    ------
    BadInput
        If less than two classes are painted.
    """
    classes, step = segmenter.classes, segmenter.spec.multiple_of
    training, held = parted(support, validation, classes, settings)
    places = [
        (plane.source, plane.index)
        for plane, whole in zip(support.planes, annotated(support, classes), strict=True)
        if any(torch.equal(whole.image, one.image) for one in training)
    ]
    rounds = _ordered(by_distance(frames, places), order, settings.seed)
    if not rounds:
        told: Progress = run.get("progress", NULL)
        told(0, 1, "every plane is annotated: nothing to label, it learns from these alone")
    judged = HeldOut(held, as_support(training, classes), multiple_of=(step, step))
    folder = store.folder if store else None
    if folder and not resume:
        for stale in folder.glob("round-*.safetensors"):
            stale.unlink()

    def crops(rank: int) -> Spreading:
        size = crop_size(settings, step)
        own = Crops(training, len(classes), size, seed=settings.seed, rank=rank)
        return Spreading(segmenter, own, rounds, sure, folder if rank == 0 else None, settings.seed)

    held_out = judged if held else None
    return fit(segmenter, crops, settings, held_out=held_out, store=store, resume=resume, **run)


def _ordered(found: Mapping[int, Sequence[Frame]], order: Order, seed: int) -> list[Round]:
    """Rounds of frames, no more than are needed, in the order that is wanted."""
    nearest = [(frame, distance) for distance, own in found.items() for frame in own][:_MOST]
    if order == "once":
        return [nearest] if nearest else []
    distances = list(dict.fromkeys(distance for _, distance in nearest))
    each = -(-len(distances) // _ROUNDS) or 1
    joined = [
        [one for one in nearest if one[1] in distances[start : start + each]]
        for start in range(0, len(distances), each)
    ]
    if order == "time":
        return joined
    generator = torch.Generator().manual_seed(mixed(seed, 4))
    mixed_up = [nearest[int(i)] for i in torch.randperm(len(nearest), generator=generator)]
    return [[mixed_up.pop() for _ in one] for one in joined]


class Spreading:
    """Batches of which half are annotated and half are pseudo-labelled, once there are such.

    Parameters
    ----------
    segmenter : Trainable
        That learns; it labels the frames of a round when their turn comes.
    own : Crops
        Of what is annotated.
    rounds : sequence of Round
    sure : float
        See `pseudo_labels`.
    folder : Path, optional
        Where the labels of each round are kept, so that a training that goes on has the same.
    seed : int
    """

    def __init__(
        self,
        segmenter: Trainable,
        own: Crops,
        rounds: Sequence[Round],
        sure: float,
        folder: Path | None,
        seed: int,
    ) -> None:
        self.size = own.size
        self._segmenter = segmenter
        self._own = own
        self._rounds = rounds
        self._sure = sure
        self._folder = folder
        self._seed = seed
        self._labelled: list[Annotated] = []
        self._done = 0
        self._spread: Halves | None = None

    @property
    def labelled(self) -> Sequence[Annotated]:
        """Frames that were labelled, in the order in which they were."""
        return self._labelled

    def draw(self, step: int, batch: int, share: float = 0.0) -> Batch:
        """Cut the crops of a step; label frames first, if their turn has come."""
        while self._done < self._due(share):
            self._label(self._done)
            self._done += 1
        return (self._spread or self._own).draw(step, batch, share)

    def _due(self, share: float) -> int:
        """How many rounds have had their turn."""
        if share < FIRST or not self._rounds:
            return 0
        if len(self._rounds) == 1:
            return 1
        passed = (share - FIRST) / (LAST - FIRST)
        return min(len(self._rounds), 1 + int(passed * (len(self._rounds) - 1) + 1e-9))

    def _label(self, number: int) -> None:
        frames = [frame for frame, _ in self._rounds[number]]
        images = [frame.read() for frame in frames]
        path = self._folder / f"round-{number}.safetensors" if self._folder else None
        labels = _kept(path, images) or [self._answer(image) for image in images]
        if path and path.parent.is_dir():
            tensors = {str(index): one for index, one in enumerate(labels)}
            save_weights(path, tensors, {"places": [frame.place for frame in frames]})
        self._labelled += [
            Annotated(image, label, FADE**distance, permanent=False)
            for image, label, (_, distance) in zip(
                images, labels, self._rounds[number], strict=True
            )
        ]
        if any(bool(one.labels.any()) for one in self._labelled):
            classes = len(self._segmenter.classes)
            self._spread = Halves(self._own, self._labelled, classes, self._seed)

    def _answer(self, image: Tensor) -> Tensor:
        """(1 1 Y X) of grey -> (1 Y X), one more than the place of the class, 0 where unsure."""
        segmenter = self._segmenter
        with ExitStack() as modes:
            for module in segmenter.modules():
                modes.enter_context(as_at_test(module))
            place, share = answer_plane(segmenter, image[0])
        return torch.where(share >= self._sure, place + 1, 0)[None].to(torch.uint8)


def _kept(path: Path | None, images: Sequence[Tensor]) -> list[Tensor] | None:
    """Labels of a round that an earlier run of this training made."""
    if path is None or not path.is_file():
        return None
    tensors, _ = load_weights(path)
    labels = [tensors[name] for name in sorted(tensors, key=int)]
    same = [one.shape for one in labels] == [image.shape[1:] for image in images]
    return labels if same else None
