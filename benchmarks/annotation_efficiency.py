"""Accuracy against the number of strokes, beside a random forest given the same strokes.

Strokes are painted on one plane of the train part; the val part is answered with them as support
and scored. Prints a Markdown table; ``--json`` keeps every single figure.

    python benchmarks/annotation_efficiency.py --data FOLDER --referee FOLDER

The data folder and the folder with ``annotate.py`` and ``score.py`` (the painter and the scorer)
are by default INFOLEAK_DATA and INFOLEAK_REFEREE, else ``../shared/data`` and
``../shared/referee``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

import napari_infoleak as il

SETS = {
    "isbi2012": ("isbi2012", "label"),
    "vnc_stack1": ("vnc_stack1", "label5"),
    "epfl6": ("epfl6", "label7"),
}
AMOUNTS = ("3", "10", "30", "dense")
ARMS = ("no annotation", "forest", "annotation leakage", "leak with permuted labels")
FOREST_PIXELS = 40_000  # of a dense plane; a forest gains nothing from more and takes minutes
Stack = NDArray[Any]


@dataclass(frozen=True)
class Data:
    """A set: its train and val part, truth 1 for the rest and 2 for membrane."""

    train: Stack
    train_truth: Stack
    val: Stack
    val_truth: Stack


def load(folder: Path, name: str) -> Data:
    """Read a set and bring its truth to 1 rest, 2 membrane."""
    where, kind = SETS[name]

    def read(part: str, what: str) -> Stack:
        return np.asarray(tifffile.imread(folder / where / f"{part}_{what}.tif"))

    def truth(part: str) -> Stack:
        return np.where(read(part, kind) == 1, 2, 1).astype(np.uint8)

    return Data(read("train", "raw"), truth("train"), read("val", "raw"), truth("val"))


def forest(data: Data, plane: int, painted: Stack, seed: int) -> Stack:
    """Labels of val by a forest of 100 trees on multiscale features."""
    from sklearn.ensemble import RandomForestClassifier

    where = np.flatnonzero(painted)
    if len(where) > FOREST_PIXELS:
        where = np.random.default_rng(seed).choice(where, FOREST_PIXELS, replace=False)
    features = _features(data.train[plane]).reshape(painted.size, -1)[where]
    trees = RandomForestClassifier(100, n_jobs=2, random_state=seed, class_weight="balanced")
    trees.fit(features, painted.ravel()[where])
    answers = []
    for image in data.val:
        seen = _features(image)
        answers.append(trees.predict(seen.reshape(image.size, -1)).reshape(image.shape))
    return np.stack(answers).astype(np.uint8)


_kept: dict[bytes, Stack] = {}


def _features(image: Stack) -> Stack:
    from skimage.feature import multiscale_basic_features

    key = image.tobytes()
    if key not in _kept:
        _kept[key] = multiscale_basic_features(image).astype(np.float32)
    return _kept[key]


def leakage(data: Data, plane: int, painted: Stack, model: str) -> Stack:
    """Labels of val with the painted plane as support."""
    support = il.SupportSet().add(data.train[plane], painted, axes="YX")
    result = il.segment(data.val, support, model=model, axes="ZYX", device="cpu")
    return np.asarray(result.labels)


def alone(data: Data, model: str) -> Stack:
    """Labels of val with no annotation at all."""
    return np.asarray(il.segment(data.val, model=model, axes="ZYX", device="cpu").labels)


def permuted(painted: Stack, seed: int) -> Stack:
    """The same strokes with the labels of their pixels shuffled: what a leak must not gain from."""
    out = painted.copy()
    where = painted > 0
    out[where] = np.random.default_rng(seed).permutation(painted[where])
    return out


def main() -> None:
    """Run the arms and print the table."""
    options = _options()
    sys.path.insert(0, str(options.referee))
    annotate, score = import_module("annotate"), import_module("score")
    kept = Kept(options.json)
    for name in options.sets:
        data = load(options.data, name)
        for arm, amount, seed in product(options.arms, options.amounts, range(options.seeds)):
            if arm == "no annotation":
                amount, seed = "0", 0
            key = {"set": name, "arm": arm, "strokes": amount, "seed": seed}
            key["model"] = "" if arm == "forest" else model_hash(options.model)
            if kept.has(key):
                continue
            plane = (3 * seed) % (len(data.train) - 2)  # two planes or more away from val
            painted = data.train_truth[plane]
            if amount not in ("0", "dense"):
                painted = annotate.annotate(painted, strokes=int(amount), seed=seed)
            start = time.perf_counter()
            labels = answer(arm, data, plane, painted, seed, options.model)
            seconds = time.perf_counter() - start
            found = score.score(labels, data.val_truth, "semantic", 2)
            kept.add(key | figures(found) | {"seconds": round(seconds, 2)})
    print(table([row for row in kept.rows if row["model"] in ("", model_hash(options.model))]))


class Kept:
    """Rows that are kept in a file, so that an interrupted run goes on where it stopped."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if path and path.exists():
            self.rows = json.loads(path.read_text())

    def has(self, key: dict[str, Any]) -> bool:
        """Whether this was measured already."""
        return any(key.items() <= row.items() for row in self.rows)

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row."""
        self.rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
        if self.path:
            lines = ",\n".join(json.dumps(row) for row in self.rows)
            part = self.path.with_suffix(".part")
            part.write_text(f"[\n{lines}\n]\n")
            part.replace(self.path)


def model_hash(model: str) -> str:
    """First digits of the weights' hash, by which kept rows are known."""
    from napari_infoleak.segmenters import registry

    shipped = {info.name: info.path for info in registry.models()}
    return hashlib.sha256(Path(shipped.get(model, model)).read_bytes()).hexdigest()[:12]


