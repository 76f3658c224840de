"""Accuracy by CPU time of four ways to answer from strokes, each trained with the same budget.

Every architecture learns from the same episodes, on one thread, for the same processor time (making
the episodes does not count), and is then asked for membranes of pictures that none has seen:
held-out synthetic scenes, and the last planes of fib25's val part, with strokes on a plane of its
train part that training leaves out. Prints a Markdown table; ``--json`` keeps every figure.

    python benchmarks/architectures.py --minutes 10 --work FOLDER --data FOLDER

Scenes are drawn once and kept in the work folder. Without a data folder training has synthetic
scenes alone, and fib25 is left out.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from _architectures import ARCHITECTURES, Architecture
from _rows import Kept, Row, finish, hardware, markdown, of, rounded, shown
from napari_infoleak.core.normalise import normalise
from napari_infoleak.learn.episodes import Episode, Source, episodes
from napari_infoleak.learn.free_sets import free_sources
from napari_infoleak.learn.recipes.pretrain import scene_pool
from napari_infoleak.learn.strokes import paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CROPS, SIZE, EPISODES = 4, 176, 2
RATE, WARM_UP, DECAY_SHARE = 2e-3, 50, 0.4
STROKES = (3, 10)
SIDE = 512  # of the plane that is timed

PROTOCOL = """\
Each is trained from nothing on the same episodes (synthetic scenes and the free sets), for
{minutes:g} minutes of one thread: short trainings, good for a comparison and for nothing else. Then
membranes of unseen pictures are asked for, with strokes on another picture of the kind: {tasks}
held-out synthetic tasks of 256 x 256 pixels; and planes 15, 20 and 25 of the validation part of
fib25, painted on one of five planes at the end of its training part, which training leaves out.
Mean membrane IoU, decided by the larger score. Milliseconds are of one thread for a plane of
{side} x {side} when 10 strokes a class are known; what is computed once a stroke is not counted.
"""

SOURCE = """\
Printed by `benchmarks/architectures.py`; every single figure is kept in
`docs/benchmarks/architectures.json`.
"""


@dataclass(frozen=True)
class Task:
    """A picture, its truth (0 interior, 1 membrane, -1 unknown), and another of its kind to ask."""

    support: NDArray[np.float32]
    support_truth: NDArray[np.int64]
    asked: NDArray[np.float32]
    truth: NDArray[np.int64]


def main() -> None:
    """Train, ask and print."""
    options = _options()
    torch.set_num_threads(1)
    kept = Kept(options.json)
    sources: list[Source] | None = None
    tasks: dict[str, list[Task]] = {}
    for name in options.architectures:
        for seed in range(options.seeds):
            torch.manual_seed(seed)
            made = ARCHITECTURES[name]()
            key: Row = {"architecture": name, "minutes": options.minutes, "seed": seed}
            key["model"] = _shape(made)
            if kept.has(key):
                continue
            if sources is None:
                sources, tasks = materials(options)
            steps = train(made, sources, options.minutes, seed)
            kept.add(key, {"steps": steps} | figures(made, tasks))
    rows = of(kept.rows, minutes=options.minutes)
    protocol = PROTOCOL.format(minutes=options.minutes, tasks=options.tasks, side=SIDE)
    text = f"{protocol}\n{table(rows)}\n\nHardware: {hardware()}. {SOURCE}"
    finish(options, {"architectures": text})


def _shape(made: Architecture) -> str:
    """What changes when the architecture does."""
    shapes = [(name, tuple(value.shape)) for name, value in made.state_dict().items()]
    return hashlib.sha256(repr(shapes).encode()).hexdigest()[:12]


def materials(options: argparse.Namespace) -> tuple[list[Source], dict[str, list[Task]]]:
    """What is learned from, and what is asked."""
    sources = scene_pool(options.work / "scenes", options.scenes)
    held_out = scene_pool(options.work / "held_out", 40, seed=999)
    tasks = {"synthetic": synthetic_tasks(held_out, options.tasks)}
    if options.data:
        sources += free_sources(options.data)
        if (options.data / "fib25").is_dir():
            tasks["fib25"] = fib25_tasks(options.data / "fib25")
    return sources, tasks


def train(made: Architecture, sources: list[Source], minutes: float, seed: int) -> int:
    """Train for some minutes of processor time, and say how many steps that were."""
    stream = episodes(sources, CROPS, SIZE, np.random.default_rng(seed))
    rng = np.random.default_rng([seed, 1])
    optimiser = torch.optim.AdamW(made.parameters(), RATE, weight_decay=1e-4)
    spent, step = 0.0, 0
    made.train()
    while (share := spent / (60 * minutes)) < 1:
        batch = [next(stream) for _ in range(EPISODES)]
        start = time.process_time()
        falling = min(1.0, (1 - share) / DECAY_SHARE)
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP) * max(falling, 0.01)
        _step(made, optimiser, batch, rng)
        spent += time.process_time() - start
        step += 1
    made.eval()
    return step


def _step(
    made: Architecture,
    optimiser: torch.optim.Optimizer,
    batch: list[Episode],
    rng: np.random.Generator,
) -> None:
    loss = made.loss(batch, rng)
    if loss is None:
        return
    optimiser.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(made.parameters(), 1.0)
    if bool(torch.isfinite(norm)):
        optimiser.step()


@torch.inference_mode()
def figures(made: Architecture, tasks: dict[str, list[Task]]) -> Row:
    """Parameters, milliseconds and overlap."""
    found: Row = {"parameters": float(sum(p.numel() for p in made.parameters()))}
    found["ms"] = 1000 * seconds_an_answer(made)
    for name, own in tasks.items():
        for strokes in STROKES:
            each = [overlap(made, task, strokes, seed) for seed, task in enumerate(own)]
            found[f"{name}_{strokes}"] = float(np.mean(each))
    return rounded(found)


def overlap(made: Architecture, task: Task, strokes: int, seed: int) -> float:
    """Membrane IoU of one task."""
    painted = strokes_on(task.support_truth, strokes, seed)
    margins = _margins(task.support)
    memory = made.remember(
        np.pad(task.support, margins, mode="reflect"),
        np.pad(painted, margins, constant_values=-1),
    )
    found = _whole(made, task.asked, memory).argmax(0).numpy() == 1
    known, real = task.truth >= 0, task.truth == 1
    return float((found & real).sum() / max(((found | real) & known).sum(), 1))


def strokes_on(truth: NDArray[np.int64], strokes: int, seed: int) -> NDArray[np.int64]:
    """Strokes as the referee's: 40 pixels long, 2 wide."""
    return paint(truth, strokes, np.random.default_rng(seed), width=2, length=40)


