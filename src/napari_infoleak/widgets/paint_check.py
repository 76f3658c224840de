"""Support scores: which strokes the rest of the paint contradicts, to be clicked and looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_infoleak.explain.review import PlaneScore, Review, StrokeScore
from napari_infoleak.widgets import steps
from napari_infoleak.widgets.layers import go_to
from napari_infoleak.widgets.section import flat_button, quiet_label, say
from napari_infoleak.widgets.tooltips import TIPS

if TYPE_CHECKING:
    from napari import Viewer
    from qtpy.QtWidgets import QToolButton

    from napari_infoleak.widgets.explaining import Explaining
    from napari_infoleak.widgets.state import DockState

_MOST = 5  # suspects that are listed


class PaintCheck(QWidget):
    """A button that has the paint checked, and the list of what should be looked at again.

    Parameters
    ----------
    state : DockState
        Keeps the review.
    viewer : napari Viewer
        Is moved to what is clicked.
    explaining : Explaining
        Asks.
    """

    def __init__(self, state: DockState, viewer: Viewer, explaining: Explaining) -> None:
        super().__init__()
        self._state, self._viewer = state, viewer
        self.ask = flat_button("Check the paint", "annotate.check")
        self.verdict = quiet_label()
        self.rows: list[QToolButton] = []
        self._list = QVBoxLayout()
        self._list.setSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.verdict)
        layout.addLayout(self._list)
        self.ask.clicked.connect(explaining.ask_review)
        events = state.events
        events.review.connect(self._show)
        for signal in (events.busy, events.count, events.supports, events.source):
            signal.connect(self._refresh)
        self._show(None)
        self._refresh()

    def _refresh(self, value: Any = None) -> None:
        reason = steps.why_not_explain(self._state)
        self.ask.setEnabled(not reason)
        self.ask.setToolTip(reason or TIPS["annotate.check"])

    def _show(self, review: Review | None) -> None:
        for row in self.rows:
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = []
        self.setVisible(review is not None)
        if review is None:
            return
        listed: list[StrokeScore | PlaneScore] = [one for one in review.strokes if one.suspect]
        listed += [one for one in review.planes if one.suspect and one.source == "0"]
        say(self.verdict, _verdict(review))
        for score in listed[:_MOST]:
            row = flat_button(f"⚠ {self._in_words(score)}", "annotate.check_row")
            row.setProperty("role", "warn")
            row.clicked.connect(lambda checked=False, one=score: self._go_to(one))
            self.rows.append(row)
            self._list.addWidget(row)

    def _in_words(self, score: StrokeScore | PlaneScore) -> str:
        source = self._source(score)
        if source is None:
            return ""
        sizes = source.sizes
        parts = [source.name] if score.source != "0" else []
        parts += [f"t {score.t}"] if sizes.get("T", 1) > 1 else []
        parts += [f"slice {score.z}"] if sizes.get("Z", 1) > 1 else []
        if isinstance(score, PlaneScore):
            what = "all paint"
        else:
            what = self._state.classes.with_ids((score.class_id,))[score.class_id].name
            parts += [f"y {score.y}, x {score.x}"]
        return f"{what} · {', '.join(parts)}"

    def _source(self, score: StrokeScore | PlaneScore) -> Any:
        number = int(score.source)
        if number == 0:
            return self._state.source
        pairs = self._state.supports
        return pairs[number - 1].source if number <= len(pairs) else None

    def _go_to(self, score: StrokeScore | PlaneScore) -> None:
        source = self._source(score)
        if source is None or source.layer not in self._viewer.layers:
            return
        source.layer.visible = True
        if isinstance(score, PlaneScore):
            _, _, height, width = source.image.label_shape
            go_to(self._viewer, source, (score.t, score.z, height // 2, width // 2))
        else:
            go_to(self._viewer, source, (score.t, score.z, score.y, score.x))


def hurts(review: Review | None, number: int) -> str:
    """Say whether the paint on an annotated image hurts; empty if it does not.

    Parameters
    ----------
    review : Review or None
    number : int
        Of the image: 0 is the image itself, 1 the first other one.
    """
    planes = review.planes if review is not None else ()
    own = [plane for plane in planes if plane.source == str(number) and plane.suspect]
    if not own:
        return ""
    worst = min(plane.effect or 0 for plane in own)
    return (
        f"This annotation hurts: without it, {abs(worst):.0%} more of the other strokes is "
        f"answered rightly. Look whether it is painted as the others are."
    )


def _verdict(review: Review) -> str:
    strokes = len(review.strokes)
    if all(stroke.effect is None for stroke in review.strokes):
        return "Too little paint to check: the strokes of a class are held against each other."
    count = len(review.suspects)
    if not count:
        return f"{strokes} strokes checked: none of them contradicts the others."
    looks = "1 looks" if count == 1 else f"{count} look"
    return f"{strokes} strokes checked: {looks} wrong. Click to see, and erase what is."
