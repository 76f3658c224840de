"""Synthetic microscopy with its truth: what the shipped weights learn from first.

A scene is a piece of tissue: cells that fill space (a warped Voronoi partition in 3-D, cut plane by
plane), membranes between them whose width and contrast vary along the way, and what lies inside
cells and looks like a membrane but is none (mitochondria with cristae, vesicles, tubules). It is
then looked at through a microscope of random quality. Everything is drawn from one random
generator, so a seed gives a scene again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.spatial import cKDTree

Kind = Literal["em", "fluorescence", "brightfield", "texture"]
Float = NDArray[np.float32]

CYTOSOL, MEMBRANE, MITOCHONDRION, VESICLE, NUCLEUS, SHEATH, DENSITY = 1, 2, 3, 4, 5, 6, 7
TEXTURES = (8, 9, 10)
GLIA = 11
NAMES = {
    CYTOSOL: "interior",
    MEMBRANE: "membrane",
    MITOCHONDRION: "mitochondrion",
    VESICLE: "vesicle",
    NUCLEUS: "nucleus",
    SHEATH: "sheath",
    DENSITY: "dense body",
    8: "texture 1",
    9: "texture 2",
    10: "texture 3",
    GLIA: "glia",
}


@dataclass(frozen=True, eq=False)
class Scene:
    """A synthetic picture and what is in it.

    Attributes
    ----------
    image : ndarray, shape (Z, Y, X), float32
        Grey values, about 0 to 1.
    classes : ndarray, shape (Z, Y, X), uint8
        Class of each voxel, see `NAMES`.
    cells : ndarray, shape (Z, Y, X), int32
        Cell ids from 1, touching: every voxel belongs to a cell.
    margin : ndarray, shape (Z, Y, X), float32
        Pixels within the plane to the edge of the nearest membrane; negative within a membrane.
        Painting where it is below 1 instead of 0 gives membranes that are drawn thicker.
    """

    image: Float
    classes: NDArray[np.uint8]
    cells: NDArray[np.int32]
    margin: Float


@dataclass
class _Canvas:
    """One plane while it is painted."""

    rng: np.random.Generator
    cells: NDArray[np.int32]
    distance: Float
    half_width: Float
    yx: Float
    classes: NDArray[np.uint8] = field(init=False)
    image: Float = field(init=False)

    def __post_init__(self) -> None:
        self.classes = np.full(self.cells.shape, CYTOSOL, np.uint8)
        self.image = np.zeros(self.cells.shape, np.float32)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Float:
    """Smooth random field of a deviation below 1 whose bumps are about `scale` pixels wide.

    Parameters
    ----------
    rng : Generator
    shape : tuple of int
        Two or three axes; along Z of three the field changes slowly.
    scale : float
        Width of a bump, in pixels.

    Returns
    -------
    ndarray of `shape`, float32
    """
    coarse = [max(2, int(np.ceil(n / scale)) + 2) for n in shape]
    small = rng.standard_normal(coarse).astype(np.float32)
    grid = [np.linspace(0, c - 1.001, n) for n, c in zip(shape, coarse, strict=True)]
    out: Float = small
    for axis, position in enumerate(grid):  # separable cubic-like (smoothstep) interpolation
        low = np.floor(position).astype(int)
        t = (position - low).astype(np.float32)
        t = t * t * (3 - 2 * t)
        t = t.reshape([-1 if a == axis else 1 for a in range(out.ndim)])
        out = np.take(out, low, axis) * (1 - t) + np.take(out, low + 1, axis) * t
    return out


def synthesise(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    kind: Kind = "em",
    anisotropy: float = 6.0,
) -> Scene:
    """Draw a scene.

    Parameters
    ----------
    rng : Generator
        All randomness comes from it.
    shape : tuple of int
        Z, Y, X in pixels.
    kind : {"em", "fluorescence", "brightfield", "texture"}
        The look: dark membranes with organelles; bright membranes out of the dark; a pale
        epithelium with thin dark borders; cells of different texture.
    anisotropy : float
        Distance of two planes in pixels of the plane.

    Returns
    -------
    Scene
    """
    size = float(np.exp(rng.uniform(np.log(14), np.log(75))))
    regular = kind == "brightfield" or (kind == "fluorescence" and rng.uniform() < 0.4)
    ids = _partition(rng, shape, size, regular=regular, anisotropy=anisotropy)
    look = _LOOKS[kind]
    style_seed = int(rng.integers(2**31))  # every plane is painted in the scene's one style
    thick = smooth_noise(rng, shape, 60)
    planes = []
    for z in range(shape[0]):
        style = np.random.default_rng(style_seed)
        detail = np.random.default_rng([style_seed, 1])  # organelles stay where they are along z
        grain = np.random.default_rng([style_seed, 2, z])
        width, spread = _width(style, kind, size)
        distance = _to_border(ids[z])
        half = 0.5 * width * np.exp(spread * thick[z])
        canvas = _Canvas(detail, ids[z], distance, half.astype(np.float32), _coordinates(shape))
        look(canvas, style)
        image = _expose(canvas.image, style, grain, kind)
        planes.append((image, canvas.classes, distance - canvas.half_width))
    image, classes, margins = (np.stack(part) for part in zip(*planes, strict=True))
    return Scene(image.astype(np.float32), classes, ids, margins.astype(np.float32))


def _coordinates(shape: tuple[int, int, int]) -> Float:
    return np.asarray(np.mgrid[: shape[1], : shape[2]], np.float32)


def _width(style: np.random.Generator, kind: Kind, size: float) -> tuple[float, float]:
    """Width of the scene's membranes in pixels, and the deviation of its logarithm."""
    low, high = {"em": (2.0, 9.0), "fluorescence": (2.0, 6.0)}.get(kind, (1.5, 4.0))
    width = float(np.exp(style.uniform(np.log(low), np.log(high))))
    return min(width, 0.3 * size), float(style.uniform(0.05, 0.3))


