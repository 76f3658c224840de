"""The few costly steps, each twice: fast by bioimage-cpp, and plain by scipy and scikit-image.

bioimage-cpp is several times faster and young, so nothing but this file knows it, the tests hold it
against the plain engine, and the plain engine takes over where it is missing. Both obey the same
contract, down to how an image is continued beyond its edge; where two places are equally high,
the two may flood them in a different order.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_infoleak.instances.graph import Borders, agglomerate, cut_greedily

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Engine(Protocol):
    """What the floor needs done quickly. Arrays are (Y, X) or (Z, Y, X)."""

    name: str

    def smooth(self, values: NDArray[np.float32], sigma: Sequence[float]) -> NDArray[np.float32]:
        """Smooth with a Gaussian, `sigma` pixels along each axis, 0 for none; edges mirror."""

    def distance(self, mask: NDArray[np.bool_], step: Sequence[float]) -> NDArray[np.float32]:
        """Distance to the nearest False, with a `step` along each axis; a False is there."""

    def number(self, mask: NDArray[np.bool_], *, diagonal: bool = False) -> NDArray[np.uint32]:
        """Number the connected parts of a mask from 1, in the order of their first pixel."""

    def flood(self, height: NDArray[np.float32], seeds: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Grow the seeds over all pixels, the low ones first, each pixel to whom comes first.

        Heights are whole numbers below 65 536: the fast engine tells no more apart.
        """

    def borders(self, labels: NDArray[np.uint32], height: NDArray[np.float32]) -> Borders:
        """Measure the borders between all pairs of labels that touch; 0 is no label."""

    def merge(self, borders: Borders, below: float) -> NDArray[np.uint32]:
        """Join regions over borders whose mean height is `below`, the lowest first."""

    def cut(self, borders: Borders, costs: NDArray[np.float64]) -> NDArray[np.uint32]:
        """Multicut: divide the regions so that the costs of cut borders sum to the least."""


@cache
def default_engine() -> Engine:
    """Return the fast engine where bioimage-cpp is installed, else the plain one."""
    from importlib.util import find_spec

    return FastEngine() if find_spec("bioimage_cpp") else PlainEngine()


class FastEngine:
    """Steps by bioimage-cpp, on one thread."""

    name = "bioimage-cpp"

    def smooth(self, values: NDArray[np.float32], sigma: Sequence[float]) -> NDArray[np.float32]:
        """See `Engine`."""
        from bioimage_cpp.filters import gaussian_smoothing

        if not any(sigma):
            return values
        # A width of 0 is refused; one that reaches no neighbour is the same.
        widths = [max(float(one), 1e-3) for one in sigma]
        smoothed: NDArray[np.float32] = gaussian_smoothing(values, widths)
        return smoothed

    def distance(self, mask: NDArray[np.bool_], step: Sequence[float]) -> NDArray[np.float32]:
        """See `Engine`."""
        from bioimage_cpp.distance import distance_transform

        far: NDArray[np.float32] = distance_transform(mask, sampling=list(step))
        return far

    def number(self, mask: NDArray[np.bool_], *, diagonal: bool = False) -> NDArray[np.uint32]:
        """See `Engine`."""
        from bioimage_cpp.segmentation import label

        numbered: NDArray[np.uint32] = label(mask, connectivity=mask.ndim if diagonal else 1)
        return numbered.astype(np.uint32)

    def flood(self, height: NDArray[np.float32], seeds: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """See `Engine`."""
        from bioimage_cpp.segmentation import watershed

        grown: NDArray[np.uint32] = watershed(height, seeds)
        return grown

    def borders(self, labels: NDArray[np.uint32], height: NDArray[np.float32]) -> Borders:
        """See `Engine`."""
        from bioimage_cpp.graph import region_adjacency_graph
        from bioimage_cpp.graph.features import edge_map_features

        graph = region_adjacency_graph(labels, number_of_threads=1)
        pairs = np.asarray(graph.uv_ids(), dtype=np.int64).reshape(-1, 2)
        found = edge_map_features(graph, labels, height, number_of_threads=1)
        real = pairs[:, 0] > 0
        sizes = np.rint(found[real, 1])
        return Borders(int(labels.max()), pairs[real], sizes, found[real, 0] * sizes)

    def merge(self, borders: Borders, below: float) -> NDArray[np.uint32]:
        """See `Engine`."""
        from bioimage_cpp.graph import UndirectedGraph
        from bioimage_cpp.graph.agglomeration import GaspClusterPolicy

        graph = UndirectedGraph.from_unique_edges(borders.count + 1, borders.pairs.astype("u8"))
        groups = GaspClusterPolicy(linkage="mean").optimize(
            graph, below - borders.height, edge_sizes=borders.sizes
        )
        return np.asarray(groups).astype(np.uint32)

    def cut(self, borders: Borders, costs: NDArray[np.float64]) -> NDArray[np.uint32]:
        """See `Engine`."""
        from bioimage_cpp.graph import UndirectedGraph
        from bioimage_cpp.graph.multicut import KernighanLinMulticut, MulticutObjective

        graph = UndirectedGraph.from_unique_edges(borders.count + 1, borders.pairs.astype("u8"))
        groups = KernighanLinMulticut().optimize(MulticutObjective(graph, costs))
        return np.asarray(groups).astype(np.uint32)


class PlainEngine:
    """Steps by scipy and scikit-image, and by Python where they have none."""

    name = "scikit-image"

    def smooth(self, values: NDArray[np.float32], sigma: Sequence[float]) -> NDArray[np.float32]:
        """See `Engine`."""
        from scipy.ndimage import gaussian_filter

        smoothed: NDArray[np.float32] = gaussian_filter(
            values, sigma, mode="mirror", radius=[int(np.ceil(3 * one)) for one in sigma]
        )
        return smoothed

    def distance(self, mask: NDArray[np.bool_], step: Sequence[float]) -> NDArray[np.float32]:
        """See `Engine`."""
        from scipy.ndimage import distance_transform_edt

        far: NDArray[np.float64] = distance_transform_edt(mask, sampling=step)
        return far.astype(np.float32)

    def number(self, mask: NDArray[np.bool_], *, diagonal: bool = False) -> NDArray[np.uint32]:
        """See `Engine`."""
        from scipy.ndimage import generate_binary_structure, label

        reach = generate_binary_structure(mask.ndim, mask.ndim if diagonal else 1)
        return np.asarray(label(mask, reach)[0], dtype=np.uint32)

    def flood(self, height: NDArray[np.float32], seeds: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """See `Engine`."""
        from skimage import segmentation

        flooded: Any = segmentation.watershed
        return np.asarray(flooded(height, seeds.astype(np.int32)), dtype=np.uint32)

    def borders(self, labels: NDArray[np.uint32], height: NDArray[np.float32]) -> Borders:
        """See `Engine`."""
        return Borders.between(labels, height)

    def merge(self, borders: Borders, below: float) -> NDArray[np.uint32]:
        """See `Engine`."""
        return agglomerate(borders, below)

    def cut(self, borders: Borders, costs: NDArray[np.float64]) -> NDArray[np.uint32]:
        """See `Engine`."""
        return cut_greedily(borders, costs)
