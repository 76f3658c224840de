"""Synthetic neuropil: nervous tissue in thin sections, as an electron microscope sees it.

What a plain partition of space lacks and real tissue has: giant axons beside neurites of a few
pixels; outlines rounded by surface tension; membranes that are cut obliquely and smear over the
depth of the section, which annotators draw thick; mitochondria, cisternae, microtubules, vesicles
and dark glia, all of which look like membranes in places. Membranes may be drawn as two lines with
a cleft between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.spatial import cKDTree

from napari_infoleak.learn.synthesis import (
    CYTOSOL,
    DENSITY,
    GLIA,
    MEMBRANE,
    MITOCHONDRION,
    VESICLE,
    Scene,
    smooth_noise,
)

Float = NDArray[np.float32]
Ids = NDArray[np.int32]


def neuropil(rng: np.random.Generator, size: int = 512) -> Scene:
    """Draw a section of nervous tissue.

    Parameters
    ----------
    rng : Generator
        All randomness comes from it.
    size : int
        Pixels a side.

    Returns
    -------
    Scene
        Of one plane.
    """
    scale = float(np.exp(rng.uniform(np.log(9), np.log(26))))  # of the smallest neurites
    ids = _rounded(_cells(rng, size, scale), scale * rng.uniform(0.12, 0.3), rng)
    section = _Section.cut(ids, scale, rng)
    image, dark = _cytosol(section, rng)
    classes = np.where(dark, GLIA, CYTOSOL).astype(np.uint8)
    contrast = float(rng.uniform(0.22, 0.6))
    for organelle in (_microtubules, _cisternae, _vesicles, _mitochondria):
        organelle(section, image, classes, contrast, scale, rng)
    _membranes(section, image, classes, contrast, rng)
    _synapses(section, image, classes, contrast, scale, rng)
    _dirt(image, contrast, rng)
    return Scene(_taken(image, rng)[None], classes[None], ids[None], section.margin[None])


# ------------------------------------------------------------------------------------ cells


def _cells(rng: np.random.Generator, size: int, scale: float) -> Ids:
    """Cells of very different sizes, as ids from 1: unions of the bits of a fine partition."""
    margin = 3 * scale
    extent = size + 2 * margin
    count = int(np.clip((extent / (0.55 * scale)) ** 2, 200, 30_000))
    bits = rng.uniform(-margin, size + margin, (count, 2))
    seeds = rng.uniform(-margin, size + margin, (max(12, int(count * rng.uniform(0.06, 0.2))), 2))
    # A seed with a head start reaches further: few giants, many small ones.
    start = scale * rng.gamma(rng.uniform(0.25, 0.8), rng.uniform(1.0, 4.0), len(seeds))
    start = np.minimum(start, 0.22 * size)
    angle = rng.uniform(0, np.pi)
    squeeze = np.exp(rng.uniform(0, 0.5))  # a bundle of neurites runs in one direction
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flow = turn @ np.diag([squeeze, 1 / squeeze]) @ turn.T
    group = np.empty(count, np.int64)
    for part in np.array_split(np.arange(count), max(1, count // 2000)):
        away = (bits[part, None] - seeds[None]) @ flow
        group[part] = (np.hypot(away[..., 0], away[..., 1]) - start).argmin(1)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    for wave, strength in ((4.0, 0.6), (1.6, 0.3)):
        amount = strength * scale * rng.uniform(0.3, 1.0)
        y = y + amount * smooth_noise(rng, (size, size), wave * scale)
        x = x + amount * smooth_noise(rng, (size, size), wave * scale)
    nearest = cKDTree(bits).query(np.stack([y, x], -1).reshape(-1, 2), workers=1)[1]
    _, ids = np.unique(group[nearest], return_inverse=True)
    return (ids.reshape(size, size) + 1).astype(np.int32)


def _rounded(ids: Ids, sigma: float, rng: np.random.Generator) -> Ids:
    """Outlines under surface tension: blur every cell, the strongest takes the pixel."""
    for _ in range(int(rng.integers(2, 4))):
        best = np.zeros(ids.shape, np.float32)
        out = ids.copy()
        pad = int(3 * sigma) + 2
        boxes = ndi.find_objects(ids)
        for label in np.unique(ids):  # some shrank to nothing in the round before
            box = boxes[label - 1]
            wide = tuple(
                slice(max(0, s.start - pad), min(n, s.stop + pad))
                for s, n in zip(box, ids.shape, strict=True)
            )
            soft = ndi.gaussian_filter((ids[wide] == label).astype(np.float32), sigma, truncate=3)
            win = soft > best[wide]
            best[wide][win] = soft[win]
            out[wide][win] = label
        ids = out
    return ids


@dataclass(frozen=True, eq=False)
class _Section:
    """A slice of some depth through the tissue.

    Attributes
    ----------
    ids : cells in the middle of the slice
    depth : distance from each pixel to the nearest cell border of the middle
    swept : 0 to 1, how much of the depth a border sweeps over the pixel
    margin : pixels to the edge of the membrane as an annotator would draw it
    half : half the width of a membrane that stands upright
    """

    ids: Ids
    depth: Float
    swept: Float
    margin: Float
    half: Float

    @classmethod
    def cut(cls, ids: Ids, scale: float, rng: np.random.Generator) -> _Section:
        shape = ids.shape
        width = float(np.exp(rng.uniform(np.log(2.0), np.log(6.5))))
        width = min(width, 0.45 * scale)
        half = 0.5 * width * np.exp(rng.uniform(0.05, 0.25) * smooth_noise(rng, shape, 50))
        # Borders lean by a smooth field: mostly a pixel, in patches by many.
        lean = np.stack([smooth_noise(rng, shape, 70) for _ in range(2)])
        patch = np.clip(smooth_noise(rng, shape, 90) - rng.uniform(-0.6, 1.0), 0, 1.5)
        lean *= 0.3 * width + patch * rng.uniform(0.2, 1.0) * min(12.0, scale)
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        levels = (-1.0, -0.5, 0.5, 1.0)
        swept = np.zeros(shape, np.float32)
        for level in levels:
            place = [y + level * lean[0], x + level * lean[1]]
            moved = ndi.map_coordinates(ids, place, order=0, mode="nearest")
            swept += (moved != ids) / np.float32(len(levels))
        swept = ndi.gaussian_filter(swept, 0.8)
        depth = ndi.gaussian_filter(ndi.distance_transform_edt(~_border(ids)), 0.6)
        body = (depth - half <= 0) | (swept > rng.uniform(0.2, 0.45))
        inside = ndi.distance_transform_edt(body)
        margin = np.where(body, 0.5 - inside, ndi.distance_transform_edt(~body) - 0.5)
        return cls(
            ids,
            depth.astype(np.float32),
            swept,
            np.asarray(ndi.gaussian_filter(margin, 0.6), np.float32),
            half.astype(np.float32),
        )


def _border(ids: Ids) -> NDArray[np.bool_]:
    border = np.zeros(ids.shape, bool)
    border[:-1] |= ids[:-1] != ids[1:]
    border[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    return border


# -------------------------------------------------------------------------------- what is inside


def _per_cell(section: _Section, values: NDArray[np.floating]) -> Float:
    return np.asarray(values, np.float32)[section.ids]


def _cytosol(section: _Section, rng: np.random.Generator) -> tuple[Float, NDArray[np.bool_]]:
    """Grey of the cells: dark glia, pale axons, grains of several sizes; and where glia is."""
    count = int(section.ids.max()) + 1
    level = rng.uniform(0.55, 0.8)
    tint = rng.normal(0, rng.uniform(0.01, 0.06), count)
    dark = rng.uniform(0, 1, count) < rng.uniform(0, 0.12)
    tint = tint - dark * rng.uniform(0.08, 0.3)
    image = level + _per_cell(section, tint)
    rough = np.exp(rng.normal(0, 0.4, count)) * (1 + 0.3 * dark)
    for sigma, most in ((rng.uniform(0.6, 1.1), 0.07), (rng.uniform(1.3, 3.0), 0.06)):
        band = _band(rng, section.ids.shape, sigma)
        image += rng.uniform(0.01, most) * band * _per_cell(section, rough)
    spots = _band(rng, section.ids.shape, rng.uniform(0.8, 1.8))  # ribosomes, cut filaments
    image -= rng.uniform(0, 0.16) * np.clip(spots - rng.uniform(0.8, 1.8), 0, 2)
    patchy = smooth_noise(rng, section.ids.shape, rng.uniform(15, 40))
    image += rng.uniform(0, 0.06) * patchy
    return np.asarray(image, np.float32), dark[section.ids]


def _band(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Float:
    white = rng.standard_normal(shape).astype(np.float32)
    band = ndi.gaussian_filter(white, sigma) - ndi.gaussian_filter(white, 2.5 * sigma)
    out: Float = band / (band.std() + 1e-6)
    return out


def _room(section: _Section) -> Float:
    """Pixels to the nearest membrane."""
    return section.depth - section.half


def _window(shape: tuple[int, ...], centre: NDArray[np.int64], reach: float) -> tuple[slice, slice]:
    y, x, r = int(centre[0]), int(centre[1]), int(reach) + 3
    return slice(max(0, y - r), min(shape[0], y + r + 1)), slice(
        max(0, x - r), min(shape[1], x + r + 1)
    )


def _microtubules(
    section: _Section,
    image: Float,
    classes: NDArray[np.uint8],
    contrast: float,
    scale: float,
    rng: np.random.Generator,
) -> None:
    """Dots where filaments are cut across, short strokes where they lie in the section."""
    if rng.uniform() < 0.3:
        return
    count = int(section.ids.max()) + 1
    has = rng.uniform(0, 1, count) < rng.uniform(0.2, 0.9)
    room = (_room(section) > 2.5) & has[section.ids]
    places = np.argwhere(room)
    if not len(places):
        return
    dots = np.zeros(image.shape, np.float32)
    number = min(len(places), int(len(places) / rng.uniform(60, 500)))
    chosen = places[rng.choice(len(places), number, replace=False)]
    lying = rng.uniform(0, 1, count) < rng.uniform(0, 0.5)
    angle = rng.uniform(0, np.pi, count)
    for y, x in chosen:
        cell = section.ids[y, x]
        length = int(rng.integers(4, 22)) if lying[cell] else 1
        t = np.arange(length)
        ys = np.clip((y + t * np.sin(angle[cell])).astype(int), 0, image.shape[0] - 1)
        xs = np.clip((x + t * np.cos(angle[cell])).astype(int), 0, image.shape[1] - 1)
        keep = room[ys, xs]
        dots[ys[keep], xs[keep]] = 1
    soft = ndi.gaussian_filter(dots, rng.uniform(0.6, 1.2))
    soft /= soft.max() + 1e-6
    image -= contrast * rng.uniform(0.2, 0.8) * soft


def _cisternae(
    section: _Section,
    image: Float,
    classes: NDArray[np.uint8],
    contrast: float,
    scale: float,
    rng: np.random.Generator,
) -> None:
    """Endoplasmic reticulum: lines and flat sacs inside cells, often along their membrane."""
    if rng.uniform() < 0.25:
        return
    shape = image.shape
    level = smooth_noise(rng, shape, rng.uniform(14, 40))
    slope = np.hypot(*np.gradient(level)) + 0.01
    away = np.abs(level - rng.normal(0, 0.3)) / slope  # pixels from the level's line
    gap = rng.uniform(1.0, 3.0) if rng.uniform() < 0.6 else 0.0
    thin = rng.uniform(0.7, 1.3)
    line = np.exp(-(((away - gap) / thin) ** 2))
    patch = smooth_noise(rng, shape, 45) > rng.uniform(0.0, 1.2)
    inside = _room(section) > rng.uniform(1.5, 4.0)
    image -= contrast * rng.uniform(0.3, 0.95) * line * (patch & inside)
    if gap:
        image += contrast * rng.uniform(0, 0.35) * ((away < gap) & patch & inside)


def _vesicles(
    section: _Section,
    image: Float,
    classes: NDArray[np.uint8],
    contrast: float,
    scale: float,
    rng: np.random.Generator,
) -> None:
    """Clusters of small rings, pale or with a dark core."""
    if rng.uniform() < 0.3:
        return
    radius, ring = rng.uniform(1.8, 4.5), rng.uniform(0.7, 1.2)
    amount, core = rng.uniform(0.3, 0.95), rng.uniform(0, 0.5) if rng.uniform() < 0.4 else 0.0
    cluster = smooth_noise(rng, image.shape, 35) > rng.uniform(0.0, 1.3)
    places = np.argwhere(cluster & (_room(section) > radius + 1))
    if not len(places):
        return
    count = min(len(places), int(len(places) / (radius**2 * rng.uniform(6, 25))) + 1, 600)
    for centre in places[rng.choice(len(places), count, replace=False)]:
        r = radius * rng.uniform(0.75, 1.3)
        window = _window(image.shape, centre, r + 2)
        y, x = np.mgrid[window]
        away = np.hypot(y - centre[0], x - centre[1])
        dark = rng.uniform() < core
        shade = np.exp(-(((away - r) / ring) ** 2)) - 0.4 * (away < r - 0.5) * (not dark)
        if dark:
            shade = 1.2 / (1 + np.exp(np.clip((away - r) / 0.5, -30, 30)))
        image[window] -= (contrast * amount * shade).astype(np.float32)
        classes[window][away <= r + 0.5] = VESICLE


def _mitochondria(
    section: _Section,
    image: Float,
    classes: NDArray[np.uint8],
    contrast: float,
    scale: float,
    rng: np.random.Generator,
) -> None:
    """Dark beans with an outline of two membranes and folds within, as large as the cell allows."""
    if rng.uniform() < 0.12:
        return
    shape = image.shape
    room = _room(section)
    largest = rng.uniform(9, 38)
    shade, rim = rng.uniform(0.0, 0.3), rng.uniform(0.5, 1.4)
    thin, period = rng.uniform(0.8, 1.8), rng.uniform(3.0, 8.0)
    folds, halo = rng.uniform(0.3, 1.3), rng.uniform(0, 0.5)
    free = room.copy()
    for _ in range(int(shape[0] * shape[1] / (largest**2 * rng.uniform(20, 90))) + 1):
        places = np.argwhere(free > max(5.0, 0.3 * largest))
        if not len(places):
            return
        centre = places[rng.integers(len(places))]
        b = min(float(room[tuple(centre)]) * rng.uniform(0.7, 0.98), largest)
        a = b * rng.uniform(1.0, 2.2)
        window = _window(shape, centre, 1.4 * a)
        y, x = (g.astype(np.float32) for g in np.mgrid[window])
        angle = rng.uniform(0, np.pi)
        u = np.cos(angle) * (x - centre[1]) + np.sin(angle) * (y - centre[0])
        v = np.cos(angle) * (y - centre[0]) - np.sin(angle) * (x - centre[1])
        v = v + rng.normal(0, 0.12) * u**2 / a  # a bean
        wobble = 1 + 0.1 * smooth_noise(rng, y.shape, max(8.0, 1.3 * b))
        signed = (np.hypot(u / a, v / b) - wobble) * b
        own = section.ids[window] == section.ids[tuple(centre)]
        signed = np.maximum(signed, 1.0 - room[window])  # its membrane stays off the cell's
        body = ndi.binary_opening((signed < 0) & own & (free[window] > 0), iterations=2)
        if body.sum() < 50:
            continue
        depth = ndi.gaussian_filter(ndi.distance_transform_edt(body), 0.5)
        tilt = angle + np.pi / 2 * (rng.uniform() < 0.6) + rng.normal(0, 0.3)
        bent = 2.5 * smooth_noise(rng, y.shape, 14)
        stripe = np.cos(2 * np.pi * (np.cos(tilt) * x + np.sin(tilt) * y + bent) / period)
        stripe = stripe * np.clip(0.6 + smooth_noise(rng, y.shape, 9), 0, 1)
        inner = np.clip(depth / 3 - 0.5, 0, 1)
        value = -shade - contrast * folds * np.clip(stripe, -0.3, 1) * inner
        value -= contrast * rim * np.exp(-(((depth - 1.2) / thin) ** 2))
        if rng.uniform() < 0.5:  # the inner membrane shows as a line of its own
            value -= 0.6 * contrast * rim * np.exp(-(((depth - 1.2 - 2.6 * thin) / thin) ** 2))
        image[window][body] += value[body].astype(np.float32)
        image[window] += (halo * contrast * np.exp(-((signed - 2) ** 2) / 4) * own).astype(
            np.float32
        )
        classes[window][body] = MITOCHONDRION
        free[window][ndi.binary_dilation(body, iterations=3)] = -1


def _membranes(
    section: _Section,
    image: Float,
    classes: NDArray[np.uint8],
    contrast: float,
    rng: np.random.Generator,
) -> None:
    """Dark lines, smeared and paler where they lean, faint here and there."""
    depth, half = section.depth, section.half
    soft = rng.uniform(0.35, 0.9)
    line = 1 / (1 + np.exp(np.clip((depth - half) / soft, -30, 30)))
    if rng.uniform() < 0.35:  # two leaflets and the cleft between them
        line = line - rng.uniform(0.2, 0.7) * np.exp(-((depth / np.maximum(0.4 * half, 0.6)) ** 2))
    along = smooth_noise(rng, depth.shape, 30) * rng.uniform(0.05, 0.3)
    upright = np.clip(1 - 1.2 * section.swept, 0.25, 1)
    smear = rng.uniform(0.35, 0.95) * np.clip(1.6 * section.swept, 0, 1)
    strength = np.clip(1 + along, 0.3, 1.5) * np.maximum(line * upright, smear)
    image -= contrast * strength
    image -= rng.uniform(0, 0.25) * contrast * np.exp(-((depth / (3 * half + 1)) ** 2))
    classes[section.margin <= 0] = MEMBRANE


def _synapses(
    section: _Section,
    image: Float,
    classes: NDArray[np.uint8],
    contrast: float,
    scale: float,
    rng: np.random.Generator,
) -> None:
    """Short dark swellings on one side of a membrane."""
    places = np.argwhere(section.depth < 1)
    if rng.uniform() < 0.3 or not len(places):
        return
    reach, thick = rng.uniform(4, 12), rng.uniform(3, 7)
    for centre in places[rng.choice(len(places), min(len(places), int(rng.integers(1, 20))))]:
        window = _window(image.shape, centre, reach)
        y, x = np.mgrid[window]
        away = np.hypot(y - centre[0], x - centre[1])
        ids = section.ids[window]
        side = ids == ids.flat[int(rng.integers(ids.size))]
        edge = np.maximum(away - reach, section.depth[window] - thick)
        body = side / (1 + np.exp(np.clip(edge / 0.7, -30, 30)))
        image[window] -= (contrast * rng.uniform(0.4, 1.0) * body).astype(np.float32)
        mark = classes[window]
        mark[(body > 0.5) & (mark != MEMBRANE)] = DENSITY


def _dirt(image: Float, contrast: float, rng: np.random.Generator) -> None:
    """Specks of stain."""
    if rng.uniform() < 0.7:
        return
    for _ in range(int(rng.integers(1, 12))):
        centre = rng.integers(0, image.shape)
        r = rng.uniform(1.5, 9)
        window = _window(image.shape, centre, 1.5 * r)
        y, x = np.mgrid[window]
        away = np.hypot(y - centre[0], x - centre[1]) + 0.3 * r * smooth_noise(rng, y.shape, r + 2)
        image[window] -= (contrast * 0.9 / (1 + np.exp(np.clip(away - r, -30, 30)))).astype(
            np.float32
        )


def _taken(image: Float, rng: np.random.Generator) -> Float:
    """Blur, uneven light and noise of the instrument."""
    out = ndi.gaussian_filter(image, rng.uniform(0.2, 1.5))
    out = out * (1 + 0.15 * rng.uniform() ** 2 * smooth_noise(rng, image.shape, 150))
    out = np.clip(out, 0.001, None) ** rng.uniform(0.75, 1.3)
    noise = 0.01 + 0.1 * rng.uniform() ** 1.7
    hiss = rng.standard_normal(image.shape).astype(np.float32)
    rough = rng.uniform(0, 1.0)
    if rough > 0.35:
        hiss = ndi.gaussian_filter(hiss, rough)
        hiss /= hiss.std() + 1e-6
    return np.asarray(out + noise * hiss, np.float32)
