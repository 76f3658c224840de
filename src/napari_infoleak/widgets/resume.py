"""A line that offers to go on with what was begun on this image, where that was not finished."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QVBoxLayout

from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.session.places import put_aside
from napari_infoleak.session.session import ANSWERS
from napari_infoleak.widgets.section import (
    ActionButton,
    WrappedLabel,
    quiet_label,
    say,
    side_by_side,
)

if TYPE_CHECKING:
    from pathlib import Path

    from napari_infoleak.session import Session
    from napari_infoleak.widgets.keeping import Keeping
    from napari_infoleak.widgets.restoring import Restoring
    from napari_infoleak.widgets.storing import Storing


class Resume(QFrame):
    """Offers an unfinished session; hidden where there is none.

    Parameters
    ----------
    keeping : Keeping
        Finds it.
    storing : Storing
        Knows of results.
    restoring : Restoring
        Brings it back.
    """

    said = Signal(str, str)

    def __init__(self, keeping: Keeping, storing: Storing, restoring: Restoring) -> None:
        super().__init__(objectName="infoleak_resume")
        self._keeping, self._storing = keeping, storing
        self._restoring = restoring
        self._found: tuple[Path, Session] | None = None
        self.text = WrappedLabel()
        self.go_on = ActionButton("Go on", "resume.go_on")
        self.anew = ActionButton("Start anew", "resume.anew")
        self.trouble = quiet_label(role="warn")
        self.go_on.set_primary(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 8)
        column.setSpacing(6)
        column.addWidget(self.text)
        column.addLayout(side_by_side(self.go_on, self.anew, stretch=-1))
        column.addWidget(self.trouble)
        self.go_on.clicked.connect(self.resume)
        self.anew.clicked.connect(self.start_anew)
        keeping.found.connect(self.offer)
        keeping.changed.connect(self._compare)
        self.hide()

    def offer(self, found: tuple[Path, Session] | None) -> None:
        """Offer a session, or nothing."""
        self._found = found
        say(self.trouble, "")
        self.setVisible(found is not None)
        if found is not None:
            self.text.setText(in_words(*found))
            self._compare()

    def _compare(self) -> None:
        """What is on screen already, as with a sample that brings its paint, is no offer."""
        tracked = self._keeping.tracked
        if self._found is None or tracked is None or self._storing.knows_more(self._found[0]):
            return
        known = [layer.paint for layer in self._found[1].layers.values() if layer.paint]
        if [paint.shape for paint in known] == [tracked.paint.shape] and not len(
            tracked.paint.since(known[0])
        ):
            self.offer(None)

    def resume(self) -> None:
        """Bring back what was painted and chosen, and go on."""
        if self._found is None:
            return
        path, session = self._found
        try:
            missing = self._restoring.resume(session, path)
        except (InfoleakError, OSError) as error:
            say(self.trouble, f"This cannot be gone on with: {error}")
            return
        self.offer(None)
        self.said.emit("All is as you left it." if not missing else " ".join(missing), "good")

    def start_anew(self) -> None:
        """Put the old session aside."""
        if self._found is None:
            return
        try:
            aside = put_aside(self._found[0])
        except OSError as error:
            say(self.trouble, f"{self._found[0]} cannot be put aside: {error.strerror or error}")
            return
        self.offer(None)
        self.said.emit(f"The old work lies in {aside.name}.", "")


def in_words(path: Path, session: Session) -> str:
    """Say what was begun: "On 3 May, 14:05 you painted interior on 5 slices. Go on with that?"."""
    when = datetime.fromtimestamp(path.stat().st_mtime).strftime("%d %b, %H:%M")
    ids, slices = set[int](), 0
    for layer in session.layers.values():
        for plane in layer.paint.planes.values():
            if plane.any():
                slices += 1
                ids.update(map(int, set(plane.ravel()[plane.ravel() > 0])))
    names = [session.classes[number].name for number in sorted(ids) if number in session.classes]
    where = f"{slices} slice{'s' * (slices != 1)}"
    done = [f"painted {' and '.join(names)} on {where}"] if names else []
    steps = {step.name for step in session.steps}
    done += ["segmented it"] if steps & set(ANSWERS) else []
    done += ["made cells"] if "cells" in steps else []
    what = ", ".join(done[:-1]) + " and " * (len(done) > 1) + done[-1] if done else "worked on it"
    return f"On {when} you {what}. Go on with that?"
