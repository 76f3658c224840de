"""Episodes: a few crops of one kind of picture, a made-up task on them, strokes, and the truth.

Each episode poses a task as a user would: classes of her choice, membranes drawn as thick as she
likes, painted sparsely or densely. A network that is to use annotations at test time learns it by
answering thousands of such tasks, each crop with the annotations of the *other* crops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import ndimage as ndi

from napari_infoleak.core.normalise import normalise
from napari_infoleak.learn.strokes import paint
from napari_infoleak.learn.synthesis import CYTOSOL, MEMBRANE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

UNKNOWN = 0


@dataclass(frozen=True, eq=False)
class Source:
    """Pictures of one kind with their truth.

    Attributes
    ----------
    images : sequence of ndarray, shape (Y, X), float16 or uint8
    classes : sequence of ndarray, shape (Y, X), uint8
        0 where nothing is known; else codes of `learn.synthesis.NAMES`, or a set's own beyond 20.
    margins : sequence of ndarray, shape (Y, X), float16, or None
        Pixels to the edge of the nearest membrane, negative inside; None if the set has none.
    zoom : tuple of float
        By how much pictures may be enlarged.
    weight : float
        How often the source is drawn, relative to others.
    own : bool
        Whether the network's own opinion (membrane or not) learns from this source.
    apart : int
        Least distance of two pictures of an episode in the order of `images`: planes of a stack
        that lie closer show the same cells, and a network would learn to copy.
    """

    images: Sequence[NDArray[Any]]
    classes: Sequence[NDArray[np.uint8]]
    margins: Sequence[NDArray[np.float16]] | None
    zoom: tuple[float, float]
    weight: float = 1.0
    own: bool = True
    apart: int = 1


@dataclass(frozen=True, eq=False)
class Episode:
    """One task.

    Attributes
    ----------
    images : ndarray, shape (G, Y, X), float32
        Crops, each normalised.
    truth : ndarray, shape (G, Y, X), int64
        Class index from 0, -1 unknown.
    painted : ndarray, shape (G, Y, X), int64
        What the user painted of it, -1 elsewhere.
    membrane : ndarray, shape (G, Y, X), int64
        1 membrane, 0 none, -1 unknown: the target of the network's own opinion.
    preset : bool
        Whether classes 0 and 1 are interior and membrane, as the membrane preset has them.
    """

    images: NDArray[np.float32]
    truth: NDArray[np.int64]
    painted: NDArray[np.int64]
    membrane: NDArray[np.int64]
    preset: bool

    @property
    def count(self) -> int:
        """Number of classes."""
        return int(self.truth.max()) + 1


def episodes(
    sources: Sequence[Source], crops: int, size: int, rng: np.random.Generator
) -> Iterator[Episode]:
    """Endless episodes.

    Parameters
    ----------
    sources : sequence of Source
    crops : int
        Crops an episode (G), at most 4: of different pictures of a source where it has more than
        enough, else quarters of one picture that do not overlap.
    size : int
        Pixels a side of a crop.
    rng : Generator

    Yields
    ------
    Episode
    """
    weights = np.array([s.weight for s in sources], float)
    while True:
        source = sources[rng.choice(len(sources), p=weights / weights.sum())]
        episode = _episode(source, crops, size, rng)
        if episode is not None:
            yield episode


def _episode(source: Source, crops: int, size: int, rng: np.random.Generator) -> Episode | None:
    zoom = float(np.exp(rng.uniform(*np.log(source.zoom))))
    look = _Look.draw(rng)
    places = _places(source, crops, rng)
    cuts = [_cut(source, index, window, size, zoom, look, rng) for index, window in places]
    images, classes, margins = (np.stack(part) for part in zip(*cuts, strict=True))
    thicker = float(rng.normal(0.3, 0.9)) if rng.uniform() < 0.7 else 0.0
    truth, preset = _task(classes, margins, source, thicker, rng)
    if truth.max() < 1:
        return None
    painted = _painted(truth, rng)
    membrane = np.where(classes == UNKNOWN, -1, (margins <= 0).astype(np.int64))
    if not source.own or source.margins is None:
        membrane[:] = -1
    return Episode(images, truth, painted, membrane, preset)


@dataclass(frozen=True)
class _Look:
    """How a series of pictures was taken: the same for all crops of an episode, about."""

    gamma: float
    blur: float
    noise: float
    invert: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> _Look:
        blur = float(rng.uniform(0.3, 1.5)) if rng.uniform() < 0.3 else 0.0
        noise = float(rng.uniform(0.05, 0.9)) if rng.uniform() < 0.5 else 0.0
        return cls(float(np.exp(rng.normal(0, 0.25))), blur, noise, bool(rng.uniform() < 0.04))

    def apply(self, image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        low, high = image.min(), image.max()
        flat = (image - low) / (high - low + 1e-6)
        flat = flat ** (self.gamma * np.exp(rng.normal(0, 0.08)))
        if self.blur:
            flat = ndi.gaussian_filter(flat, self.blur)
        image = normalise(flat)
        if self.noise:
            image = image + self.noise * rng.standard_normal(image.shape).astype(np.float32)
        image = normalise(image * (-1 if self.invert else 1))
        image = image * np.float32(np.exp(rng.normal(0, 0.12))) + np.float32(rng.normal(0, 0.15))
        return np.clip(image, -5, 5).astype(np.float32)


def _places(
    source: Source, crops: int, rng: np.random.Generator
) -> list[tuple[int, tuple[slice, slice]]]:
    """Which picture, and which window of it; windows of one picture do not overlap."""
    if len(source.images) >= 2 * crops * source.apart:
        # Drawn without the gaps, which are then put back in.
        gaps = (crops - 1) * (source.apart - 1)
        picks = np.sort(rng.choice(len(source.images) - gaps, crops, replace=False))
        picks = rng.permutation(picks + np.arange(crops) * (source.apart - 1))
        return [(int(i), (slice(None), slice(None))) for i in picks]
    index = int(rng.integers(len(source.images)))
    height, width = (n // 2 for n in source.images[index].shape)
    quarters = rng.choice(4, crops, replace=False)
    return [
        (index, (slice(y * height, (y + 1) * height), slice(x * width, (x + 1) * width)))
        for y, x in (divmod(int(q), 2) for q in quarters)
    ]


def _cut(
    source: Source,
    index: int,
    window: tuple[slice, slice],
    size: int,
    zoom: float,
    look: _Look,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32]]:
    """A turned, flipped, enlarged crop of a window: image, classes, margin."""
    height, width = source.images[index][window].shape
    angle = rng.uniform(0, 2 * np.pi)
    flip = rng.choice([-1.0, 1.0])
    stretch = np.exp(rng.normal(0, 0.06))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([stretch, flip / stretch]) / zoom
    reach = np.abs(matrix).sum(1) * size / 2
    room_y, room_x = max(height / 2 - reach[0], 0), max(width / 2 - reach[1], 0)
    centre = np.array(
        [height / 2 + rng.uniform(-room_y, room_y), width / 2 + rng.uniform(-room_x, room_x)]
    )
    offset = centre - matrix @ np.array([size / 2, size / 2])

    def warp(array: NDArray[Any], order: Literal[0, 1]) -> NDArray[np.float32]:
        part = np.asarray(array[window], np.float32)
        if zoom < 0.8 and order:
            part = ndi.gaussian_filter(part, 0.4 / zoom)
        out: NDArray[np.float32] = ndi.affine_transform(
            part, matrix, tuple(offset), (size, size), order=order, mode="mirror"
        )
        return out

    image = look.apply(warp(source.images[index], 1), rng)
    classes = warp(source.classes[index], 0).astype(np.uint8)
    if source.margins is None:
        return image, classes, np.full((size, size), 99, np.float32)
    return image, classes, warp(source.margins[index], 1) * np.float32(zoom)


def _task(
    classes: NDArray[np.uint8],
    margins: NDArray[np.float32],
    source: Source,
    thicker: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], bool]:
    """Class indices of a made-up task, and whether it is the membrane preset."""
    known = classes != UNKNOWN
    wall = margins <= thicker
    drawn = np.where(wall, MEMBRANE, np.where(classes == MEMBRANE, CYTOSOL, classes))
    if source.margins is None:
        drawn = classes
    present = [int(c) for c in np.unique(drawn[known])]
    if not present:
        return np.full(drawn.shape, -1, np.int64), False
    kind = rng.uniform()
    if source.margins is not None and (kind < 0.5 or len(present) < 3):
        truth = (drawn == MEMBRANE).astype(np.int64)
        preset = True
    elif kind < 0.85:
        keep = [c for c in present if rng.uniform() < 0.8][:5]
        order = rng.permutation(len(keep))
        truth = np.full(drawn.shape, -1, np.int64)
        for c, to in zip(keep, order, strict=True):
            truth[drawn == c] = to
        preset = False
        if rng.uniform() < 0.5 and len(keep) < len(present):  # the rest as one class
            truth[(truth < 0)] = len(keep)
    else:
        chosen = rng.choice(present)
        truth = (drawn == chosen).astype(np.int64) ^ int(rng.integers(2))
        preset = False
    truth[~known] = -1
    return truth, preset


def _painted(truth: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    if rng.uniform() < 0.25:
        return truth.copy()
    strokes = int(np.exp(rng.uniform(0, np.log(9))))
    width, length = int(rng.integers(1, 5)), int(rng.integers(15, 60))
    return np.stack([paint(t, strokes, rng, width=width, length=length) for t in truth])
