"""The buttons that correct cells."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QGridLayout

from napari_infoleak.widgets import steps
from napari_infoleak.widgets.correcting import TOOLS
from napari_infoleak.widgets.fold import Fold
from napari_infoleak.widgets.section import ActionButton, quiet_label, say, side_by_side

if TYPE_CHECKING:
    from napari_infoleak.widgets.correcting import Correcting, Tool
    from napari_infoleak.widgets.state import DockState

_COLUMNS = 4


class CellTools(Fold):
    """A button for each tool, undo and redo, and the way back into the annotation.

    Parameters
    ----------
    state : DockState
    correcting : Correcting
        Does it.
    """

    def __init__(self, state: DockState, correcting: Correcting) -> None:
        super().__init__("Correct the cells", "correct.fold")
        self._state, self._correcting = state, correcting
        words = {tool.name: tool.words for tool in TOOLS}
        self.tools = {name: ActionButton(text, f"correct.{name}") for name, text in words.items()}
        self.undo = ActionButton("Undo", "correct.undo")
        self.redo = ActionButton("Redo", "correct.redo")
        self.teach = ActionButton("Use as annotation", "correct.teach")
        self.hint = quiet_label()
        grid = QGridLayout()
        grid.setSpacing(4)
        for index, tool in enumerate(TOOLS):
            button = self.tools[tool.name]
            button.setCheckable(True)
            button.clicked.connect(partial(self._clicked, tool))
            grid.addWidget(button, index // _COLUMNS, index % _COLUMNS)
        self.add(grid)
        self.add(self.hint)
        self.add(side_by_side(self.undo, self.redo, self.teach, stretch=2))
        self.undo.clicked.connect(lambda: correcting.undo())
        self.redo.clicked.connect(lambda: correcting.redo())
        self.teach.clicked.connect(lambda: correcting.teach())
        correcting.armed.connect(self._show_tool)
        correcting.changed.connect(self.refresh)
        events = state.events
        for signal in (events.source, events.cells, events.annotation, events.classes):
            signal.connect(self.refresh)
        events.busy.connect(self.refresh)
        self.refresh()

    def refresh(self, value: Any = None) -> None:
        """Say what can be done."""
        reason = steps.why_not_correct(self._state)
        for button in self.tools.values():
            button.set_reason(reason)
        done, undone = self._correcting.steps, self._correcting.undone
        self.undo.set_reason(reason or ("" if done else "Nothing is corrected yet."))
        self.redo.set_reason(reason or ("" if undone else "No correction was taken back."))
        self.teach.set_reason(steps.why_not_teach(self._state, self._correcting.corrections))
        if self._correcting.tool is None:
            say(self.hint, reason)

    def _clicked(self, tool: Tool, checked: Any = None) -> None:
        # Asked of the button: PySide hands `checked` to no partial function.
        if self.tools[tool.name].isChecked():
            self._correcting.take_up(tool)
        else:
            self._correcting.put_down()

    def _show_tool(self, tool: Tool | None) -> None:
        for name, button in self.tools.items():
            button.setChecked(tool is not None and name == tool.name)
        if tool is not None:
            self.set_open(True)
        say(self.hint, "" if tool is None else f"{tool.hint} Esc puts the tool down.")
