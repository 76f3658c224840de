"""Crops of what is annotated, a batch a step.

Every crop is drawn around an annotated pixel: one in two around a pixel of a class that is drawn
first, so that rare classes and thin strokes are learned from as often as large surfaces. Where a
class is to be learned above all, it is first drawn whether a crop is around that one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.image import Image
from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.support import SupportPlane, SupportSet
from napari_infoleak.learn.augment import Augment, cut
from napari_infoleak.segmenters.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.learn.frames import Frame

_PLACES = 2**16  # pixels of a class and volume that crops may be drawn around
_EDGE = 0.4  # of the crop's sides: how far from its middle that pixel may lie


@dataclass(frozen=True, eq=False)
class Annotated:
    """A volume and what is annotated of it; a plane is a volume of one.

    Attributes
    ----------
    image : Tensor, shape (C, Z, Y, X), float32
        Each plane brought to range by `core.normalise`.
    labels : Tensor, shape (Z, Y, X), uint8
        0 unlabelled, else one more than the place of the class in the table.
    weight : float
        How often it is drawn beside others.
    permanent : bool
        Whether a person annotated it; only such annotations are held out for validation.
    """

    image: Tensor
    labels: Tensor
    weight: float = 1.0
    permanent: bool = True

    def with_labels(self, labels: Tensor) -> Annotated:
        """Return the same volume with other annotations."""
        return replace(self, labels=labels)


def annotated(
    support: SupportSet,
    classes: ClassTable,
    dims: int = 2,
    frames: Iterable[Frame] = (),
    reach: int = 0,
) -> list[Annotated]:
    """Bring a support set to what batches are cut of.

    Parameters
    ----------
    support : SupportSet
    classes : ClassTable
        Holds every class that is painted.
    dims : {2, 3}
        3 joins neighbouring planes of an image to volumes.
    frames : iterable of Frame
        Planes that nobody annotated; volumes hold those near annotated ones.
    reach : int
        How near, in planes.

    Returns
    -------
    list of Annotated

    Raises
    ------
    BadInput
        If an annotated plane holds no number, or all planes are of one grey value.
    """
    place = np.zeros(256, np.uint8)
    for index, number in enumerate(classes.ids):
        place[number] = index + 1
    groups: Iterable[Sequence[SupportPlane | Frame]]
    groups = [[one] for one in support.planes] if dims == 2 else _runs(support, frames, reach)
    data = [_join(group, place) for group in groups]
    if not any(bool((one.image != 0).any()) for one in data):  # as `normalise` makes of such
        raise BadInput(
            "the annotated images show nothing: every pixel has the same value; check the files "
            "and the channel"
        )
    return data


def _runs(
    support: SupportSet, frames: Iterable[Frame], reach: int
) -> list[list[SupportPlane | Frame]]:
    """Planes of one image and time that follow one another, each near an annotated one."""
    painted: dict[tuple[str, int], dict[int, SupportPlane | Frame]] = {}
    for plane in support.planes:
        t, z = plane.index
        painted.setdefault((plane.source, t), {})[z] = plane
    known = {place: dict(planes) for place, planes in painted.items()}
    for frame in frames:
        name, (t, z) = frame.place
        if any(abs(z - other) <= reach for other in painted.get((name, t), ())):
            known[name, t][z] = frame
    runs: list[list[SupportPlane | Frame]] = []
    for planes in known.values():
        last: int | None = None
        for z in sorted(planes):
            if last is None or z != last + 1:
                runs.append([])
            runs[-1].append(planes[z])
            last = z
    return runs


def _join(planes: Sequence[SupportPlane | Frame], place: np.ndarray) -> Annotated:
    grey, labels = [], []
    painted = [plane for plane in planes if isinstance(plane, SupportPlane)]
    for plane in planes:
        if not isinstance(plane, SupportPlane):
            grey.append(plane.read()[0, 0])
            labels.append(torch.zeros(grey[-1].shape, dtype=torch.uint8))
            continue
        if not np.isfinite(plane.image).any():
            raise BadInput(
                f"an annotated plane of {plane.source} holds no number at all; check the file and "
                f"the channel"
            )
        grey.append(torch.from_numpy(normalise(plane.image)))
        labels.append(torch.from_numpy(place[plane.annotation]))
    return Annotated(
        torch.stack(grey)[None],
        torch.stack(labels),
        max(plane.weight for plane in painted),
        all(plane.permanent for plane in painted),
    )


def as_support(data: Iterable[Annotated], classes: ClassTable) -> SupportSet:
    """Turn annotated volumes back to a support set; planes without annotation are left out."""
    ids = np.array([0, *classes.ids], np.uint8)
    support = SupportSet(classes)
    for number, one in enumerate(data):
        if bool(one.labels.any()):
            support = support.add(
                Image.from_array(one.image[0].numpy(), "ZYX", name=f"annotated {number}"),
                ids[one.labels.numpy()],
                weight=one.weight,
                permanent=one.permanent,
            )
    return support


def counts(data: Iterable[Annotated], classes: int) -> Tensor:
    """Annotated pixels of each class, shape (K,)."""
    total = torch.zeros(classes, dtype=torch.int64)
    for one in data:
        total += torch.bincount(one.labels.flatten().int(), minlength=classes + 1)[1:]
    return total


class Crops:
    """Draw batches. The crops of a step depend on seed, step and rank alone.

    Parameters
    ----------
    data : sequence of Annotated
        At least one annotated pixel among them.
    classes : int
        K.
    size : (int, int, int)
        z, y, x of a crop; z is 1 for planes.
    dims : {2, 3}
        Whether crops have the axis z.
    augment : Augment
    above_all : int, optional
        Place of an annotated class that one crop in two is drawn around.
    seed : int
    rank : int
        Of this process among those that train together.
    """

    def __init__(
        self,
        data: Sequence[Annotated],
        classes: int,
        size: tuple[int, int, int],
        *,
        dims: int = 2,
        augment: Augment | None = None,
        above_all: int | None = None,
        seed: int = 0,
        rank: int = 0,
    ) -> None:
        self.data = list(data)
        self.size = size
        self._dims = dims
        self._augment = augment or Augment()
        self._above_all = above_all
        self._seed = seed
        self.rank = rank
        self._places = [_places(one, classes, seed) for one in self.data]
        found = torch.tensor([[len(p) for p in places] for places in self._places]).double()
        weights = torch.tensor([one.weight for one in self.data]).double()
        self._odds = found * weights[:, None]  # (volumes, K)

    def draw(self, step: int, batch: int, share: float = 0.0) -> Batch:
        """Cut the crops of a step.

        Parameters
        ----------
        step, batch : int
        share : float
            Part of the budget that is spent.

        Returns
        -------
        Batch
        """
        generator = torch.Generator().manual_seed(mixed(self._seed, step, self.rank, 1))
        cuts = [self._crop(generator) for _ in range(batch)]
        images = torch.stack([image for image, _ in cuts])
        labels = torch.stack([label for _, label in cuts]).long() - 1
        if self._dims == 2:
            images, labels = images[:, :, 0], labels[:, 0]
        return Batch(images, labels, share)

    def _crop(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        volume, place = self._place(generator)
        one = self.data[volume]
        shift = (torch.rand(3, generator=generator) * 2 - 1) * _EDGE
        centre = [
            _inside(int(where + round(float(s) * side)), side, length)
            for where, s, side, length in zip(
                place, shift, self.size, one.labels.shape, strict=True
            )
        ]
        return cut(one.image, one.labels, centre, self.size, self._augment, generator)

    def _place(self, generator: torch.Generator) -> tuple[int, tuple[int, int, int]]:
        """A volume, and an annotated pixel of it."""
        odds, chosen = self._odds, None
        if self._above_all is not None and bool(torch.rand((), generator=generator) < 0.5):
            chosen = torch.tensor([self._above_all])
        elif bool(torch.rand((), generator=generator) < 0.5):
            of_class = odds.sum(0)
            chosen = torch.multinomial((of_class > 0).double(), 1, generator=generator)
        if chosen is not None:
            odds = torch.zeros_like(odds).index_copy_(1, chosen, odds[:, chosen])
        index = int(torch.multinomial(odds.flatten(), 1, generator=generator))
        volume, number = divmod(index, odds.shape[1])
        places = self._places[volume][number]
        flat = int(places[int(torch.randint(len(places), (), generator=generator))])
        z, y, x = np.unravel_index(flat, tuple(self.data[volume].labels.shape))
        return volume, (int(z), int(y), int(x))


class Halves:
    """Batches of which half are annotated by people and half are pseudo-labelled.

    Parameters
    ----------
    own : Crops
        Of what people annotated.
    labelled : sequence of Annotated
        Pseudo-labelled planes, at least one pixel of them.
    classes : int
        K.
    seed : int
    """

    def __init__(self, own: Crops, labelled: Sequence[Annotated], classes: int, seed: int) -> None:
        self.size = own.size
        self._own = own
        self._spread = Crops(labelled, classes, own.size, seed=mixed(seed, 5), rank=own.rank)

    def draw(self, step: int, batch: int, share: float = 0.0) -> Batch:
        """Cut the crops of a step; where that is one alone, they take turns."""
        if batch < 2:
            return (self._spread if step % 2 else self._own).draw(step, batch, share)
        own = self._own.draw(step, batch, share)
        spread = self._spread.draw(step, batch // 2, share)
        first = batch - batch // 2
        return replace(
            own,
            images=torch.cat([own.images[:first], spread.images]),
            truth=torch.cat([own.truth[:first], spread.truth]),
        )


def mixed(*parts: int) -> int:
    """One seed of several numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


def _places(one: Annotated, classes: int, seed: int) -> list[Tensor]:
    """Flat indices of the pixels of each class; of very many, some."""
    flat = one.labels.flatten()
    generator = torch.Generator().manual_seed(mixed(seed, 2))
    found = []
    for number in range(1, classes + 1):
        places = (flat == number).nonzero()[:, 0]
        if len(places) > _PLACES:
            places = places[torch.randint(len(places), (_PLACES,), generator=generator)]
        found.append(places)
    return found


def _inside(middle: int, side: int, length: int) -> int:
    """Move the middle of a crop so that the crop lies within, where it can."""
    if length <= side:
        return length // 2
    return min(max(middle, side // 2), length - (side - side // 2))
