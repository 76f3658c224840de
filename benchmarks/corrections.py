"""How long a correction of cells takes: every tool, in a plane and in a volume.

Cells are the truth of a plane of isbi2012 and of the train volume of fib25; a map of darkness
stands for the membrane probability, which does not change the time. For every seed a cell is drawn
at random, by its pixels, so that large ones come more often, and each tool is used once in its
middle. Seconds are those of one core. The first correction, which loads what is needed, is no part.

    python benchmarks/corrections.py --data FOLDER --referee FOLDER
"""

from __future__ import annotations

import argparse
import contextlib
import time
from typing import TYPE_CHECKING

import numpy as np

import napari_infoleak as il
from _rows import Kept, Row, finish, hardware, markdown, middle, of, run_options
from _sets import check_folders, folder_options, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _sets import Stack

SETS = {"isbi2012": "plane, 512 x 512", "fib25": "volume, 110 x 250 x 250"}
TOOLS = {
    "split": "Split",
    "split_by_seeds": "Two seeds",
    "merge": "Merge",
    "close_gap": "Close gap",
    "paint": "Paint",
    "delete": "Delete",
    "undo": "Undo",
}
SOURCE = """\
Seconds of one core for one correction, median and worst over {seeds} cells drawn at random by their
pixels; {hardware}. Printed by `benchmarks/corrections.py`.
"""


def main() -> None:
    """Use every tool and print the table."""
    options = _options()
    kept = Kept(options.json)
    for name in SETS:
        cells, membrane = cells_of(options.data, name)
        for seed in range(-1, options.seeds):  # the first one loads what is needed
            key = {"set": name, "seed": seed, "model": ""}
            if seed < 0 or not kept.has(key, *TOOLS):
                figures = use_each(cells, membrane, np.random.default_rng(seed + 1))
                if seed >= 0:
                    kept.add(key, figures)
    finish(options, {"corrections": table(kept.rows, options.seeds)})


def cells_of(data: Path, name: str) -> tuple[Stack, Stack]:
    """Return cells and a map of darkness, ZYX."""
    import tifffile
    from scipy import ndimage as ndi

    if name == "fib25":
        raw = tifffile.imread(data / name / "train_raw.tif")
        cells = tifffile.imread(data / name / "train_bodies.tif")
    else:
        parts = load(data, name)
        raw = parts.train[:1]
        cells = ndi.label(parts.train_truth[0] == 1)[0][None]
    _, compact = np.unique(cells, return_inverse=True)
    dark = 1 - ndi.gaussian_filter(raw.astype(np.float32), (0, 1, 1)) / 255
    return compact.reshape(cells.shape).astype(np.uint32), dark


def use_each(cells: Stack, membrane: Stack, rng: np.random.Generator) -> Row:
    """Use each tool once on a cell, and take it back."""
    inside = np.flatnonzero(cells)
    cell = cells.ravel()[rng.choice(inside)]
    z = int(np.median(np.nonzero(cells == cell)[0]))
    ys, xs = np.nonzero(cells[z] == cell)
    y = int(np.median(ys))
    row = xs[ys == y] if (ys == y).any() else xs
    left, right, x = int(row.min()), int(row.max()), int(np.median(row))
    across = [(z, y, left), (z, y, right)]
    around = [(z, y, max(left - 12, 0)), (z, y, min(right + 12, cells.shape[2] - 1))]
    disk = np.argwhere(np.hypot(*(np.indices((9, 9)) - 4)) <= 4) + np.array([y - 4, x - 4])
    corrections = il.Corrections(cells.copy(), membrane=membrane)
    figures: Row = {}

    def timed(name: str, act: Callable[[], object]) -> None:
        begin = time.process_time()
        with contextlib.suppress(il.BadInput):  # a cell that cannot be cut here took its time, too
            act()
        figures[name] = round(time.process_time() - begin, 4)

    uses: dict[str, Callable[[], object]] = {
        "split": lambda: corrections.split(across),
        "split_by_seeds": lambda: corrections.split_by_seeds(across[:1], across[1:]),
        "merge": lambda: corrections.merge(around),
        "close_gap": lambda: corrections.close_gap(across),
        "paint": lambda: corrections.paint([(z, *at) for at in disk], int(cell)),
        "delete": lambda: corrections.delete(across[:1]),
    }
    for name, act in uses.items():
        timed(name, act)
        timed("undo", corrections.undo)
    return figures


def table(rows: list[Row], seeds: int) -> str:
    """One line a tool, a column a set."""
    lines = []
    for tool, words in TOOLS.items():
        told = []
        for name in SETS:
            own = of(rows, set=name)
            worst = max((row[tool] for row in own), default=float("nan"))
            told.append(f"{middle(own, tool):.3f} ({worst:.3f})")
        lines.append([words, *told])
    grid = markdown(["tool", *SETS.values()], lines)
    return f"{grid}\n\n{SOURCE.format(seeds=seeds, hardware=hardware())}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    folder_options(parser)
    run_options(parser)
    parser.set_defaults(seeds=12)
    options = parser.parse_args()
    check_folders(parser, options, *SETS)
    return options


if __name__ == "__main__":
    main()
