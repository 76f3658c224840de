"""Do again what was done in a session: on its own image, or on another one."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.api._cells import cells
from napari_infoleak.api._inputs import annotated, as_image, is_path
from napari_infoleak.api._result import Result, membrane_index
from napari_infoleak.api._segment import segment
from napari_infoleak.api._spread import propagate
from napari_infoleak.core.axes import labels_to_canonical
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.image import Image
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.core.region import Region
from napari_infoleak.core.support import SupportSet
from napari_infoleak.instances.union import keep_finished
from napari_infoleak.session import Session, Step, fingerprint, load_session, needed_steps
from napari_infoleak.session.corrections import correct
from napari_infoleak.session.places import open_journal
from napari_infoleak.session.session import OWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from napari_infoleak.session import ImageReference

_REPEATED = ("segment", "propagate", "cells", "correct")


@dataclass(frozen=True, eq=False)
class Replayed:
    """What came of doing a session again.

    Attributes
    ----------
    image : Image
        What it was done on.
    result : Result
        Labels and probabilities.
    cells : numpy array, uint32, or None
        If the session made some; of the answer that there was then.
    same_image : bool
        Whether it is the image that was worked on.
    steps : tuple of str
        What was done, in order.
    left_out : tuple of str
        Steps of the session that are not repeated, such as trainings, whose models are used as
        they are.
    """

    image: Image
    result: Result
    cells: NDArray[np.uint32] | None
    same_image: bool
    steps: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def replay(
    session: Session | str | Path,
    on: Any = None,
    *,
    images: Mapping[str, str | Path] | None = None,
    axes: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Replayed:
    """Do the steps of a session again.

    On the image that was worked on, each step finds the paint as it was then, and the results are
    the same to the byte on the same processor. On another image, the annotated images of the
    session are its support set, and the last segmentation and the cells made of it are repeated.
    Models that were trained are used as they are, not trained again.

    Parameters
    ----------
    session : Session or path
        A file ending in ``.infoleak``, or a journal.
    on : Image, array or path, optional
        The image; by default the one that was worked on.
    images : mapping of str to path, optional
        Where images of the session lie by now, by name, file name or path.
    axes : str, optional
        Axes of `on`, where it is another image; guessed if None.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    threads : int, optional
        Threads of the processor; torch's choice if None.
    progress, cancel
        As in `segment`.

    Returns
    -------
    Replayed

    Raises
    ------
    BadInput
        If the session is damaged, or an image is missing or another than it was.
    """
    with opened(session) as known:
        if OWN not in known.images:
            raise BadInput("nothing was done in this session yet: it has no image")
        player = _Player(
            known,
            images or {},
            {"device": device, "threads": threads},
            {"progress": progress, "cancel": cancel},
        )
        same = player.same_image(on)
        if same is not None:
            return player.repeat(same)
        return player.transfer(as_image(on, axes))


@contextlib.contextmanager
def opened(session: Session | str | Path) -> Iterator[Session]:
    """Read a session; its models are there within the context."""
    if isinstance(session, Session):
        yield session
    elif str(session).endswith(".infoleak"):
        with tempfile.TemporaryDirectory(prefix="infoleak-", ignore_cleanup_errors=True) as folder:
            yield load_session(session, Path(folder))
    else:
        yield open_journal(session)


@dataclass
class _Player:
    """Goes through a session."""

    session: Session
    paths: Mapping[str, str | Path]
    settings: dict[str, Any]
    listening: dict[str, Any]
    loaded: dict[int, Image] = field(default_factory=dict)

    def same_image(self, on: Any) -> Image | None:
        """Return the image that was worked on, if it is the one that is asked about."""
        own = self.session.images[OWN]
        if on is None:
            return self.image(OWN)
        if is_path(on):
            with contextlib.suppress(BadInput):
                return own.load(on)
            return None
        given = as_image(on, None)
        if given.label_shape != own.shape or fingerprint(given) != own.fingerprint:
            return None
        return own.described(given)

    def image(self, number: int) -> Image:
        """Return an image of the session."""
        if number not in self.loaded:
            reference = self.session.images[number]
            self.loaded[number] = reference.load(self._path(reference))
        return self.loaded[number]

    def repeat(self, image: Image) -> Replayed:
        """Do every step that counts, with the paint as it was then."""
        self.loaded[OWN] = image
        needed = {step.number: step for step in needed_steps(self.session.steps)}
        past, answer, found, names = Session(), None, None, list[str]()
        for record in self.session.records:
            past.take(record)
            step = needed.get(record["number"]) if record["kind"] == "step" else None
            if step is None or step.name not in _REPEATED:
                continue
            names.append(step.name)
            if step.name == "segment":
                answer = _joined(answer, image, *self._segment(past, step, image))
            elif step.name == "propagate":
                answer = self._spread(past, step, image)
            elif step.name == "cells" and answer is not None:
                found = self._cells(past, step, answer, image, found)
            elif found is not None:
                correct(labels_to_canonical(found, image.label_axes), step.arguments)
        if answer is None:
            names.append("segment")
            answer, _ = self._segment(past, _plain(past), image)
        left_out = (step.name for step in needed.values() if step.name not in _REPEATED)
        return Replayed(image, answer, found, True, tuple(names), tuple(left_out))

    def transfer(self, image: Image) -> Replayed:
        """Segment another image with what was painted, and make cells if cells were made."""
        session = self.session
        needed = needed_steps(session.steps)
        last = next((s for s in reversed(needed) if s.name == "segment"), _plain(session))
        whole = replace(last, arguments={**last.arguments, "region": None})
        answer, _ = self._segment(session, whole, image, other=True)
        made = next((s for s in reversed(needed) if s.name == "cells"), None)
        found = None if made is None else self._cells(session, made, answer, image)
        names = ("segment",) if made is None else ("segment", "cells")
        left_out = tuple(step.name for step in needed if step.name not in ("segment", "cells"))
        return Replayed(image, answer, found, False, names, left_out)

    def _segment(
        self, past: Session, step: Step, image: Image, *, other: bool = False
    ) -> tuple[Result, Region | None]:
        """Answer with the paint of a moment; on another image all paint is support."""
        arguments = step.arguments
        channel = arguments.get("channel")
        own = None if past.annotation is None else past.layers[past.annotation]
        support = self._support(past, channel, with_own=other)
        painted = not other and own is not None and bool(own.paint)
        region = arguments.get("region")
        part = None if region is None else Region(*region)
        result = segment(
            image,
            support if support else None,
            str(arguments.get("model", "membrane")),
            annotations=own.paint.whole(image.label_axes) if own and painted else None,
            channel=channel,
            leak=float(arguments.get("leak", 1.0)),
            region=part,
            uncertainty=bool(arguments.get("uncertainty", False)),
            **self.settings,
            **self.listening,
        )
        named = past.classes.with_ids(result.class_ids)
        return replace(result, classes=named), part

    def _spread(self, past: Session, step: Step, image: Image) -> Result:
        """Spread the paint of a moment over all frames."""
        chosen = {
            name: step.arguments[name]
            for name in ("channel", "leak", "stop_below", "fine_tune")
            if step.arguments.get(name) is not None
        }
        if past.annotation is None:
            raise BadInput("the session spread labels, but holds no paint of their image")
        result = propagate(
            image,
            past.layers[past.annotation].paint.whole(image.label_axes),
            str(step.arguments.get("axis", "Z")),
            str(step.arguments.get("model", "membrane")),
            support=self._support(past, chosen.get("channel")) or None,
            **chosen,
            **self.settings,
            **self.listening,
        )
        return replace(result, classes=past.classes.with_ids(result.class_ids))

    def _support(self, past: Session, channel: int | None, *, with_own: bool = False) -> SupportSet:
        """Other annotated images of a moment; with the paint on the image itself, if wanted."""
        support = SupportSet()
        own = None if past.annotation is None else past.layers[past.annotation]
        layers = [past.layers[number] for number in past.supports]
        if with_own and own is not None and own.paint:
            layers.insert(0, own)
        for layer in layers:
            shown = self.image(layer.image)
            paint = layer.paint.whole(shown.label_axes)
            support = annotated(support, shown, paint, channel=channel)
        return support

    def _cells(
        self,
        past: Session,
        step: Step,
        answer: Result,
        image: Image,
        before: NDArray[np.uint32] | None = None,
    ) -> NDArray[np.uint32]:
        """Make cells as it was done; the finished ones of those before stay."""
        membrane = membrane_index(answer.class_ids, past.classes.with_ids(answer.class_ids))
        walls = Image.from_array(
            answer.probabilities[membrane],
            image.label_axes,
            scale=image.scale,
            units=image.units,
            rgb=False,
        )
        chosen = {
            name: step.arguments[name]
            for name in ("method", "min_size")
            if step.arguments.get(name) is not None
        }
        made = cells(walls, **chosen, **self.listening)
        finished = step.arguments.get("finished")
        if finished and before is not None:
            made = keep_finished(made, before, finished)
        return made

    def _path(self, reference: ImageReference) -> str | Path | None:
        """Return where an image lies by now, if that was said."""
        path = reference.path or ""
        for name in (path, path.replace("\\", "/").rpartition("/")[2], reference.name):
            if name and name in self.paths:
                return self.paths[name]
        return None


def _plain(session: Session) -> Step:
    """Return the step that pressing the button would have been."""
    return Step(0, "segment", session.settings)


def _joined(before: Result | None, image: Image, new: Result, region: Region | None) -> Result:
    """Put the answer of a part into the answer so far, as it was on screen."""
    if region is None:
        return new
    same = before is not None and before.class_ids == new.class_ids
    labels = _blank(image, np.uint8) if before is None else np.array(before.labels)
    planes = [
        np.array(before.probabilities[k]) if before and same else _blank(image, np.float32)
        for k in range(len(new.class_ids))
    ]
    by_letter = dict(zip("TZYX", region.slices, strict=True))
    place = tuple(by_letter[letter] for letter in image.label_axes)
    labels[place] = new.labels
    for whole, part in zip(planes, new.probabilities, strict=True):
        whole[place] = part
    return replace(
        new,
        labels=labels,
        probabilities=np.stack(planes),
        uncertainty=None,
        translate=dict(image.translate),
    )


def _blank(image: Image, dtype: Any) -> Any:
    return np.zeros([image.sizes[letter] for letter in image.label_axes], dtype)
