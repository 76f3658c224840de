"""Vary crops: turned, mirrored, zoomed, bent; darker, brighter, noisier, blurred.

One sampling grid, made of one affine map and a coarse field of shifts, moves image and annotation
alike; what comes from beyond the image is unlabelled. Volumes are turned and bent in their planes
and mirrored along z, for planes are seldom as close as pixels. Ranges are about those of nnU-Net
(Isensee et al. 2021, doi 10.1038/s41592-020-01008-z), which serve microscopy well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 5.0  # as `core.normalise` has it
_CELL = 48  # pixels between two shifts of the coarse field


@dataclass(frozen=True)
class Augment:
    """How often and how far crops are varied; all 0 leaves them as they are.

    Attributes
    ----------
    mirror : bool
        Whether crops are mirrored and turned by right angles.
    warp : float
        How often a crop is turned by any angle, zoomed and bent.
    zoom : float
        Largest factor, up or down.
    bend : float
        Standard deviation of the shifts in pixels.
    gamma, contrast, brightness : float
        Standard deviation, of the logarithm for the first two.
    noise, blur : float
        Largest standard deviation, of grey values and in pixels; one crop in four gets each.
    """

    mirror: bool = True
    warp: float = 0.5
    zoom: float = 1.4
    bend: float = 2.0
    gamma: float = 0.25
    contrast: float = 0.15
    brightness: float = 0.15
    noise: float = 0.4
    blur: float = 1.0


NONE = Augment(mirror=False, warp=0, gamma=0, contrast=0, brightness=0, noise=0, blur=0)


def cut(
    image: Tensor,
    labels: Tensor,
    centre: Sequence[int],
    size: Sequence[int],
    augment: Augment,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Cut one varied crop.

    Parameters
    ----------
    image : Tensor, shape (C, Z, Y, X), float32
    labels : Tensor, shape (Z, Y, X), uint8
        0 is unlabelled.
    centre : sequence of int
        (z, y, x) of the middle of the crop.
    size : sequence of int
        (z, y, x) of the crop.
    augment : Augment
    generator : Generator
        Where all chance comes from.

    Returns
    -------
    image : Tensor, shape (C, z, y, x)
    labels : Tensor, shape (z, y, x), uint8
    """
    places = _places(centre, size, augment, generator)
    # The slab of planes that are read; outside of the image the nearest planes are mirrored.
    depth = image.shape[1]
    planes = torch.arange(size[0]) - size[0] // 2 + centre[0]
    if augment.mirror and size[0] > 1 and _chance(0.5, generator):
        planes = planes.flip(0)
    known = (planes >= 0) & (planes < depth)
    planes = _reflect(planes, depth)
    rows, columns = _window(places, image.shape[2:])
    read, drawn = image[..., rows, columns][:, planes], labels[..., rows, columns][planes]
    places = places - places.new_tensor([rows.start, columns.start])
    sizes = places.new_tensor([read.shape[3], read.shape[2]])
    grid = ((2 * places.flip(2) + 1) / sizes - 1).expand(size[0], -1, -1, -1)
    grey = F.grid_sample(read.movedim(1, 0), grid, padding_mode="reflection", align_corners=False)
    painted = F.grid_sample(drawn.float()[:, None], grid, mode="nearest", align_corners=False)[:, 0]
    painted = torch.where(known[:, None, None], painted, 0).to(torch.uint8)
    return _look(grey, augment, generator).movedim(0, 1), painted


def _places(
    centre: Sequence[int], size: Sequence[int], augment: Augment, generator: torch.Generator
) -> Tensor:
    """Where in its plane each pixel of the crop is read; (y, x, 2) in pixels."""
    rows, columns = size[1:]
    offsets = torch.stack(
        torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"), 2
    ).float()
    offsets = offsets - offsets.new_tensor([rows // 2, columns // 2])
    middle = offsets.new_tensor(list(centre[1:]))
    if augment.mirror:
        turns = int(torch.randint(4, (), generator=generator))
        signs = torch.randint(2, (2,), generator=generator) * 2.0 - 1
        quarter = offsets.new_tensor([[0, -1], [1, 0]]).matrix_power(turns)
        offsets = offsets @ (quarter * signs)
    if _chance(augment.warp, generator):
        angle, scale = torch.rand(2, generator=generator).tolist()
        angle = (angle - 0.5) * math.pi / 2
        factor = augment.zoom ** (1 - 2 * scale)
        turn = offsets.new_tensor(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        offsets = offsets @ (turn * factor)
        cells = (1, 2, rows // _CELL + 2, columns // _CELL + 2)
        shifts = torch.randn(cells, generator=generator) * augment.bend
        field = F.interpolate(shifts, (rows, columns), mode="bicubic", align_corners=True)
        offsets = offsets + field[0].movedim(0, 2)
    return middle + offsets


def _window(places: Tensor, sides: Sequence[int]) -> tuple[slice, slice]:
    """The part of a plane that is read; all of it where the crop reaches beyond."""
    low = places.amin((0, 1)).floor().int() - 1
    high = places.amax((0, 1)).ceil().int() + 2
    if bool((low < 0).any()) or bool((high > high.new_tensor(list(sides))).any()):
        return slice(0, sides[0]), slice(0, sides[1])
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _look(grey: Tensor, augment: Augment, generator: torch.Generator) -> Tensor:
    """Another exposure, focus and noise; the same for all planes of a crop. (Z C Y X)."""
    gamma, contrast, brightness = (
        torch.randn(3, generator=generator)
        * torch.tensor([augment.gamma, augment.contrast, augment.brightness])
    ).tolist()
    if augment.gamma and _chance(0.5, generator):
        low, high = grey.amin(), grey.amax()
        span = (high - low).clamp(min=1e-6)
        grey = ((grey - low) / span).clamp(0, 1) ** math.exp(gamma) * span + low
    if augment.blur and _chance(0.25, generator):
        grey = blurred(grey, float(torch.rand((), generator=generator)) * augment.blur)
    if augment.noise and _chance(0.25, generator):
        strength = float(torch.rand((), generator=generator)) * augment.noise
        grey = grey + strength * torch.randn(grey.shape, generator=generator)
    seen: Tensor = grey * math.exp(contrast) + brightness
    return seen.clamp(-LIMIT, LIMIT)


def blurred(grey: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of planes, (B C Y X), mirrored at the borders."""
    reach = max(1, min(math.ceil(3 * sigma), *(side - 1 for side in grey.shape[-2:])))
    steps = torch.arange(-reach, reach + 1, dtype=grey.dtype)
    bell = torch.exp(-0.5 * (steps / max(sigma, 1e-3)) ** 2)
    bell = (bell / bell.sum()).expand(grey.shape[1], 1, 1, -1)
    out = F.pad(grey, (reach, reach, reach, reach), mode="reflect")
    out = torch.conv2d(out, bell, groups=grey.shape[1])
    return torch.conv2d(out, bell.transpose(2, 3), groups=grey.shape[1])


def _reflect(index: Tensor, length: int) -> Tensor:
    """Bring positions into range by mirroring at both ends, the ends repeated."""
    turned = index % (2 * length)
    return torch.where(turned < length, turned, 2 * length - 1 - turned)


def _chance(share: float, generator: torch.Generator) -> bool:
    return bool(torch.rand((), generator=generator) < share)
