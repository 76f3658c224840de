"""A fifth class joins a model of four: what is forgotten, what is learned, beside naive training.

vnc_stack1 at a quarter of its resolution, so that a run takes a minute or two. A network learns
four classes on the train part, in which the fifth is called intracellular; then the fifth is
painted on four planes, whole, and joins. The val part is answered and scored. Prints a Markdown
table and whether the goals are met; ``--json`` keeps every single figure, and what it has is not
measured again.

    python benchmarks/growing.py --data FOLDER --work FOLDER

Models of four classes lie in the work folder from one run to the next.
"""

from __future__ import annotations

import argparse
import os
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import napari_infoleak as il
from _rows import Kept, Row, finish, markdown, middle, of, rounded, shown, verdict
from _sets import check_folders, folder_options, load

if TYPE_CHECKING:
    from _sets import Parts, Stack

SET = "vnc_stack1"
NAMES = {1: "intracellular", 2: "membrane", 3: "mitochondria", 4: "synapse", 5: "glia"}
HOST = 1
ORDERS = {"mitochondria": 3, "synapse": 4}
SHRINK = 4
PAINTED = 4  # planes on which the new class is painted
SIZES = {"widths": (8, 16, 32, 64), "features": 16}
FOUR, JOINT = "four classes", "joint training"
NAIVE, ALONE, REPLAY = "naive training", "added, no replay", "added, with replay"
ARMS = (FOUR, NAIVE, REPLAY, ALONE, JOINT)
FORGETS, FORGETS_ALONE, OF_JOINT = 0.02, 0.05, 0.9

PROTOCOL = """\
`vnc_stack1` at a quarter of its resolution, method `continual` with channels 8 to 64, from nothing.
{first} steps on the eight planes of the train part with four classes, in which the fifth is called
intracellular; then {then} steps for the fifth, painted wholly on {painted} of these planes and
nothing else with it. *Naive* is training on in the usual way, with all that is not the new class
called intracellular. *With replay* the eight planes of four classes are given again. *Joint* is
{both} steps on all five classes of all eight planes, from nothing: the ceiling. The two planes of
the val part are answered. Old: mean IoU of the four old classes, of *four classes* by the
annotation that calls the new class intracellular, of all others by the real one. Median over seeds,
in brackets the worst and the best.
"""

SOURCE = """\
Printed by `benchmarks/growing.py`; every single figure is kept in `docs/benchmarks/growing.json`.
"""


def main() -> None:
    """Run what is not measured yet, and print the table."""
    options = _options()
    torch.set_num_threads(1)
    kept = Kept(options.json)
    parts = load(options.data, SET, every_class=True)
    runs = 0
    for seed, order, arm in product(options.seeds, options.orders, ARMS):
        if runs == options.most:
            break
        key: Row = {"new": order if arm != JOINT else "", "arm": arm, "seed": seed}
        key |= {"first": options.first, "then": options.then, "model": ""}
        if not kept.has(key):
            kept.add(key, Run(parts, ORDERS[order], seed, options).figures(arm))
            runs += 1
    rows = of(kept.rows, first=options.first, then=options.then)
    protocol = PROTOCOL.format(
        first=options.first,
        then=options.then,
        both=options.first + options.then,
        painted=PAINTED,
    )
    finish(options, {"growing": f"{protocol}\n{table(rows)}\n\n{SOURCE}"})
    for line in verdicts(rows):
        print(line)


