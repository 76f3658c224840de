"""Accuracy against the number of strokes, beside a forest and a network fine-tuned on the same.

Strokes are painted on one plane of the train part; the val part is answered with them as support
and scored. Prints a Markdown table and which goals are met; ``--json`` keeps every single figure,
and what it has of the same weights is not measured again.

    python benchmarks/annotation_efficiency.py --data FOLDER --referee FOLDER

The data folder and the folder with ``annotate.py`` and ``score.py`` (the painter and the scorer)
are by default INFOLEAK_DATA and INFOLEAK_REFEREE, else ``../shared/data`` and
``../shared/referee``.
"""

from __future__ import annotations

import argparse
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch

from _arms import ALONE, EMPTY, FOREST, LEAK, PERMUTED, TUNED, Arms
from _rows import (
    Kept,
    Row,
    finish,
    markdown,
    middle,
    model_hash,
    of,
    rounded,
    run_options,
    shown,
    verdict,
)
from _sets import SETS, Referee, check_folders, folder_options, load, support_plane
from napari_infoleak.evaluate.calibration import auroc, expected_calibration_error

if TYPE_CHECKING:
    from _rivals import Answer
    from _sets import Stack

AMOUNTS = ("3", "10", "30", "dense")
ARMS = {
    ALONE: ("0",),
    EMPTY: ("0",),
    FOREST: AMOUNTS,
    TUNED: AMOUNTS,
    LEAK: AMOUNTS,
    PERMUTED: ("10",),
}
"""What is compared, and the strokes a class that each is given."""

BEST_AT = "10"  # strokes at which V_rand is scored at its best threshold too, which takes long

GOALS: tuple[tuple[str, str, str, str, float], ...] = (
    ("isbi2012", "10", "membrane_iou", ">=", 0.68),
    ("isbi2012", "10", "v_rand", ">=", 0.95),
    ("isbi2012", "10", "v_rand_best", ">=", 0.95),
    ("isbi2012", "dense", "membrane_iou", ">=", 0.73),
    ("vnc_stack1", "10", "membrane_iou", ">=", 0.65),
    ("vnc_stack1", "10", "v_rand", ">=", 0.92),
    ("vnc_stack1", "10", "v_rand_best", ">=", 0.92),
    ("vnc_stack1", "dense", "membrane_iou", ">=", 0.70),
    ("epfl6", "10", "membrane_iou", ">=", 0.60),
    *((name, "10", "ece", "<=", 0.05) for name in SETS),
    *((name, "10", "error_auroc", ">=", 0.85) for name in SETS),
)

PROTOCOL = """\
Strokes are painted by a script on one plane of the training part of each set, another plane for
each seed; the validation part, which has no annotation, is answered and scored. Median over the
seeds; in brackets the worst and the best. Membrane is scored against all the rest.

- *forest*: 100 trees on scikit-image's `multiscale_basic_features`, classes balanced, the same
  strokes (of a dense plane it sees 40,000 pixels).
- *U-Net, fine-tuned 60 s*: body and own head of the shipped network, all of their weights trained
  on the same strokes for 60 seconds of one thread (Adam, flips, turns, brightness, contrast, noise;
  classes balanced but for the dense plane).
- *leak with permuted labels*: the same pixels are painted, with their labels shuffled. What is left
  must come from the network's own opinion.
- *memory emptied*: the same network with all of its parameters, but keys, label patches and linear
  rule are zero. What the fusion adds by itself, without any annotation.

V_rand, V_info and clDice are of the likeliest class; "V_rand, best" is of the best of 19 thresholds
of the membrane probability, as the ISBI 2012 challenge scored it, for 10 strokes alone.

ECE is the expected calibration error of the membrane probability (15 bins). AUROC says how well the
uncertainty ranks wrong pixels above right ones; for the forest and the U-Net, uncertainty is the
entropy of their probabilities as well.
"""

SOURCE = """\
Printed by `benchmarks/annotation_efficiency.py`; every single figure is kept in
`docs/benchmarks/annotation_efficiency.json`.
"""


def main() -> None:
    """Run the arms and print the table."""
    options = _options()
    torch.set_num_threads(options.threads)
    kept, model = Kept(options.json), model_hash(options.model)
    referee = Referee(options.referee)
    for name in options.sets:
        parts, arms = load(options.data, name), Arms(options.model)
        for arm in options.arms:
            for amount, seed in cells(arm, options.amounts, options.seeds):
                plane = support_plane(parts.train, seed)
                key: Row = {"set": name, "arm": arm, "strokes": amount, "seed": seed}
                key |= {"plane": plane, "model": "" if arm == FOREST else model}
                best = ("v_rand_best",) if amount == BEST_AT else ()
                if not kept.has(key, *best):
                    told = "10" if amount == "0" else amount  # is not looked at, or emptied
                    painted = referee.paint(parts.train_truth[plane], told, seed)
                    answer = arms.answer(arm, parts.train[plane], painted, parts.val, seed)
                    found = figures(answer, parts.val_truth, referee)
                    if best:
                        found |= at_best(answer, parts.val_truth, referee)
                    kept.add(key, found)
    rows = kept.current(model)
    text = f"{PROTOCOL}\n{table(rows)}\n\n{SOURCE}"
    short = short_table(rows)
    finish(options, {"annotation_efficiency": text, "annotation_efficiency, in short": short})
    print("\n".join(verdicts(rows)))


