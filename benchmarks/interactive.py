"""How long a user waits: for the first answer to a view, and after each further stroke.

A view of 512 x 512 pixels, ten strokes a class, in planes of several sizes, beside a random forest
that is fitted to the same strokes and answers the same view. Ours runs as in the dock: in a warm
process of its own, the way there and back included. The forest runs where it is fastest, in this
process, on features that it has computed before. All take turns, each round on a picture that
nobody has seen. Prints a Markdown table and whether the goals are met.

    python benchmarks/interactive.py --repeats 9 --publish

The pictures are made of a sample that comes with the program; ``--image FILE --truth FILE`` takes a
plane of your own, with class ids from 1.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage as ndi

from _rows import hardware, markdown, publish, verdict
from napari_infoleak.core.region import Region
from napari_infoleak.io import read, read_labels
from napari_infoleak.io.samples import sample_path
from napari_infoleak.learn.strokes import paint
from napari_infoleak.scale import Executor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

VIEW = 512
STROKES = 10
TREES = 100
FIRST, STROKE, AHEAD = 1.0, 0.25, 4.0  # the goals: seconds, seconds, times the forest's speed
TABLE = "interactive"

PROTOCOL = """\
Seconds from the request to the answer, labels and probabilities of a view of {view} x {view}
pixels, {strokes} strokes a class: median of {repeats} rounds, in brackets the shortest and the
longest. *First answer*: view and painted plane were never seen before, the process is warm. *A
stroke more*: the same view after another stroke. The forest has {trees} trees on scikit-image's
`multiscale_basic_features`, which are there already; it is fitted to the strokes and answers the
view. *Times as fast*: the forest's seconds after a stroke, divided by ours, round by round.
"""


@dataclass(frozen=True)
class Scene:
    """A plane, its classes (index from 0, -1 unknown), and the view in its middle."""

    image: NDArray[Any]
    truth: NDArray[np.int64]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the view."""
        rows, columns = ((n - min(n, VIEW)) // 2 for n in self.image.shape)
        return slice(rows, rows + VIEW), slice(columns, columns + VIEW)

    def noisy(self) -> Scene:
        """The same with a little noise that nobody has seen, here or in another run."""
        noise = np.random.default_rng().normal(0, self.image.std() / 20, self.image.shape)
        return Scene((self.image + noise).astype(np.float32), self.truth)

    def painted(self, strokes: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Strokes of every class within the view, as class ids."""
        out = np.zeros(self.truth.shape, np.uint8)
        out[self.window] = paint(self.truth[self.window], strokes, rng, width=3, length=40) + 1
        return out


@dataclass(frozen=True)
class Round:
    """Seconds of one round."""

    first: float
    stroke: float
    forest: float
    features: float


def sample_scene(side: int) -> Scene:
    """Lay the planes of the EM-like sample out as a plane of a given size."""
    stack = np.asarray(read(sample_path("em_stack")).data)[0, 0]
    classes = np.asarray(read_labels(sample_path("em_stack", "truth"))[0])
    count = -(-side // stack.shape[-1])
    order = np.arange(count**2).reshape(count, count) % len(stack)
    image, truth = (np.block([[one[k] for k in row] for row in order]) for one in (stack, classes))
    return Scene(image[:side, :side].astype(np.float32), truth[:side, :side].astype(np.int64) - 1)


def own_scene(image: Path, truth: Path) -> Scene:
    """Read the first plane of two files."""
    plane = read(image).plane(0, 0)
    classes = np.asarray(read_labels(truth)[0])
    return Scene(plane, classes.reshape(-1, *plane.shape)[0].astype(np.int64) - 1)


class Ours:
    """The dock's child process, asked from here."""

    def __init__(self, executor: Executor, model: str) -> None:
        self._executor = executor
        self._model = model

    def seconds(self, scene: Scene, painted: NDArray[np.uint8]) -> float:
        """Ask about the view."""
        shape = (1, 1, *scene.image.shape)
        region = Region.from_slices(shape, y=scene.window[0], x=scene.window[1])
        begin = time.perf_counter()
        job = self._executor.submit(
            "napari_infoleak.api.segment",
            image=scene.image,
            annotations=painted,
            axes="YX",
            model=self._model,
            region=region,
        )
        result = job.result()
        seconds = time.perf_counter() - begin
        assert result.labels.shape == scene.image[scene.window].shape
        return seconds


class Forest:
    """A random forest on the features of a view."""

    def __init__(self, view: NDArray[Any], threads: int) -> None:
        from skimage.feature import multiscale_basic_features

        begin = time.perf_counter()
        features = multiscale_basic_features(view).astype(np.float32)
        self.features_seconds = time.perf_counter() - begin
        self._features = features.reshape(view.size, -1)
        self._threads = threads

    def seconds(self, painted: NDArray[np.uint8]) -> float:
        """Fit to the strokes and answer the view."""
        from sklearn.ensemble import RandomForestClassifier

        begin = time.perf_counter()
        where = np.flatnonzero(painted)
        trees = RandomForestClassifier(TREES, n_jobs=self._threads, class_weight="balanced")
        trees.fit(self._features[where], painted.ravel()[where])
        answer = trees.predict_proba(self._features)
        seconds = time.perf_counter() - begin
        assert len(answer) == painted.size
        return seconds


def one_round(scene: Scene, ours: Ours, executor: Executor, threads: int) -> Round:
    """Let both answer a new picture, and again after a stroke."""
    rng = np.random.default_rng()
    scene = scene.noisy()
    executor.hold(scene.image)
    painted = scene.painted(STROKES, rng)
    first = ours.seconds(scene, painted)
    more = scene.painted(1, rng)
    painted = np.where(painted > 0, painted, more * _one_stroke(more, rng))
    stroke = ours.seconds(scene, painted)
    executor.release(scene.image)
    forest = Forest(scene.image[scene.window], threads)
    return Round(first, stroke, forest.seconds(painted[scene.window]), forest.features_seconds)


def _one_stroke(painted: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Where one of several strokes is."""
    strokes, count = ndi.label(painted, np.ones((3, 3)))
    return np.asarray(strokes == rng.integers(count) + 1)


def measure(scenes: Sequence[Scene], options: argparse.Namespace) -> dict[int, list[Round]]:
    """All scenes in turns; the first round only warms up."""
    rounds: dict[int, list[Round]] = {scene.image.shape[0]: [] for scene in scenes}
    with Executor(threads=options.threads) as executor:
        ours = Ours(executor, options.model)
        for number in range(options.repeats + 1):
            for scene in scenes:
                found = one_round(scene, ours, executor, options.threads)
                if number:
                    rounds[scene.image.shape[0]].append(found)
    return rounds


def table(rounds: dict[int, list[Round]]) -> str:
    """A row a size of the plane."""
    head = ("plane", "first answer", "a stroke more", "forest, a stroke more", "times as fast")
    lines = []
    for side, own in rounds.items():
        ratios = [one.forest / one.stroke for one in own]
        cells = [_spread([getattr(one, key) for one in own]) for key in ("first", "stroke")]
        forest = _spread([one.forest for one in own])
        lines.append((f"{side} x {side}", *cells, forest, f"{np.median(ratios):.1f}"))
    features = np.median([one.features for own in rounds.values() for one in own])
    behind = f"The forest's features of a view take {features:.2f} s before its first answer."
    return f"{markdown(head, lines)}\n\n{behind}"


def _spread(seconds: Sequence[float]) -> str:
    return f"{np.median(seconds):.2f} ({min(seconds):.2f}-{max(seconds):.2f})"


def goals(rounds: dict[int, list[Round]]) -> str:
    """Whether they are met, plane by plane."""
    lines = []
    for side, own in rounds.items():
        where = f"plane of {side}"
        first, stroke = (
            float(np.median([getattr(r, k) for r in own])) for k in ("first", "stroke")
        )
        ahead = float(np.median([one.forest / one.stroke for one in own]))
        lines += [
            verdict(f"{where}: first answer, s", first, "<=", FIRST),
            verdict(f"{where}: a stroke more, s", stroke, "<=", STROKE),
            verdict(f"{where}: times as fast as the forest", ahead, ">=", AHEAD),
        ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and publish if wanted."""
    options = _options()
    if options.image:
        scenes = [own_scene(options.image, options.truth)]
    else:
        scenes = [sample_scene(side) for side in options.sides]
    rounds = measure(scenes, options)
    numbers = {"view": VIEW, "strokes": STROKES, "repeats": options.repeats, "trees": TREES}
    where = f"{hardware()}; {options.threads} threads."
    text = f"{PROTOCOL.format(**numbers)}\n{table(rounds)}\n\n{where}"
    print(text, goals(rounds), sep="\n\n")
    if options.publish:
        publish(TABLE, f"{text}\n\nPrinted by `benchmarks/interactive.py`.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", default="membrane", help="name or file of the weights")
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--image", type=Path, help="a plane of your own, 512 x 512 or larger")
    parser.add_argument("--truth", type=Path, help="its classes")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--publish", action="store_true", help="put the table into the pages")
    options = parser.parse_args()
    if (options.image is None) != (options.truth is None):
        parser.error("give --image and --truth together")
    return options


if __name__ == "__main__":
    main()
