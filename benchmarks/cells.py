"""Membranes to cells: how fast, and how good, on the membranes of real stacks.

The shipped model answers the val part of each set, given ten strokes a class on one plane of its
train part (from ``annotate.py``; without it the model answers by itself). These membranes, and the
same with holes torn into them, are turned into cells by each method. Prints a table in Markdown.

    python benchmarks/cells.py --data FOLDER --referee FOLDER

The data folder and the folder with ``annotate.py`` are by default INFOLEAK_DATA and
INFOLEAK_REFEREE, else ``../shared/data`` and ``../shared/referee``. A set that is not there is left
out. The rule for borders was chosen after a look at isbi2012, vnc_stack1 and alizarine_cornea:
their rows are not blind. Steps are timed in processor seconds of one thread, the fastest of some
rounds, so that other work on the computer does not count.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Method = Callable[[Array, tuple[float, ...] | None], Array]


@dataclass(frozen=True)
class Stack:
    """Membranes of a set, and its true cells; `spacing` is known where they make a volume."""

    name: str
    membrane: Array
    truth: Array
    spacing: tuple[float, ...] | None


@dataclass(frozen=True)
class Recipe:
    """Where a set lies, and how its truth is read."""

    name: str
    label: str
    spacing: tuple[float, ...] | None = None
    membrane: int = 1
    ignored: int | None = None
    from_plane: int = 0


SETS = (
    Recipe("isbi2012", "label"),
    Recipe("vnc_stack1", "label5"),
    Recipe("alizarine_cornea", "label_ignore255", ignored=255),
    # The first val planes are all but copies of the last train planes.
    Recipe("fib25", "bodies", spacing=(10, 10, 10), from_plane=15),
)


def main() -> None:
    """Print the table."""
    options = _options()
    stacks = [
        loaded
        for recipe in SETS
        if (loaded := load(options.data, options.referee, recipe)) is not None
    ]
    if not stacks:
        sys.exit(f"none of the sets lies in {options.data}; name the folder in INFOLEAK_DATA")
    print(f"Hardware: {_processor()}, one thread; {platform.system()}, Python ", end="")
    print(f"{platform.python_version()}. Speed is relative to the watershed by scikit-image.\n")
    print("| membranes | method | ms a megapixel | speed | V_rand | V_info |", end="")
    print(" adapted Rand error | AP50 | cells (true) |")
    print("|---|---|---|---|---|---|---|---|---|")
    for stack in stacks:
        for shown in (stack, torn(stack)):
            report(shown, options.rounds)


def report(stack: Stack, rounds: int) -> None:
    """Print the rows of one set."""
    rows = {name: timed(method, stack, rounds) for name, method in methods().items()}
    plain = rows["watershed, scikit-image"][0]
    for name, (seconds, cells) in rows.items():
        v_rand, v_info, error, ap50 = scores(cells, stack)
        print(
            f"| {stack.name} | {name} | {1e9 * seconds / stack.membrane.size:.0f} "
            f"| {plain / seconds:.1f} | {v_rand:.3f} | {v_info:.3f} | {error:.3f} | {ap50:.3f} "
            f"| {count(cells, stack)} ({count(stack.truth, stack)}) |",
            flush=True,
        )


def methods() -> dict[str, Method]:
    """Name the rows of the table, and what each does."""
    from napari_infoleak.instances import multicut, watershed
    from napari_infoleak.instances.engine import FastEngine, PlainEngine

    fast, plain = FastEngine(), PlainEngine()
    return {
        "connected parts below 0.5": parts,
        "textbook watershed, scikit-image": textbook,
        "watershed, scikit-image": lambda m, s: watershed.cells(m, spacing=s, engine=plain),
        "**watershed**, bioimage-cpp": lambda m, s: watershed.cells(m, spacing=s, engine=fast),
        "multicut, scikit-image": lambda m, s: multicut.cells(m, spacing=s, engine=plain),
        "**multicut**, bioimage-cpp": lambda m, s: multicut.cells(m, spacing=s, engine=fast),
    }


def parts(membrane: Array, spacing: tuple[float, ...] | None) -> Array:
    """Number the connected parts that are no membrane."""
    from scipy.ndimage import label

    if spacing is not None:
        return np.asarray(label(membrane < 0.5)[0])
    return _numbered([label(plane < 0.5)[0] for plane in membrane])


def textbook(membrane: Array, spacing: tuple[float, ...] | None) -> Array:
    """Flood from every peak of the distance to a membrane, as the gallery of scikit-image does."""
    from scipy.ndimage import distance_transform_edt, label
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    def divided(values: Array) -> Array:
        inside = values < 0.5
        far = distance_transform_edt(inside)
        seeds = np.zeros(values.shape, bool)
        seeds[tuple(peak_local_max(far, min_distance=5, labels=inside.astype(int)).T)] = True
        return np.asarray(watershed(values, label(seeds)[0], mask=inside))

    return divided(membrane) if spacing is not None else _numbered(list(map(divided, membrane)))


def timed(method: Method, stack: Stack, rounds: int) -> tuple[float, Array]:
    """Return the processor seconds of the fastest round, and the cells."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        cells = method(stack.membrane, stack.spacing)
        taken.append(time.process_time() - start)
    return min(taken), cells


