"""Choose by how much membranes are preferred, on pictures that training did not see.

Where a class is rare, the answer of best overlap (IoU, Dice) is not the likeliest class of each
pixel but leans to the rare one: the best threshold is half the best Dice, below 0.5 (Lipton, Elkan,
Narayanaswamy 2014, arXiv 1402.1892). One number, added to the score of membranes, leans as much as
is best for held-out tasks with sparse strokes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.support import SupportSet
from napari_infoleak.learn.episodes import Episode, Source, episodes
from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_infoleak.nets.leakage_net import LeakageNet

OFFSETS = np.arange(0, 2.01, 0.1)


def best_offset(
    net: LeakageNet, sources: Sequence[Source], tasks: int = 60, size: int = 256, seed: int = 0
) -> float:
    """Find the offset of best mean IoU of membranes.

    Parameters
    ----------
    net : LeakageNet
    sources : sequence of Source
        Held-out pictures with membranes.
    tasks : int
        Tasks that are averaged over.
    size : int
        Pixels a side of a picture.
    seed : int

    Returns
    -------
    float
        To be given to `AnnotationLeakage`.
    """
    segmenter = AnnotationLeakage(net)
    stream = _membrane_tasks(episodes(sources, 2, size, np.random.default_rng(seed)))
    scores = [_overlaps(segmenter, next(stream)) for _ in range(tasks)]
    return float(OFFSETS[np.mean(scores, 0).argmax()])


def _membrane_tasks(stream: Iterator[Episode]) -> Iterator[Episode]:
    """Tasks of interior against membrane whose second picture is sparsely painted with both."""
    for episode in stream:
        painted = episode.painted[1]
        both = {0, 1} <= set(np.unique(painted).tolist())
        if episode.preset and episode.count == 2 and both and (painted >= 0).mean() < 0.5:
            yield episode


def _overlaps(segmenter: AnnotationLeakage, episode: Episode) -> NDArray[np.float64]:
    """IoU of membranes in the first picture, by each offset, the second being the support."""
    strokes = (episode.painted[1] + 1).astype(np.uint8)
    memory = segmenter.remember(SupportSet().add(episode.images[1], strokes, axes="YX"))
    tile = torch.from_numpy(normalise(episode.images[0]))[None, None]
    scores = segmenter.scores(tile, memory)[0].numpy()
    lead = scores[1] - scores[0]
    truth, known = episode.truth[0] == 1, episode.truth[0] >= 0
    found = [(lead + offset > 0) & known for offset in OFFSETS]
    return np.array([(f & truth).sum() / max((f | truth).sum(), 1) for f in found])
