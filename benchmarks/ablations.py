"""What a leak brings: a method, the method with its leak cut, its controls, U-Nets of both sizes.

Every arm is trained with the same steps, crops and seeds on all but a block of planes of a training
part, and scored on that block; each seed has another block. What was measured is kept in a file, so
that a run that was broken off goes on, and the table fills over several runs.

    python benchmarks/ablations.py --method feedback-unet --data FOLDER --publish
    python benchmarks/ablations.py --method feedback-unet --sets synthetic

The second is what defaults are chosen by: scenes that are made up, and no data.

The folder is by default INFOLEAK_DATA, else ``../shared/data``. Validation parts are not looked at.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import napari_infoleak as il
from _ablation_arms import AT_TEST, CUT, METHOD, UNET, WIDER, Arm, arms
from _rows import ROOT, Kept, Row, finish, markdown, of, rounded
from _sets import SETS, Parts, folder_options, load
from napari_infoleak.core.config import TrainConfig
from napari_infoleak.core.image import Image
from napari_infoleak.core.normalise import normalise
from napari_infoleak.infer.tiles import pad
from napari_infoleak.learn.neuropil import neuropil
from napari_infoleak.learn.synthesis import MEMBRANE, MITOCHONDRION
from napari_infoleak.segmenters import registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _sets import Stack

SYNTHETIC = "synthetic"
BLOCKS = {"isbi2012": 5, "vnc_stack1": 4, SYNTHETIC: 4}
CLASSES = {
    SYNTHETIC: {1: "interior", 2: "membrane", 3: "mitochondria"},
    "isbi2012": {1: "interior", 2: "membrane"},
    "vnc_stack1": {
        1: "intracellular",
        2: "membrane",
        3: "mitochondria",
        4: "synapse",
        5: "glia",
    },
}

PROTOCOL = """\
Mean IoU over the classes, from scratch: {steps} steps of {batch} crops of {crop} x {crop} pixels,
the same for all arms, widths {widths} (volumes: a crop of eight planes a step). The training part
of each set is cut into blocks of neighbouring planes ({blocks}); each seed is trained on all blocks
but one and scored on that one, pooled over its planes. Mean and standard deviation over the seeds,
and of the differences to the plain U-Net, seed by seed. Weights are what is needed at test; seconds
are for a megapixel on a shared processor: compare them within the table only.
"""

SOURCE = """\
Printed by `benchmarks/ablations.py --method {method}`; every single figure is kept in
`docs/benchmarks/ablations/`.
"""


def main() -> None:
    """Run what is missing and print the table."""
    options = _options()
    torch.set_num_threads(options.threads)
    method, widths = options.method, tuple(options.widths)
    own, shared = (Kept(options.json / f"{name}.json") for name in (method, "unet"))
    chosen = arms(method, widths, 2 * widths[0])
    for name in options.sets:
        parts = drawn() if name == SYNTHETIC else load(options.data, name, every_class=True)
        for seed in range(options.seeds):
            for arm in chosen:
                if not options.arms or arm.name in options.arms:
                    labelled = 1 if method == "time-series" else 0
                    usual = arm.name == UNET and not labelled
                    measure(arm, name, parts, seed, shared if usual else own, options, labelled)
    wanted = _settings(options)
    rows = [row for kept in (shared, own) for row in of(kept.rows, **wanted)]
    text = "\n".join([protocol(options), *tables(rows, options.sets), SOURCE.format(method=method)])
    finish(options, {f"ablations {method}": text})


def measure(
    arm: Arm,
    name: str,
    parts: Parts,
    seed: int,
    kept: Kept,
    options: argparse.Namespace,
    labelled: int,
) -> None:
    """Train an arm and keep its figures, and those with its leak cut."""
    key: Row = {"set": name, "arm": arm.name, "seed": seed, "model": ""} | _settings(options)
    cut = key | {"arm": CUT if arm.name == METHOD else f"{arm.name}, cut"}
    needs_cut = arm.method in AT_TEST
    if kept.has(key) and (not needs_cut or kept.has(cut)):
        return
    block = held_out(len(parts.train), BLOCKS[name], seed)
    sizes = dict(arm.options)
    if arm.name == WIDER:
        sizes = as_large_as(options.method, sizes, len(CLASSES[name]))
    began = time.monotonic()
    segmenter = trained(arm, sizes, parts, block, seed, options, labelled)
    took = time.monotonic() - began
    images, truth = parts.train[block], parts.train_truth[block]
    noted = {"weights": weights(segmenter), "training": round(took, 1), "blocks": BLOCKS[name]}
    kept.add(key, scored(segmenter, images, truth) | noted)
    if needs_cut:
        kept.add(cut, scored(segmenter.with_leak(0.0), images, truth) | noted)


def drawn(count: int = 12, side: int = 320) -> Parts:
    """Made-up sections of nervous tissue, for choosing by: the same ones each time."""
    scenes = [neuropil(np.random.default_rng(number), side) for number in range(count)]
    images = np.concatenate([scene.image for scene in scenes])
    classes = np.concatenate([scene.classes for scene in scenes])
    truth = np.full(classes.shape, 1, np.uint8)
    truth[classes == MEMBRANE], truth[classes == MITOCHONDRION] = 2, 3
    return Parts(images, truth, images[:0], truth[:0])


def held_out(planes: int, blocks: int, seed: int) -> slice:
    """Planes of the block that a seed is scored on."""
    edges = np.linspace(0, planes, blocks + 1).round().astype(int)
    number = seed % blocks
    return slice(int(edges[number]), int(edges[number + 1]))


def trained(
    arm: Arm,
    sizes: dict[str, Any],
    parts: Parts,
    block: slice,
    seed: int,
    options: argparse.Namespace,
    labelled: int,
) -> Any:
    """Train on all planes but a block; `labelled` of each run of planes, or all if 0."""
    count = len(parts.train)
    runs = [
        run for run in (slice(0, block.start), slice(block.stop, count)) if run.start < run.stop
    ]
    pairs = []
    for number, run in enumerate(runs):
        truth = parts.train_truth[run].copy()
        if labelled:
            middle = (len(truth) - labelled) // 2
            truth[:middle], truth[middle + labelled :] = 0, 0
        pairs.append((Image.from_array(parts.train[run], "ZYX", name=f"run {number}"), truth))
    settings: dict[str, Any] = {
        "method": arm.method,
        "steps": options.steps,
        "seed": seed,
        "crop": options.crop,
        "batch": options.batch if 2 in registry.method(arm.method).dims else 1,
        "depth": 8,
        "hold_out": False,
        "device": "cpu",
        "threads": options.threads,
    }
    if arm.recipe:
        return _by_recipe(arm, sizes, pairs, TrainConfig.checked(**settings))
    return il.train(pairs, init=None, options=sizes, **settings).segmenter


def _by_recipe(
    arm: Arm, sizes: dict[str, Any], pairs: Sequence[tuple[Image, Stack]], settings: TrainConfig
) -> Any:
    """Train by pseudo-labels in an order of one's own."""
    from napari_infoleak.learn.frames import others
    from napari_infoleak.learn.recipes.pseudo_labels import pseudo_labels

    support = il.SupportSet()
    for image, truth in pairs:
        support = support.add(image, truth)
    frames = [frame for image, _ in pairs for frame in others(image, None, support.planes)]
    torch.manual_seed(settings.seed)
    segmenter: Any = registry.fresh(arm.method, support.classes, **sizes)
    outcome = pseudo_labels(segmenter, support, settings, frames=frames, **arm.recipe)
    return type(segmenter).from_file(outcome.tensors, outcome.header)