def scores(cells: Array, stack: Stack) -> tuple[float, float, float, float]:
    """V_rand, V_info, adapted Rand error and AP50, by plane, or over the volume."""
    from napari_infoleak.evaluate.metrics import evaluate

    if stack.spacing is None:
        planes = [
            evaluate(np.where(t > 0, p, 0), t, "instances", details=True)
            for p, t in zip(cells, stack.truth, strict=True)
        ]
    else:
        planes = [volume_scores(cells, stack.truth)]
    mean = {key: float(np.mean([plane[key] for plane in planes])) for key in planes[0]}
    return mean["v_rand"], mean["v_info"], mean["adapted_rand_error"], mean["ap50"]


def volume_scores(cells: Array, truth: Array) -> dict[str, float]:
    """Score a volume at once: cells grow in all directions before they are compared."""
    from scipy.ndimage import distance_transform_edt

    from napari_infoleak.evaluate.metrics import evaluate

    if (cells == 0).any():
        nearest = distance_transform_edt(cells == 0, return_distances=False, return_indices=True)
        cells = cells[tuple(nearest)]
    flat = (len(truth), -1)
    # Every voxel has a cell now, so that no border is left to be thinned and shape is all one.
    return evaluate(
        cells.reshape(flat).reshape(1, -1), truth.reshape(1, -1), "instances", details=True
    )


def count(cells: Array, stack: Stack) -> int:
    """Count the cells where the truth knows any."""
    known = np.where(stack.truth > 0, cells, 0)
    boxes = [known] if stack.spacing is not None else known
    return sum(int(np.count_nonzero(np.unique(box))) for box in boxes)


def torn(stack: Stack, every: int = 400, radius: int = 4) -> Stack:
    """Tear a hole into the membranes for every so many pixels of membrane."""
    rng = np.random.default_rng(0)
    membrane = stack.membrane.copy()
    on = np.argwhere(membrane > 0.5)
    for z, y, x in on[rng.choice(len(on), len(on) // every, replace=False)]:
        y0, x0 = max(y - radius, 0), max(x - radius, 0)
        patch = membrane[z, y0 : y + radius + 1, x0 : x + radius + 1]
        yy, xx = np.ogrid[y0 : y0 + patch.shape[0], x0 : x0 + patch.shape[1]]
        patch[(yy - y) ** 2 + (xx - x) ** 2 <= radius**2] = 0
    return Stack(f"{stack.name}, torn", membrane, stack.truth, stack.spacing)


def load(folder: Path, referee: Path, recipe: Recipe) -> Stack | None:
    """Read a set and answer its val part, or return None where it is missing."""
    import tifffile

    def read(part: str, what: str) -> Array:
        return np.asarray(tifffile.imread(folder / recipe.name / f"{part}_{what}.tif"))

    if not (folder / recipe.name).is_dir():
        return None
    classes = _classes(read("train", recipe.label), recipe)
    raw = read("val", "raw")[recipe.from_plane :]
    labels = read("val", recipe.label)[recipe.from_plane :]
    membrane = answered(read("train", "raw")[0], classes[0], raw, referee)
    truth = labels.astype(np.int64) if recipe.label == "bodies" else _cells(labels, recipe)
    return Stack(recipe.name, membrane, truth, recipe.spacing)


def answered(plane: Array, classes: Array, raw: Array, referee: Path) -> Array:
    """Membrane probability of each plane, by the shipped model."""
    import napari_infoleak as il

    support = None
    if (referee / "annotate.py").is_file():
        sys.path.insert(0, str(referee))
        painted = import_module("annotate").annotate(classes, strokes=10, seed=0)
        support = il.SupportSet().add(plane, painted, axes="YX")
    result = il.segment(raw, support, axes="ZYX", device="cpu", threads=1)
    probabilities: Array = np.asarray(result.probabilities)[list(result.class_ids).index(2)]
    return probabilities.astype(np.float32)


def _classes(labels: Array, recipe: Recipe) -> Array:
    """Class ids: 1 interior, 2 membrane, 0 unlabelled."""
    from scipy.ndimage import binary_dilation
    from skimage.segmentation import find_boundaries

    if recipe.label == "bodies":
        return np.stack([find_boundaries(one) for one in labels]).astype(np.uint8) + np.uint8(1)
    wall = labels == recipe.membrane
    if recipe.ignored is None:
        return np.where(wall, 2, 1).astype(np.uint8)
    # These borders are one pixel wide: nobody could paint them.
    wall = np.stack([binary_dilation(plane) for plane in wall])
    return np.where(labels == recipe.ignored, 0, np.where(wall, 2, 1)).astype(np.uint8)


def _cells(labels: Array, recipe: Recipe) -> Array:
    """True cells of each plane: connected parts that are annotated and no membrane."""
    from scipy.ndimage import label

    inside = (labels != recipe.membrane) & (
        labels != (-1 if recipe.ignored is None else recipe.ignored)
    )
    return np.stack([label(plane)[0] for plane in inside])


def _numbered(planes: list[Array]) -> Array:
    """Stack planes of cells, so that no number occurs on two of them."""
    stack, highest = np.stack(planes).astype(np.int64), 0
    for plane in stack:
        plane[plane > 0] += highest
        highest = max(highest, int(plane.max()))
    return stack


def _processor() -> str:
    """Name the processor."""
    listed = Path("/proc/cpuinfo")
    if listed.is_file():
        for line in listed.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _options() -> argparse.Namespace:
    beside = Path(__file__).resolve().parents[2] / "shared"
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    data, referee = os.environ.get("INFOLEAK_DATA"), os.environ.get("INFOLEAK_REFEREE")
    parser.add_argument("--data", type=Path, default=Path(data) if data else beside / "data")
    parser.add_argument(
        "--referee", type=Path, default=Path(referee) if referee else beside / "referee"
    )
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
