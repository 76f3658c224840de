"""Four ways to answer an image from painted ones, to be trained alike and compared.

Each is a module that learns from episodes (`napari_infoleak.learn.episodes`) and answers from a
painted plane. The first is what is shipped; the others are here for comparison alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_infoleak.core.support import SupportSet
from napari_infoleak.learn.episode_loss import WEIGHTS, episode_losses
from napari_infoleak.nets.leakage_net import LeakageNet
from napari_infoleak.nets.losses import cross_entropy, dice
from napari_infoleak.nets.read_out import class_moments, ridge
from napari_infoleak.nets.unet import UNet
from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_infoleak.learn.episodes import Episode

WIDTHS, FEATURES = (16, 32, 64, 128), 32  # of the U-Nets, as they are shipped
PIXELS = 12_000  # painted pixels that are learned from, at most


class Question(NamedTuple):
    """A crop to be answered from the paint of others; -1 is unlabelled, classes are 0 to K - 1."""

    query: int
    picked: list[int]
    painted: Tensor  # (P Y X)
    truth: Tensor  # (1 Y X)
    count: int


def questions(episode: Episode, rng: np.random.Generator) -> Iterator[Question]:
    """Each crop once, from the paint of some others: no crop ever reads its own."""
    crops = range(len(episode.images))
    for query in crops:
        others = rng.permutation([crop for crop in crops if crop != query])
        picked = [int(crop) for crop in others[: int(rng.integers(1, len(others) + 1))]]
        present = [int(c) for c in np.unique(episode.painted[picked]) if c >= 0]
        number = np.full(episode.count + 1, -1)  # the last place is for -1, unlabelled
        number[present] = np.arange(len(present))
        truth = torch.from_numpy(number[episode.truth[query : query + 1]])
        if len(present) > 1 and bool((truth >= 0).any()):
            painted = torch.from_numpy(number[episode.painted[picked]])
            yield Question(query, picked, painted, truth, len(present))


def wrong(scores: Tensor, truth: Tensor) -> Tensor:
    """What all of them lose: cross-entropy and Dice."""
    return cross_entropy(scores, truth) + 0.7 * dice(scores, truth)


class Architecture(nn.Module):
    """What is compared."""

    title: str

    def loss(self, batch: list[Episode], rng: np.random.Generator) -> Tensor | None:
        """A scalar to be brought down; None where nothing could be asked."""
        raise NotImplementedError

    def remember(self, image: NDArray[np.float32], painted: NDArray[np.int64]) -> Any:
        """Make of a painted plane, shape (Y, X), what answers need; -1 is unlabelled."""
        raise NotImplementedError

    def scores(self, tile: Tensor, memory: Any) -> Tensor:
        """(1 1 Y X) -> (1 K Y X)."""
        raise NotImplementedError


class Leakage(Architecture):
    """U-Net and memory: attention to label patches, a linear rule, and their fusion."""

    title = "U-Net + memory (shipped)"

    def __init__(self) -> None:
        super().__init__()
        self.net = LeakageNet(widths=WIDTHS, features=FEATURES)

    def loss(self, batch: list[Episode], rng: np.random.Generator) -> Tensor | None:
        """The losses that the shipped weights are trained with."""
        terms: dict[str, list[Tensor]] = {}
        for features, episode in zip(_features(self.net.body, batch), batch, strict=True):
            for name, values in episode_losses(self.net, features, episode, rng).items():
                terms.setdefault(name, []).extend(values)
        means = [WEIGHTS[name] * torch.stack(v).mean() for name, v in terms.items() if v]
        return torch.stack(means).sum() if means else None

    def remember(self, image: NDArray[np.float32], painted: NDArray[np.int64]) -> Any:
        """Make the memory, as a user's strokes do."""
        segmenter = AnnotationLeakage(self.net)
        annotation = (painted + 1).astype(np.uint8)
        return segmenter, segmenter.remember(SupportSet().add(image, annotation, axes="YX"))

    def scores(self, tile: Tensor, memory: Any) -> Tensor:
        """Answer."""
        segmenter, kept = memory
        found: Tensor = segmenter.scores(tile, kept)
        return found


