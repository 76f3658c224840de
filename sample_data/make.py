"""Make the sample data: small synthetic stacks with their truth and a few painted strokes.

    python sample_data/make.py [FOLDER] [--only NAME]

Every sample is four OME-TIFF files, `NAME.ome.tif` (the image), `NAME_strokes.ome.tif` (what a
person might paint in a minute, on one plane), `NAME_truth.ome.tif` (class ids) and
`NAME_cells.ome.tif` (cell ids, 0 on membranes), with pixel sizes and units. The same version of the
package writes the same values again.
"""

from __future__ import annotations

import argparse
import uuid
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.measure import label
from skimage.morphology import skeletonize

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.io.record import to_text
from napari_infoleak.learn import synthesis

if TYPE_CHECKING:
    from collections.abc import Iterator

Bool = NDArray[np.bool_]
INTERIOR, MEMBRANE = 1, 2


@dataclass(frozen=True)
class Recipe:
    """How one sample is drawn.

    Attributes
    ----------
    axes : str
        Axes of the image file.
    shape : tuple of int
        Planes, Y, X of the scene; the planes become Z, or T.
    kind : {"em", "fluorescence"}
        Look of the scene.
    seed : int
        Seed of the scene.
    anisotropy : float
        Distance of two planes in pixels of the plane.
    scale : dict
        Physical step along Z, Y, X in micrometres and along T in seconds.
    classes : dict
        Class id of the generator -> id and name in the truth; all others are interior.
    strokes : int
        Strokes for each class.
    """

    axes: str
    shape: tuple[int, int, int]
    kind: synthesis.Kind
    seed: int
    anisotropy: float
    scale: dict[str, float]
    classes: dict[int, tuple[int, str]]
    strokes: int = 8


TWO = {synthesis.MEMBRANE: (MEMBRANE, "membrane")}
FOUR = {
    **TWO,
    synthesis.MITOCHONDRION: (3, "mitochondrion"),
    synthesis.VESICLE: (4, "vesicle"),
    synthesis.NUCLEUS: (5, "nucleus"),
}
RECIPES = {
    "em_stack": Recipe(
        "ZYX", (12, 256, 256), "em", 1, 8.0, {"Z": 0.04, "Y": 0.005, "X": 0.005}, TWO
    ),
    "fluorescence_stack": Recipe(
        "ZYX", (12, 256, 256), "fluorescence", 15, 3.0, {"Z": 0.9, "Y": 0.3, "X": 0.3}, TWO
    ),
    "time_lapse": Recipe(
        "TYX", (10, 192, 192), "fluorescence", 26, 1.0, {"T": 30.0, "Y": 0.3, "X": 0.3}, TWO
    ),
    "many_classes": Recipe("YX", (1, 384, 384), "em", 5, 8.0, {"Y": 0.005, "X": 0.005}, FOUR),
    "five_axes": Recipe(
        "TZCYX",
        (8, 128, 128),
        "fluorescence",
        33,
        3.0,
        {"T": 60.0, "Z": 0.9, "Y": 0.3, "X": 0.3},
        TWO,
    ),
}
FOCUS_STEPS = 4  # frames of the five-axis sample: the focus drifts by one plane a frame


@dataclass(frozen=True)
class Sample:
    """The arrays of one sample, in the axes of its files.

    Attributes
    ----------
    image : ndarray
        In the recipe's axes, uint8 or uint16.
    truth, strokes : ndarray, uint8
        Image axes without C; class ids, in the strokes 0 is unlabelled.
    cells : ndarray, uint16
        Image axes without C; 0 on membranes.
    """

    image: NDArray[np.unsignedinteger]
    truth: NDArray[np.uint8]
    strokes: NDArray[np.uint8]
    cells: NDArray[np.uint16]


def draw(recipe: Recipe) -> Sample:
    """Draw a sample.

    Parameters
    ----------
    recipe : Recipe

    Returns
    -------
    Sample
    """
    rng = np.random.default_rng(recipe.seed)
    scene = synthesis.synthesise(rng, recipe.shape, recipe.kind, recipe.anisotropy)
    truth = np.full(scene.classes.shape, INTERIOR, np.uint8)
    for source, (target, _) in recipe.classes.items():
        truth[scene.classes == source] = target
    whole = np.where(truth == MEMBRANE, 0, scene.cells)
    cells = label(whole, connectivity=1).astype(np.uint16)
    strokes = np.zeros_like(truth)
    middle = (len(truth) - 1) // 2  # the plane that napari shows first
    strokes[middle] = paint(truth[middle], recipe.strokes, rng)
    image = _grey(scene.image, recipe)
    if recipe.axes == "TZCYX":
        return _five_axes(image, truth, strokes, cells, rng)
    if recipe.axes == "YX":
        return Sample(image[0], truth[0], strokes[0], cells[0])
    return Sample(image, truth, strokes, cells)


def _grey(image: NDArray[np.float32], recipe: Recipe) -> NDArray[np.unsignedinteger]:
    """Grey values as a camera writes them: 8 bits of an electron microscope, 12 of another."""
    low, high = np.percentile(image, [0.1, 99.9])
    unit = np.clip((image - low) / (high - low), 0, 1)
    if recipe.kind == "em":
        return np.round(unit * 255).astype(np.uint8)
    return np.round(100 + unit * 3600).astype(np.uint16)