def answer(arm: str, data: Data, plane: int, painted: Stack, seed: int, model: str) -> Stack:
    """Labels of val by one arm."""
    if arm == "no annotation":
        return alone(data, model)
    if arm == "forest":
        return forest(data, plane, painted, seed)
    if arm == "leak with permuted labels":
        painted = permuted(painted, seed)
    return leakage(data, plane, painted, model)


def figures(found: dict[str, Any]) -> dict[str, float]:
    """The figures of the table, out of the scorer's."""
    return {
        "membrane_iou": round(found["iou"]["2"], 5),
        "cldice": round(found["cldice"], 5),
        "v_rand": round(found["v_rand"], 5),
        "v_info": round(found["v_info"], 5),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Median and range over the seeds, as Markdown."""
    lines = [
        f"Hardware: {platform.processor() or platform.machine()}, {os.cpu_count()} cores.",
        "",
        "| set | strokes a class | arm | membrane IoU (min-max) | V_rand | V_info | clDice | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    order = sorted(
        rows,
        key=lambda r: (
            list(SETS).index(r["set"]),
            ("0", *AMOUNTS).index(r["strokes"]),
            ARMS.index(r["arm"]),
        ),
    )
    seen = dict.fromkeys((r["set"], r["strokes"], r["arm"]) for r in order)
    for name, amount, arm in seen:
        own = [r for r in rows if (r["set"], r["strokes"], r["arm"]) == (name, amount, arm)]

        def middle(key: str, own: list[dict[str, Any]] = own) -> float:
            return float(np.median([r[key] for r in own]))

        ious = [r["membrane_iou"] for r in own]
        lines.append(
            f"| {name} | {amount} | {arm} | {middle('membrane_iou'):.3f}"
            f" ({min(ious):.3f}-{max(ious):.3f}) | {middle('v_rand'):.3f}"
            f" | {middle('v_info'):.3f} | {middle('cldice'):.3f} | {middle('seconds'):.1f} |"
        )
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    shared = Path(__file__).parents[2] / "shared"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    data, referee = os.environ.get("INFOLEAK_DATA"), os.environ.get("INFOLEAK_REFEREE")
    parser.add_argument("--data", type=Path, default=Path(data or shared / "data"))
    parser.add_argument("--referee", type=Path, default=Path(referee or shared / "referee"))
    parser.add_argument("--model", default="membrane")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--amounts", nargs="+", default=list(AMOUNTS), choices=AMOUNTS)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="keep every figure here, and go on from it")
    options = parser.parse_args()
    needed = (*(options.data / name for name in options.sets), options.referee / "score.py")
    for path in needed:
        if not path.exists():
            parser.error(f"{path} is not there: give --data and --referee")
    return options


if __name__ == "__main__":
    main()
