from __future__ import annotations

import numpy as np

from napari_infoleak.evaluate.partitions import v_scores


def voronoi(shape, count, seed, width=1.5, step=None):
    """Cells that touch, and the probability of the membranes between them."""
    rng = np.random.default_rng(seed)
    step = np.ones(len(shape)) if step is None else np.asarray(step, float)
    points = rng.random((count, len(shape))) * shape * step
    grid = np.moveaxis(np.indices(shape), 0, -1) * step
    flat = grid.reshape(-1, len(shape))
    far = np.stack([np.linalg.norm(flat - p, axis=1) for p in points])
    cells = far.argmin(0).reshape(shape) + 1
    two = np.sort(far, axis=0)[:2]
    membrane = np.exp(-(((two[1] - two[0]) / (2 * width)) ** 2)).reshape(shape)
    return cells.astype(np.uint32), membrane.astype(np.float32)


def agreement(ours, truth):
    """V_rand where both have a cell; planes and volumes alike."""
    held = (ours > 0) & (truth > 0)
    return v_scores(ours[held][None], truth[held][None])[0]


def same_partition(a, b):
    """Whether two images hold the same cells under any numbers."""
    if ((a > 0) != (b > 0)).any():
        return False
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    return all(len(np.unique(side)) == side.size for side in pairs)
