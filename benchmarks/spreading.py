"""Whether labels that spread in order from one frame are better than labels given at once.

A stack is walked from one annotated frame, another for each seed. In every arm the annotated frame
is the permanent memory; they differ in which labelled frames are looked up beside it: none
(static), the nearest that were labelled before, in the order of the distance (ordered), as many in
random order, and neighbours that were all labelled at once (one-shot). The forest learns from the
annotated frame alone. With ``--fine-tuned`` the network learns on the way as well: from the frames
in order, in random order with as many rounds and steps, or, as many steps, from the annotated frame
alone. Scored is the mean IoU of interior and membrane of every other frame, by its distance.
Nothing was chosen on these stacks.

    python benchmarks/spreading.py --data FOLDER --referee FOLDER

The folders are by default INFOLEAK_DATA and INFOLEAK_REFEREE, else ``../shared/data`` and
``../shared/referee``.
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.stats import spearmanr

import napari_infoleak as il
from _rivals import Forest
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
from _sets import Referee, check_folders, folder_options, load
from napari_infoleak.api._spread import STEPS, fine_tuning_settings
from napari_infoleak.core.config import SegmentConfig
from napari_infoleak.core.progress import NEVER, NULL
from napari_infoleak.learn.recipes.fine_tuning import FineTuning
from napari_infoleak.segmenters import registry
from napari_infoleak.spread.confidence import confidence as confidence_of
from napari_infoleak.spread.order import rounds, turns
from napari_infoleak.spread.support import SURE
from napari_infoleak.spread.walk import FADE, FIRST, ROUNDS

if TYPE_CHECKING:
    from pathlib import Path

    from _sets import Stack

STACKS = ("isbi2012", "vnc_stack1", "fib25")
PAINT = ("10", "dense")
STATIC, ORDERED, ONCE, RANDOM, FOREST = "static", "ordered", "one-shot", "random order", "forest"
ARMS = (STATIC, ORDERED, ONCE, RANDOM, FOREST)
TUNED, TUNED_RANDOM = "fine-tuned in order", "fine-tuned, random order"
TUNED_ALONE = "fine-tuned, annotated frame alone"
LEARNING = (TUNED, TUNED_RANDOM, TUNED_ALONE)
LEARNED_ON = ("isbi2012", "vnc_stack1")
BINS = ((1, 1), (2, 4), (5, 99))
_DISTANCES = [str(a) if a == b else f"{a} to {b}" if b < 99 else f"{a} and more" for a, b in BINS]
REACH = 2

PROTOCOL = """\
One annotated frame, 10 strokes a class or dense; mean IoU of interior and membrane of all other
frames by distance; median over the seeds (another frame and other strokes each), in brackets the
worst and the best. Frames are the centre of the planes, {side} x {side} pixels: the train parts of
isbi2012 (15 planes) and vnc_stack1 (8), the val part of fib25 without planes that touch its train
part (15). *Static* looks up the annotated frame alone, the others labelled frames as well; the
forest sees every second frame, and strokes alone.
"""

LEARNS = """\
The same frames and strokes; a copy of the shipped model learns {steps} steps in {rounds} rounds
before the frames of a round are answered. *In order* is `infoleak propagate --fine-tune`. *Random
order*: as many frames a round, as many steps, but any frames. *Annotated frame alone*: as many
steps, and no labelled frame is learned from. Seconds of one processor core, all included.
"""

CONFIDENCE = """\
Rank correlation (Spearman) of the confidence of a frame with its score, over the frames of a walk;
median over the seeds, static.
"""

SOURCE = """\
Printed by `benchmarks/spreading.py`; every single figure is kept in
`docs/benchmarks/spreading.json`.
"""


def main() -> None:
    """Walk and print the tables."""
    options = _options()
    torch.set_num_threads(options.threads)
    kept, model = Kept(options.json), model_hash(options.model)
    referee, forest = Referee(options.referee), Forest()
    stacks = {name: stack(options.data, name, options.side) for name in STACKS}
    for seed, name, amount in product(range(options.seeds), STACKS, options.paint):
        raw, truth = stacks[name]
        start = start_of(len(raw), seed)
        paint = referee.paint(truth[start], amount, seed)
        for arm in (*ARMS, *(LEARNING if options.fine_tuned and name in LEARNED_ON else ())):
            key: Row = {"set": name, "paint": amount, "arm": arm, "seed": seed}
            key |= {"side": options.side, "model": "" if arm == FOREST else model}
            if kept.has(key) or (arm, amount) == (FOREST, "dense"):
                continue  # a forest takes half a minute to learn from a dense plane
            before = time.process_time()
            labels, confidence = walk(arm, raw, start, paint, seed, options.model, forest)
            spent = time.process_time() - before
            kept.add(key, figures(overlaps(labels, truth, start), confidence, start, spent))
    rows = of(kept.current(model), side=options.side)
    text = "\n\n".join(
        [PROTOCOL.format(side=options.side), table(rows), CONFIDENCE, sure_table(rows), SOURCE]
    )
    learns = LEARNS.format(steps=STEPS, rounds=ROUNDS)
    finish(
        options,
        {
            "spreading": text,
            "spreading, fine-tuned": f"{learns}\n{learning_table(rows)}\n\n{SOURCE}",
        },
    )
    for line in verdicts(rows):
        print(line)


def stack(folder: Path, name: str, side: int) -> tuple[Stack, Stack]:
    """Frames and their truth: 1 the rest, 2 membrane."""
    if name == "fib25":
        import tifffile
        from skimage.segmentation import find_boundaries

        raw, ids = (tifffile.imread(folder / name / f"val_{p}.tif")[15:] for p in ("raw", "bodies"))
        truth = np.stack([1 + find_boundaries(one, mode="inner") for one in ids]).astype(np.uint8)
    else:
        parts = load(folder, name)
        raw, truth = parts.train, parts.train_truth
    middle_of = [slice((n - min(n, side)) // 2, (n + min(n, side)) // 2) for n in raw.shape[1:]]
    return raw[:, middle_of[0], middle_of[1]], truth[:, middle_of[0], middle_of[1]]


def start_of(count: int, seed: int) -> int:
    """The annotated frame of a seed: first, last, a third in, and so on."""
    return [0, count - 1, count // 3, 2 * count // 3, count // 2][seed % 5]


def walk(
    arm: str, raw: Stack, start: int, paint: Stack, seed: int, model: str, forest: Forest
) -> tuple[dict[int, Stack], dict[int, float]]:
    """Labels of frames, and their confidence where an arm has one."""
    if arm == FOREST:
        asked = [n for n in range(len(raw)) if n != start][seed % 2 :: 2]
        found = forest.answer(raw[start], paint, [raw[n] for n in asked], seed)
        return dict(zip(asked, found.labels, strict=True)), {}
    if arm in (TUNED_RANDOM, TUNED_ALONE):
        return learning(arm, raw, start, paint, seed, model), {}
    if arm in (STATIC, ORDERED, TUNED):
        whole = np.zeros(raw.shape, np.uint8)
        whole[start] = paint
        how = {"fine_tune": True, "seed": seed} if arm == TUNED else {}
        reach = REACH if arm == ORDERED else 0
        result = il.propagate(raw, whole, "Z", model, axes="ZYX", reach=reach, device="cpu", **how)
        return dict(enumerate(result.labels)), {one.z: one.confidence for one in result.frames}
    support = il.SupportSet().add(raw[start], paint, axes="YX")
    order = [int(n) for n in np.random.default_rng(seed).permutation(len(raw))]
    sure: dict[int, Stack] = {}
    if arm == ONCE:
        sure = {n: answered(raw[n], support, model)[1] for n in order}
    labels: dict[int, Stack] = {}
    for n in [start, *(one for one in order if one != start)]:
        beside = sorted((m for m in sure if m != n), key=lambda m: abs(m - n))[: 2 * REACH]
        memory = support
        for m in beside[: 2 * REACH if arm == ONCE else REACH]:
            memory = memory.add(raw[m], sure[m], axes="YX", weight=0.4, permanent=False)
        labels[n], own = answered(raw[n], memory, model)
        if arm == RANDOM:
            sure[n] = own
    return labels, {}


def learning(
    arm: str, raw: Stack, start: int, paint: Stack, seed: int, model: str
) -> dict[int, Stack]:
    """Labels of frames by a model that learns on the way, but not in order."""
    support = il.SupportSet().add(raw[start], paint, axes="YX")
    settings = fine_tuning_settings(
        SegmentConfig(device="cpu", threads=torch.get_num_threads()), None, None, seed
    )
    tuning = FineTuning(registry.load(model), support, settings)
    found = turns(len(raw), [start])
    far = {turn.frame: turn.distance for turn in found}
    parts = rounds(found, ROUNDS)
    order = [turn.frame for turn in found]
    if arm == TUNED_RANDOM:
        order = [start, *np.random.default_rng(seed).permutation(order[1:]).tolist()]
    labels: dict[int, Stack] = {}
    for number, part in enumerate(parts):
        share = FIRST + (1 - FIRST) * number / max(1, len(parts) - 1)
        now = tuning.learn(share, NULL, NEVER)
        made = il.Model(now, now.spec.name, now.classes, 0, 0, 0.0, None, None, False)
        for n in [order.pop(0) for _ in part]:
            result = il.segment(raw[n], support, made, axes="YX", device="cpu")
            labels[n] = np.where(paint > 0, paint, result.labels) if n == start else result.labels
            if arm == TUNED_RANDOM:
                weight = confidence_of(result.probabilities) * FADE ** far[n]
                tuning.accept(raw[n], labels[n], weight)
    return labels


def answered(plane: Stack, support: il.SupportSet, model: str) -> tuple[Stack, Stack]:
    """Labels of a plane, and those that are sure."""
    result = il.segment(plane, support, model, axes="YX", device="cpu")
    sure = result.probabilities.max(0) >= SURE
    return result.labels, np.where(sure, result.labels, 0).astype(np.uint8)


def overlaps(labels: dict[int, Stack], truth: Stack, start: int) -> dict[int, float]:
    """Mean IoU of every frame but the annotated one."""
    scores = {}
    for n, found in labels.items():
        if n != start:
            pairs = [(found == k, truth[n] == k) for k in (1, 2)]
            scores[n] = float(np.mean([(a & b).sum() / (a | b).sum() for a, b in pairs]))
    return scores


def figures(
    scores: dict[int, float], confidence: dict[int, float], start: int, seconds: float
) -> Row:
    """Scores by distance, what the confidence is worth, and the time."""
    row = {"seconds": seconds}
    for low, high in BINS:
        inside = [iou for n, iou in scores.items() if low <= abs(n - start) <= high]
        row[f"iou_{low}"] = float(np.mean(inside)) if inside else float("nan")
    distances = [abs(n - start) for n in scores]
    far, near = max(distances), min(distances)
    ends = [np.mean([iou for n, iou in scores.items() if abs(n - start) == d]) for d in (near, far)]
    row["loss"] = float(ends[0] - ends[1])
    if confidence:
        row["rho"] = float(spearmanr([confidence[n] for n in scores], list(scores.values()))[0])
    return rounded(row)


def table(rows: list[Row]) -> str:
    """Scores by distance."""
    lines = []
    for name in STACKS:
        for amount in PAINT:
            for arm in ARMS:
                own = of(rows, set=name, paint=amount, arm=arm)
                if own:
                    cells = [shown(own, f"iou_{low}", span=low > 1) for low, _ in BINS]
                    lines.append([name, amount, arm, str(len(own)), *cells])
    return markdown(["stack", "paint", "looks up", "seeds", *_DISTANCES], lines)


def learning_table(rows: list[Row]) -> str:
    """Scores of what learns on the way, by distance, beside what does not."""
    lines = []
    for name, amount in product(LEARNED_ON, PAINT):
        tuned = of(rows, set=name, paint=amount, arm=TUNED)
        seeds = {row["seed"] for row in tuned}
        for arm in (STATIC, *LEARNING) if tuned else ():
            own = [r for r in of(rows, set=name, paint=amount, arm=arm) if r["seed"] in seeds]
            if own:
                cells = [shown(own, f"iou_{low}", span=True) for low, _ in BINS]
                spent = f"{middle(own, 'seconds'):.0f}"
                lines.append([name, amount, arm, str(len(own)), *cells, spent])
    return markdown(["stack", "paint", "model", "seeds", *_DISTANCES, "s"], lines)


def sure_table(rows: list[Row]) -> str:
    """What the confidence is worth."""
    lines = []
    for name in STACKS:
        own = [of(rows, set=name, paint=amount, arm=STATIC) for amount in PAINT]
        if all(own):
            cells = [shown(each, "rho", span=True) for each in own]
            lines.append([name, *cells, shown([*own[0], *own[1]], "loss", span=True)])
    head = ["stack", *(f"{amount} strokes" if amount != "dense" else amount for amount in PAINT)]
    return markdown([*head, "IoU lost from the nearest to the farthest frame"], lines)


def verdicts(rows: list[Row]) -> list[str]:
    """What was aimed at; a gain counts if it is larger than what the seeds differ by."""
    lines = []
    for name in ("isbi2012", "vnc_stack1"):
        for amount in PAINT:
            ordered, *rivals = (
                {row["seed"]: row["iou_5"] for row in of(rows, set=name, paint=amount, arm=arm)}
                for arm in (ORDERED, STATIC, ONCE)
            )
            for arm, rival in zip((STATIC, ONCE), rivals, strict=True):
                gains = [ordered[seed] - iou for seed, iou in rival.items() if seed in ordered]
                if gains:
                    what = f"{name} {amount}: gain of ordered on {arm}, from distance 5 on"
                    between = max(rival.values()) - min(rival.values())
                    lines.append(verdict(what, float(np.median(gains)), ">=", between))
    loss = middle(of(rows, set="isbi2012", arm=STATIC), "loss")
    return [*lines, verdict("isbi2012: loss from the nearest to the farthest", loss, "<=", 0.06)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    folder_options(parser)
    run_options(parser)
    parser.add_argument("--side", type=int, default=512, help="pixels a side of the frames")
    parser.add_argument("--fine-tuned", action="store_true", help="measure learning as well")
    parser.add_argument("--paint", nargs="+", default=list(PAINT), choices=PAINT)
    parser.set_defaults(seeds=3)
    options = parser.parse_args()
    check_folders(parser, options, *STACKS)
    return options


if __name__ == "__main__":
    main()
