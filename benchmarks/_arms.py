"""Ways to answer a stack from one painted plane: annotation leakage, its controls, its rivals."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import napari_infoleak as il
from _rivals import Answer, Forest, fine_tuned, whole
from napari_infoleak.segmenters import registry

if TYPE_CHECKING:
    from _sets import Stack

ALONE, FOREST, TUNED = "no annotation", "forest", "U-Net, fine-tuned 60 s"
LEAK, EMPTY, PERMUTED = "annotation leakage", "memory emptied", "leak with permuted labels"


class Arms:
    """The arms with one model; the forest's features of an image are computed once."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._forest = Forest()

    def answer(self, arm: str, image: Stack, painted: Stack, asked: Stack, seed: int) -> Answer:
        """Answer planes from a painted one.

        Parameters
        ----------
        arm : str
        image : ndarray, shape (Y, X)
        painted : ndarray, shape (Y, X)
            Class ids, 0 unlabelled.
        asked : ndarray, shape (Z, Y, X)
        seed : int
            Of what is random in an arm.

        Returns
        -------
        Answer
        """
        if arm == ALONE:
            return leakage(asked, None, self.model)
        if arm == FOREST:
            return self._forest.answer(image, painted, asked, seed)
        if arm == TUNED:
            net: Any = next(iter(registry.load(self.model).modules()))
            return fine_tuned(net, image, painted, asked, seed)
        if arm == PERMUTED:
            painted = permuted(painted, seed)
        support = il.SupportSet().add(image, painted, axes="YX")
        if arm == EMPTY:
            return without_memory(asked, support, self.model)
        return leakage(asked, support, self.model)


def leakage(images: Stack, support: il.SupportSet | None, model: str) -> Answer:
    """Answer a stack as a user would."""
    result = il.segment(images, support, model=model, axes="ZYX", device="cpu")
    return Answer(np.asarray(result.probabilities), result.class_ids)


def without_memory(images: Stack, support: il.SupportSet, model: str) -> Answer:
    """Answer with a memory in which nothing is left of the annotations."""
    segmenter: Any = registry.load(model)
    memory = emptied(segmenter.remember(support))
    step = segmenter.spec.multiple_of
    planes = [
        whole(lambda tile: segmenter.scores(tile, memory), image, step).softmax(0).numpy()
        for image in images
    ]
    return Answer(np.stack(planes, 1), memory.class_ids)


def emptied(memory: Any) -> Any:
    """The memory with zeros for all that was read; membrane is what the network takes for it."""
    held = {field.name: getattr(memory, field.name) for field in fields(memory)}
    blank = {
        name: torch.zeros_like(value)
        for name, value in held.items()
        if isinstance(value, torch.Tensor) and value.is_floating_point() and name != "bias"
    }
    return replace(memory, **(blank | {"affinity": torch.tensor([0.0, 1.0])}))


def permuted(painted: Stack, seed: int) -> Stack:
    """The same strokes with the labels of their pixels shuffled: what a leak must not gain from."""
    out = painted.copy()
    where = painted > 0
    out[where] = np.random.default_rng(seed).permutation(painted[where])
    return out