def _five_axes(
    image: NDArray[np.unsignedinteger],
    truth: NDArray[np.uint8],
    strokes: NDArray[np.uint8],
    cells: NDArray[np.uint16],
    rng: np.random.Generator,
) -> Sample:
    """Two channels over time, cut from one scene while the focus drifts through it."""
    nuclei = _nuclei(cells, rng)
    both = np.stack([image, nuclei], 1)
    depth = len(image) - FOCUS_STEPS + 1
    windows = [slice(t, t + depth) for t in range(FOCUS_STEPS)]
    frames = np.stack([both[w] for w in windows]).astype(np.float32)
    noisy = frames + rng.normal(0, 60, frames.shape)
    painted = np.zeros((FOCUS_STEPS, *truth[windows[0]].shape), np.uint8)
    middle = (FOCUS_STEPS - 1) // 2
    painted[middle] = strokes[windows[middle]]
    return Sample(
        np.clip(np.round(noisy), 0, 4095).astype(np.uint16),
        np.stack([truth[w] for w in windows]),
        painted,
        np.stack([cells[w] for w in windows]),
    )


def _nuclei(cells: NDArray[np.uint16], rng: np.random.Generator) -> NDArray[np.float32]:
    """A second channel: a bright nucleus in the middle of each cell."""
    planes = []
    for plane in cells:
        depth = ndi.distance_transform_edt(plane > 0)
        deepest = ndi.maximum(depth, plane, np.arange(int(plane.max()) + 1))
        body = (depth > 0.6 * deepest[plane]) & (plane > 0) & (deepest[plane] > 5)
        planes.append(ndi.gaussian_filter(body.astype(np.float32), 1.2))
    light = 150 + 2600 * np.stack(planes)
    return (light + rng.normal(0, 80, light.shape)).astype(np.float32)


def paint(truth: NDArray[np.uint8], strokes: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Paint brush strokes along the middle of each class of a plane.

    Parameters
    ----------
    truth : ndarray, shape (Y, X), uint8
    strokes : int
        Strokes for each class.
    rng : Generator

    Returns
    -------
    ndarray, shape (Y, X), uint8
        0 where nothing is painted.
    """
    out = np.zeros_like(truth)
    for class_id in np.unique(truth):
        inside = truth == class_id
        middle = skeletonize(ndi.binary_erosion(inside) if class_id == INTERIOR else inside)
        for _ in range(strokes):
            path = _walk(middle, rng, length=int(rng.integers(15, 45)))
            out[ndi.binary_dilation(path, iterations=1) & inside] = class_id
    return out


def _walk(track: Bool, rng: np.random.Generator, length: int) -> Bool:
    """The shortest way along a track from a random place to one `length` steps away."""
    places = np.argwhere(track)
    start = tuple(int(v) for v in places[rng.integers(len(places))])
    came: dict[tuple[int, ...], tuple[int, ...] | None] = {start: None}
    queue = deque([(start, 0)])
    end = start
    while queue:
        end, steps = queue.popleft()
        if steps == length:
            break
        for place in _neighbours(end, track):
            if place not in came:
                came[place] = end
                queue.append((place, steps + 1))
    path = np.zeros(track.shape, bool)
    here: tuple[int, ...] | None = end
    while here is not None:
        path[here] = True
        here = came[here]
    return path


def _neighbours(place: tuple[int, ...], track: Bool) -> Iterator[tuple[int, int]]:
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            y, x = place[0] + dy, place[1] + dx
            inside = 0 <= y < track.shape[0] and 0 <= x < track.shape[1]
            if inside and (dy or dx) and track[y, x]:
                yield y, x


def _record(recipe: Recipe, axes: str, kind: str) -> dict[str, object]:
    """What `napari_infoleak.io.write` would note, by which napari knows labels from images."""
    noted: dict[str, object] = {"kind": kind, "axes": axes, "scale": recipe.scale}
    noted["units"] = {
        letter: "second" if letter == "T" else "micrometer" for letter in recipe.scale
    }
    if kind == "labels":
        table = ClassTable().add("interior")
        for _, class_name in recipe.classes.values():
            table = table.add(class_name)
        noted["classes"] = table.to_json()
    return noted


def save(folder: Path, name: str, recipe: Recipe, sample: Sample) -> None:
    """Write the four files of a sample.

    Parameters
    ----------
    folder : Path
    name : str
    recipe : Recipe
    sample : Sample
    """
    bare = recipe.axes.replace("C", "")
    parts = {
        "": (sample.image, recipe.axes, "image"),
        "_strokes": (sample.strokes, bare, "labels"),
        "_truth": (sample.truth, bare, "labels"),
        "_cells": (sample.cells, bare, "cells"),
    }
    for suffix, (array, axes, kind) in parts.items():
        metadata: dict[str, object] = {"axes": axes, "Name": name + suffix, "Creator": "infoleak"}
        metadata["Description"] = to_text(_record(recipe, axes, kind))
        # A file's identity follows from its name, so that making it again changes no byte.
        metadata["UUID"] = str(uuid.uuid5(uuid.NAMESPACE_URL, name + suffix))
        for letter in "XYZ":
            if letter in recipe.scale:
                metadata[f"PhysicalSize{letter}"] = recipe.scale[letter]
                metadata[f"PhysicalSize{letter}Unit"] = "µm"
        if "T" in recipe.scale:
            metadata |= {"TimeIncrement": recipe.scale["T"], "TimeIncrementUnit": "s"}
        if "C" in axes:
            metadata["Channel"] = {"Name": ["membranes", "nuclei"]}
        tifffile.imwrite(
            folder / f"{name}{suffix}.ome.tif",
            array,
            ome=True,
            photometric="minisblack",
            compression="zlib",
            compressionargs={"level": 9},
            metadata=metadata,
        )


def main() -> None:
    """Write all samples, or one."""
    parser = argparse.ArgumentParser(description="Make the sample data.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--only", choices=sorted(RECIPES), help="make this one alone")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, recipe in RECIPES.items():
        if options.only in (None, name):
            save(options.folder, name, recipe, draw(recipe))


if __name__ == "__main__":
    main()
