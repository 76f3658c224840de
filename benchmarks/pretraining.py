"""What each choice of the pre-training recipe is worth: short trainings with one choice undone.

Every arm learns from nothing for the same processor time on one thread, and is asked for membranes
of held-out synthetic scenes, of fib25 and of stacks that no training saw. Prints a Markdown table;
``--json`` keeps every figure.

    python benchmarks/pretraining.py --minutes 8 --work FOLDER --data FOLDER
"""

from __future__ import annotations

import argparse
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import torch

from _architectures import Leakage
from _rows import Kept, Row, finish, hardware, markdown, of, shown
from _sets import load, support_plane
from architectures import STROKES, Task, fib25_tasks, figures, synthetic_tasks, train
from napari_infoleak.core.normalise import normalise
from napari_infoleak.learn import episode_loss
from napari_infoleak.learn.free_sets import free_sources
from napari_infoleak.learn.recipes import pretrain
from napari_infoleak.nets.leakage_net import LeakageNet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_infoleak.learn.episodes import Source

ARMS = {
    "whole": "the whole recipe",
    "neuropil": "without synthetic neuropil",
    "lines": "without the centreline loss",
    "rounds": "the fusion considers its answer once",
    "real": "without real pictures",
}
REAL = ("isbi2012", "vnc_stack1", "epfl6")

PROTOCOL = """\
Each arm is trained from nothing for {minutes:g} minutes of one thread, a small part of what the
shipped weights had: good for a comparison and for nothing else. Mean membrane IoU by the larger
score, {strokes} strokes a class on another plane; the stacks are validation parts, which decided
nothing. Seeds of each arm: {seeds}.
"""


def main() -> None:
    """Train, ask and print."""
    options = _options()
    torch.set_num_threads(1)
    kept = Kept(options.json)
    tasks: dict[str, list[Task]] = {}
    for seed in range(options.seeds):
        for arm in options.arms:
            key: Row = {"arm": arm, "minutes": options.minutes, "seed": seed, "model": ""}
            if kept.has(key):
                continue
            tasks = tasks or _tasks(options)
            with _undone(arm):
                torch.manual_seed(seed)
                made = Leakage()
                if arm == "rounds":
                    made.net = LeakageNet(rounds=1)
                steps = train(made, _sources(arm, options), options.minutes, seed)
            kept.add(key, {"steps": steps} | figures(made, tasks))
    rows = of(kept.rows, minutes=options.minutes)
    protocol = PROTOCOL.format(minutes=options.minutes, strokes=STROKES[-1], seeds=options.seeds)
    source = f"Hardware: {hardware()}. Printed by `benchmarks/pretraining.py`."
    text = f"{protocol}\n{table(rows)}\n\n{source}"
    finish(options, {"pretraining": text})


@contextlib.contextmanager
def _undone(arm: str) -> Iterator[None]:
    """Undo one choice while an arm learns."""
    with contextlib.ExitStack() as stack:
        if arm == "lines":
            stack.enter_context(patch.dict(episode_loss.WEIGHTS, lines=0.0))
        if arm == "neuropil":
            fewer = {k: v for k, v in pretrain.SHARES.items() if k != "neuropil"}
            whole = {k: v / sum(fewer.values()) for k, v in fewer.items()}
            stack.enter_context(patch.object(pretrain, "SHARES", whole))
        yield


def _sources(arm: str, options: argparse.Namespace) -> list[Source]:
    folder = options.work / ("scenes" if arm != "neuropil" else "scenes_without_neuropil")
    sources = pretrain.scene_pool(folder, options.scenes)
    return sources if arm == "real" else sources + free_sources(options.data)


def _tasks(options: argparse.Namespace) -> dict[str, list[Task]]:
    held_out = pretrain.scene_pool(options.work / "held_out", 40, seed=999)
    tasks = {
        "synthetic": synthetic_tasks(held_out, options.tasks),
        "fib25": fib25_tasks(options.data / "fib25"),
    }
    for name in REAL:
        if (options.data / name).is_dir():
            tasks[name] = _real(options.data, name)
    return tasks


def _real(data: Path, name: str) -> list[Task]:
    """Every plane of the validation part, with five planes to paint on in turn."""
    parts = load(data, name)
    tasks = []
    for seed in range(5):
        plane = support_plane(parts.train, seed)
        z = seed % len(parts.val)
        tasks.append(
            Task(
                normalise(parts.train[plane]),
                parts.train_truth[plane].astype(np.int64) - 1,
                normalise(parts.val[z]),
                parts.val_truth[z].astype(np.int64) - 1,
            )
        )
    return tasks


def table(rows: list[Row]) -> str:
    """One line an arm."""
    asked = [
        n for n in ("synthetic", "fib25", *REAL) if any(f"{n}_{STROKES[-1]}" in r for r in rows)
    ]
    lines = []
    for arm, told in ARMS.items():
        own = of(rows, arm=arm)
        if own:
            steps = f"{np.median([row['steps'] for row in own]):.0f}"
            found = [shown(own, f"{name}_{STROKES[-1]}", span=True) for name in asked]
            lines.append([told, steps, *found])
    return markdown(["recipe", "steps", *asked], lines)


def _options() -> Any:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    given = os.environ.get("INFOLEAK_DATA")
    parser.add_argument("--work", type=Path, required=True, help="folder that keeps the scenes")
    parser.add_argument("--data", type=Path, default=Path(given) if given else None)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--json", type=Path, help="keep every figure here, and go on from it")
    parser.add_argument("--publish", action="store_true", help="put the table into the pages")
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data is missing: the folder of the annotated sets")
    return options


if __name__ == "__main__":
    main()