def as_large_as(method: str, sizes: dict[str, Any], classes: int) -> dict[str, Any]:
    """Sizes of a U-Net with as many weights as a method has with these."""
    table = il.ClassTable.for_ids(range(1, classes + 1))
    own = dict(sizes)
    if method == "loop-resnet-3d":
        own.pop("features")
    goal = weights(registry.fresh(method, table, **own))
    for percent in range(50, 800, 2):
        scaled = [math.ceil(width * percent / 100) for width in sizes["widths"]]
        made = {"widths": scaled, "features": math.ceil(sizes["features"] * percent / 100)}
        if weights(registry.fresh("unet", table, **made)) >= goal:
            break
    return made


def weights(segmenter: Any) -> int:
    """How many numbers a model's file holds."""
    return sum(tensor.numel() for tensor in segmenter.tensors().values())


@torch.inference_mode()
def scored(segmenter: Any, images: Stack, truth: Stack) -> Row:
    """IoU of each class, its mean, and seconds a megapixel."""
    memory = segmenter.remember(il.SupportSet())
    step, volumes = segmenter.spec.multiple_of, 2 not in segmenter.spec.dims
    planes = np.stack([pad(normalise(image), step) for image in images])
    height, width = truth.shape[1:]
    began = time.perf_counter()
    if volumes:
        found = segmenter.scores(torch.from_numpy(planes)[None, None], memory)[0].argmax(0)
        answer = found.numpy()
    else:
        answer = np.stack(
            [
                segmenter.scores(torch.from_numpy(plane)[None, None], memory)[0].argmax(0).numpy()
                for plane in planes
            ]
        )
    seconds = (time.perf_counter() - began) / (planes.size / 1e6)
    labels = np.asarray(memory.class_ids)[answer[:, :height, :width]]
    found_iou: dict[str, float] = {}
    for number in memory.class_ids:
        p, t = labels == number, truth == number
        if t.any() or p.any():
            found_iou[f"iou_{number}"] = float((p & t).sum() / (p | t).sum())
    mean = float(np.mean(list(found_iou.values())))
    return rounded({"miou": mean, "seconds": seconds} | found_iou)


