"""Whether painting where the network is in doubt takes fewer strokes than painting anywhere.

Two strokes a class are painted on one plane of the train part. Then strokes are added one by one,
truthful ones, and the val part is answered and scored on the way:

- random: the classes take turns, and the stroke lies anywhere in its class;
- most uncertain: the stroke goes through the pixel of the highest entropy, in its true class;
- guided: it goes through the place that `napari_infoleak.doubtful` proposes.

Nothing of the ranking was chosen on these stacks. ``--json`` keeps every curve, and what it has of
the same weights is not measured again.

    python benchmarks/guided_painting.py --data FOLDER --referee FOLDER

The folders are by default INFOLEAK_DATA and INFOLEAK_REFEREE, else ``../shared/data`` and
``../shared/referee``.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import ndimage as ndi
from skimage.morphology import skeletonize

import napari_infoleak as il
from _rows import Kept, Row, finish, markdown, model_hash, of, run_options, verdict
from _sets import Referee, check_folders, folder_options, load, support_plane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _sets import Parts, Stack

SETS = ("isbi2012", "vnc_stack1")
RANDOM, UNCERTAIN, GUIDED = "random", "most uncertain", "guided"
ARMS = (RANDOM, UNCERTAIN, GUIDED)
FIRST = 2  # strokes a class to begin with
COUNTS = (0, 1, 2, 3, 4, 6, 8, 12, 16)  # added strokes at which the val part is scored
FEWER = 0.25  # strokes that guided painting is to save
FIGURES = {"membrane_iou": "membrane IoU", "v_rand": "V_rand", "v_rand_best": "V_rand, best"}
THRESHOLDS = np.linspace(0.2, 0.8, 7)
CLEAR = 8  # pixels around paint where nothing is proposed

PROTOCOL = f"""\
{FIRST} strokes a class are painted on one plane of the training part, another for each seed; then
truthful strokes are added one by one, and the validation part is answered and scored. *Random*: the
classes take turns, and a stroke lies anywhere in its class. *Most uncertain*: it goes through the
pixel of the highest entropy that nothing is painted near. *Guided*: it goes through the place that
"Next doubtful" proposes. V_rand is of the likeliest class; "best" is of the best of
{len(THRESHOLDS)} thresholds of the membrane probability.

