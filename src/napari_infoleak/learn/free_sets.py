"""The freely reusable annotated sets that the shipped weights may learn from, as episode sources.

Each is read from a data folder laid out as `data/README` of the sets describes; a set that is not
there is left out. Their validation parts are never read here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_infoleak.learn.episodes import Source
from napari_infoleak.learn.synthesis import CYTOSOL, MEMBRANE, NUCLEUS, SHEATH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AXON = 21
Plane = NDArray[Any]


def free_sources(folder: Path) -> list[Source]:
    """Sources of all sets found in a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Source
    """
    readers: list[Callable[[Path], list[Source]]] = [
        _fib25,
        _gala,
        _axons,
        _nuclei,
        _ovule,
        _epithelia,
    ]
    return [source for read in readers for source in read(folder)]


def _tiff(path: Path) -> Plane:
    import tifffile

    return np.asarray(tifffile.imread(path))


def _margin(ids: Plane, half_width: float) -> NDArray[np.float16]:
    """Pixels to the edge of a membrane that is drawn `half_width` to each side of a border."""
    border = np.zeros(ids.shape, bool)
    border[:-1] |= ids[:-1] != ids[1:]
    border[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    if not border.any():
        return np.full(ids.shape, 99, np.float16)
    distance = ndi.gaussian_filter(ndi.distance_transform_edt(~border), 0.7)
    return (distance - half_width).astype(np.float16)


def _bodies(
    images: list[Plane],
    ids: list[Plane],
    half_width: float,
    zoom: tuple[float, float],
    weight: float,
    apart: int = 1,
) -> Source:
    """Touching cells: what lies between two ids is membrane, all else interior."""
    margins = [_margin(i, half_width) for i in ids]
    classes = [np.where(m <= 0, MEMBRANE, CYTOSOL).astype(np.uint8) for m in margins]
    return Source(images, classes, margins, zoom, weight, apart=apart)


def _fib25(folder: Path) -> list[Source]:
    raw, bodies = (folder / "fib25" / f"train_{part}.tif" for part in ("raw", "bodies"))
    if not raw.exists():
        return []
    image, ids = _tiff(raw)[:95], _tiff(bodies)[:95]  # the last planes touch the validation part
    source = _bodies(list(image[::2]), list(ids[::2]), 1.6, (0.8, 2.6), 5.0, 6)
    turned_image = [image[:, y] for y in range(0, image.shape[1], 5)]
    turned_ids = [ids[:, y] for y in range(0, ids.shape[1], 5)]
    return [source, _bodies(turned_image, turned_ids, 1.6, (1.2, 2.6), 1.5, 3)]


def _gala(folder: Path) -> list[Source]:
    raw, bodies = (folder / "gala_fibsem_mini" / f"{part}.tif" for part in ("raw", "bodies_uint16"))
    if not raw.exists():
        return []
    image, ids = _tiff(raw), _tiff(bodies)
    return [_bodies(list(image[::3]), list(ids[::3]), 1.4, (1.2, 2.6), 0.8, 2)]


def _axons(folder: Path) -> list[Source]:
    images, classes = [], []
    for raw in sorted((folder / "axondeepseg_sem").glob("train_*_raw.tif")):
        label = _tiff(raw.with_name(raw.name.replace("_raw", "_label3")))
        images.append(_tiff(raw))
        classes.append(np.array([CYTOSOL, SHEATH, AXON], np.uint8)[label])
    return [Source(images, classes, None, (0.5, 1.6), 1.0, own=False)] if images else []


def _nuclei(folder: Path) -> list[Source]:
    images, classes = [], []
    for path in sorted((folder / "dsb2018_fluo" / "image").glob("*.tif")):
        image, ids = _tiff(path), _tiff(path.parents[1] / "label" / path.name)
        if image.ndim != 2 or min(image.shape) < 200:
            continue
        images.append(image)
        classes.append(np.where(ids > 0, NUCLEUS, CYTOSOL).astype(np.uint8))
    singles = [
        Source([i], [c], None, (0.7, 1.8), 0.5 / len(images), own=False)
        for i, c in zip(images, classes, strict=True)
    ]
    return singles


def _ovule(folder: Path) -> list[Source]:
    raw = folder / "free_fluorescence" / "plant_ovule_raw.tif"
    if not raw.exists():
        return []
    image, ids = _tiff(raw), _tiff(raw.with_name("plant_ovule_label.tif"))
    return [_bodies(list(image[::2]), list(ids[::2]), 1.6, (1.5, 3.2), 0.8, 2)]


def _epithelia(folder: Path) -> list[Source]:
    """Machine-made labels, good ones; junctions that a network drew, as they are."""
    sources = []
    maize = folder / "free_fluorescence" / "maize_clsm.tif"
    if maize.exists():
        ids = _tiff(maize.with_name("maize_clsm_labels.tif"))
        sources.append(_bodies([_tiff(maize)], [ids], 1.8, (0.7, 2.0), 0.8))
    for raw in sorted((folder / "mdck_zo1_silver").glob("*_raw.tif")):
        junction = _tiff(raw.with_name(raw.name.replace("_raw", "_silver"))) > 0
        classes = np.where(junction, MEMBRANE, CYTOSOL).astype(np.uint8)
        inside = ndi.distance_transform_edt(junction)
        margin = (ndi.distance_transform_edt(~junction) - inside).astype(np.float16)
        sources.append(Source([_tiff(raw)], [classes], [margin], (0.5, 1.4), 0.2))
    return sources
