"""What a training of some minutes comes to, by method: membranes of isbi2012, by the command line.

Each method is trained on the 15 planes of the train part as a user would, from what it starts from
by default, and scored on the val part, which it never sees. Prints a Markdown table; every figure
is kept in a file, and a run that was broken off goes on from there.

    python benchmarks/training.py --minutes 3 --threads 1 --publish
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import napari_infoleak as il
from _rows import ROOT, Kept, Row, finish, markdown, of, rounded, shown
from _sets import folder_options, load
from napari_infoleak.io.weights import read_header

if TYPE_CHECKING:
    from _sets import Parts

SET = "isbi2012"
HEAD = ("method", "membrane IoU", "mean IoU", "V_rand", "steps", "minutes")

PROTOCOL = """\
{minutes:g} minutes on {threads} thread(s) of a processor, on the 15 densely annotated planes of
isbi2012's training part, by `infoleak train` with nothing but the method and the time given: from
the shipped weights where a method's architecture takes them over, else from nothing
(shuffle-mixing, class-distillation). The three planes of the validation part are answered, by
annotation leakage with one of the training planes in its memory. Time-series, with nothing to
label, is a plain U-Net. One training each: differences of a hundredth are none.
"""

SOURCE = """\
Printed by `benchmarks/training.py`; every single figure is kept in `docs/benchmarks/training.json`.
"""


def train(parts: Parts, folder: Path, method: str, settings: Row) -> Path:
    """Train by the command line; return the model's file."""
    for name, array in (("image", parts.train), ("labels", parts.train_truth)):
        kind: Any = "image" if name == "image" else "labels"
        il.write(folder / f"{name}.ome.tif", array, axes="ZYX", kind=kind)
    model = folder / "model.safetensors"
    words = ["train", folder / "image.ome.tif", folder / "labels.ome.tif", "--method", method]
    for name, value in settings.items():
        words += [f"--{name}", value]
    program = [sys.executable, "-m", "napari_infoleak"]
    subprocess.run(
        [*program, *map(str, words), "--output", str(model)], check=True, stdout=sys.stderr
    )
    return model


def score(parts: Parts, model: Path, method: str, threads: int) -> Row:
    """Answer the val part; annotation leakage reads a plane of the train part while it does."""
    support = None
    if method == "annotation-leakage":
        middle = len(parts.train) // 2
        support = il.SupportSet().add(parts.train[middle], parts.train_truth[middle], axes="YX")
    result = il.segment(parts.val, support, model, axes="ZYX", threads=threads, device="cpu")
    found = il.evaluate(result, parts.val_truth)
    made = read_header(model)["provenance"]
    return {
        "membrane": found["iou"]["2"],
        "miou": found["miou"],
        "v_rand": found["v_rand"],
        "steps": made["steps"],
        "took": made["seconds"] / 60,
    }


def table(rows: list[Row]) -> str:
    """One line a method."""
    lines = []
    for method in dict.fromkeys(row["method"] for row in rows):
        own = of(rows, method=method)
        figures = [shown(own, name, span=True) for name in ("membrane", "miou", "v_rand")]
        steps, minutes = (np.mean([row[name] for row in own]) for name in ("steps", "took"))
        lines.append([method, *figures, f"{steps:.0f}", f"{minutes:.1f}"])
    return markdown(HEAD, lines)


def main() -> None:
    """Train and score every method, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    folder_options(parser)
    known = [one.name for one in il.methods() if one.trains and 2 in one.dims]
    parser.add_argument("--method", choices=known, action="append", help="all by default")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "training.json")
    parser.add_argument("--publish", action="store_true", help="put the table into its page")
    options = parser.parse_args()
    parts, kept = load(options.data, SET), Kept(options.json)
    for seed in range(options.seeds):
        for method in options.method or known:
            settings: Row = {
                "minutes": options.minutes,
                "threads": options.threads,
                "seed": seed,
            }
            key = {"method": method, **settings}
            if kept.has(key):
                continue
            with tempfile.TemporaryDirectory() as folder:
                model = train(parts, Path(folder), method, settings)
                kept.add(key, rounded(score(parts, model, method, options.threads)))
    rows = of(kept.rows, minutes=options.minutes, threads=options.threads)
    protocol = PROTOCOL.format(minutes=options.minutes, threads=options.threads)
    finish(options, {"training": "\n".join([protocol, table(rows), "", SOURCE])})


if __name__ == "__main__":
    main()
