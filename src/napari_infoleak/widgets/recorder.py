"""Writes down what is painted, chosen and done: records, for the session and for its journal."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.io.weights import weights_hash
from napari_infoleak.session import places
from napari_infoleak.session import session as records
from napari_infoleak.session.images import ImageReference, fingerprint
from napari_infoleak.session.journal import Journal
from napari_infoleak.session.paint import Paint
from napari_infoleak.session.session import OWN, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.state import DockState
    from napari_infoleak.widgets.tracking import Tracked

_UNREAD = "unreadable"  # for the fingerprint of an image whose pixels cannot be read


class Recorder:
    """Adds to the session of one image, and to its journal once there is something to keep.

    Parameters
    ----------
    state : DockState
        What is chosen.
    said : callable
        Gets a sentence where the journal cannot be written; painting goes on without.

    Attributes
    ----------
    session : Session
        What was recorded.
    source : Source or None
        The image.
    """

    def __init__(self, state: DockState, said: Callable[[str, str], Any]) -> None:
        self.session = Session()
        self.source: Source | None = None
        self._state, self._said = state, said
        self._journal: Journal | None = None
        self._outdated: Journal | None = None
        self._fingerprints: dict[int, tuple[Any, str]] = {}
        self._told = ""

    @property
    def begun(self) -> bool:
        """Whether anything was recorded, or has to be recorded anew."""
        return bool(self.session.records) or self._outdated is not None

    @property
    def journal(self) -> Path | None:
        """The file that is written; None while there is none."""
        return None if self._journal is None else self._journal.path

    @property
    def unfinished(self) -> tuple[Path, Session] | None:
        """What was begun on the image before: the journal, and what it says."""
        if self.source is None:
            return None
        try:
            found = places.unfinished(self.reference(self.source))
        except (InfoleakError, OSError):
            return None
        return found[0] if found else None

    def begin(self, source: Source | None, *, again: bool = False) -> None:
        """Begin with another image, or again with one whose axes mean something else now.

        What is painted on the latter is on screen, and means other slices: its old journal goes
        once a new one is there.
        """
        if again:
            self._outdated = self._journal or self._outdated
            self._journal = None
        else:
            self.leave()
        self.source = source
        self.session = Session()
        self._fingerprints.clear()

    def go_on_with(self, session: Session, path: Path | None) -> None:
        """Add to an old session from now on; without its journal a new one is written."""
        journal = None if path is None else Journal(path)
        if self._journal is not None:
            places.remove(self._journal)
        self._journal, self.session = journal, session
        if journal is None and self._open():
            self._put_down(session.records[-1])

    def leave(self) -> None:
        """Close the journal; one that says nothing goes."""
        for journal in (self._journal, self._outdated):
            if journal is not None:
                journal.close()
        if self._journal is not None and not self.session.worth_keeping:
            places.remove(self._journal)
        self._journal = self._outdated = None

    def settings(self) -> None:
        """Record what is chosen, as far as it has changed."""
        state = self._state
        if self.session.classes != state.classes:
            self.note(records.classes(state.classes))
        self.model(state.model)
        chosen = {"model": state.model, "leak": state.leak, "channel": state.channel}
        if self.session.settings != chosen:
            self.note(records.settings(chosen))

    def model(self, model: str) -> None:
        """Record which file a model is, where it is no shipped one."""
        with contextlib.suppress(InfoleakError):
            if Path(model).suffix and self.session.models.get(model) != weights_hash(model):
                self.note(records.model(model, weights_hash(model)))

    def image(self, number: int, source: Source) -> None:
        """Record what is known of an image, as far as it has changed."""
        reference = self.reference(source)
        if self.session.images.get(number) != reference:
            self.note(records.image(number, reference))

    def register(self, tracked: Tracked, image: int = OWN) -> None:
        """Record an annotation with all that is in it."""
        if not self.session.records:
            self._note_start()
        tracked.number = max(self.session.layers, default=0) + 1
        name = str(tracked.annotation.layer.name)
        self.note(records.layer(tracked.number, image, name))
        whole = tracked.paint.since(Paint(tracked.paint.shape))
        if len(whole):
            self.note(records.paint(tracked.number, whole))

    def use(self, annotation: Tracked | None, supports: Iterable[Tracked]) -> None:
        """Record which annotations count."""
        own = None if annotation is None else annotation.number
        others = tuple(each.number for each in supports if each.number is not None)
        if (self.session.annotation, self.session.supports) != (own, others):
            self.note(records.use(own, others))

    def _note_start(self) -> None:
        """Record what every session begins with."""
        source = self.source
        if source is not None:
            self.note(records.header())
            self.image(OWN, source)
            self.settings()

    def note(self, record: Mapping[str, Any]) -> None:
        """Add a record to the session and to its journal."""
        if not self.session.records and record["kind"] != "session":
            self._note_start()
        kept = self.session.take(record)
        if self._journal is not None or self._open():
            self._put_down(kept)

    def _open(self) -> bool:
        """Make the journal; what cannot be done is said, and painting goes on."""
        source = self.source
        if source is None:
            return False
        try:
            self._journal = places.new_journal(self.reference(source))
        except (InfoleakError, OSError) as error:
            self._tell(f"there is no place for a journal ({error})")
            return False
        if self._outdated is not None:
            places.remove(self._outdated)
            self._outdated = None
        self._journal.rewrite(self.session.records[:-1])
        return True

    def _put_down(self, record: Mapping[str, Any]) -> None:
        if self._journal is None:
            return
        self._journal.append(record)
        if self._journal.grown:
            self.session = self.session.compact()
            self._journal.rewrite(self.session.records)
        self._tell(self._journal.trouble)

    def _tell(self, trouble: str) -> None:
        """Say once that a crash would lose what is painted now."""
        if trouble and not self._told:
            self._said(
                f"What you paint is not kept in case of a crash: {trouble}. Save the session to "
                f"another place.",
                "error",
            )
        self._told = trouble

    def reference(self, source: Source) -> ImageReference:
        """Refer to an image; its fingerprint is taken once."""
        data, known = self._fingerprints.get(id(source.layer), (None, None))
        if data is not source.data:
            try:
                known = fingerprint(source.image)
            except InfoleakError:
                known = _UNREAD
            self._fingerprints[id(source.layer)] = (source.data, known)
        return ImageReference.of(source.described, known)

    def number_of(self, source: Source) -> int:
        """Return the number of a support image, which is written down if it is new."""
        reference = self.reference(source)
        for number, known in self.session.images.items():
            if number != OWN and known.fingerprint == reference.fingerprint:
                self.image(number, source)
                return number
        number = max(self.session.images, default=OWN) + 1
        if not self.session.records:
            self._note_start()
            number = OWN + 1
        self.image(number, source)
        return number
