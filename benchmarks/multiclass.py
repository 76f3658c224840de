"""Five classes from ten strokes each, beside a forest and a network fine-tuned on the same strokes.

One plane of the train part of vnc_stack1 is painted, each class of it with the same number of
strokes; the val part is answered and scored, class by class. Prints a Markdown table and whether
the goal is met; ``--json`` keeps every single figure, and what it has of the same weights is not
measured again.

    python benchmarks/multiclass.py --data FOLDER --referee FOLDER

The folders are by default INFOLEAK_DATA and INFOLEAK_REFEREE, else ``../shared/data`` and
``../shared/referee``.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import torch

from _arms import FOREST, LEAK, TUNED, Arms
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
from _sets import Referee, check_folders, folder_options, load, support_plane

if TYPE_CHECKING:
    from _rivals import Answer
    from _sets import Stack

SET = "vnc_stack1"
CLASSES = {
    1: "intracellular",
    2: "membrane",
    3: "mitochondria",
    4: "synapse",
    5: "glia, extracellular",
}
ARMS = (FOREST, TUNED, LEAK)
AHEAD = 0.12  # of the forest's mean IoU: the goal

PROTOCOL = """\
vnc_stack1 with its five classes: {strokes} strokes a class, painted by a script on one plane of the
training part, another plane for each seed; the two planes of the validation part are answered and
scored. IoU by class, pooled over both planes, and its mean over the classes; median over the seeds,
in brackets the worst and the best. Forest and fine-tuned U-Net as above; the head of the U-Net
starts anew, for the shipped one tells two classes apart.
"""

SOURCE = """\
Printed by `benchmarks/multiclass.py`; every single figure is kept in
`docs/benchmarks/multiclass.json`.
"""


def main() -> None:
    """Run the arms and print the table."""
    options = _options()
    torch.set_num_threads(options.threads)
    kept, model = Kept(options.json), model_hash(options.model)
    parts, arms = load(options.data, SET, every_class=True), Arms(options.model)
    referee = Referee(options.referee)
    for arm in options.arms:
        for seed in range(options.seeds):
            plane = support_plane(parts.train, seed)
            key: Row = {"set": SET, "arm": arm, "strokes": options.strokes, "seed": seed}
            key |= {"plane": plane, "model": "" if arm == FOREST else model}
            if not kept.has(key):
                painted = referee.paint(parts.train_truth[plane], options.strokes, seed)
                answer = arms.answer(arm, parts.train[plane], painted, parts.val, seed)
                kept.add(key, figures(answer, parts.val_truth))
    rows = of(kept.current(model), strokes=options.strokes)
    protocol = PROTOCOL.format(strokes=options.strokes)
    finish(options, {"multiclass": f"{protocol}\n{table(rows)}\n\n{SOURCE}"})
    forest, ours = (middle(of(rows, arm=arm), "miou") for arm in (FOREST, LEAK))
    print(verdict(f"{SET}, five classes: mIoU", ours, ">=", forest + AHEAD))


def figures(answer: Answer, truth: Stack) -> Row:
    """IoU of each class, 0 for one that was never answered, and the mean."""
    labels = answer.labels
    found = {}
    for number in CLASSES:
        p, t = labels == number, truth == number
        found[f"iou_{number}"] = float((p & t).sum() / max(int((p | t).sum()), 1))
    return rounded({"miou": float(np.mean(list(found.values())))} | found)


def table(rows: list[Row]) -> str:
    """Median and range over the seeds, as Markdown."""
    lines = []
    for arm in ARMS:
        own = of(rows, arm=arm)
        if own:
            each = (shown(own, f"iou_{number}") for number in CLASSES)
            lines.append([arm, str(len(own)), shown(own, "miou", span=True), *each])
    return markdown(["arm", "seeds", "mean IoU (min-max)", *CLASSES.values()], lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    folder_options(parser)
    run_options(parser)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--strokes", default="10", help="a class")
    options = parser.parse_args()
    check_folders(parser, options, SET)
    return options


if __name__ == "__main__":
    main()
