"""How fast whole stacks are segmented, what each setting is worth, and how the time grows.

Every setting has a process of its own, since the allocator cannot be tuned back, and all take turns
in each round, so that a busy minute hits all of them alike. Prints Markdown tables and whether the
goals are met.

    python benchmarks/throughput.py --rounds 7 --publish
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import os
import statistics
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from _rows import hardware, markdown, publish, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

MATMUL = 3072  # side of the float32 matrices that say what this computer can do
CELL = 4  # pixels a side of what makes one entry of the memory
RATE, SHARE, OVERHEAD = 1.0, 0.6, 0.15  # the goals: megapixels/s, of the matmul's rate, of the time
TABLE = "throughput"


@dataclass(frozen=True)
class Setup:
    """One way to run the network.

    Attributes
    ----------
    name : str
        First column of the table.
    folded, channels_last, allocator : bool
        What is switched on.
    """

    name: str
    folded: bool = False
    channels_last: bool = False
    allocator: bool = False


PLAIN = Setup("plain")
DEFAULT = Setup("**all three: the default**", True, True, True)
SETUPS = (
    PLAIN,
    Setup("batch norm folded", folded=True),
    Setup("channels last", channels_last=True),
    Setup("allocator tuned", allocator=True),
    DEFAULT,
)


@dataclass(frozen=True)
class Case:
    """What is segmented, and with what annotated.

    Attributes
    ----------
    planes, side : int
        Of the stack.
    classes : int
        That are painted.
    entries : int
        Cells in the memory.
    """

    planes: int = 4
    side: int = 1024
    classes: int = 2
    entries: int = 400

    @property
    def megapixels(self) -> float:
        """Of the whole stack."""
        return self.planes * self.side**2 / 1e6


USUAL = Case()
CLASSES = tuple(replace(USUAL, classes=count) for count in (2, 5, 10))
ENTRIES = tuple(replace(USUAL, entries=count) for count in (100, 400, 1000, 2000))
SIDES = tuple(Case(planes, side) for planes, side in ((16, 512), (4, 1024), (2, 2048)))
# Two planes: of a single one the features are kept, as for a user who paints on it.
WHOLE, TILED = Case(2, 2048), (Case(1, 3072), Case(1, 4096))


# ----------------------------------------------------------------------- in the children


def child(setup: Setup, model: str, threads: int, line: Connection) -> None:
    """Answer orders until 'stop': a case is segmented, 'matmul' multiplied; each gives seconds."""
    from napari_infoleak.infer.backends import set_threads, tune_allocator

    if setup.allocator and not tune_allocator():
        line.send("the allocator cannot be tuned on this system")
        return
    set_threads(threads)
    worker = Worker(setup, model)
    line.send("ready")
    for order, case in iter(line.recv, ("stop", None)):
        line.send(getattr(worker, order)(case))


class Worker:
    """A segmenter, and what it was last asked about."""

    def __init__(self, setup: Setup, model: str) -> None:
        self._segmenter = arranged(segmenter_named(model), setup)
        self._case: Case | None = None
        self._image: Any = None
        self._memory: Any = None

    def stack(self, case: Case) -> float:
        """Segment a stack, from array to labels and probabilities, with the default tile."""
        from napari_infoleak.infer.pipeline import answer

        self._turn_to(case)
        begin = time.perf_counter()
        answer(self._image, self._segmenter, self._memory)
        return time.perf_counter() - begin

    def flops(self, case: Case) -> float:
        """Count floating-point operations a pixel, of convolutions and matrix products."""
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        self._turn_to(case)
        side = 256
        tiles = torch.zeros(1, self._segmenter.spec.channels, side, side)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            self._segmenter.scores(tiles, self._memory)
        return float(counter.get_total_flops() / side**2)

    def matmul(self, _: None) -> float:
        """Multiply two large float32 matrices."""
        import torch

        a, b = torch.rand(2, MATMUL, MATMUL)
        begin = time.perf_counter()
        a @ b
        return time.perf_counter() - begin

    def _turn_to(self, case: Case) -> None:
        from napari_infoleak.core.image import Image
        from napari_infoleak.core.support import SupportSet

        if case == self._case:
            return
        self._image = Image.from_array(stack_of_cells(case.planes, case.side), "ZYX")
        support = SupportSet().add(cells(512), painted_cells(case), axes="YX")
        self._memory = self._segmenter.remember(support)
        self._case = case
        assert len(self._memory) == case.entries


def arranged(segmenter: Any, setup: Setup) -> Any:
    """Do the part of `prepare` that a setup asks for."""
    from napari_infoleak.infer.fold import fold
    from napari_infoleak.infer.prepare import channels_last

    ready = copy.deepcopy(segmenter)
    for module in ready.modules():
        module.eval().requires_grad_(False)
    if setup.folded:
        fold(ready.modules())
    if setup.channels_last:
        for module in ready.modules():
            channels_last(module)
    return ready


def segmenter_named(model: str) -> Any:
    """Load a model, or make an untrained one that needs no file and is as fast."""
    if model == "untrained":
        import torch

        from napari_infoleak.nets.leakage_net import LeakageNet
        from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage

        torch.manual_seed(0)
        return AnnotationLeakage(LeakageNet())
    from napari_infoleak.segmenters.registry import load

    return load(model)


def cells(side: int, seed: int = 0) -> NDArray[np.float32]:
    """Make a plane of something like cells: dark ridges between bright blobs."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(side, side)).astype(np.float32), 8)
    noise = rng.normal(size=smooth.shape, scale=0.1)
    return np.asarray(np.abs(smooth / smooth.std()) + noise, dtype=np.float32)


