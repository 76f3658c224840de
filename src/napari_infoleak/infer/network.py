"""From padded planes to probabilities: batches of tiles, halved when memory runs out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_infoleak.core.errors import InfoleakError, OutOfMemory
from napari_infoleak.infer.blend import Blend
from napari_infoleak.infer.budget import is_out_of_memory, release
from napari_infoleak.infer.outputs import Piece
from napari_infoleak.infer.tiles import Box, Tile, down_to, plan, up_to
from napari_infoleak.segmenters.protocol import Windowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_infoleak.infer.planes import Plane
    from napari_infoleak.segmenters.protocol import Segmenter

    Job = tuple[Plane, Tile]
    Window = tuple[slice, slice]

# Pixels that a batch is filled up to. A batch gains nothing on the CPU once the threads are busy.
_BATCH_PIXELS = {"cpu": 256**2}
_BATCH_PIXELS_ELSEWHERE = 2048**2
_BATCH = 16


class Network:
    """A segmenter at work on the planes of one image.

    Parameters
    ----------
    segmenter : Segmenter
        Segmenter for ``device``.
    memory : Memory
        What the segmenter made of the support set.
    size : (int, int)
        Height and width of the planes, before padding.
    box : Box
        What is wanted of each plane.
    tile : int
        Longest side of a tile; halved when memory runs out.
    device : torch.device
        Where the segmenter is.
    tick : callable
        Called with the number of pixels just answered.
    again : bool
        Whether the very same tiles will be asked about again, as while a user paints.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        memory: Any,
        *,
        size: tuple[int, int],
        box: Box,
        tile: int,
        device: torch.device,
        tick: Callable[[int], None],
        again: bool = False,
    ) -> None:
        self._segmenter = segmenter
        self._again = again
        self._memory = memory
        self._size = size
        self._box = box
        self._tile = tile
        self._device = device
        self._tick = tick
        self._batch = _BATCH
        margin = up_to(max(0, segmenter.spec.halo), segmenter.spec.multiple_of)
        self._smallest: int = (
            2 * margin + segmenter.spec.multiple_of
        )  # one step is written, at least

    def answer(self, planes: Iterable[Plane]) -> Iterator[Piece]:
        """Answer planes one after the other.

        Parameters
        ----------
        planes : iterable of Plane
            All of one size.

        Yields
        ------
        Piece
            Together they cover the box of every plane once.

        Raises
        ------
        OutOfMemory
            If even the smallest tile does not fit.
        InfoleakError
            If the segmenter's scores have a wrong shape or are not numbers.
        """
        if self._segmenter.spec.halo < 0:
            return self._by_blend(planes)
        return self._by_halo(planes)

    # ------------------------------------------------------- networks with a finite view

    def _by_halo(self, planes: Iterable[Plane]) -> Iterator[Piece]:
        batch: list[Job] = []
        for job in self._jobs(planes):
            if batch and not self._joins(batch, job):
                yield from self._solve(batch)
                batch = []
            batch.append(job)
        if batch:
            yield from self._solve(batch)

    def _jobs(self, planes: Iterable[Plane]) -> Iterator[Job]:
        for plane in planes:
            for tile in self._plan(self._box):
                yield plane, tile

    def _plan(self, box: Box) -> list[Tile]:
        spec = self._segmenter.spec
        return plan(*self._size, self._tile, spec.halo, spec.multiple_of, box)

    def _joins(self, batch: list[Job], job: Job) -> bool:
        """Tell whether a job has the shape of a batch that is not yet full."""
        first, tile = batch[0][1], job[1]
        pixels = _BATCH_PIXELS.get(self._device.type, _BATCH_PIXELS_ELSEWHERE)
        full = min(self._batch, max(1, pixels // tile.outer.area))
        alike = first.outer.shape == tile.outer.shape and first.crop == tile.crop
        return len(batch) < full and alike

    def _solve(self, jobs: list[Job]) -> Iterator[Piece]:
        """Answer tiles of one shape; those that do not fit into memory in smaller pieces."""
        if self._is_outdated(jobs[0][1]):
            for plane, tile in jobs:
                yield from self._split(plane, tile)
            return
        tiles = [plane.values[(..., *tile.outer.slices)] for plane, tile in jobs]
        found = self._try(tiles, jobs[0][1].crop)
        if found is not None:
            for (plane, tile), values in zip(jobs, found, strict=True):
                yield from self._pieces(plane, tile.inner, values)
                self._tick(plane.count * tile.inner.area)
        elif len(jobs) > 1:
            self._batch = max(1, len(jobs) // 2)
            for job in jobs:
                yield from self._solve([job])
        else:
            plane, tile = jobs[0]
            self._shrink(tile.outer.shape, self._smallest)
            yield from self._split(plane, tile)

    def _split(self, plane: Plane, tile: Tile) -> Iterator[Piece]:
        for part in self._plan(tile.inner):
            yield from self._solve([(plane, part)])

    def _is_outdated(self, tile: Tile) -> bool:
        """Tell whether a tile was planned before the tiles were made smaller."""
        return max(tile.outer.shape) > max(self._tile, self._smallest)

    def _pieces(self, plane: Plane, box: Box, values: Tensor) -> Iterator[Piece]:
        for index, one in plane.parts(values):
            # A contiguous copy: the tile it was cut from must not live on in the queue.
            yield Piece(index, box, np.ascontiguousarray(one.cpu().numpy()))

    # ----------------------------------------------------- networks with an endless view

    def _by_blend(self, planes: Iterable[Plane]) -> Iterator[Piece]:
        for plane in planes:
            blend = self._blended(plane)
            while blend is None:
                blend = self._blended(plane)
            yield from self._pieces(plane, self._box, blend.mean(self._box))

    def _blended(self, plane: Plane) -> Blend | None:
        """Blend the tiles of a plane; None if the tile had to be halved on the way."""
        step = self._segmenter.spec.multiple_of
        overlap = down_to(self._tile // 4, step)
        blend: Blend | None = None
        done = 0
        # Tiles lie where they lie for the whole plane, so that a region is cut from that answer.
        for tile in plan(*self._size, self._tile, overlap, step):
            if not tile.outer.common(self._box).area:
                continue
            whole = slice(0, tile.outer.shape[0]), slice(0, tile.outer.shape[1])
            found = self._try([plane.values[(..., *tile.outer.slices)]], whole)
            if found is None:
                self._tick(-done)
                self._shrink(tile.outer.shape, 4 * step)
                return None
            blend = blend or Blend(found.shape[1], plane.values.shape[-2:], self._device)
            blend.add(found[0], tile.outer)
            done += tile.inner.common(self._box).area
            self._tick(tile.inner.common(self._box).area)
        return blend

    # ----------------------------------------------------------------- the forward pass

    def _try(self, tiles: Sequence[NDArray[np.float32]], window: Window) -> Tensor | None:
        """Give the probabilities of a window, (B, K, rows, columns); None when memory ran out."""
        try:
            return self._probabilities(tiles, window)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # Outside the handler, where the error no longer holds on to the activations.
        release(self._device)
        return None

    def _probabilities(self, tiles: Sequence[NDArray[np.float32]], window: Window) -> Tensor:
        scores = self._scores(torch.from_numpy(np.stack(tiles)).to(self._device), window)
        probabilities = torch.softmax(scores.float(), dim=1)
        if not bool(torch.isfinite(probabilities.sum())):
            raise InfoleakError(
                f"the model '{self._segmenter.spec.name}' gave scores that are not numbers: its"
                " weights are damaged, or the support set holds extreme values"
            )
        return probabilities

    def _scores(self, tiles: Tensor, window: Window) -> Tensor:
        """Ask the segmenter about a window of tiles."""
        segmenter, size = self._segmenter, tiles.shape[2:]
        if isinstance(segmenter, Windowed):
            scores = segmenter.scores_within(tiles, self._memory, window, again=self._again)
            size = torch.Size(one.stop - one.start for one in window)
            window = slice(None), slice(None)
        else:
            scores = segmenter.scores(tiles, self._memory)
        expected = len(tiles), len(self._memory.class_ids), *size
        if tuple(scores.shape) != expected:
            raise InfoleakError(
                f"the model '{segmenter.spec.name}' gave scores of shape {tuple(scores.shape)}"
                f" where {expected} was expected: it is broken"
            )
        return scores[(..., *window)]

    def _shrink(self, shape: tuple[int, int], smallest: int) -> None:
        """Halve the tile after a failure with one of this shape."""
        longest = max(shape)
        if longest <= smallest:
            raise OutOfMemory(
                f"a tile of {shape[0]} x {shape[1]} pixels does not fit into the memory of"
                f" {self._device}: close other programs, or choose another device"
            )
        self._tile = min(self._tile, max(smallest, longest // 2))
