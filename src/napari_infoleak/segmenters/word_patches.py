"""Word patches: typical patches of the training images are read beside the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from napari_infoleak.nets.clusters import k_means
from napari_infoleak.nets.visual_words import WordsNet, patches_of
from napari_infoleak.segmenters.leaky import LeakySegmenter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.segmenters.batch import Batch

_PATCHES = 8192  # that words are found among


class WordPatchSegmenter(LeakySegmenter):
    """A U-Net with a transformer at its bottom that reads visual words."""

    method = "word-patches"
    network = WordsNet

    def __init__(self, net: Any, classes: ClassTable) -> None:
        super().__init__(net, classes)
        self._has_words = False

    @property
    def words(self) -> Tensor:
        """The words as pictures, shape (K, C, P, P), in normalised grey values."""
        found: Tensor = self.net.words.detach()
        return found

    @torch.no_grad()
    def begin(self, sample: Batch) -> None:
        """Cluster patches of the training images to the first words.

        Raises
        ------
        BadInput
            If there are fewer different patches than words.
        """
        net: WordsNet = self.net
        if self._has_words or net.config["kind"] == "free" or not len(net.words):
            return
        generator = torch.Generator().manual_seed(0)
        found = patches_of(sample.images, sample.truth, net.patch, _PATCHES, generator)
        centres = k_means(found.flatten(1).cpu(), len(net.words))
        net.words.copy_(centres.view(-1, *found.shape[1:]))

    def adopt(self, tensors: Mapping[str, Tensor], classes: ClassTable) -> list[str]:
        """As any; words that are taken over are not clustered anew."""
        taken = super().adopt(tensors, classes)
        self._has_words = "words" in taken
        return taken
