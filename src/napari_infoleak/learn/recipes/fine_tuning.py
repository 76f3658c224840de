"""Fine-tune a model while labels spread: for a short while before each round of frames.

After Mano, Kato, Hotta 2023 (VISAPP, SciTePress 117218). Confirmed by the paper: frames get labels
in temporal order, and learning goes on with them. Reconstructed here: how long, how often, and that
a frame counts the less, the less sure the model was of it and the farther away it is. The model may
also be one that reads annotations: then it learns to answer parts of what is annotated and of the
labelled frames with the others.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.normalise import normalise
from napari_infoleak.infer.backends import prepare
from napari_infoleak.learn.batches import Annotated, Crops, Halves, annotated
from napari_infoleak.learn.loop import Loop
from napari_infoleak.learn.ranks import ranks
from napari_infoleak.learn.recipes.episodic import Reader, Tasks, disjoint
from napari_infoleak.learn.recipes.supervised import crop_size, refuse_one_class
from napari_infoleak.learn.state import State
from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage
from napari_infoleak.segmenters.protocol import Trainable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_infoleak.core.config import TrainConfig
    from napari_infoleak.core.progress import CancelToken, Progress
    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.learn.fit import Draw
    from napari_infoleak.learn.learner import Learner
    from napari_infoleak.segmenters.protocol import Segmenter

_MOST = 2**26  # pixels of labelled frames that are kept
_A_STEP = 5  # how much longer learning from pixels takes than answering them, about
_A_SECOND = 5e5  # pixels that are answered in it, about


class FineTuning:
    """A copy of a model that learns for a while, again and again.

    Parameters
    ----------
    segmenter : Segmenter
        As it was loaded; it stays as it is.
    support : SupportSet
        What people annotated; of it there is some in every batch.
    settings : TrainConfig
        The budget is that of all rounds together.
    leak : float
        Strength of the leak with which frames are answered.

    Raises
    ------
    BadInput
        If the model is of a kind that does not learn, or too little is annotated.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        support: SupportSet,
        settings: TrainConfig,
        leak: float = 1.0,
    ) -> None:
        self._leak, self._device = leak, settings.device
        if isinstance(segmenter, AnnotationLeakage):
            settings = settings.model_copy(update={"device": "cpu"})
        self._settings = settings
        self._size = crop_size(settings, segmenter.spec.multiple_of)
        self._labelled: list[Annotated] = []
        learner = _copy(segmenter, support)
        self._classes = learner.classes
        self._own = annotated(support, self._classes)
        refuse_one_class(self._own, self._classes)
        reads = isinstance(learner, Reader)
        self._parts = disjoint(self._own, len(self._classes)) if reads else []
        with ranks(settings.device) as alone:
            self._state = State.of(learner, settings.batch, alone.device)

    @property
    def work(self) -> float:
        """How long all of the learning takes, in pixels that could be answered meanwhile."""
        if self._settings.steps is None:
            return 60 * (self._settings.minutes or 0) * _A_SECOND
        pixels = self._size[1] * self._size[2] * self._settings.batch
        return float(self._settings.steps * pixels * _A_STEP)

    def accept(self, plane: NDArray[Any], labels: NDArray[np.uint8], weight: float) -> None:
        """Learn from a frame that was labelled, from now on.

        Parameters
        ----------
        plane : ndarray, shape (Y, X)
            Grey values.
        labels : ndarray, shape (Y, X), uint8
            Class ids, 0 unlabelled.
        weight : float
            How often it is drawn beside others; frames of weight 0 are left out.
        """
        place = np.zeros(256, np.uint8)
        place[list(self._classes.ids)] = np.arange(len(self._classes)) + 1
        known = torch.from_numpy(place[labels])[None]
        if weight <= 0 or not bool(known.any()):
            return
        grey = torch.from_numpy(normalise(plane))[None, None]
        self._labelled.append(Annotated(grey, known, weight, permanent=False))
        while sum(one.labels.numel() for one in self._labelled) > _MOST > known.numel():
            del self._labelled[::2]

    def learn(self, share: float, progress: Progress, cancel: CancelToken) -> Segmenter:
        """Take steps until a share of the budget is spent, and give the model as it is then.

        Parameters
        ----------
        share : float
            0 to 1.
        progress, cancel
            Told of each step; looked at before each layer.

        Returns
        -------
        Segmenter
            A copy, made ready to answer, which further learning does not change.

        Raises
        ------
        Cancelled
            If the token was set.
        """
        with ranks(self._settings.device) as alone:
            loop = Loop(self._state, self._source(), self._settings, ranks=alone)
            loop.run(progress=progress, cancel=cancel, until=share)
        cancel.check()
        average: Any = self._state.average
        built: Segmenter = average.built() if self._parts else average
        return prepare(built, self._device).with_leak(self._leak)

    def _source(self) -> Draw:
        """Crops of what is annotated and, once there are any, of labelled frames."""
        count, seed = len(self._classes), self._settings.seed
        learner = self._state.segmenter
        if isinstance(learner, Reader):
            parts = [*self._parts, self._labelled] if self._labelled else self._parts
            learner.crops = len(parts)
            return Tasks(parts, count, self._size, seed, 0)
        own = Crops(self._own, count, self._size, seed=seed)
        return Halves(own, self._labelled, count, seed) if self._labelled else own


def _copy(segmenter: Segmenter, support: SupportSet) -> Learner:
    """A copy that may learn, of the classes that are annotated and those it has."""
    if isinstance(segmenter, AnnotationLeakage):
        classes = ClassTable(tuple(support.classes[number] for number in support.class_ids))
        return Reader(copy.deepcopy(segmenter), classes, 1)
    if not isinstance(segmenter, Trainable):
        raise BadInput(f"a model of {segmenter.spec.name} cannot be fine-tuned; choose another")
    mine = copy.deepcopy(segmenter)
    missing = [k for k in support.class_ids if k not in mine.classes]
    if missing:
        mine.grow([support.classes[number] for number in missing])
    return mine
