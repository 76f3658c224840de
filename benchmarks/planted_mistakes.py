"""Whether support scores find what is painted wrongly.

On planes of the train part, strokes are painted by a script, and one mistake is planted: a stroke
in a cell that is called membrane, or all the paint of one plane in four with its classes swapped,
or shifted. Then everything that is painted is reviewed. Nothing of the scores was chosen on
isbi2012; from which score on there is a warning, was chosen on fib25 and on synthetic scenes.

    python benchmarks/planted_mistakes.py --data FOLDER --referee FOLDER

The folders are by default INFOLEAK_DATA and INFOLEAK_REFEREE, else ``../shared/data`` and
``../shared/referee``.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage as ndi

import napari_infoleak as il
from _rows import Kept, Row, finish, markdown, model_hash, of, run_options
from _sets import Referee, check_folders, folder_options, load

if TYPE_CHECKING:
    from pathlib import Path

    from _sets import Stack
    from napari_infoleak.explain.review import Review

SETS = ("isbi2012", "fib25")
NONE, STROKE, SWAPPED, SHIFTED = "nothing", "one stroke", "one plane swapped", "one plane shifted"
PLANTED = {
    STROKE: ("3", "10", "30"),
    SWAPPED: ("3", "10", "dense"),
    SHIFTED: ("3", "10", "dense"),
    NONE: ("3", "10", "30"),
}
"""What is planted, and the strokes a class that it is planted among."""
PLANES = 4  # painted where a whole plane is wrong
SHIFT = (9, 14)  # pixels: about half a cell
APART = 3  # planes between two painted ones
AWAY = 4  # pixels between the mistake and what is painted well

PROTOCOL = f"""\
Strokes a class are painted by a script on one plane of the training part, or on {PLANES} planes
where a whole plane is wrong; other planes for each seed. *One stroke*: inside a cell, called
membrane. *One plane swapped*: its membranes are painted as interior, and the other way round. *One
plane shifted*: all its paint lies {SHIFT[0]} and {SHIFT[1]} pixels beside the truth. *Worst* says
in how many runs the mistake had the lowest score of all, *flagged* in how many it got a warning
sign, *false alarms* how many good strokes or planes got one, in all runs.
"""

SOURCE = """\
Printed by `benchmarks/planted_mistakes.py`; every run is kept in
`docs/benchmarks/planted_mistakes.json`.
"""


def main() -> None:
    """Plant, review, print the table."""
    options = _options()
    torch.set_num_threads(options.threads)
    kept, model = Kept(options.json), model_hash(options.model)
    referee = Referee(options.referee)
    for name in options.sets:
        images, truth = train_part(options.data, name)
        for planted, amounts in PLANTED.items():
            for amount in amounts:
                for seed in range(options.seeds):
                    key: Row = {"set": name, "planted": planted, "strokes": amount, "seed": seed}
                    key["model"] = model
                    if not kept.has(key):
                        support, wrong = annotated(planted, images, truth, amount, seed, referee)
                        kept.add(key, judged(planted, il.review(support, options.model), wrong))
    text = f"{PROTOCOL}\n{table(kept.current(model))}\n\n{SOURCE}"
    finish(options, {"planted_mistakes": text})


def train_part(folder: Path, name: str) -> tuple[Stack, Stack]:
    """Images and truth, 1 interior and 2 membrane."""
    if name != "fib25":
        parts = load(folder, name)
        return parts.train, parts.train_truth
    import tifffile
    from skimage.segmentation import find_boundaries

    raw, ids = (
        np.asarray(tifffile.imread(folder / name / f"train_{what}.tif"))
        for what in ("raw", "bodies")
    )
    walls = np.stack([find_boundaries(plane, mode="inner") for plane in ids])
    # 10 nm pixels, on which membranes are thin and cells are small: seen at twice the size.
    return (
        np.stack([ndi.zoom(plane, 2, order=1) for plane in raw[:95:APART]]),
        np.stack(
            [
                ndi.zoom(np.where(wall, 2, 1).astype(np.uint8), 2, order=0)
                for wall in walls[:95:APART]
            ]
        ),
    )


def annotated(
    planted: str, images: Stack, truth: Stack, amount: str, seed: int, referee: Referee
) -> tuple[il.SupportSet, Stack]:
    """Paint, with a mistake; where the mistake is on the first plane."""
    count = 1 if planted in (STROKE, NONE) else PLANES
    apart = max(1, min(APART, len(images) // count))
    first = (seed * 2) % (len(images) - apart * (count - 1))
    support = il.SupportSet()
    wrong = np.zeros(truth.shape[1:], bool)
    for index in range(count):
        plane = first + apart * index
        painted = referee.paint(truth[plane], amount, seed)
        if index == 0:
            painted, wrong = spoiled(planted, painted, truth[plane], seed, referee)
        support = support.add(images[plane], painted, axes="YX", name=str(index))
    return support, wrong


def spoiled(
    planted: str, painted: Stack, truth: Stack, seed: int, referee: Referee
) -> tuple[Stack, Stack]:
    """Plant the mistake; the paint, and which of it is wrong."""
    nothing = np.zeros(painted.shape, bool)
    if planted == SWAPPED:
        return np.where(painted > 0, 3 - painted, 0).astype(np.uint8), painted > 0
    if planted == SHIFTED:
        shifted = np.roll(painted, SHIFT, (0, 1))
        return shifted, (shifted > 0) & (shifted != truth)
    if planted == STROKE:
        rng = np.random.default_rng([seed, 1])
        free = (truth == 1) & ~ndi.binary_dilation(painted > 0, iterations=AWAY)
        stroke = referee.stroke(free, rng)
        return np.where(stroke, 2, painted).astype(np.uint8), stroke
    return painted, nothing


def judged(planted: str, review: Review, wrong: Stack) -> Row:
    """Whether the mistake came out worst, was flagged, and what else was."""
    if planted in (STROKE, NONE):
        scores = [(one.suspect, bool(wrong[one.y, one.x])) for one in review.strokes]
        worst = min(review.strokes, key=lambda one: one.effect or 0)
        found = bool(wrong[worst.y, worst.x])
    else:
        scores = [(one.suspect, one.source == "0") for one in review.planes]
        found = min(review.planes, key=lambda one: one.effect or 0).source == "0"
    return {
        "judged": len(scores),
        "worst": found,
        "flagged": any(suspect and mistake for suspect, mistake in scores),
        "alarms": sum(suspect and not mistake for suspect, mistake in scores),
    }


def table(rows: list[Row]) -> str:
    """Counts over the seeds."""
    lines = []
    for name in SETS:
        for planted, amounts in PLANTED.items():
            for amount in amounts:
                own = of(rows, set=name, planted=planted, strokes=amount)
                if own:
                    good = sum(row["judged"] for row in own) - (planted != NONE) * len(own)
                    caught = [
                        "-" if planted == NONE else f"{sum(row[what] for row in own)} of {len(own)}"
                        for what in ("worst", "flagged")
                    ]
                    alarms = f"{sum(row['alarms'] for row in own)} of {good}"
                    lines.append([name, planted, amount, *caught, alarms])
    head = ["set", "planted", "strokes a class", "worst", "flagged", "false alarms"]
    return markdown(head, lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    folder_options(parser)
    run_options(parser)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    options = parser.parse_args()
    check_folders(parser, options, *options.sets)
    return options


if __name__ == "__main__":
    main()