def stack_of_cells(planes: int, side: int) -> NDArray[np.float32]:
    """Make a stack (Z, Y, X); they are new planes, but of one texture."""
    first = cells(side)
    return np.stack([np.roll(first, 31 * plane, plane % 2) for plane in range(planes)])


def painted_cells(case: Case) -> NDArray[np.uint8]:
    """Paint just as many cells of the memory's grid as are wanted, of all classes alike."""
    grid = np.zeros((512 // CELL) ** 2, np.uint8)
    chosen = np.random.default_rng(0).permutation(len(grid))[: case.entries]
    grid[chosen] = np.arange(case.entries) % case.classes + 1
    side = 512 // CELL
    return grid.reshape(side, side).repeat(CELL, 0).repeat(CELL, 1)


# ------------------------------------------------------------------------ in the parent


@dataclass
class Remote:
    """The parent's end of a child."""

    setup: Setup
    model: str
    threads: int
    seconds: dict[Case, list[float]] = field(default_factory=dict)
    products: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, other = context.Pipe()
        arguments = (self.setup, self.model, self.threads, other)
        self._process = context.Process(target=child, args=arguments, daemon=True)
        self._process.start()
        other.close()
        said = self._line.recv()
        self.usable = said == "ready"
        if not self.usable:
            print(f"left out, {self.setup.name}: {said}")

    def ask(self, order: str, case: Case | None = None) -> float:
        """Send an order and wait for its figure."""
        self._line.send((order, case))
        return float(self._line.recv())

    def time(self, cases: Iterable[Case], *, keep: bool) -> None:
        """Let all cases take their turn."""
        for case in cases:
            seconds = self.ask("stack", case)
            if keep:
                self.seconds.setdefault(case, []).append(seconds)

    def rate(self, case: Case) -> float:
        """Megapixels a second, by the median."""
        return case.megapixels / statistics.median(self.seconds[case])

    def stop(self) -> None:
        """End the child."""
        if self.usable:
            self._line.send(("stop", None))
        self._process.join()


@dataclass(frozen=True)
class Found:
    """What was measured."""

    setups: list[Remote]
    growth: Remote
    flops: dict[Case, float]
    peak: float


def measure(options: argparse.Namespace) -> Found:
    """Run everything in turns; the first round only warms up."""
    started = [Remote(setup, options.model, options.threads) for setup in SETUPS]
    setups = [remote for remote in started if remote.usable]
    growth = setups[-1]
    cases = dict.fromkeys((*CLASSES, *ENTRIES, *SIDES, WHOLE, *TILED))
    cases.pop(USUAL)
    for number in range(options.rounds + 1):
        for remote in setups:
            remote.time([USUAL], keep=number > 0)
        if number <= max(1, options.rounds // 2):  # these take longer, and are compared roughly
            growth.time(cases, keep=number > 0)
        seconds = growth.ask("matmul")
        if number:
            growth.products.append(seconds)
    flops = {case: growth.ask("flops", case) for case in (USUAL, *CLASSES, *ENTRIES)}
    for remote in started:
        remote.stop()
    peak = 2 * MATMUL**3 / statistics.median(growth.products)
    return Found(setups, growth, flops, peak)


def settings_table(found: Found) -> str:
    """A row a setting."""
    base = found.setups[0].rate(USUAL)
    lines = []
    for remote in found.setups:
        rate = remote.rate(USUAL)
        share = rate * 1e6 * found.flops[USUAL] / found.peak
        lines.append((remote.setup.name, f"{rate:.2f}", f"{rate / base:.2f}", f"{share:.0%}"))
    return markdown(("setting", "megapixels/s", "speed", "of the matmul's rate"), lines)


def growth_table(found: Found) -> str:
    """A row a case, seconds a megapixel."""
    lines = []
    for what, cases in (("classes", CLASSES), ("entries", ENTRIES), ("side", SIDES)):
        for case in cases:
            seconds = 1 / found.growth.rate(case)
            share = (1e6 / seconds) * found.flops.get(case, found.flops[USUAL]) / found.peak
            value = f"{getattr(case, what)}"
            lines.append((what, value, f"{seconds:.2f}", f"{share:.0%}"))
    return markdown(("what grows", "", "s a megapixel", "of the matmul's rate"), lines)


def overheads(found: Found) -> dict[Case, float]:
    """How much longer a pixel takes in a plane that is tiled."""
    whole = found.growth.rate(WHOLE)
    return {case: whole / found.growth.rate(case) - 1 for case in TILED}


def report(found: Found, options: argparse.Namespace) -> str:
    """All that goes into the page."""
    tiles = ", ".join(f"{case.side} x {case.side} {o:.0%}" for case, o in overheads(found).items())
    return f"""\
From array to labels and probabilities, model `{options.model}`; medians of {options.rounds} rounds
in which all settings take turns. Unless said otherwise {USUAL.planes} planes of {USUAL.side} x
{USUAL.side}, {USUAL.classes} classes, {USUAL.entries} entries in the memory: \
{found.flops[USUAL] / 1e3:.0f} kFLOP a pixel. A {MATMUL} x {MATMUL} float32 matrix product reaches
{found.peak / 1e9:.0f} GFLOP/s in the same run.

{settings_table(found)}

How the time grows, with the default setting:

{growth_table(found)}

Planes up to {WHOLE.side} x {WHOLE.side} are answered whole. What tiles add to the time of a pixel
in larger ones: {tiles}.

{hardware()}; {options.threads} threads."""


def goals(found: Found) -> str:
    """Whether they are met."""
    rate = found.growth.rate(USUAL)
    share = rate * 1e6 * found.flops[USUAL] / found.peak
    lines = [
        verdict("megapixels/s", rate, ">=", RATE),
        verdict("of the matmul's rate", share, ">=", SHARE),
    ]
    for case, overhead in overheads(found).items():
        lines.append(verdict(f"tiles of a plane of {case.side}", overhead, "<=", OVERHEAD))
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and publish if wanted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", default="membrane", help="name, file, or 'untrained'")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--publish", action="store_true", help="put the tables into the pages")
    options = parser.parse_args()
    found = measure(options)
    text = report(found, options)
    print(text, goals(found), sep="\n\n")
    if options.publish:
        publish(TABLE, f"{text}\n\nPrinted by `benchmarks/throughput.py`.")


if __name__ == "__main__":
    main()
