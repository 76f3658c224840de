"""Whether annotations help planes far away as much as their neighbours.

Neighbouring planes of a stack show the same cells: a network that looks up annotations could gain
by finding the same places again, and a split that takes every other plane would flatter it. So the
train parts of two stacks are answered twice, with as many strokes on as many planes: once on
neighbours of the answered planes, once on a block at the other end of the stack. Then from one
painted plane each, with the gain by distance. Gain is membrane IoU less that without annotation, on
the same planes. Nothing of the shipped model was chosen on these stacks.

    python benchmarks/splits.py --data FOLDER --referee FOLDER

The folders are by default INFOLEAK_DATA and INFOLEAK_REFEREE, else ``../shared/data`` and
``../shared/referee``.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import torch

import napari_infoleak as il
from _arms import leakage
from _rows import Kept, Row, finish, markdown, model_hash, of, rounded, run_options, shown
from _sets import Referee, check_folders, folder_options, load, support_plane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _sets import Parts, Stack

SETS = ("isbi2012", "vnc_stack1")
STROKES = "10"
INTERLEAVED, BLOCK, DISTANCE = "interleaved", "block", "distance"
BINS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 8), (9, 12))
"""Distances in planes that are told together."""

PROTOCOL = f"""\
Train parts of the stacks, {STROKES} strokes a class on each painted plane. *Interleaved*: every
answered plane has painted ones beside it. *Block*: the same planes are answered, with as many
planes painted at the other end of the stack, at least four planes away. Gain is the membrane IoU
less that without any annotation, on the same planes; median over the seeds of the strokes, in
brackets the worst and the best.
"""

BY_DISTANCE = """\
From one painted plane, another for each seed: the gain by the distance of the answered plane, in
planes.
"""

SOURCE = """\
Printed by `benchmarks/splits.py`; every single figure is kept in `docs/benchmarks/splits.json`.
"""


def main() -> None:
    """Run the splits and print the tables."""
    options = _options()
    torch.set_num_threads(options.threads)
    kept, model = Kept(options.json), model_hash(options.model)
    referee = Referee(options.referee)
    for name in SETS:
        parts = load(options.data, name)
        alone: Stack | None = None
        for split in (INTERLEAVED, BLOCK, DISTANCE):
            for seed in range(options.seeds):
                key: Row = {"set": name, "split": split, "seed": seed, "model": model}
                if kept.has(key):
                    continue
                if alone is None:
                    alone = overlaps(parts, range(len(parts.train)), None, options.model)
                support = painted(parts, planes_of(split, parts, seed)[0], seed, referee)
                answered = planes_of(split, parts, seed)[1]
                found = overlaps(parts, answered, support, options.model)
                kept.add(key, figures(split, parts, seed, found, alone[list(answered)]))
    rows = kept.current(model)
    text = f"{PROTOCOL}\n{table(rows)}\n\n{BY_DISTANCE}\n{distance_table(rows)}\n\n{SOURCE}"
    finish(options, {"splits": text})


def planes_of(split: str, parts: Parts, seed: int) -> tuple[list[int], list[int]]:
    """Painted and answered planes."""
    count = len(parts.train)
    if split == DISTANCE:
        plane = support_plane(parts.train, seed)
        return [plane], [other for other in range(count) if other != plane]
    many = (count + 1) // 4
    answered = list(range(count - 1, count - 1 - 2 * many, -2))
    return (
        [plane - 1 for plane in answered] if split == INTERLEAVED else list(range(many))
    ), answered


def painted(parts: Parts, planes: Sequence[int], seed: int, referee: Referee) -> il.SupportSet:
    """Strokes on some planes of the train part."""
    support = il.SupportSet()
    for plane in planes:
        strokes = referee.paint(parts.train_truth[plane], STROKES, 100 * seed + plane)
        support = support.add(parts.train[plane], strokes, axes="YX")
    return support


def overlaps(
    parts: Parts, planes: Sequence[int], support: il.SupportSet | None, model: str
) -> Stack:
    """Membrane IoU of some planes of the train part, one by one."""
    answer = leakage(parts.train[list(planes)], support, model)
    found, truth = answer.labels == 2, parts.train_truth[list(planes)] == 2
    return np.asarray((found & truth).sum((1, 2)) / (found | truth).sum((1, 2)))


def figures(split: str, parts: Parts, seed: int, found: Stack, alone: Stack) -> Row:
    """Mean IoU and gain; for one painted plane by distance."""
    if split != DISTANCE:
        return rounded({"iou": found.mean(), "alone": alone.mean(), "gain": (found - alone).mean()})
    (plane,), answered = planes_of(split, parts, seed)
    away = np.abs(np.asarray(answered) - plane)
    gains = found - alone
    inside = {f"gain_{low}": gains[(away >= low) & (away <= high)] for low, high in BINS}
    return rounded({name: part.mean() for name, part in inside.items() if part.size})


def table(rows: list[Row]) -> str:
    """The two splits side by side."""
    lines = []
    for name in SETS:
        for split in (INTERLEAVED, BLOCK):
            own = of(rows, set=name, split=split)
            if own:
                cells = (shown(own, "alone"), shown(own, "iou"), shown(own, "gain", span=True))
                lines.append([name, split, str(len(own)), *cells])
    head = ["set", "painted planes", "seeds", "IoU, no annotation", "IoU", "gain (min-max)"]
    return markdown(head, lines)


def distance_table(rows: list[Row]) -> str:
    """Gain by distance."""
    lines = []
    for name in SETS:
        own = of(rows, set=name, split=DISTANCE)
        if own:
            gains = (shown(own, f"gain_{low}", span=True) for low, _ in BINS)
            lines.append([name, str(len(own)), *gains])
    told = [f"{low}" if low == high else f"{low} to {high}" for low, high in BINS]
    return markdown(["set", "seeds", *told], lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    folder_options(parser)
    run_options(parser)
    options = parser.parse_args()
    check_folders(parser, options, *SETS)
    return options


if __name__ == "__main__":
    main()