The level to reach is what random painting has come to with {COUNTS[-1]} added strokes (median over
the seeds). Strokes are counted with the {2 * FIRST} to begin with, until the median over the seeds
is there; between two counts they are interpolated.
"""

SOURCE = """\
Printed by `benchmarks/guided_painting.py`; every curve is kept in
`docs/benchmarks/guided_painting.json`.
"""


def main() -> None:
    """Run the arms and print the tables."""
    options = _options()
    torch.set_num_threads(options.threads)
    kept, model = Kept(options.json), model_hash(options.model)
    referee = Referee(options.referee)
    counts = [count for count in COUNTS if count <= options.most]
    for name in options.sets:
        parts = load(options.data, name)
        for seed in range(options.seeds):
            for arm in options.arms:
                key: Row = {"set": name, "arm": arm, "seed": seed, "most": counts[-1]}
                key["model"] = model
                if not kept.has(key):
                    kept.add(key, curve(arm, parts, seed, counts, referee, options.model))
    rows = of(kept.current(model), most=counts[-1])
    text = f"{PROTOCOL}\n{table(rows)}\n\n{curves(rows, counts)}\n\n{SOURCE}"
    finish(options, {"guided_painting": text})
    print("\n".join(verdicts(rows)))


def curve(
    arm: str, parts: Parts, seed: int, counts: Sequence[int], referee: Referee, model: str
) -> Row:
    """Add strokes one by one; figures at the counts."""
    plane = support_plane(parts.train, seed)
    image, truth = parts.train[plane], parts.train_truth[plane]
    painter = Painter(truth, referee, seed)
    painted = referee.paint(truth, str(FIRST), seed)
    found: dict[str, list[float]] = {name: [] for name in FIGURES}
    for count in range(counts[-1] + 1):
        support = il.SupportSet().add(image, painted, axes="YX")
        if count in counts:
            for name, value in scored(support, parts, referee, model).items():
                found[name].append(round(value, 5))
        if count == counts[-1]:
            break
        place = propose(arm, image, support, painted, model)
        stroke, number = painter.anywhere(count) if place is None else painter.through(*place)
        painted[stroke] = number
    return {"counts": list(counts), **found}


def propose(
    arm: str, image: Stack, support: il.SupportSet, painted: Stack, model: str
) -> tuple[int, int] | None:
    """Where the next stroke goes; None for anywhere."""
    if arm == RANDOM:
        return None
    if arm == GUIDED:
        places = il.doubtful(image, support, model, axes="YX", device="cpu", count=1)
        return (places[0].y, places[0].x) if places else None
    result = il.segment(image, support, model, axes="YX", device="cpu", uncertainty=True)
    free = ndi.distance_transform_edt(painted == 0) > CLEAR
    most = int(np.where(free, result.uncertainty, -1).argmax())
    y, x = divmod(most, image.shape[1])
    return y, x


class Painter:
    """Paints strokes of the referee's kind.

    Parameters
    ----------
    truth : ndarray, shape (Y, X)
    referee : Referee
    seed : int
    """

    def __init__(self, truth: Stack, referee: Referee, seed: int) -> None:
        self._truth, self._referee = truth, referee
        self._rng = np.random.default_rng([seed, 1])
        self._ids = [int(number) for number in np.unique(truth) if number]
        self._tracks = {number: track(truth == number) for number in self._ids}

    def anywhere(self, count: int) -> tuple[Stack, int]:
        """Paint a stroke of the class whose turn it is."""
        number = self._ids[count % len(self._ids)]
        return self._stroke(number, self._rng), number

    def through(self, y: int, x: int) -> tuple[Stack, int]:
        """Paint what a place truly is, from the nearest spot where such a stroke can begin."""
        number = int(self._truth[y, x]) or self._ids[0]
        ys, xs = np.nonzero(self._tracks[number])
        nearest = int(((ys - y) ** 2 + (xs - x) ** 2).argmin())
        return self._stroke(number, _From(nearest, self._rng)), number

    def _stroke(self, number: int, rng: Any) -> Stack:
        return self._referee.stroke(self._truth == number, rng)


def track(inside: Stack) -> Stack:
    """Where the referee has strokes begin: the middle of thin classes, the inside of others."""
    thin = ndi.distance_transform_edt(inside).max() < 8
    found = skeletonize(inside) if thin else ndi.binary_erosion(inside, iterations=3)
    return np.asarray(found if found.any() else inside)


class _From:
    """A random generator that has a stroke begin where it is told."""

    def __init__(self, first: int, rng: np.random.Generator) -> None:
        self._first, self._rng = first, rng

    def integers(self, stop: int) -> int:
        """Choose the beginning."""
        return self._first

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rng, name)


def scored(support: il.SupportSet, parts: Parts, referee: Referee, model: str) -> dict[str, float]:
    """Answer the val part and score it."""
    result = il.segment(parts.val, support, model, axes="ZYX", device="cpu")
    membrane = np.asarray(result.probabilities[result.membrane_index])
    truth = parts.val_truth
    cells = [ndi.label((plane > 0) & (plane != 2))[0] for plane in truth]

    def v_rand(wall: Stack) -> float:
        planes = zip(wall, cells, strict=True)
        return float(np.mean([v_scores(cells_of(one), other)[0] for one, other in planes]))

    v_scores, cells_of = referee.score.v_scores, referee.score.cells_of
    likeliest = result.labels == 2
    return {
        "membrane_iou": referee.score.class_iou(result.labels, truth)["2"],
        "v_rand": v_rand(likeliest),
        "v_rand_best": max(v_rand(membrane > threshold) for threshold in THRESHOLDS),
    }


def reached(own: Sequence[Row], figure: str, level: float) -> float:
    """Strokes until the median over the seeds has come to a level; NaN if it never does."""
    counts = np.array(own[0]["counts"], float) + 2 * FIRST
    medians = np.median([row[figure] for row in own], axis=0)
    above = np.flatnonzero(medians >= level)
    if len(above) == 0:
        return float("nan")
    first = int(above[0])
    if first == 0:
        return float(counts[0])
    low, high = medians[first - 1], medians[first]
    share = (level - low) / (high - low)
    return float(counts[first - 1] + share * (counts[first] - counts[first - 1]))


def levels(rows: Sequence[Row], name: str, figure: str) -> dict[str, float]:
    """Strokes that each arm takes to reach what random painting comes to."""
    own = {arm: of(rows, set=name, arm=arm) for arm in ARMS}
    if not own[RANDOM]:
        return {}
    level = float(np.median([row[figure][-1] for row in own[RANDOM]]))
    strokes = {arm: reached(found, figure, level) for arm, found in own.items() if found}
    return {"level": level} | strokes


def table(rows: Sequence[Row]) -> str:
    """Strokes to a level, and how many fewer than at random."""
    lines = []
    for name in SETS:
        for figure, title in FIGURES.items():
            found = levels(rows, name, figure)
            if found:
                cells = [_saved(found.get(arm, float("nan")), found[RANDOM]) for arm in ARMS]
                lines.append([name, title, f"{found['level']:.3f}", *cells])
    return markdown(["set", "figure", "level", *(f"strokes, {arm}" for arm in ARMS)], lines)


def _saved(strokes: float, at_random: float) -> str:
    if np.isnan(strokes):
        return "not reached"
    if strokes == at_random:
        return f"{strokes:.1f}"
    return f"{strokes:.1f} ({100 * (strokes / at_random - 1):+.0f} %)"


def curves(rows: Sequence[Row], counts: Sequence[int]) -> str:
    """Medians over the seeds by added strokes."""
    lines = []
    for name in SETS:
        for arm in ARMS:
            own = of(rows, set=name, arm=arm)
            for figure, title in FIGURES.items():
                if own:
                    medians = np.median([row[figure] for row in own], axis=0)
                    lines.append([name, arm, title, *(f"{value:.3f}" for value in medians)])
    return markdown(["set", "arm", "figure", *(f"+{count}" for count in counts)], lines)


def verdicts(rows: Sequence[Row]) -> list[str]:
    """Which goals are met."""
    found = []
    for name in SETS:
        for figure in ("v_rand", "membrane_iou"):
            strokes = levels(rows, name, figure)
            if strokes:
                saved = 1 - strokes.get(GUIDED, float("nan")) / strokes[RANDOM]
                what = f"{name}, strokes saved to {FIGURES[figure]} {strokes['level']:.3f}:"
                found.append(verdict(what, saved, ">=", FEWER))
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    folder_options(parser)
    run_options(parser)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--most", type=int, default=COUNTS[-1], help="strokes added at most")
    options = parser.parse_args()
    check_folders(parser, options, *options.sets)
    return options


if __name__ == "__main__":
    main()
