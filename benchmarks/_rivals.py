"""What annotation leakage is compared with: the same strokes, and another way to learn from them.

A random forest on multi-scale features, as most scribble tools have it; and the very network of the
shipped weights, fine-tuned on the strokes for a fixed time. Time is processor time of one thread,
which is wall-clock time on a computer with nothing else to do: other work on it costs the rival
nothing.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_infoleak.core.normalise import normalise
from napari_infoleak.infer.uncertainty import entropy
from napari_infoleak.nets.losses import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from _sets import Stack

FOREST_PIXELS = 40_000  # of a dense plane; a forest gains nothing from more and takes minutes
CROP, BATCH, RATE = 160, 2, 1e-4  # of 1e-4 to 3e-3 the best for 10 strokes, on train planes


@dataclass(frozen=True)
class Answer:
    """Probabilities of a stack, the class axis first, and the ids of the classes."""

    probabilities: NDArray[np.float32]
    ids: tuple[int, ...]

    @property
    def labels(self) -> Stack:
        """The likeliest class."""
        return np.asarray(self.ids, np.uint8)[self.probabilities.argmax(0)]

    @property
    def membrane(self) -> NDArray[np.float32]:
        """Probability of class 2."""
        return self.probabilities[self.ids.index(2)]

    @property
    def uncertainty(self) -> NDArray[np.float32]:
        """Entropy, 0 sure to 1 unsure."""
        return entropy(self.probabilities)


class Forest:
    """100 trees on scikit-image's multi-scale features; those of an image are computed once."""

    def __init__(self) -> None:
        self._features: dict[bytes, Stack] = {}

    def answer(self, image: Stack, painted: Stack, asked: Iterable[Stack], seed: int) -> Answer:
        """Learn from a painted plane and answer others."""
        from sklearn.ensemble import RandomForestClassifier

        where = np.flatnonzero(painted)
        if len(where) > FOREST_PIXELS:
            where = np.random.default_rng(seed).choice(where, FOREST_PIXELS, replace=False)
        trees = RandomForestClassifier(
            100, n_jobs=torch.get_num_threads(), random_state=seed, class_weight="balanced"
        )
        trees.fit(self._of(image)[where], painted.ravel()[where])
        planes = [
            trees.predict_proba(self._of(plane)).T.reshape(-1, *plane.shape).astype(np.float32)
            for plane in asked
        ]
        return Answer(np.stack(planes, 1), tuple(int(c) for c in trees.classes_))

    def _of(self, image: Stack) -> Stack:
        from skimage.feature import multiscale_basic_features

        key = image.tobytes()
        if key not in self._features:
            found = multiscale_basic_features(image).astype(np.float32)
            self._features[key] = found.reshape(image.size, -1)
        return self._features[key]


def fine_tuned(
    net: Any, image: Stack, painted: Stack, asked: Iterable[Stack], seed: int, seconds: float = 60
) -> Answer:
    """Answer planes with the network's body and own head, fine-tuned on a painted plane.

    Adam on cross-entropy over the painted pixels of random crops, turned, flipped, and changed in
    brightness, contrast and noise. Classes count the same where strokes tell nothing of how
    frequent they are; a dense plane tells it. Batch norms keep their statistics.

    Parameters
    ----------
    net : LeakageNet
        With batch norms not folded; left as it is.
    image, painted : ndarray, shape (Y, X)
    asked : iterable of ndarray, shape (Y, X)
    seed : int
    seconds : float
        Of one thread, for training alone.

    Returns
    -------
    Answer
    """
    ids = tuple(int(c) for c in np.unique(painted) if c)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = _classifier(net, ids, seed)
        index = np.full(256, -1)
        index[list(ids)] = np.arange(len(ids))
        _train(model, image, index[painted], seed, seconds)
    finally:
        torch.set_num_threads(before)
    step = net.multiple_of
    planes = [whole(model, plane, step).softmax(0).numpy() for plane in asked]
    return Answer(np.stack(planes, 1), ids)


@torch.inference_mode()
def whole(scores: Callable[[Tensor], Tensor], plane: Stack, step: int) -> Tensor:
    """Scores of a plane at once; (Y X) of raw grey values -> (K Y X)."""
    height, width = plane.shape
    margins = ((0, -height % step), (0, -width % step))
    tile = torch.from_numpy(np.pad(normalise(plane), margins, mode="reflect"))[None, None]
    return scores(tile.contiguous(memory_format=torch.channels_last))[0, :, :height, :width]


def _classifier(net: Any, ids: tuple[int, ...], seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    body, head = copy.deepcopy(net.body), copy.deepcopy(net.own)
    if ids != (1, 2):
        head = nn.Conv2d(head.in_channels, len(ids), 1)
    model = nn.Sequential(body, head).eval()
    return model.to(memory_format=torch.channels_last)


def _train(model: nn.Sequential, image: Stack, index: Stack, seed: int, seconds: float) -> None:
    """Train on a plane whose pixels have the class `index`, below 0 where it is unknown."""
    counts = np.bincount(index[index >= 0]).astype(np.float32)
    sparse = (index >= 0).mean() < 0.5
    balance = torch.from_numpy(counts.sum() / counts / len(counts)) if sparse else None
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    crops = _crops(normalise(image), index, np.random.default_rng(seed))
    start = time.process_time()
    while (passed := time.process_time() - start) < seconds:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, 2 * (1 - passed / seconds))
        batch = [next(crops) for _ in range(BATCH)]
        images, truth = (torch.stack(part) for part in zip(*batch, strict=True))
        scores = model(images.contiguous(memory_format=torch.channels_last))
        optimiser.zero_grad()
        cross_entropy(scores, truth, balance).backward()
        optimiser.step()


def _crops(
    image: NDArray[np.float32], index: Stack, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Crops around painted pixels, each class as often as any other."""
    side = CROP // 2
    image = np.pad(image, side, mode="reflect")
    index = np.pad(index, side, constant_values=-1)
    places = [np.argwhere(index == k) for k in range(int(index.max()) + 1)]
    while True:
        own = places[rng.integers(len(places))]
        y, x = own[rng.integers(len(own))] + rng.integers(-side // 2, side // 2 + 1, 2)
        y, x = (int(np.clip(v, side, n - side)) for v, n in zip((y, x), image.shape, strict=True))
        window = (slice(y - side, y + side), slice(x - side, x + side))
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        grey, truth = (np.rot90(part[window], turns) for part in (image, index))
        if flip:
            grey, truth = grey[:, ::-1], truth[:, ::-1]
        grey = grey * np.exp(rng.normal(0, 0.15)) + rng.normal(0, 0.2)
        grey = grey + rng.uniform(0, 0.2) * rng.standard_normal(grey.shape)
        yield (
            torch.from_numpy(np.ascontiguousarray(grey, np.float32))[None],
            torch.from_numpy(np.ascontiguousarray(truth, np.int64)),
        )