def _whole(made: Architecture, image: NDArray[np.float32], memory: Any) -> torch.Tensor:
    """(Y X) -> (K Y X)."""
    height, width = image.shape
    tile = np.pad(image, _margins(image), mode="reflect")
    return made.scores(torch.from_numpy(tile)[None, None], memory)[0, :, :height, :width]


def _margins(image: NDArray[Any]) -> list[tuple[int, int]]:
    """What brings a plane to whole steps of any of the networks."""
    return [(0, -length % 8) for length in image.shape]


def seconds_an_answer(made: Architecture, rounds: int = 7) -> float:
    """Processor time of the fastest answer: other work on the computer does not count."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((SIDE, SIDE)).astype(np.float32)
    truth = np.zeros((SIDE, SIDE), np.int64)
    truth[:, ::16] = truth[:, 1::16] = 1
    memory = made.remember(image, strokes_on(truth, 10, 0))
    tile = torch.from_numpy(image)[None, None].contiguous(memory_format=torch.channels_last)
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        made.scores(tile, memory)
        taken.append(time.process_time() - start)
    return min(taken)


def synthetic_tasks(sources: list[Source], count: int) -> list[Task]:
    """Membrane tasks on held-out scenes."""
    stream = _membranes(episodes(sources, 2, 256, np.random.default_rng(0)))
    found = (next(stream) for _ in range(count))
    return [
        Task(normalise(one.images[1]), one.truth[1], normalise(one.images[0]), one.truth[0])
        for one in found
    ]


def _membranes(stream: Iterator[Episode]) -> Iterator[Episode]:
    for episode in stream:
        both = all({0, 1} <= set(np.unique(truth).tolist()) for truth in episode.truth)
        if episode.preset and episode.count == 2 and both:
            yield episode


def fib25_tasks(folder: Path) -> list[Task]:
    """Painted planes that training leaves out, asked planes of val that do not touch train."""
    from skimage.segmentation import find_boundaries

    raw, bodies, val, val_bodies = (
        _read(folder / f"{name}.tif")
        for name in ("train_raw", "train_bodies", "val_raw", "val_bodies")
    )

    def truth(ids: NDArray[Any]) -> NDArray[np.int64]:
        return find_boundaries(ids, mode="inner").astype(np.int64)

    return [
        Task(normalise(raw[p]), truth(bodies[p]), normalise(val[z]), truth(val_bodies[z]))
        for p in range(96, 110, 3)
        for z in (15, 20, 25)
    ]


def _read(path: Path) -> NDArray[Any]:
    import tifffile

    return np.asarray(tifffile.imread(path))


def table(rows: list[Row]) -> str:
    """One line an architecture."""
    asked = [
        name
        for name in (f"{kind}_{n}" for kind in ("synthetic", "fib25") for n in STROKES)
        if any(name in row for row in rows)
    ]
    lines = []
    for name, made in ARCHITECTURES.items():
        own = of(rows, architecture=name)
        if own:
            size, steps, ms = (
                np.median([row[what] for row in own]) for what in ("parameters", "steps", "ms")
            )
            cells = (f"{size / 1e6:.2f} M", str(len(own)), f"{steps:.0f}", f"{ms:.0f}")
            lines.append([made.title, *cells, *(shown(own, what, span=True) for what in asked)])
    told = [f"{what.split('_')[0]}, {what.split('_')[1]} strokes" for what in asked]
    return markdown(["architecture", "parameters", "seeds", "steps", "ms an answer", *told], lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    given = os.environ.get("INFOLEAK_DATA")
    parser.add_argument("--work", type=Path, required=True, help="folder that keeps the scenes")
    parser.add_argument("--data", type=Path, default=Path(given) if given else None)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--architectures", nargs="+", default=list(ARCHITECTURES), choices=list(ARCHITECTURES)
    )
    parser.add_argument("--json", type=Path, help="keep every figure here, and go on from it")
    parser.add_argument("--publish", action="store_true", help="put the table into the pages")
    return parser.parse_args()


if __name__ == "__main__":
    main()
