"""Cells in light microscopy from a few strokes, beside a forest and a fine-tuned network.

Each arm gives the membrane probability of images that have no paint, learned from strokes on
another image, plane or half; the watershed that makes cells of them is the same for all. Prints a
Markdown table and which goals are met; ``--json`` keeps every single figure, and what it has of the
same weights is not measured again.

    python benchmarks/fluorescence.py --data FOLDER --referee FOLDER

The folders are by default INFOLEAK_DATA and INFOLEAK_REFEREE, else ``../shared/data`` and
``../shared/referee``. Sets that are not there are left out.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import napari_infoleak as il
from _arms import FOREST, LEAK, TUNED, Arms
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
from _sets import Referee, check_folders, folder_options
from cells import parts, textbook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _sets import Stack

ARMS = (FOREST, TUNED, LEAK)
AHEAD = 0.15  # of the forest's AP50: the goal
WAYS: dict[str, tuple[str, Callable[[Stack], Stack]]] = {
    "ours": (
        "`il.cells`",
        lambda membrane: il.cells(membrane, axes="ZYX", dims=2, keep_membrane=False),
    ),
    "textbook": ("textbook watershed", lambda membrane: textbook(membrane, None)),
    "parts": ("connected parts", lambda membrane: parts(membrane, None)),
}
"""How cells are made of the membranes, the same for all arms."""

GAP = 8  # pixels left out on each side of the cut between a painted and an answered half
SMALL = 20  # pixels: what is left of a cell at the edge of a plane is no cell to be found

PROTOCOL = """\
Strokes ({strokes} a class, interior and membrane) are painted by a script on one image, plane or
half of each set; others are answered. The membrane probability of each arm is turned into cells in
three ways, the same for all arms: by `il.cells` (its watershed bridges gaps in membranes; membranes
are divided among the cells), by the watershed of scikit-image's gallery from every peak of the
distance to a membrane, and as connected parts below 0.5. AP50 is TP / (TP + FP + FN) at an overlap
of 0.5, image by image, then the mean; median over the seeds, in brackets the worst and the best.
From which mean probability on `il.cells` lets a border hold, 0.3, was chosen on all of these sets
but the cornea, and on fib25.

- *alizarine_cornea*: corneal endothelium, light microscopy. Never seen in training. One image of
  the training part is painted, six of the validation part are answered. Only the part that is
  annotated counts: cells of which less than half lies in it are left out. Borders are drawn one
  pixel wide; to be painted they are widened to three.
- *wing disc*: E-cadherin, projected. Never seen in training. One half is painted, the other
  answered; its labels are machine-made, good ones.
- *maize*: confocal, halves as before; machine-made labels. **Seen in training**, with its labels.
- *plant ovule*: confocal, one plane out of 0 to 11 is painted, every third from 18 on is answered.
  **Seen in training**, with its labels.
