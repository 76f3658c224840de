"""Measure how fast a whole stack is segmented, and what each setting is worth.

Every configuration has a process of its own, since the allocator cannot be tuned back, and all take
turns in each round, so that a busy minute hits all of them alike. Prints a table in markdown.

    python benchmarks/throughput.py --side 1024 --planes 4 --rounds 5
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import os
import statistics
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

MATMUL = 3072  # side of the float32 matrices that say what this computer can do


@dataclass(frozen=True)
class Setup:
    """One way to run the network.

    Attributes
    ----------
    name : str
        First column of the table.
    folded, channels_last, allocator : bool
        What is switched on.
    tile : int, optional
        Longest side of a tile; None answers the plane whole.
    """

    name: str
    folded: bool = False
    channels_last: bool = False
    allocator: bool = False
    tile: int | None = None


SETUPS = (
    Setup("plain"),
    Setup("batch norm folded", folded=True),
    Setup("channels last", channels_last=True),
    Setup("folded, channels last", folded=True, channels_last=True),
    Setup("**folded, channels last, allocator**", True, True, True),
)


@dataclass(frozen=True)
class Job:
    """What all processes have in common."""

    model: str
    side: int
    planes: int
    threads: int


# ----------------------------------------------------------------------- in the children


def child(setup: Setup, job: Job, line: Connection) -> None:
    """Answer orders: 'stack' segments it, 'matmul' multiplies; each gives seconds."""
    from napari_infoleak.infer.backends import set_threads, tune_allocator

    if setup.allocator and not tune_allocator():
        line.send("the allocator cannot be tuned on this system")
        return
    set_threads(job.threads)
    worker = Worker(setup, job)
    line.send(worker.facts())
    for order in iter(line.recv, "stop"):
        line.send(worker.stack() if order == "stack" else matmul_seconds())


class Worker:
    """A segmenter with its memory and a stack to segment."""

    def __init__(self, setup: Setup, job: Job) -> None:
        from napari_infoleak.core.image import Image
        from napari_infoleak.core.support import SupportSet

        self.setup = setup
        self.segmenter = arranged(segmenter_named(job.model), setup)
        self.image = Image.from_array(stack_of_cells(job.planes, job.side), "ZYX")
        support = SupportSet().add(self.image, strokes(job.planes, job.side))
        self.memory = self.segmenter.remember(support)

    def facts(self) -> dict[str, Any]:
        """Give what the table's heading says."""
        import torch

        from napari_infoleak.infer.backends import processor_name

        return {
            "name": self.segmenter.spec.name,
            "flops": self._flops(),
            "overlap": self._overlap(),
            "hardware": f"{processor_name()}, {torch.get_num_threads()} threads of"
            f" {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()},"
            f" torch {torch.__version__}",
        }

    def stack(self) -> float:
        """Segment the stack, from array to labels and probabilities."""
        from napari_infoleak.infer.pipeline import answer

        start = time.perf_counter()
        answer(self.image, self.segmenter, self.memory, tile=self.setup.tile or 1 << 20)
        return time.perf_counter() - start

    def _flops(self) -> float:
        """Count floating-point operations a pixel, of convolutions and matrix products."""
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        side = 256
        tiles = torch.zeros(1, self.segmenter.spec.channels, side, side)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            self.segmenter.scores(tiles, self.memory)
        return float(counter.get_total_flops() / side**2)

    def _overlap(self) -> float:
        """Give how many pixels are read for each one that is written."""
        from napari_infoleak.infer.tiles import plan

        spec, (height, width) = self.segmenter.spec, self.image.label_shape[2:]
        side = self.setup.tile or 1 << 20
        tiles = plan(height, width, side, max(0, spec.halo), spec.multiple_of)
        return sum(tile.outer.area for tile in tiles) / (height * width)


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


