"""Fine-tune annotation leakage: parts of the user's annotation are answered with the others.

What it is trained for is to read annotations, so each step is a task, as in `recipes.pretrain`: a
few crops, each answered with what is painted on the others. Crops of one task are cut from parts of
the annotation that have nothing in common, so that none ever reads its own.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import ndimage as ndi

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput
from napari_infoleak.infer.process import bf16_is_fast
from napari_infoleak.learn.batches import Annotated, Crops, as_support, mixed
from napari_infoleak.learn.episode_loss import WEIGHTS, episode_losses
from napari_infoleak.learn.episodes import Episode
from napari_infoleak.learn.fit import fit
from napari_infoleak.learn.held_out import is_dense
from napari_infoleak.learn.recipes.supervised import crop_size, parted
from napari_infoleak.learn.strokes import paint
from napari_infoleak.learn.validation import HeldOut
from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage
from napari_infoleak.segmenters.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from napari_infoleak.core.config import TrainConfig
    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.learn.loop import Outcome
    from napari_infoleak.segmenters.memory import LeakageMemory
    from napari_infoleak.segmenters.protocol import SegmenterSpec

PARTS = 3  # of the annotation, and so crops of a task
_PRESET = (1, 2)  # interior, membrane
_DENSE = 0.3  # of a crop; where more is annotated, strokes are painted on it now and then
_STROKES = 0.6  # how often
_READ = 2  # planes that are read in a validation: reading all would take most of the time


def episodic(
    segmenter: AnnotationLeakage,
    support: SupportSet,
    settings: TrainConfig,
    *,
    validation: SupportSet | None = None,
    **run: Any,
) -> Outcome:
    """Fine-tune a segmenter that reads annotations.

    Parameters
    ----------
    segmenter : AnnotationLeakage
        It will be changed.
    support : SupportSet
        What to learn from.
    settings : TrainConfig
        Computed on the processor, whatever device it names.
    validation : SupportSet, optional
        What to be judged by, reading some of `support`; by default a part of `support` is kept from
        training for it.
    **run
        Where to keep the training and whom to tell, see `fit`.

    Returns
    -------
    Outcome

    Raises
    ------
    BadInput
        If less than two classes are painted, or not enough to answer one part with another.
    """
    if settings.device not in ("auto", "cpu"):
        raise BadInput(
            f"fine-tuning {segmenter.spec.name} computes on the processor; leave the device "
            f"{settings.device} out"
        )
    settings = settings.model_copy(update={"device": "cpu"})
    classes = ClassTable(tuple(support.classes[number] for number in support.class_ids))
    training, held = parted(support, validation, classes, settings)
    parts = disjoint(training, len(classes))
    step = segmenter.spec.multiple_of
    shown = as_support(_few(training, len(classes)), classes)
    judged = HeldOut(held, shown, multiple_of=(step, step))

    def tasks(rank: int) -> Tasks:
        return Tasks(parts, len(classes), crop_size(settings, step), settings.seed, rank)

    learner = Reader(segmenter, classes, len(parts))
    return fit(learner, tasks, settings, held_out=judged if held else None, **run)


def disjoint(data: Sequence[Annotated], classes: int) -> list[list[Annotated]]:
    """Part annotations so that no pixel is in two parts, and planes that follow one another in one.

    Parameters
    ----------
    data : sequence of Annotated
        Planes, in the order of their stacks.
    classes : int
        K.

    Returns
    -------
    list of list of Annotated
        Each with two classes at least: planes, if there are enough, else strokes or strips.

    Raises
    ------
    BadInput
        If there are fewer than two such parts.
    """
    edges = [len(data) * number // PARTS for number in range(PARTS + 1)]
    found = [list(data[start:stop]) for start, stop in itertools.pairwise(edges)]
    if len(data) < 2 * PARTS:
        numbers = [_numbered(one.labels) for one in data]
        found = [
            [
                one.with_labels(torch.where(part == number, one.labels, 0))
                for one, part in zip(data, numbers, strict=True)
            ]
            for number in range(PARTS)
        ]
    useful = [part for part in found if _classes_of(part) > 1]
    if len(useful) < 2:
        raise BadInput(
            "too little is annotated to answer one part of it with another; paint at least two "
            "strokes of each class, apart from each other"
        )
    return useful


class Tasks:
    """Draw crops for tasks: as many as there are parts, one of each, one task after the other."""

    def __init__(
        self,
        parts: Sequence[Sequence[Annotated]],
        classes: int,
        size: tuple[int, int, int],
        seed: int,
        rank: int,
    ) -> None:
        self.size = size
        self._crops = [
            Crops(part, classes, size, seed=mixed(seed, number), rank=rank)
            for number, part in enumerate(parts)
        ]

    def draw(self, step: int, batch: int, share: float = 0.0) -> Batch:
        """Cut the crops of a step: at least one task, else as many as make up `batch`."""
        each = max(1, batch // len(self._crops))
        drawn = [crops.draw(step, each, share) for crops in self._crops]
        images = torch.stack([one.images for one in drawn], 1).flatten(0, 1)
        truth = torch.stack([one.truth for one in drawn], 1).flatten(0, 1)
        return Batch(images, truth, share)


class Reader:
    """Annotation leakage as the loop trains it.

    Parameters
    ----------
    segmenter : AnnotationLeakage
    classes : ClassTable
        What is painted.
    crops : int
        Crops of a task.
    """

    def __init__(self, segmenter: AnnotationLeakage, classes: ClassTable, crops: int) -> None:
        self.classes = classes
        self.crops = crops
        self._net = segmenter.net
        self._answering = segmenter

    @property
    def spec(self) -> SegmenterSpec:
        """What it takes."""
        return self._answering.spec

    def modules(self) -> Iterable[nn.Module]:
        """The network."""
        return [self._net]

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        """All of the network."""
        return {"network": self._net.parameters()}

    def begin(self, sample: Batch) -> None:
        """Need no look at the crops."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Mean losses of the tasks; empty where nothing could be asked."""
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        # The parts that gain by less precision ask for it themselves.
        with torch.autocast("cpu", enabled=False):
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16_is_fast()):
                features = self._net.body(batch.images).float()
            found: dict[str, list[Tensor]] = {}
            for start in range(0, len(batch), self.crops):
                task = self._episode(batch, slice(start, start + self.crops), rng)
                own = features[start : start + self.crops]
                for name, values in episode_losses(self._net, own, task, rng).items():
                    found.setdefault(name, []).extend(values)
            return {
                name: WEIGHTS[name] * torch.stack(values).mean()
                for name, values in found.items()
                if values
            }

    def remember(self, support: SupportSet) -> LeakageMemory:
        """Make a memory by the weights as they are now."""
        self._answering = self.built()
        return self._answering.remember(support)

    def built(self) -> AnnotationLeakage:
        """Make the segmenter of the weights as they are now; they are shared with it."""
        offset = self._answering.membrane_offset
        return AnnotationLeakage(self._net, self._answering.classes, membrane_offset=offset)

    def scores(self, tiles: Tensor, memory: LeakageMemory) -> Tensor:
        """Answer tiles by a memory that was just made."""
        return self._answering.scores(tiles, memory)

    def tensors(self) -> dict[str, Tensor]:
        """Weights by name."""
        return self._answering.tensors()

    def header(self) -> dict[str, Any]:
        """Method, configuration and classes, as plain JSON."""
        return self._answering.header()

    def _episode(self, batch: Batch, part: slice, rng: np.random.Generator) -> Episode:
        truth = batch.truth[part].numpy()
        images = batch.images[part, 0].numpy()
        painted = np.stack([_painted(one, rng) for one in truth])
        return Episode(images, truth, painted, self._membrane(truth), self.classes.ids == _PRESET)

    def _membrane(self, truth: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the network's own opinion learns: 1 membrane, 0 none, -1 unknown."""
        named = [name.lower() for name in self.classes.names]
        place = next((i for i, name in enumerate(named) if "membrane" in name), None)
        if place is None:
            return np.full_like(truth, -1)
        return np.where(truth < 0, -1, (truth == place).astype(np.int64))


def _numbered(labels: Tensor) -> Tensor:
    """Share the annotation of a plane out: strips of a dense one, else strokes."""
    if is_dense(labels):
        used = labels.any(0).any(0).nonzero()[:, 0]
        first, width = int(used[0]), int(used[-1] - used[0]) + 1
        strips = (torch.arange(labels.shape[-1]) - first) * PARTS // width
        return strips.expand(labels.shape)
    part = torch.zeros(labels.shape, dtype=torch.int64)
    for number in range(1, int(labels.max()) + 1):
        strokes, _ = ndi.label((labels == number).numpy(), np.ones((3, 3, 3)))
        part += torch.from_numpy(strokes) % PARTS
    return part


def _painted(truth: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """What is given of a crop: its annotation, or strokes where that is dense."""
    if (truth >= 0).mean() < _DENSE or rng.uniform() > _STROKES:
        return truth
    strokes = int(np.exp(rng.uniform(0, np.log(9))))
    width, length = int(rng.integers(1, 5)), int(rng.integers(15, 60))
    return paint(truth, strokes, rng, width=width, length=length)


def _few(data: Sequence[Annotated], classes: int) -> list[Annotated]:
    """Some planes that hold all the classes; all planes, if it takes that."""
    step = max(1, len(data) // _READ)
    few = list(data[step // 2 :: step])[:_READ]
    return few if _classes_of(few) == _classes_of(data) else list(data)


def _classes_of(data: Sequence[Annotated]) -> int:
    found = {int(number) for one in data for number in one.labels.unique()}
    return len(found - {0})