def _partition(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    size: float,
    *,
    regular: bool,
    anisotropy: float,
) -> NDArray[np.int32]:
    """Cells about `size` pixels wide that fill the block, as ids from 1."""
    depth, height, width = shape
    margin = 2 * size
    extent = np.array([depth * anisotropy, height, width]) + 2 * margin
    count = int(np.clip(extent.prod() / size**3 * 1.4, 30, 60_000))
    points: NDArray[np.floating[Any]]
    if regular:
        points = _hexagonal(rng, extent, size)
    else:
        points = rng.uniform(0, 1, (count, 3)) * extent
        density = np.exp(rng.uniform(0, 0.9) * rng.standard_normal((6, 6, 6)))
        cell = np.minimum((points / extent * 6).astype(int), 5)
        points = points[rng.uniform(0, 1, len(points)) < density[tuple(cell.T)]]
    points = points - margin
    group: NDArray[np.int64] = np.arange(len(points))
    if not regular and rng.uniform() < 0.7:  # unions of neighbours: long and branching cells
        seeds = rng.choice(len(points), max(8, int(len(points) * rng.uniform(0.15, 0.6))), False)
        stretch = rng.uniform(0.4, 1.6, 3)
        group = np.asarray(cKDTree(points[seeds] * stretch).query(points * stretch)[1])
    tree = cKDTree(points)
    z, y, x = np.mgrid[:depth, :height, :width].astype(np.float32)
    z *= anisotropy
    for scale, strength in ((3.0, 0.45), (1.0, 0.22), (0.35, 0.06)):
        amount = strength * size * rng.uniform(0.2, 1.0) * (0.25 if regular else 1.0)
        y = y + amount * smooth_noise(rng, shape, max(4.0, scale * size))
        x = x + amount * smooth_noise(rng, shape, max(4.0, scale * size))
    nearest = tree.query(np.stack([z, y, x], -1).reshape(-1, 3), workers=1)[1]
    _, ids = np.unique(group[nearest], return_inverse=True)
    return (ids.reshape(shape) + 1).astype(np.int32)


def _hexagonal(rng: np.random.Generator, extent: NDArray[np.float64], size: float) -> Float:
    """Points of a jittered honeycomb in one layer: an epithelium."""
    rows, columns = int(extent[1] / (0.87 * size)) + 1, int(extent[2] / size) + 1
    y, x = np.mgrid[:rows, :columns].astype(np.float64)
    x = (x + 0.5 * (y % 2)) * size
    y = y * 0.87 * size
    jitter = rng.uniform(0.05, 0.3) * size
    flat = np.stack([np.full(y.size, extent[0] / 2), y.ravel(), x.ravel()], 1)
    flat[:, 1:] += rng.normal(0, jitter, (len(flat), 2))
    return flat.astype(np.float32)


