"""Pre-train the shipped weights: thousands of made-up tasks on synthetic and free pictures.

Run as ``python -m napari_infoleak.learn.recipes.pretrain --minutes 60 --work FOLDER``; run it again
to go on from the checkpoint. The rate of learning is held, then brought down over the last part of
each run; the checkpoint keeps the state before it came down, so that a later run goes on as if the
earlier one had not stopped.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from napari_infoleak.infer.backends import bf16_is_fast
from napari_infoleak.io.weights import load_weights, save_weights
from napari_infoleak.learn.episode_loss import WEIGHTS, episode_losses
from napari_infoleak.learn.episodes import Episode, Source, episodes
from napari_infoleak.learn.free_sets import free_sources
from napari_infoleak.learn.neuropil import neuropil
from napari_infoleak.learn.recipes.membrane_offset import best_offset
from napari_infoleak.learn.synthesis import Kind, synthesise
from napari_infoleak.nets.leakage_net import LeakageNet
from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

log = logging.getLogger(__name__)

DESCRIPTION = "Membranes of any microscopy; reads your strokes, and answers without them too."
CROPS, SIZE, EPISODES = 4, 176, 2
SHARES: dict[Kind | Literal["neuropil"], float] = {
    "neuropil": 0.45,
    "em": 0.1,
    "fluorescence": 0.18,
    "brightfield": 0.17,
    "texture": 0.1,
}
RATE, WARM_UP, DECAY_SHARE, EMA = 2e-3, 200, 0.4, 0.998
_SAVE_SECONDS = 180.0


def scene_pool(folder: Path, count: int, seed: int = 0) -> list[Source]:
    """Synthetic scenes, drawn once and kept in a folder.

    Parameters
    ----------
    folder : Path
        Where the scenes are kept; those already there are read.
    count : int
        How many scenes.
    seed : int

    Returns
    -------
    list of Source
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds = list(SHARES)
    sources = []
    for i in range(count):
        path = folder / f"scene_{seed}_{i:05d}.npz"
        if not path.exists():
            rng = np.random.default_rng([seed, i])
            kind = kinds[rng.choice(len(kinds), p=list(SHARES.values()))]
            scene = neuropil(rng) if kind == "neuropil" else synthesise(rng, (1, 512, 512), kind)
            part = path.with_suffix(".part.npz")
            np.savez(
                part,
                image=scene.image[0].astype(np.float16),
                classes=scene.classes[0],
                margin=scene.margin[0].astype(np.float16),
            )
            part.rename(path)
        with np.load(path) as kept:
            image, classes, margin = kept["image"], kept["classes"], kept["margin"]
        sources.append(Source([image], [classes], [margin], (0.7, 1.7), 16.0 / count))
    return sources


class _Stream(IterableDataset[list[Episode]]):
    """Batches of episodes; each worker has a random stream of its own."""

    def __init__(self, sources: list[Source], seed: int) -> None:
        self.sources, self.seed = sources, seed

    def __iter__(self) -> Iterator[list[Episode]]:
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, info.id if info else 0])
        stream = episodes(self.sources, CROPS, SIZE, rng)
        while True:
            yield [next(stream) for _ in range(EPISODES)]


def _terms(net: LeakageNet, batch: list[Episode], rng: np.random.Generator) -> dict[str, Tensor]:
    """Mean losses of a batch by name; those of which nothing could be asked are left out."""
    images = torch.from_numpy(np.concatenate([e.images for e in batch]))[:, None]
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16_is_fast()):
        features = net.body(images.contiguous(memory_format=torch.channels_last)).float()
    sizes = [len(e.images) for e in batch]
    terms: dict[str, list[Tensor]] = {}
    for own, episode in zip(features.split(sizes), batch, strict=True):
        for name, values in episode_losses(net, own, episode, rng).items():
            terms.setdefault(name, []).extend(values)
    return {name: torch.stack(values).mean() for name, values in terms.items() if values}


def _step(net: LeakageNet, optimiser: torch.optim.Optimizer, terms: dict[str, Tensor]) -> None:
    """One step down the sum of the terms; none where the slope is no number."""
    if not terms:
        return
    optimiser.zero_grad()
    torch.stack([WEIGHTS[name] * value for name, value in terms.items()]).sum().backward()
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    if bool(torch.isfinite(norm)):
        optimiser.step()
    else:
        log.warning("a step is left out: its gradient is not finite")


def _average(average: LeakageNet, net: LeakageNet, keep: float) -> None:
    with torch.no_grad():
        for a, b in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
            if a.dtype.is_floating_point:
                a.lerp_(b, 1 - keep)
            else:
                a.copy_(b)