def cells(arm: str, amounts: tuple[str, ...], seeds: int) -> list[tuple[str, int]]:
    """Strokes and seeds to run; without annotation nothing depends on a seed."""
    wanted = [amount for amount in ARMS[arm] if amount in ("0", *amounts)]
    return [(a, s) for a, s in product(wanted, range(seeds)) if a != "0" or s == 0]


def figures(answer: Answer, truth: Stack, referee: Referee) -> Row:
    """The figures of the table."""
    labels = answer.labels
    found = referee.score.score(labels, truth, "semantic", 2)
    return rounded(
        {
            "membrane_iou": found["iou"]["2"],
            "cldice": found["cldice"],
            "v_rand": found["v_rand"],
            "v_info": found["v_info"],
            "ece": expected_calibration_error(answer.membrane, truth == 2),
            "error_auroc": auroc(answer.uncertainty, labels != truth),
        }
    )


def at_best(answer: Answer, truth: Stack, referee: Referee) -> Row:
    """V_rand at the best of 19 thresholds, as ISBI 2012 scored it."""
    found = referee.score.score(answer.membrane, truth, "probability", 2)
    return rounded({"v_rand_best": found["v_rand"]})


def table(rows: list[Row]) -> str:
    """Median and range over the seeds, as Markdown."""
    head = ["set", "strokes a class", "arm", "seeds", "membrane IoU (min-max)", "V_rand"]
    lines = []
    for name, amount, arm in product(SETS, ("0", *AMOUNTS), ARMS):
        own = of(rows, set=name, strokes=amount, arm=arm)
        if own:
            start = [name, amount, arm, str(len(own)), shown(own, "membrane_iou", span=True)]
            rest = ("v_rand", "v_rand_best", "v_info", "cldice", "ece", "error_auroc")
            lines.append([*start, *(shown(own, figure) for figure in rest)])
    rest = ("V_rand, best", "V_info", "clDice", "ECE", "AUROC of errors")
    return markdown([*head, *rest], lines)


def short_table(rows: list[Row]) -> str:
    """Median membrane IoU alone, a line a set and method."""
    titles = {
        "isbi2012": "ISBI 2012, fly larva, TEM",
        "vnc_stack1": "fly nerve cord, TEM",
        "epfl6": "hippocampus, FIB-SEM",
    }
    arms = {LEAK: "**infoleak**", TUNED: "U-Net, fine-tuned 60 s", FOREST: "forest"}
    lines = []
    for (name, title), (arm, told) in product(titles.items(), arms.items()):
        own = of(rows, set=name, arm=arm)
        alone = of(rows, set=name, arm=ALONE) if arm == LEAK else []
        cols = [alone, *(of(own, strokes=amount) for amount in AMOUNTS)]
        if own:
            values = (middle(col, "membrane_iou") for col in cols)
            told_values = ("-" if np.isnan(value) else f"{value:.2f}" for value in values)
            lines.append([f"{title}: {told}", *told_values])
    head = ["membrane IoU, median of seeds", "no paint"]
    return markdown([*head, "3 strokes", "10 strokes", "30 strokes", "one dense plane"], lines)


def verdicts(rows: list[Row]) -> list[str]:
    """Which goals the medians meet."""
    told = []
    for name, amount, figure, sense, goal in GOALS:
        value = middle(of(rows, set=name, strokes=amount, arm=LEAK), figure)
        told.append(verdict(f"{name}, {amount}: {figure}", value, sense, goal))
    for name, amount in product(SETS, AMOUNTS[:3]):
        ours, rival = (
            middle(of(rows, set=name, strokes=amount, arm=arm), "membrane_iou")
            for arm in (LEAK, TUNED)
        )
        told.append(verdict(f"{name}, {amount}: membrane_iou beside {TUNED}", ours, ">=", rival))
    return told


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    folder_options(parser)
    run_options(parser)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--amounts", nargs="+", default=list(AMOUNTS), choices=AMOUNTS)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    options = parser.parse_args()
    check_folders(parser, options, *options.sets)
    return options


if __name__ == "__main__":
    main()