def protocol(options: argparse.Namespace) -> str:
    """Say how it was measured."""
    blocks = ", ".join(f"{name}: {BLOCKS[name]}" for name in options.sets)
    widths = "-".join(str(width) for width in options.widths)
    return PROTOCOL.format(
        steps=options.steps, batch=options.batch, crop=options.crop, widths=widths, blocks=blocks
    )


def tables(rows: list[Row], sets: Sequence[str]) -> list[str]:
    """A table for each set that has rows."""
    made = []
    for name in sets:
        own = of(rows, set=name)
        names = [n for n in dict.fromkeys(row["arm"] for row in own) if not n.endswith(", cut")]
        order = [
            UNET,
            METHOD,
            CUT,
            *(n for n in names if n not in (UNET, METHOD, CUT, WIDER)),
            WIDER,
        ]
        lines = [_line(own, arm, CLASSES[name]) for arm in order if of(own, arm=arm)]
        head = ["arm", "weights", "s", "seeds", "mean IoU", "to U-Net", *CLASSES[name].values()]
        if lines:
            made.append(f"**{name}**\n\n{markdown(head, lines)}\n")
    return made


def _line(rows: list[Row], arm: str, classes: dict[int, str]) -> list[str]:
    own = of(rows, arm=arm)
    before = {row["seed"]: row["miou"] for row in of(rows, arm=UNET)}
    apart = [row["miou"] - before[row["seed"]] for row in own if row["seed"] in before]
    each = [
        _spread([row[f"iou_{n}"] for row in own if row.get(f"iou_{n}") is not None])
        for n in classes
    ]
    seconds = float(np.median([row["seconds"] for row in own]))
    return [
        arm,
        f"{own[0]['weights']:,}",
        f"{seconds:.2f}",
        str(len(own)),
        _spread([row["miou"] for row in own]),
        "" if arm == UNET else _spread(apart, sign="+"),
        *each,
    ]


def _spread(values: Sequence[float], sign: str = "") -> str:
    """Mean and standard deviation."""
    if not values:
        return "-"
    spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):{sign}.3f}{spread}"


def _settings(options: argparse.Namespace) -> Row:
    """What rows of one table have in common."""
    return {
        "steps": options.steps,
        "crop": options.crop,
        "batch": options.batch,
        "widths": "-".join(str(width) for width in options.widths),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    folder_options(parser)
    able = [one.name for one in registry.methods() if one.trains]
    able = [name for name in able if name not in ("unet", "annotation-leakage")]
    parser.add_argument("--method", required=True, choices=able)
    parser.add_argument("--sets", nargs="+", default=list(SETS)[:2], choices=list(BLOCKS))
    parser.add_argument("--arms", nargs="+", help="names of arms; all by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "ablations")
    parser.add_argument("--publish", action="store_true", help="put the table into its page")
    options = parser.parse_args()
    for name in set(options.sets) - {SYNTHETIC}:
        if not (options.data / name / f"train_{SETS[name]}.tif").is_file():
            parser.error(f"{options.data / name} is not there: give --data")
    return options


if __name__ == "__main__":
    main()