def _to_border(ids: NDArray[np.int32]) -> Float:
    """Pixels to the nearest border between two cells of a plane."""
    border = np.zeros(ids.shape, bool)
    border[:-1] |= ids[:-1] != ids[1:]
    border[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    if not border.any():
        return np.full(ids.shape, float(max(ids.shape)), np.float32)
    exact = ndi.distance_transform_edt(~border).astype(np.float32)
    return np.asarray(ndi.gaussian_filter(exact, 0.7))


def _grain(rng: np.random.Generator, shape: tuple[int, ...], low: float, high: float) -> Float:
    """Noise between two scales, of unit deviation: the texture of cytosol."""
    white = rng.standard_normal(shape).astype(np.float32)
    band = ndi.gaussian_filter(white, low) - ndi.gaussian_filter(white, high)
    out: Float = band / (band.std() + 1e-6)
    return out


def _ellipse(canvas: _Canvas, centre: NDArray[np.int64], a: float, b: float, angle: float) -> Float:
    """Signed distance in pixels, about, to the outline of a wobbly ellipse; negative inside."""
    dy, dx = canvas.yx[0] - centre[0], canvas.yx[1] - centre[1]
    u = np.cos(angle) * dx + np.sin(angle) * dy
    v = np.cos(angle) * dy - np.sin(angle) * dx
    turn = np.arctan2(v / b, u / a)
    wobble = 1 + 0.1 * np.sin(2 * turn + angle) + 0.06 * np.sin(3 * turn + 5 * angle)
    return np.asarray((np.hypot(u / a, v / b) - wobble) * min(a, b), np.float32)


def _window(canvas: _Canvas, centre: NDArray[np.int64], reach: float) -> tuple[slice, slice]:
    y, x = int(centre[0]), int(centre[1])
    r = int(reach) + 4
    return slice(max(0, y - r), y + r + 1), slice(max(0, x - r), x + r + 1)


def _part(canvas: _Canvas, window: tuple[slice, slice]) -> _Canvas:
    """The same canvas, seen through a window: what is painted there is painted on the whole."""
    view = _Canvas.__new__(_Canvas)
    view.rng = canvas.rng
    view.cells, view.distance = canvas.cells[window], canvas.distance[window]
    view.half_width, view.yx = canvas.half_width[window], canvas.yx[:, window[0], window[1]]
    view.classes, view.image = canvas.classes[window], canvas.image[window]
    return view


def _paint_em(canvas: _Canvas, style: np.random.Generator) -> None:
    level = style.uniform(0.55, 0.8)
    tint = style.normal(0, style.uniform(0.01, 0.09), canvas.cells.max() + 1).astype(np.float32)
    canvas.image += level + tint[canvas.cells]
    rough = _grain(canvas.rng, canvas.cells.shape, style.uniform(0.6, 1.5), style.uniform(2, 7))
    canvas.image += style.uniform(0.01, 0.09) * rough
    contrast = float(style.uniform(0.2, 0.55))
    _tubules(canvas, style, contrast)
    _nuclei(canvas, style)
    _sheaths(canvas, style, contrast)
    _vesicles(canvas, style, contrast)
    _mitochondria(canvas, style, contrast)
    _membranes(canvas, style, -contrast)
    _densities(canvas, style, contrast)


def _paint_fluorescence(canvas: _Canvas, style: np.random.Generator) -> None:
    tint = style.gamma(1.0, style.uniform(0.01, 0.12), canvas.cells.max() + 1).astype(np.float32)
    canvas.image += 0.05 + tint[canvas.cells]
    _nuclei(canvas, style)
    if style.uniform() < 0.4:
        _vesicles(canvas, style, -float(style.uniform(0.1, 0.5)))
    bare = canvas.image.copy()
    _membranes(canvas, style, float(style.uniform(0.3, 1.0)))
    canvas.image[...] = bare + _stained(canvas, canvas.image - bare, style)
    haze = ndi.gaussian_filter(canvas.image, style.uniform(6, 25))
    canvas.image += style.uniform(0, 1.2) * haze
    canvas.image[...] = ndi.gaussian_filter(canvas.image, style.uniform(0.4, 1.6))


def _paint_brightfield(canvas: _Canvas, style: np.random.Generator) -> None:
    shape = canvas.cells.shape
    canvas.image += 0.6 + 0.04 * style.uniform() * _grain(canvas.rng, shape, 1, 5)
    bump = np.minimum(canvas.distance, 12) / 12
    canvas.image += style.uniform(-0.05, 0.12) * bump
    tint = style.normal(0, style.uniform(0, 0.05), canvas.cells.max() + 1).astype(np.float32)
    canvas.image += tint[canvas.cells]
    bare = canvas.image.copy()
    _membranes(canvas, style, -float(style.uniform(0.08, 0.4)))
    canvas.image[...] = bare + _stained(canvas, canvas.image - bare, style)
    if style.uniform() < 0.5:  # the light falls off to the sides
        canvas.image *= 1 + style.uniform(0, 0.5) * smooth_noise(canvas.rng, shape, 220)
    if style.uniform() < 0.4:  # part of the picture is out of focus
        soft = ndi.gaussian_filter(canvas.image, style.uniform(1.5, 3.5))
        share = np.clip(smooth_noise(canvas.rng, shape, 160) + style.uniform(-0.7, 0.4), 0, 1)
        canvas.image += share * (soft - canvas.image)


def _stained(canvas: _Canvas, lines: Float, style: np.random.Generator) -> Float:
    """Stain as it takes: in dots along a junction, strong at corners, weak in whole regions."""
    shape = lines.shape
    if style.uniform() < 0.5:
        dots = _grain(canvas.rng, shape, 0.8, style.uniform(2, 5))
        lines = lines * np.clip(1 + style.uniform(0.1, 0.6) * dots, 0, 3)
    if style.uniform() < 0.4:
        near = ndi.gaussian_filter((canvas.distance < 1).astype(np.float32), 3)
        lines = lines * (1 + style.uniform(0, 1.5) * near / (near.max() + 1e-6))
    if style.uniform() < 0.6:
        region = smooth_noise(canvas.rng, shape, style.uniform(40, 200))
        lines = lines * np.exp(style.uniform(0.2, 1.0) * np.clip(region, -2, 1))
    return np.asarray(lines, np.float32)


def _paint_texture(canvas: _Canvas, style: np.random.Generator) -> None:
    """Cells of one to three kinds that differ in level, grain or direction."""
    kinds = int(style.integers(2, 4))
    of_cell = style.integers(0, kinds, canvas.cells.max() + 1)
    for k in range(kinds):
        where = of_cell[canvas.cells] == k
        noise = canvas.rng.standard_normal(canvas.cells.shape).astype(np.float32)
        low = style.uniform(0.5, 3, 2)
        band = ndi.gaussian_filter(noise, low) - ndi.gaussian_filter(noise, low * 3)
        level = style.uniform(0.2, 0.8) + style.uniform(0.03, 0.2) * band / (band.std() + 1e-6)
        canvas.image[where] = level[where]
        canvas.classes[where] = TEXTURES[k]
    if style.uniform() < 0.5:
        _membranes(canvas, style, float(style.uniform(0.2, 0.5) * style.choice([-1, 1])))
    else:
        canvas.half_width[...] = -99  # nothing is drawn between these cells


def _membranes(canvas: _Canvas, style: np.random.Generator, contrast: float) -> None:
    """Lines between cells: wider and paler where they are cut obliquely, faint here and there."""
    d, half = canvas.distance, canvas.half_width
    oblique = np.clip(smooth_noise(canvas.rng, d.shape, 45) - style.uniform(1.0, 2.2), 0, 1)
    half = half * (1 + style.choice([0.8, 1.5, 5.0]) * oblique)
    soft = style.uniform(0.35, 1.1)
    profile = 1 / (1 + np.exp(np.clip((d - half) / soft, -30, 30)))
    along = smooth_noise(canvas.rng, d.shape, 30) * style.uniform(0.05, 0.3)
    strength = np.clip(1 + along - 0.4 * oblique, 0.15, 1.5)
    canvas.image += contrast * strength * profile
    if style.uniform() < 0.35:  # two leaflets with a pale gap
        canvas.image -= 0.5 * contrast * np.exp(-((d / np.maximum(half * 0.35, 0.6)) ** 2))
    canvas.half_width[...] = half
    canvas.classes[d <= half] = MEMBRANE


def _tubules(canvas: _Canvas, style: np.random.Generator, contrast: float) -> None:
    """Lines inside cells that are no cell membrane, single or in pairs like cisternae."""
    if style.uniform() < 0.25:
        return
    level = smooth_noise(canvas.rng, canvas.cells.shape, style.uniform(9, 26))
    apart = style.uniform(0.1, 0.3) if style.uniform() < 0.5 else 0.0
    line = np.exp(-(((np.abs(level) - apart) / style.uniform(0.04, 0.16)) ** 2))
    patch = smooth_noise(canvas.rng, canvas.cells.shape, 50) > style.uniform(-0.2, 1.3)
    inside = canvas.distance > canvas.half_width + 3
    canvas.image -= contrast * style.uniform(0.2, 1.1) * line * (patch & inside)


def _nuclei(canvas: _Canvas, style: np.random.Generator) -> None:
    """Round bodies with a clumped texture in the larger cells."""
    if style.uniform() < 0.6:
        return
    delta, share = style.uniform(-0.25, 0.4), style.uniform(0.3, 0.9)
    clump = _grain(canvas.rng, canvas.cells.shape, 2, 6) * 0.06
    deepest = ndi.maximum(canvas.distance, canvas.cells, np.arange(canvas.cells.max() + 1))
    chosen = (canvas.rng.uniform(0, 1, len(deepest)) < share) & (deepest > 9)
    bound = (deepest * style.uniform(0.25, 0.5))[canvas.cells]
    body = chosen[canvas.cells] & (canvas.distance > bound)
    body = ndi.binary_opening(body, iterations=2)
    canvas.image[body] += (delta + clump)[body]
    canvas.classes[body] = NUCLEUS


def _sheaths(canvas: _Canvas, style: np.random.Generator, contrast: float) -> None:
    """Thick wraps, like myelin, inside the border of some cells."""
    if style.uniform() < 0.8:
        return
    wrapped = canvas.rng.uniform(0, 1, canvas.cells.max() + 1) < style.uniform(0.2, 0.8)
    thick = style.uniform(5, 16)
    sheath = wrapped[canvas.cells] & (canvas.distance < thick)
    lamella = 0.15 * np.sin(canvas.distance * style.uniform(0.8, 2.5))
    sign = -1.0 if style.uniform() < 0.6 else 0.8
    canvas.image[sheath] += (sign * contrast * (1 + lamella))[sheath]
    canvas.classes[sheath] = SHEATH


def _vesicles(canvas: _Canvas, style: np.random.Generator, contrast: float) -> None:
    """Clusters of small rings or dots."""
    if style.uniform() < 0.45:
        return
    rng = canvas.rng
    radius, filled = style.uniform(2.0, 6.0), style.uniform() < 0.3
    ring, amount = style.uniform(0.7, 1.4), style.uniform(0.4, 1.1)
    cluster = smooth_noise(rng, canvas.cells.shape, 40) > style.uniform(0.2, 1.4)
    room = np.argwhere(cluster & (canvas.distance > canvas.half_width + radius + 1))
    if len(room) == 0:
        return
    count = min(len(room), int(len(room) / (radius**2 * style.uniform(8, 25))) + 1, 500)
    for centre in room[rng.choice(len(room), count, replace=False)]:
        r = radius * rng.uniform(0.8, 1.2)
        view = _part(canvas, _window(canvas, centre, r))
        away = np.hypot(view.yx[0] - centre[0], view.yx[1] - centre[1])
        shape = (
            1 / (1 + np.exp((away - r) / 0.5)) if filled else np.exp(-(((away - r) / ring) ** 2))
        )
        view.image -= (contrast * amount * shape).astype(np.float32)
        view.classes[away <= r + 0.5] = VESICLE


def _mitochondria(canvas: _Canvas, style: np.random.Generator, contrast: float) -> None:
    """Dark bodies with an outline and cristae."""
    if style.uniform() < 0.2:
        return
    rng = canvas.rng
    scale, shade = style.uniform(8, 32), style.uniform(0.0, 0.25)
    outline, period = style.uniform(0.4, 1.3) * contrast, style.uniform(3, 8)
    thick = style.uniform(0.9, 2.2)
    room = np.argwhere(canvas.distance > canvas.half_width + 0.35 * scale)
    if len(room) == 0:
        return
    for _ in range(int(canvas.cells.size / (scale**2 * style.uniform(15, 80))) + 1):
        centre = room[rng.integers(len(room))]
        a, b = scale * rng.uniform(0.7, 1.8), scale * rng.uniform(0.35, 0.8)
        angle = rng.uniform(0, np.pi)
        view = _part(canvas, _window(canvas, centre, 1.3 * a))
        signed = _ellipse(view, centre, a, b, angle)
        own = view.cells == canvas.cells[centre[0], centre[1]]
        inside = (signed < 0) & own & (view.distance > view.half_width + 1.5)
        if inside.sum() < 40:
            continue
        tilt = angle + np.pi / 2 + rng.normal(0, 0.3)
        stripe = np.cos(
            2 * np.pi * (np.cos(tilt) * view.yx[1] + np.sin(tilt) * view.yx[0]) / period
        )
        bend = stripe * np.clip(smooth_noise(rng, stripe.shape, 8), -1, 1)
        body = -shade + 0.35 * contrast * bend * style.uniform(0.2, 1.0)
        depth = ndi.distance_transform_edt(inside)
        rim = -outline * np.exp(-(((depth - 1.5) / thick) ** 2))
        view.image[inside] += (body + rim)[inside].astype(np.float32)
        view.classes[inside] = MITOCHONDRION


def _densities(canvas: _Canvas, style: np.random.Generator, contrast: float) -> None:
    """Short dark swellings on membranes, like synapses."""
    if style.uniform() < 0.5:
        return
    rng = canvas.rng
    places = np.argwhere(canvas.distance < 1)
    if len(places) == 0:
        return
    reach, thick = style.uniform(6, 18), style.uniform(3, 8)
    for centre in places[
        rng.choice(len(places), min(len(places), int(rng.integers(1, 12))), False)
    ]:
        view = _part(canvas, _window(canvas, centre, reach))
        away = np.hypot(view.yx[0] - centre[0], view.yx[1] - centre[1])
        side = view.cells == view.cells.flat[int(rng.integers(view.cells.size))]
        body = (away < reach) & (view.distance < thick) & side
        view.image[body] -= np.float32(contrast * style.uniform(0.3, 0.9))
        view.classes[body & (view.classes != MEMBRANE)] = DENSITY


def _expose(
    image: Float, style: np.random.Generator, grain: np.random.Generator, kind: Kind
) -> Float:
    """Blur, shade and add noise, as the instrument would."""
    blur, noise = style.uniform(0.0, 1.6), 0.01 + 0.13 * style.uniform() ** 1.7
    rough, shade = style.uniform(0.0, 0.8), 0.12 * style.uniform() ** 2
    if kind == "brightfield" and style.uniform() < 0.7:  # a camera's picture, stored with loss
        noise, rough = 0.2 * noise, style.uniform(0.5, 2.0)
    photons, gamma = np.exp(style.uniform(np.log(25), np.log(600))), style.uniform(0.75, 1.3)
    out = ndi.gaussian_filter(image, blur) + shade * smooth_noise(grain, image.shape, 120)
    out = np.clip(out, 0.001, None) ** gamma
    if kind == "fluorescence":
        out = grain.poisson(out * photons).astype(np.float32) / np.float32(photons)
        noise *= 0.3
    hiss = grain.standard_normal(image.shape).astype(np.float32)
    if rough > 0.3:
        hiss = ndi.gaussian_filter(hiss, rough)
        hiss /= hiss.std() + 1e-6
    return np.asarray(out + noise * hiss, np.float32)


_LOOKS = {
    "em": _paint_em,
    "fluorescence": _paint_fluorescence,
    "brightfield": _paint_brightfield,
    "texture": _paint_texture,
}