def stack_of_cells(planes: int, side: int) -> NDArray[np.float32]:
    """Make a stack (Z, Y, X) of something like cells: dark ridges between bright blobs."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.normal(size=(planes, side, side)), (1, 8, 8))
    noise = rng.normal(size=smooth.shape, scale=0.1)
    return np.asarray(np.abs(smooth / smooth.std()) + noise, dtype=np.float32)


def strokes(planes: int, side: int) -> NDArray[np.uint8]:
    """Paint lines of two classes into the first plane."""
    painted = np.zeros((planes, side, side), np.uint8)
    painted[0, side // 8 :: side // 4, side // 4 : -side // 4] = 1
    painted[0, side // 6 :: side // 4, side // 4 : -side // 4] = 2
    return painted


def matmul_seconds() -> float:
    """Multiply two large float32 matrices."""
    import torch

    a, b = torch.rand(2, MATMUL, MATMUL)
    start = time.perf_counter()
    a @ b
    return time.perf_counter() - start


# ------------------------------------------------------------------------ in the parent


class Remote:
    """The parent's end of a child."""

    def __init__(self, setup: Setup, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self.setup = setup
        self.line, other = context.Pipe()
        self.process = context.Process(target=child, args=(setup, job, other), daemon=True)
        self.process.start()
        other.close()
        self.facts = self.line.recv()
        self.seconds: list[float] = []

    def ask(self, order: str) -> float:
        """Send an order and wait for its seconds."""
        self.line.send(order)
        return float(self.line.recv())

    def stop(self) -> None:
        """End the child."""
        self.line.send("stop")
        self.process.join()


def measure(setups: list[Setup], job: Job, rounds: int) -> None:
    """Run all setups in turns and print the table."""
    started = [Remote(setup, job) for setup in setups]
    remotes = [remote for remote in started if isinstance(remote.facts, dict)]
    products = []
    for number in range(rounds + 1):
        for remote in remotes:
            seconds = remote.ask("stack")
            if number:  # the first round only warms up
                remote.seconds.append(seconds)
        products.append(remotes[-1].ask("matmul"))
    for remote in remotes:
        remote.stop()
    report(remotes, job, 2 * MATMUL**3 / statistics.median(products[1:]))


def report(remotes: list[Remote], job: Job, peak: float) -> None:
    """Print the hardware and a row a setup."""
    facts = remotes[0].facts
    pixels = job.planes * job.side**2
    print(
        f"\nModel `{facts['name']}`, {job.planes} planes of {job.side} x {job.side}, from array to"
        f" labels and probabilities; median of {len(remotes[0].seconds)} rounds in turns.\n\n"
        f"Hardware: {facts['hardware']}; a {MATMUL} x {MATMUL} float32 matmul reaches"
        f" {peak / 1e9:.0f} GFLOP/s. The network does {facts['flops'] / 1e3:.1f} kFLOP a pixel.\n"
    )
    print("| setting | tile | megapixels/s | speed | of the matmul's rate | read / written |")
    print("|---|---|---|---|---|---|")
    base = statistics.median(remotes[0].seconds)
    for remote in remotes:
        seconds = statistics.median(remote.seconds)
        # What the network really did, the tiles' overlap included.
        rate = pixels * remote.facts["flops"] * remote.facts["overlap"] / seconds
        print(
            f"| {remote.setup.name} | {remote.setup.tile or 'whole'} |"
            f" {pixels / seconds / 1e6:.2f} | {base / seconds:.2f} | {rate / peak:.0%} |"
            f" {remote.facts['overlap']:.2f} |"
        )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", default="membrane", help="name, file, or 'untrained'")
    parser.add_argument("--side", type=int, default=1024, help="pixels a side of a plane")
    parser.add_argument("--planes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tiles", type=int, nargs="*", default=[512, 256])
    options = parser.parse_args()
    job = Job(options.model, options.side, options.planes, options.threads)
    tiled = [replace(SETUPS[-1], name="the same in tiles", tile=tile) for tile in options.tiles]
    measure([*SETUPS, *tiled], job, options.rounds)


if __name__ == "__main__":
    main()