def pretrain(
    work: Path,
    minutes: float,
    data: Path | None,
    scenes: int = 500,
    threads: int = 2,
    seed: int = 0,
    init: Path | None = None,
) -> Path:
    """Train for some minutes, from the checkpoint in `work` if there is one.

    Parameters
    ----------
    work : Path
        Folder of the scenes, the checkpoint, the log and the weights.
    minutes : float
        How long, from the first batch on.
    data : Path, optional
        Folder of the free sets; without it only synthetic scenes are used.
    scenes : int
        How many synthetic scenes.
    threads : int
        Threads of the network, beside the process that makes the episodes.
    seed : int
        Of scenes and episodes; a run that goes on draws other episodes.
    init : Path, optional
        Model file to begin with where there is no checkpoint.

    Returns
    -------
    Path
        The averaged weights, a state dictionary; see `export`.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    sources = scene_pool(work / "scenes", scenes, seed)
    sources += free_sources(data) if data else []
    net = LeakageNet()
    if init:
        net.load_state_dict(dict(load_weights(init)[0]))
    average = copy.deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-4)
    step, spent = 0, 0.0
    checkpoint = work / "checkpoint.pt"
    if checkpoint.exists():
        kept: dict[str, Any] = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(kept["net"])
        average.load_state_dict(kept["average"])
        optimiser.load_state_dict(kept["optimiser"])
        step, spent = kept["step"], kept["seconds"]
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    rng = np.random.default_rng([seed, step])
    loader = DataLoader(_Stream(sources, seed + step), batch_size=None, num_workers=1)
    start: float | None = None
    last_save, held = 0.0, True
    recent: dict[str, float] = {}
    for batch in loader:
        if start is None:
            start = last_save = time.monotonic()
        passed = time.monotonic() - start
        share = passed / (60 * minutes)
        falling = min(1.0, (1 - share) / DECAY_SHARE)
        if held and falling < 1:
            held = False
            _save(checkpoint, net, average, optimiser, step, spent + passed)
        if share >= 1:
            break
        rate = RATE * min(1.0, (step + 1) / WARM_UP) * max(falling, 0.01)
        for group in optimiser.param_groups:
            group["lr"] = rate
        net.train()
        terms = _terms(net, batch, rng)
        _step(net, optimiser, terms)
        step += 1
        _average(average, net, min(EMA, (step + 1) / (step + 10)))
        for name, term in terms.items():
            value = float(term.detach())
            recent[name] = 0.98 * recent.get(name, value) + 0.02 * value
        if step % 50 == 0:
            line = {"step": step, "minutes": round((spent + passed) / 60, 2), "rate": rate}
            line |= {name: round(value, 4) for name, value in recent.items()}
            with (work / "log.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
        if time.monotonic() - last_save > _SAVE_SECONDS:
            last_save = time.monotonic()
            if held:
                _save(checkpoint, net, average, optimiser, step, spent + passed)
            _save_weights(work / "weights.pt", average)
    _save_weights(work / "weights.pt", average)
    return work / "weights.pt"


def _save(
    path: Path,
    net: LeakageNet,
    average: LeakageNet,
    optimiser: torch.optim.Optimizer,
    step: int,
    seconds: float,
) -> None:
    state = {
        "net": net.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
        "step": step,
        "seconds": seconds,
    }
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def _save_weights(path: Path, net: LeakageNet) -> None:
    part = path.with_suffix(".part")
    torch.save(net.state_dict(), part)
    part.replace(path)


def export(weights: Path, path: Path, held_out: Sequence[Source] = ()) -> Path:
    """Write averaged weights as a model file.

    Parameters
    ----------
    weights : Path
        What `pretrain` returned.
    path : Path
        A ``.safetensors`` file.
    held_out : sequence of Source
        Pictures on which the preference for membranes is chosen; none without them.

    Returns
    -------
    Path
    """
    net = LeakageNet()
    net.load_state_dict(torch.load(weights, weights_only=True))
    offset = best_offset(net.eval(), held_out) if held_out else 0.0
    segmenter = AnnotationLeakage(net, membrane_offset=offset)
    save_weights(path, segmenter.tensors(), segmenter.header() | {"description": DESCRIPTION})
    return path


def main() -> None:
    """Read the command line, train, and write the model file if one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", type=Path, help="model file to begin with")
    parser.add_argument("--export", type=Path, help="model file to write at the end")
    options = vars(parser.parse_args())
    path = options.pop("export")
    weights = pretrain(**options)
    if path:
        export(weights, path, scene_pool(options["work"] / "held_out", 40, seed=999))


if __name__ == "__main__":
    main()
