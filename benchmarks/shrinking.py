"""A trained model becomes a small one: size, time and IoU by class, before and after.

A U-Net of the usual size, from the shipped weights, learns on the train part of a set. Then a small
network is taught by it, and learns by itself as the control: the same network, the same annotated
planes, as many steps. The val part is answered and scored. Prints a Markdown
table and whether the goals are met; ``--json`` keeps every single figure, and what it has is not
measured again.

    python benchmarks/shrinking.py --data FOLDER --work FOLDER

Large models lie in the work folder from one run to the next.
"""

from __future__ import annotations

import argparse
import os
import time
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import napari_infoleak as il
from _rows import Kept, Row, finish, markdown, middle, model_hash, of, rounded, shown, verdict
from _sets import check_folders, folder_options, load

if TYPE_CHECKING:
    from _sets import Parts

STACKS = {
    "isbi2012": {1: "interior", 2: "membrane"},
    "vnc_stack1": {1: "intracellular", 2: "membrane", 3: "mitochondria", 4: "synapse", 5: "glia"},
}
SMALL = {"widths": (8, 16, 32, 64), "features": 16}  # as `il.shrink` makes them
LARGE, TAUGHT, ALONE = "large", "taught", "by itself"
ARMS = (LARGE, TAUGHT, ALONE)
FASTER, LOSES = 0.25, 0.02
_RARE = 0.01  # of the pixels, as `il.shrink` names rare classes

PROTOCOL = """\
*Large*: a U-Net from the shipped weights, {first} steps on the train part (15 planes of isbi2012, 8
of vnc_stack1). *Taught*: `il.shrink` of it with the planes and their annotations, {then} steps.
*By itself*: the same small network, as many steps on the same annotations, without a teacher. All
with {batch} crops of {crop} x {crop} a step and one thread. IoU of the val part, which none of them
saw, by class; seconds of one processor core for a megapixel, median over the seeds. Shares are of
the train part.
"""

SOURCE = """\
Printed by `benchmarks/shrinking.py`; every single figure is kept in
`docs/benchmarks/shrinking.json`.
"""


def main() -> None:
    """Run what is not measured yet, and print the tables."""
    options = _options()
    torch.set_num_threads(1)
    kept, model = Kept(options.json), model_hash("membrane")
    runs = 0
    for seed, name, arm in product(range(options.seeds), options.sets, ARMS):
        key: Row = {"set": name, "arm": arm, "seed": seed, "first": options.first}
        key |= {"then": 0 if arm == LARGE else options.then, "model": "" if arm == ALONE else model}
        if runs == options.most:
            break
        if not kept.has(key):
            kept.add(key, Run(load(options.data, name, every_class=True), key, options).figures())
            runs += 1
    rows = [
        row
        for row in of(kept.current(model), first=options.first)
        if row["then"] in (0, options.then)
    ]
    protocol = PROTOCOL.format(**vars(options))
    tables = "\n\n".join(table(rows, name) for name in options.sets)
    finish(options, {"shrinking": f"{protocol}\n{tables}\n\n{SOURCE}"})
    for line in verdicts(rows, options.sets):
        print(line)


class Run:
    """One arm on one set."""

    def __init__(self, parts: Parts, key: Row, options: argparse.Namespace) -> None:
        self._parts, self._arm, self._options = parts, key["arm"], options
        self._classes = STACKS[key["set"]]
        self._seed = key["seed"]
        name = f"large_{key['set']}_{self._seed}_{options.first}_{key['model']}.safetensors"
        self._large = options.work / name

    def figures(self) -> Row:
        """Size, time, IoU by class and how frequent classes are."""
        model = self._model()
        truth, taken = self._parts.val_truth, []
        for _ in range(3):  # the first time it is made ready
            before = time.process_time()
            answer = il.segment(
                self._parts.val,
                model=model,
                axes="ZYX",
                threads=1,
                device="cpu",
                probabilities=False,
            )
            taken.append(time.process_time() - before)
        row = {"seconds": min(taken) / (truth.size / 1e6)}
        row["bytes"] = sum(one.nbytes for one in model.segmenter.tensors().values())
        for number in self._classes:
            said, true = answer.labels == number, truth == number
            row[f"iou_{number}"] = float((said & true).sum() / (said | true).sum())
            row[f"share_{number}"] = float((self._parts.train_truth == number).mean())
        return rounded(row)

    def _model(self) -> il.Model:
        pairs = [(self._parts.train, self._parts.train_truth)]
        if self._arm == LARGE:
            return self._trained_large()
        then = {"steps": self._options.then, **self._settings()}
        if self._arm == ALONE:
            return il.train(pairs, method="unet", init=None, options=SMALL, **then)
        if not self._large.exists():
            self._trained_large()
        return il.shrink(self._large, [], annotations=pairs, **then)

    def _trained_large(self) -> il.Model:
        return il.train(
            [(self._parts.train, self._parts.train_truth)],
            method="unet",
            steps=self._options.first,
            output=self._large,
            **self._settings(),
        )

    def _settings(self) -> dict[str, Any]:
        how = {"axes": "ZYX", "device": "cpu", "threads": 1, "hold_out": False}
        options = self._options
        return how | {"seed": self._seed, "crop": options.crop, "batch": options.batch}


def table(rows: list[Row], name: str) -> str:
    """Size, time and IoU of a set, as Markdown."""
    classes, lines = STACKS[name], []
    for arm in ARMS:
        own = of(rows, set=name, arm=arm)
        if own:
            cells = [shown(own, f"iou_{number}", span=True) for number in classes]
            size, taken = f"{middle(own, 'bytes') / 1e6:.2f}", f"{middle(own, 'seconds'):.2f}"
            lines.append([arm, str(len(own)), size, taken, *cells])
    shares = [100 * middle(of(rows, set=name), f"share_{number}") for number in classes]
    named = [f"{one} ({share:.1f} %)" for one, share in zip(classes.values(), shares, strict=True)]
    return markdown([name, "seeds", "MB", "s a megapixel", *named], lines)


def verdicts(rows: list[Row], sets: list[str]) -> list[str]:
    """Say which goals are met."""
    found = []
    for name in sets:
        large, taught = (of(rows, set=name, arm=arm) for arm in (LARGE, TAUGHT))
        ratio = middle(taught, "seconds") / middle(large, "seconds")
        found.append(
            verdict(f"{name}: time of the small one, of the large one's", ratio, "<=", FASTER)
        )
        for number, one in STACKS[name].items():
            figure = f"iou_{number}"
            rare = ", rare" if middle(large, f"share_{number}") < _RARE else ""
            loss = middle(large, figure) - middle(taught, figure)
            found.append(verdict(f"{name}: {one}{rare}: IoU lost", loss, "<=", LOSES))
            control = middle(taught, figure) - middle(of(rows, set=name, arm=ALONE), figure)
            found.append(verdict(f"{name}: {one}{rare}: gain on by itself", control, ">=", 0.0))
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    folder_options(parser)
    parser.add_argument("--work", type=Path, default=Path(os.environ.get("TMPDIR", "work")))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=150, help="steps of the large model")
    parser.add_argument("--then", type=int, default=400, help="steps of small ones")
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--sets", nargs="+", default=list(STACKS), choices=STACKS)
    parser.add_argument("--most", type=int, default=-1, help="stop after so many runs")
    parser.add_argument("--json", type=Path, help="keep every figure here, and go on from it")
    parser.add_argument("--publish", action="store_true", help="put the tables into the pages")
    options = parser.parse_args()
    check_folders(parser, options, *options.sets)
    options.work.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
