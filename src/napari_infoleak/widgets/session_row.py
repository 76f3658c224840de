"""Save a session as one file, and open one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.session.file import SUFFIX, load_session, save_session
from napari_infoleak.widgets import steps, training
from napari_infoleak.widgets.command import stem
from napari_infoleak.widgets.layers import beside
from napari_infoleak.widgets.section import ActionButton, side_by_side

if TYPE_CHECKING:
    from napari_infoleak.session import ImageReference
    from napari_infoleak.widgets.keeping import Keeping
    from napari_infoleak.widgets.restoring import Restoring
    from napari_infoleak.widgets.state import DockState
    from napari_infoleak.widgets.storing import Storing

_FILTER = f"Sessions (*{SUFFIX})"


class SessionRow(QWidget):
    """Two buttons for the file of a session.

    Parameters
    ----------
    state : DockState
        Says whether there is something to save.
    keeping : Keeping
        Knows what was done.
    storing : Storing
        Has the results.
    restoring : Restoring
        Brings it back.
    """

    said = Signal(str, str)

    def __init__(
        self, state: DockState, keeping: Keeping, storing: Storing, restoring: Restoring
    ) -> None:
        super().__init__()
        self._state, self._keeping = state, keeping
        self._storing, self._restoring = storing, restoring
        self.save = ActionButton("Save session…", "session.save")
        self.open = ActionButton("Open session…", "session.open")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(side_by_side(self.save, self.open, stretch=-1))
        self.save.clicked.connect(self.ask_and_save)
        self.open.clicked.connect(self.ask_and_open)
        for signal in (state.events.source, state.events.busy):
            signal.connect(self.refresh)
        self.refresh()

    def refresh(self, value: object = None) -> None:
        """Say what can be done."""
        self.save.set_reason(steps.why_not_save_session(self._state))
        self.open.set_reason(steps.why_not_open_session(self._state))

    def ask_and_save(self) -> None:
        """Ask for a file name and write the session."""
        source = self._state.source
        if source is None:
            return
        offered = beside(source.layer, stem(source.name) + SUFFIX)
        path, _ = QFileDialog.getSaveFileName(self, "Save session", offered, _FILTER)
        if path:
            self.save_to(path if path.endswith(SUFFIX) else path + SUFFIX)

    def save_to(self, path: str | Path) -> bool:
        """Write the session; False if that failed, which is said."""
        try:
            session = self._keeping.snapshot()
            self._storing.finish()
            save_session(path, session, self._storing.folder)
        except InfoleakError as error:
            self.said.emit(str(error), "error")
            return False
        homeless = [one.name for one in session.images.values() if one.path is None]
        if homeless:
            self.said.emit(
                f"Saved {path}, without the pixels of {', '.join(homeless)}: save them to a file, "
                f"by which they are found when the session is opened.",
                "",
            )
        else:
            self.said.emit(f"Saved {path}", "good")
        return True

    def ask_and_open(self) -> None:
        """Ask for a session and bring it back."""
        path, _ = QFileDialog.getOpenFileName(self, "Open session", "", _FILTER)
        if path:
            self.open_from(path)

    def open_from(self, path: str | Path) -> bool:
        """Bring back a session; False if that failed, which is said."""
        try:
            missing = self._restoring.open(
                load_session(path, training.models_folder()), self._ask_image, Path(path)
            )
        except (InfoleakError, OSError) as error:
            self.said.emit(str(error), "error")
            return False
        self.said.emit(" ".join(missing) or f"Opened {path}", "" if missing else "good")
        return True

    def _ask_image(self, reference: ImageReference, reason: str) -> Path | None:
        """Ask where an image is by now."""
        title = f"Where is {reference.name}? ({reason.partition(';')[0]})"
        path, _ = QFileDialog.getOpenFileName(self, title, "")
        return Path(path) if path else None
