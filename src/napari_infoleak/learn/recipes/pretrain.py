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
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from napari_infoleak.io.weights import save_weights
from napari_infoleak.learn.episodes import Episode, Source, episodes
from napari_infoleak.learn.free_sets import free_sources
from napari_infoleak.learn.recipes.membrane_offset import best_offset
from napari_infoleak.learn.synthesis import Kind, synthesise
from napari_infoleak.nets.leakage_net import LeakageNet
from napari_infoleak.nets.losses import (
    cross_entropy,
    cross_entropy_of_log,
    dice,
    log_likelihood,
)
from napari_infoleak.nets.read_out import class_moments, label_patches, ridge
from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage
from napari_infoleak.segmenters.memory import balance, choose

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

log = logging.getLogger(__name__)

DESCRIPTION = "Membranes of any microscopy; reads your strokes, and answers without them too."
CROPS, SIZE, EPISODES = 4, 176, 2
ENTRIES, PIXELS = 1536, 12_000  # that the memory and the linear rule learn from, at most
SHARES: dict[Kind, float] = {"em": 0.55, "fluorescence": 0.25, "brightfield": 0.1, "texture": 0.1}
RATE, WARM_UP, DECAY_SHARE, EMA = 2e-3, 200, 0.4, 0.998
_WEIGHTS = {"fused": 1.0, "own": 0.5, "read": 0.25, "linear": 0.25}
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
            scene = synthesise(rng, (1, 512, 512), kind)
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
        sources.append(Source([image], [classes], [margin], (0.7, 1.7), 12.0 / count))
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


def episode_losses(
    net: LeakageNet, features: Tensor, episode: Episode, rng: np.random.Generator
) -> dict[str, list[Tensor]]:
    """Losses of one episode: every crop is answered with the annotations of others.

    Parameters
    ----------
    net : LeakageNet
    features : Tensor, shape (G, F, Y, X)
    episode : Episode
    rng : Generator

    Returns
    -------
    dict of list of Tensor
        Named terms; lists are empty where nothing could be asked.
    """
    terms: dict[str, list[Tensor]] = {"fused": [], "own": [], "read": [], "linear": []}
    own = net.own(features).log_softmax(1)
    target = torch.from_numpy(episode.membrane)
    if bool((target >= 0).any()):
        terms["own"].append(cross_entropy_of_log(own, target) + dice(own, target))
    keys, phi = net.key_head.keys(features), net.key_head.linear(features)
    for query in range(len(features)):
        others = [g for g in range(len(features)) if g != query]
        picked = rng.permutation(others)[: int(rng.integers(1, len(others) + 1))]
        present = np.unique(episode.painted[picked])
        present = present[present >= 0]
        if len(present) < 2:
            continue
        number = np.full(episode.count + 1, -1)  # the last place is for -1, unlabelled
        number[present] = np.arange(len(present))
        painted = torch.from_numpy(number[episode.painted[picked]])
        truth = torch.from_numpy(number[episode.truth[query : query + 1]])
        count = len(present)

        stride = net.key_head.stride
        values = torch.cat([label_patches(p, stride, count) for p in painted])
        kept = choose(values.sum(2), ENTRIES)
        memory_keys = keys[picked].permute(0, 2, 3, 1).flatten(0, 2)[kept]
        values = values[kept]
        read, likeness = net.read(keys[query : query + 1], memory_keys, values, balance(values))

        seen = painted >= 0
        pixels, index = phi[picked].permute(0, 2, 3, 1)[seen], painted[seen]
        if len(pixels) > PIXELS:
            few = torch.randperm(len(pixels))[:PIXELS]
            pixels, index = pixels[few], index[few]
        moments = class_moments(pixels, index, count)
        rule = ridge(*moments, net.penalty)
        linear = torch.einsum("bdyx,kd->bkyx", phi[query : query + 1], rule)

        membrane = own[picked, 1].detach().exp()
        affinity = torch.stack([membrane[painted == k].mean() for k in range(count)])
        mine = own[query : query + 1]
        added = net.fuse(features[query : query + 1], mine, affinity, read, likeness, linear)
        as_preset = episode.preset and count == 2 and rng.uniform() < 0.7
        scores = (mine if as_preset else 0.0) + added
        terms["fused"].append(cross_entropy(scores, truth) + 0.7 * dice(scores, truth))
        terms["read"].append(log_likelihood(read, truth))
        terms["linear"].append(cross_entropy(8 * linear, truth))
    return terms


def _terms(net: LeakageNet, batch: list[Episode], rng: np.random.Generator) -> dict[str, Tensor]:
    """Mean losses of a batch by name; those of which nothing could be asked are left out."""
    images = torch.from_numpy(np.concatenate([e.images for e in batch]))[:, None]
    features = net.body(images.contiguous(memory_format=torch.channels_last))
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
    torch.stack([_WEIGHTS[name] * value for name, value in terms.items()]).sum().backward()
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
    parser.add_argument("--export", type=Path, help="model file to write at the end")
    options = vars(parser.parse_args())
    path = options.pop("export")
    weights = pretrain(**options)
    if path:
        export(weights, path, scene_pool(options["work"] / "held_out", 40, seed=999))


if __name__ == "__main__":
    main()