"""

SOURCE = """\
Printed by `benchmarks/fluorescence.py`; every single figure is kept in
`docs/benchmarks/fluorescence.json`.
"""


@dataclass(frozen=True)
class Task:
    """An image to be painted, with its truth, and those to be answered, with their cells.

    Truth is 0 where it is unknown, 1 interior, 2 membrane; cells are ids by plane, 0 for none.
    `known` is where cells are annotated.
    """

    image: Stack
    truth: Stack
    asked: Stack
    cells: Stack
    known: Stack


def main() -> None:
    """Run the arms and print the table."""
    options = _options()
    torch.set_num_threads(options.threads)
    kept, model = Kept(options.json), model_hash(options.model)
    referee = Referee(options.referee)
    for name, (read, _) in SETS.items():
        arms = Arms(options.model)
        for arm in options.arms:
            for seed in range(options.seeds):
                key: Row = {"set": name, "arm": arm, "strokes": options.strokes, "seed": seed}
                key["model"] = "" if arm == FOREST else model
                if kept.has(key) or (task := read(options.data, seed)) is None:
                    continue
                strokes = referee.paint(task.truth, options.strokes, seed)
                answer = arms.answer(arm, task.image, strokes, task.asked, seed)
                kept.add(key, figures(answer.membrane, task, referee))
    rows = of(kept.current(model), strokes=options.strokes)
    protocol = PROTOCOL.format(strokes=options.strokes)
    finish(options, {"fluorescence": f"{protocol}\n{table(rows)}\n\n{SOURCE}"})
    for name in SETS:
        for way, (told, _) in WAYS.items():
            forest, ours = (
                middle(of(rows, set=name, arm=arm), f"ap50_{way}") for arm in (FOREST, LEAK)
            )
            print(verdict(f"{name}, {told}: AP50", ours, ">=", forest + AHEAD))


def figures(membrane: Stack, task: Task, referee: Referee) -> Row:
    """Cells of the membranes, made in each way and scored image by image."""
    found: Row = {}
    for way, (_, make) in WAYS.items():
        for name, value in scores(make(membrane), task, referee).items():
            found[f"{name}_{way}"] = value
    return rounded(found)


def scores(found: Stack, task: Task, referee: Referee) -> Row:
    """Mean over the images."""
    each = []
    for cells, truth, known in zip(found, task.cells, task.known, strict=True):
        inside = within(cells.astype(np.int64), known)
        ap50 = referee.score.average_precision(inside, truth)
        each.append((ap50, *referee.score.v_scores(inside, truth)))
    return dict(zip(("ap50", "v_rand", "v_info"), np.mean(each, 0), strict=True))


def within(cells: Stack, known: Stack) -> Stack:
    """Cells of which at least half lies where something is known, and that part of them alone."""
    size = np.bincount(cells.ravel())
    inside = np.bincount(cells[known], minlength=len(size))
    return np.where(known & (2 * inside >= size)[cells], cells, 0)


def table(rows: list[Row]) -> str:
    """Median and range over the seeds, as Markdown."""
    lines = []
    for name, (_, seen) in SETS.items():
        for arm in ARMS:
            own = of(rows, set=name, arm=arm)
            if own:
                aps = (shown(own, f"ap50_{way}", span=way == "ours") for way in WAYS)
                told = "yes" if seen else "no"
                cells = (*aps, shown(own, "v_rand_ours"))
                lines.append([name, told, arm, str(len(own)), *cells])
    aps = (f"AP50, {told}" for told, _ in WAYS.values())
    return markdown(["set", "seen in training", "arm", "seeds", *aps, "V_rand, `il.cells`"], lines)


def _read(path: Path) -> Stack:
    import tifffile

    return np.asarray(tifffile.imread(path))


def cornea(folder: Path, seed: int) -> Task | None:
    """One image is painted, all of val are answered."""
    from scipy.ndimage import binary_dilation

    here = folder / "alizarine_cornea"
    if not here.is_dir():
        return None
    images, labels = _read(here / "train_raw.tif"), _read(here / "train_label_ignore255.tif")
    place = (3 * seed) % len(images)
    wall = binary_dilation(labels[place] == 1, np.ones((3, 3)))
    truth = np.where(labels[place] == 255, 0, np.where(wall, 2, 1)).astype(np.uint8)
    real = _read(here / "val_label_ignore255.tif")
    cells = np.stack([_parts(plane == 0) for plane in real])
    return Task(images[place], truth, _read(here / "val_raw.tif"), cells, real != 255)


def ovule(folder: Path, seed: int) -> Task | None:
    """One of the first planes is painted, some far behind it are answered."""
    raw = folder / "free_fluorescence" / "plant_ovule_raw.tif"
    if not raw.exists():
        return None
    images, ids = _read(raw), _read(raw.with_name("plant_ovule_label.tif"))
    place, asked = (5 * seed) % 12, slice(18, None, 3)
    cells = np.stack([_pieces(plane) for plane in ids[asked]])
    known = np.ones(cells.shape, bool)
    return Task(images[place], _walls(ids[place]), images[asked], cells, known)


def halves(folder: Path, seed: int, *, image: str, labels: str) -> Task | None:
    """One half of a single image is painted, the other answered; seeds take turns in which."""
    raw = folder / "free_fluorescence" / image
    if not raw.exists():
        return None
    grey, ids = _read(raw), _read(raw.with_name(labels))
    middle_of = grey.shape[1] // 2
    parts: Any = ((..., slice(None, middle_of - GAP)), (..., slice(middle_of + GAP, None)))
    shown_part, asked = parts if seed % 2 == 0 else parts[::-1]
    cells = _pieces(ids[asked])[None]
    known = np.ones(cells.shape, bool)
    return Task(grey[shown_part], _walls(ids[shown_part]), grey[asked][None], cells, known)


SETS: dict[str, tuple[Callable[[Path, int], Task | None], bool]] = {
    "alizarine_cornea": (cornea, False),
    "wing disc": (
        partial(
            halves, image="test_image-projected.tif", labels="test_image-projected-segmented.tif"
        ),
        False,
    ),
    "maize": (partial(halves, image="maize_clsm.tif", labels="maize_clsm_labels.tif"), True),
    "plant ovule": (ovule, True),
}
"""How each is read, and whether training saw it."""


def _walls(ids: Stack) -> Stack:
    """1 interior, 2 the pixels to both sides of a border between two ids."""
    from skimage.segmentation import find_boundaries

    return find_boundaries(ids, mode="inner").astype(np.uint8) + np.uint8(1)


def _parts(inside: Stack) -> Stack:
    """Connected parts of a mask, as cells."""
    from scipy.ndimage import label

    return _without_small(label(inside)[0])


def _pieces(ids: Stack) -> Stack:
    """Connected parts of equal id, as cells: what is one cell in space may be two in a plane."""
    from skimage.measure import label

    return _without_small(label(ids, connectivity=1))


def _without_small(cells: Stack) -> Stack:
    return np.where((np.bincount(cells.ravel()) >= SMALL)[cells], cells, 0).astype(np.int64)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    folder_options(parser)
    run_options(parser)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--strokes", default="10", help="a class")
    options = parser.parse_args()
    check_folders(parser, options)
    return options


if __name__ == "__main__":
    main()