class Run:
    """One seed of one order."""

    def __init__(self, parts: Parts, new: int, seed: int, options: argparse.Namespace) -> None:
        self._new, self._seed, self._options = new, seed, options
        self._images, self._val = smaller(parts.train), smaller(parts.val)
        self._truth, self._asked = parts.train_truth[..., ::SHRINK, ::SHRINK], parts.val_truth
        self._asked = self._asked[..., ::SHRINK, ::SHRINK]
        self._four = options.work / f"four_{new}_{seed}_{options.first}.safetensors"

    def figures(self, arm: str) -> Row:
        """IoU by class of an arm, the mean of the old ones and the new one."""
        truth = self._hidden(self._asked) if arm == FOUR else self._asked
        answer = il.segment(
            self._val, model=self._model(arm), axes="ZYX", threads=1, device="cpu"
        ).labels
        found = {}
        for number in NAMES:
            p, t = answer == number, truth == number
            found[f"iou_{number}"] = float((p & t).sum() / max(int((p | t).sum()), 1))
        return rounded(found)

    def _hidden(self, truth: Stack) -> Stack:
        """The truth of four classes."""
        return np.where(truth == self._new, HOST, truth).astype(np.uint8)

    def _model(self, arm: str) -> il.Model:
        first, then = self._options.first, self._options.then
        if arm == FOUR:
            return self._train(self._hidden(self._truth), steps=first, output=self._four)
        if arm == JOINT:
            return self._train(self._truth, steps=first + then)
        if not self._four.is_file():
            self._model(FOUR)
        images = self._images[:PAINTED]
        new = np.where(self._truth == self._new, self._new, 0).astype(np.uint8)[:PAINTED]
        if arm == NAIVE:
            painted = np.where(new > 0, new, HOST).astype(np.uint8)
            settings: dict[str, Any] = self._settings() | {"steps": then}
            return il.train([(images, painted)], method="continual", init=self._four, **settings)
        replay = [(self._images, self._hidden(self._truth))]
        return il.add_class(
            self._four,
            NAMES[self._new],
            [(images, new)],
            class_id=self._new,
            complete=True,
            replay=replay if arm == REPLAY else None,
            steps=then,
            **self._settings(),
        )

    def _train(self, truth: Stack, **settings: Any) -> il.Model:
        settings |= self._settings() | {"method": "continual", "init": None, "options": SIZES}
        return il.train([(self._images, truth)], **settings)

    def _settings(self) -> dict[str, Any]:
        how = {"axes": "ZYX", "device": "cpu", "threads": 1, "hold_out": False}
        return how | {"seed": self._seed, "crop": 64, "batch": 4, "rate": 4e-3}


def smaller(stack: Stack) -> Stack:
    """Means of blocks of a plane, (Z Y X) -> (Z Y/4 X/4)."""
    z, y, x = stack.shape
    blocks = stack.reshape(z, y // SHRINK, SHRINK, x // SHRINK, SHRINK)
    return blocks.mean((2, 4)).astype(np.float32)


def summed(rows: list[Row], order: str, arm: str) -> list[Row]:
    """Rows of an arm with what the table shows: the mean of the old classes, and the new one."""
    new = ORDERS[order]
    own = of(rows, arm=arm, new="" if arm == JOINT else order)
    names = [f"iou_{number}" for number in NAMES if number != new]
    return [
        row | {"old": float(np.mean([row[n] for n in names])), "added": row[f"iou_{new}"]}
        for row in own
    ]


def table(rows: list[Row]) -> str:
    """Median and range over the seeds, as Markdown."""
    lines = []
    for order, arm in product(ORDERS, ARMS):
        own = summed(rows, order, arm)
        if own:
            added = "-" if arm == FOUR else shown(own, "added", span=True)
            old = shown(own, "old", span=True)
            lines.append([order, arm, str(len(own)), old, added])
    return markdown(["new class", "arm", "seeds", "old, mean IoU", "new, IoU"], lines)


def verdicts(rows: list[Row]) -> list[str]:
    """Say which goals are met."""
    found = []
    for order in ORDERS:
        before = middle(summed(rows, order, FOUR), "old")
        for arm, most in ((REPLAY, FORGETS), (ALONE, FORGETS_ALONE)):
            after = middle(summed(rows, order, arm), "old")
            found.append(verdict(f"{order}, {arm}: old mIoU falls by", before - after, "<=", most))
            joint = middle(summed(rows, order, JOINT), "added")
            new = middle(summed(rows, order, arm), "added")
            found.append(verdict(f"{order}, {arm}: new IoU", new, ">=", OF_JOINT * joint))
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    folder_options(parser)
    parser.add_argument("--work", type=Path, default=Path(os.environ.get("TMPDIR", "work")))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--first", type=int, default=200, help="steps for four classes")
    parser.add_argument("--then", type=int, default=200, help="steps for the fifth")
    parser.add_argument("--orders", nargs="+", default=list(ORDERS), choices=ORDERS)
    parser.add_argument("--most", type=int, default=-1, help="stop after so many runs")
    parser.add_argument("--json", type=Path, help="keep every figure here, and go on from it")
    parser.add_argument("--publish", action="store_true", help="put the table into the pages")
    options = parser.parse_args()
    check_folders(parser, options, SET)
    options.work.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