class OnFeatures(Architecture):
    """A U-Net whose features are compared with those of painted pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.body = UNet(1, WIDTHS, FEATURES)

    def recall(self, features: Tensor, painted: Tensor, count: int) -> Tensor:
        """(P F Y X) and (P Y X) -> what `answer` needs."""
        raise NotImplementedError

    def answer(self, features: Tensor, memory: Tensor) -> Tensor:
        """(1 F Y X) -> (1 K Y X)."""
        raise NotImplementedError

    def loss(self, batch: list[Episode], rng: np.random.Generator) -> Tensor | None:
        """Mean over all questions."""
        values = []
        for features, episode in zip(_features(self.body, batch), batch, strict=True):
            for one in questions(episode, rng):
                memory = self.recall(features[one.picked], one.painted, one.count)
                values.append(wrong(self.answer(features[one.query, None], memory), one.truth))
        return torch.stack(values).mean() if values else None

    def remember(self, image: NDArray[np.float32], painted: NDArray[np.int64]) -> Tensor:
        """Keep what is needed of a painted plane."""
        tile, labels = torch.from_numpy(image)[None, None], torch.from_numpy(painted)[None]
        return self.recall(self.body(tile), labels, int(painted.max()) + 1)

    def scores(self, tile: Tensor, memory: Tensor) -> Tensor:
        """Answer."""
        return self.answer(self.body(tile), memory)


class Prototypes(OnFeatures):
    """U-Net and prototypes: a class scores by the likest of its ten prototypes.

    After Zhou et al. 2022 (ProtoSeg, arXiv 2203.15102): prototypes are found by balanced
    assignment (Sinkhorn), not learned. Here they are found anew in the strokes of each task.
    """

    title = "U-Net + prototypes"
    PER_CLASS, EPSILON, ROUNDS = 10, 0.05, 3

    def __init__(self) -> None:
        super().__init__()
        self.to_key = nn.Conv2d(FEATURES, FEATURES, 1)
        self.log_tau = nn.Parameter(torch.tensor(-2.3))

    def recall(self, features: Tensor, painted: Tensor, count: int) -> Tensor:
        """Prototypes of each class, shape (K, PER_CLASS, D)."""
        keys = F.normalize(self.to_key(features), dim=1).movedim(1, -1)
        own = [_some(keys[painted == k], PIXELS // count) for k in range(count)]
        return torch.stack([self._prototypes(part) for part in own])

    def _prototypes(self, keys: Tensor) -> Tensor:
        first = torch.linspace(0, len(keys) - 1, self.PER_CLASS).long()
        prototypes = keys[first]
        for _ in range(self.ROUNDS):
            with torch.no_grad():
                share = ((keys @ prototypes.T - 1) / self.EPSILON).exp()
                for _ in range(3):
                    share = share / share.sum(0, keepdim=True).clamp(min=1e-9)
                    share = share / share.sum(1, keepdim=True).clamp(min=1e-9)
            prototypes = F.normalize(share.T @ keys, dim=1)
        return prototypes

    def answer(self, features: Tensor, memory: Tensor) -> Tensor:
        """Cosine to the nearest prototype of each class."""
        keys = F.normalize(self.to_key(features), dim=1)
        likeness = torch.einsum("bdyx,kpd->bkpyx", keys, memory)
        return likeness.amax(2) / self.log_tau.exp().clamp(0.03, 0.3)


class LinearRule(OnFeatures):
    """U-Net and a linear rule: a head alone is fitted to the strokes, in closed form.

    After Bertinetto et al. 2019, arXiv 1805.08136.
    """

    title = "U-Net + linear head"

    def __init__(self) -> None:
        super().__init__()
        self.log_penalty = nn.Parameter(torch.tensor(-3.0))
        self.log_sharpness = nn.Parameter(torch.tensor(2.0))

    def recall(self, features: Tensor, painted: Tensor, count: int) -> Tensor:
        """Weights of the rule, shape (K, F + 1)."""
        phi = features.movedim(1, -1)
        phi = torch.cat([phi, torch.ones_like(phi[..., :1])], -1)
        own = [_some(phi[painted == k], PIXELS // count) for k in range(count)]
        index = torch.arange(count).repeat_interleave(torch.tensor([len(part) for part in own]))
        sums = class_moments(torch.cat(own), index, count)
        return ridge(*sums, self.log_penalty.clamp(-7, 3).exp())

    def answer(self, features: Tensor, memory: Tensor) -> Tensor:
        """Apply the rule."""
        found = torch.einsum("bfyx,kf->bkyx", features, memory[:, :-1])
        return self.log_sharpness.exp() * (found + memory[:, -1, None, None])


class CrossBlock(nn.Module):
    """A query and its support look at each other, place by place (UniverSeg, arXiv 2304.06131)."""

    def __init__(self, inputs: tuple[int, int], width: int) -> None:
        super().__init__()
        # The kernel on [query; support] in two parts: that on the query is computed once.
        self.of_query = nn.Conv2d(inputs[0], width, 3, padding=1)
        self.of_support = nn.Conv2d(inputs[1], width, 3, padding=1, bias=False)
        self.to_query = nn.Conv2d(width, width, 3, padding=1)
        self.to_support = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, query: Tensor, support: Tensor) -> tuple[Tensor, Tensor]:
        """(1 C Y X) and (S C Y X) -> the same with `width` channels."""
        joined = self.of_query(query) + self.of_support(support)
        mean = joined.mean(0, keepdim=True)
        return F.leaky_relu(self.to_query(mean)), F.leaky_relu(self.to_support(joined))


class CrossNet(Architecture):
    """Cross-blocks over support and query, a U-Net of them; one class against the rest at a time.

    After Butoi et al. 2023 (UniverSeg, arXiv 2304.06131), with fewer channels, for a CPU, and with
    two label channels, for strokes leave most pixels unlabelled.
    """

    title = "cross-blocks over support and query"
    WIDTHS = (16, 32, 32, 48)
    TILE, OVERLAP, SUPPORT = 192, 32, 4

    def __init__(self) -> None:
        super().__init__()
        inputs = ((1, 3), *((w, w) for w in self.WIDTHS))
        self.down = nn.ModuleList(
            CrossBlock(pair, width) for pair, width in zip(inputs, self.WIDTHS, strict=False)
        )
        ups = list(zip(self.WIDTHS[1:], self.WIDTHS[:-1], strict=True))[::-1]
        self.up = nn.ModuleList(CrossBlock((low + w, low + w), w) for low, w in ups)
        self.out = nn.Conv2d(self.WIDTHS[0], 1, 1)

    def forward(self, query: Tensor, support: Tensor) -> Tensor:
        """(1 1 Y X) and (S 3 Y X) of image, painted as the class, painted as another -> (1 Y X)."""
        skips = []
        for block in self.down:
            if skips:
                query, support = F.max_pool2d(query, 2), F.max_pool2d(support, 2)
            query, support = block(query, support)
            skips.append((query, support))
        skips.pop()
        for block in self.up:
            pairs = zip((query, support), skips.pop(), strict=True)
            query, support = (
                torch.cat([F.interpolate(low, scale_factor=2.0, mode="bilinear"), skip], 1)
                for low, skip in pairs
            )
            query, support = block(query, support)
        logit: Tensor = self.out(query)[:, 0]
        return logit

    def _classes(self, query: Tensor, images: Tensor, painted: Tensor, count: int) -> Tensor:
        """Scores of all classes, (1 K Y X); of two, one pass tells both."""
        asked = range(1, 2) if count == 2 else range(count)
        logits = []
        for k in asked:
            labels = torch.stack([painted == k, (painted >= 0) & (painted != k)], 1).float()
            logits.append(self(query, torch.cat([images, labels], 1)))
        if count == 2:
            logits.insert(0, torch.zeros_like(logits[0]))
        return torch.stack(logits, 1)

    def loss(self, batch: list[Episode], rng: np.random.Generator) -> Tensor | None:
        """Mean over one question an episode: each takes the work of all its support."""
        values = []
        for episode in batch:
            images = torch.from_numpy(episode.images)[:, None]
            for one in list(questions(episode, rng))[:1]:
                scores = self._classes(
                    images[one.query, None], images[one.picked], one.painted, one.count
                )
                values.append(wrong(scores, one.truth))
        return torch.stack(values).mean() if values else None

    def remember(self, image: NDArray[np.float32], painted: NDArray[np.int64]) -> Any:
        """Keep the tiles with the most paint."""
        tiles = []
        for window in _windows(image.shape, self.TILE, self.TILE):
            labels = painted[window]
            if (labels >= 0).any():
                tiles.append((int((labels >= 0).sum()), image[window], labels))
        tiles.sort(key=lambda tile: -tile[0])
        _, images, labelled = zip(*tiles[: self.SUPPORT], strict=True)
        shown = torch.from_numpy(np.stack(images))[:, None]
        return shown, torch.from_numpy(np.stack(labelled)), int(painted.max()) + 1

    def scores(self, tile: Tensor, memory: Any) -> Tensor:
        """Answer tile by tile, each as large as those of the support; their middles count."""
        images, painted, count = memory
        height, width = tile.shape[2:]
        found = torch.zeros(1, count, height, width)
        margin = self.OVERLAP // 2
        for rows, columns in _windows((height, width), self.TILE, self.TILE - self.OVERLAP):
            scores = self._classes(tile[..., rows, columns], images, painted, count)
            top = margin if rows.start else 0
            left = margin if columns.start else 0
            inside = (slice(rows.start + top, rows.stop), slice(columns.start + left, columns.stop))
            found[(..., *inside)] = scores[..., top:, left:]
        return found


ARCHITECTURES: dict[str, type[Architecture]] = {
    "memory": Leakage,
    "cross": CrossNet,
    "prototypes": Prototypes,
    "linear": LinearRule,
}


def _features(body: UNet, batch: list[Episode]) -> tuple[Tensor, ...]:
    """Features of all crops at once, split by episode."""
    images = torch.from_numpy(np.concatenate([episode.images for episode in batch]))[:, None]
    features: Tensor = body(images.contiguous(memory_format=torch.channels_last))
    return features.split([len(episode.images) for episode in batch])


def _some(values: Tensor, most: int) -> Tensor:
    """At most so many rows, drawn at random."""
    if len(values) <= most:
        return values
    return values[torch.randperm(len(values))[:most]]


def _windows(shape: tuple[int, ...], side: int, step: int) -> Iterator[tuple[slice, slice]]:
    """Windows of one size that cover a plane; the last of a row or column is moved inwards."""
    starts = [[*range(0, max(length - side, 0), step), max(length - side, 0)] for length in shape]
    for y in starts[0]:
        for x in starts[1]:
            yield slice(y, min(y + side, shape[0])), slice(x, min(x + side, shape[1]))
