"""Words for what cannot be done yet, and which step is the sensible next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_infoleak.widgets.state import Basis

if TYPE_CHECKING:
    from napari_infoleak.widgets.state import DockState

_CHANGED = {
    "paint": "Labels are older than your paint",
    "supports": "Labels are older than the other images or their paint",
    "model": "Labels are by another model",
    "leak": "Labels were made with another leak",
    "channel": "Labels are of another channel",
}
MAKING_CELLS = "Making cells"
NO_IMAGE = "Open an image first: File > Open, or File > Open Sample > Infoleak."


def why_not_annotate(state: DockState) -> str:
    """Return why no annotation layer can be made; empty if one can."""
    return _no_image(state)


def why_not_segment(state: DockState) -> str:
    """Return why nothing can be segmented; empty if it can."""
    return _no_image(state) or _busy(state) or _too_little_paint(state)


def why_not_train(state: DockState) -> str:
    """Return why no model can be trained; empty if one can."""
    reason = _no_image(state) or _busy(state)
    if reason:
        return reason
    if not state.count.total and not state.supports:
        return "Nothing is painted yet: a model learns from paint of at least two classes."
    return _too_little_paint(state)


def why_not_add_class(state: DockState) -> str:
    """Return why no class can join the chosen model; empty if one can."""
    return _no_image(state) or _busy(state)


def why_not_shrink(state: DockState) -> str:
    """Return why the chosen model cannot be made small; empty if it can."""
    return _no_image(state) or _busy(state)


def why_not_spread(state: DockState) -> str:
    """Return why labels cannot be spread; empty if they can."""
    reason = _no_image(state) or _busy(state)
    if reason or state.source is None:
        return reason
    t, z = state.source.image.label_shape[:2]
    if t * z == 1:
        return "The image has one frame: there is nothing to spread to."
    if not state.count.total:
        return "Nothing is painted on this image: paint one frame, or some strokes on it."
    return _too_little_paint(state)


def why_not_explain(state: DockState) -> str:
    """Return why nothing can be said about the paint; empty if something can."""
    reason = _no_image(state) or _busy(state)
    if reason:
        return reason
    if not state.count.total and not state.supports:
        return "Nothing is painted yet, so nothing leaks into the answer."
    return _too_little_paint(state)


def why_not_doubtful(state: DockState) -> str:
    """Return why no doubtful place can be looked for; empty if one can."""
    return why_not_segment(state)


def why_not_cells(state: DockState) -> str:
    """Return why no cells can be made; empty if they can."""
    reason = _no_image(state) or _busy(state)
    if reason:
        return reason
    if state.answer is None:
        return "Segment first; cells are made of its membranes."
    return _incomplete(state)


def why_not_correct(state: DockState) -> str:
    """Return why no cell can be corrected or measured; empty if one can.

    Cells that are being made know nothing of what is corrected meanwhile.
    """
    if state.source is None or state.busy == MAKING_CELLS:
        return _no_image(state) or _busy(state)
    return "" if state.cells is not None else "Make cells first."


def why_not_teach(state: DockState, corrections: int) -> str:
    """Return why corrections cannot be painted in the annotation; empty if they can."""
    reason = why_not_correct(state)
    if reason:
        return reason
    if not corrections:
        return "Nothing is corrected yet: split, merge or finish some cells first."
    if state.annotation is None:
        return "There is no annotation layer: make one in section 2."
    return "" if len(state.classes) > 1 else "Add a second class first: borders need one."


def why_not_measure(state: DockState) -> str:
    """Return why the cells cannot be measured now; empty if they can."""
    return why_not_correct(state) or _busy(state)


def why_not_export(state: DockState, what: str) -> str:
    """Return why a result cannot be written; empty if it can."""
    reason = _no_image(state) or _busy(state)
    if reason:
        return reason
    if what == "annotation":
        return "" if state.count.total else "Nothing is painted yet."
    if what == "cells":
        return "" if state.cells is not None else "Make cells first."
    if state.answer is None:
        return "Segment first; then there is something to write."
    if not state.answer.complete:
        return _incomplete(state)
    if what == "uncertainty" and not state.answer.uncertainty:
        return "Tick “Uncertainty” above first."
    return ""


def why_not_command(state: DockState) -> str:
    """Return why there is no command to copy; empty if there is."""
    return _no_image(state)


def why_not_save_session(state: DockState) -> str:
    """Return why there is no session to save; empty if there is."""
    return _no_image(state) or _busy(state)


def why_not_open_session(state: DockState) -> str:
    """Return why no session can be opened; empty if one can."""
    return _busy(state)


def hint(state: DockState) -> str:
    """Return one sentence about what pressing Segment would do now."""
    names = [entry.name for entry in state.classes]
    if not state.count.total and not state.supports:
        return (
            f"Nothing painted yet: the answer will be plain membranes. Paint some {names[0]} and "
            f"some {names[-1]} to steer it."
            if len(names) > 1
            else "Nothing painted yet: the answer will be plain membranes."
        )
    return ""


def stale_labels(state: DockState) -> str:
    """Return what the labels do not know yet, and what to press; empty if they know all.

    While Live is on, it answers by itself what is on screen.
    """
    answer = state.answer
    if answer is None:
        return ""
    now = Basis.of(state)
    for name, words in _CHANGED.items():
        wanted = getattr(now, name)
        if getattr(answer.basis, name) != wanted and not state.live:
            return f"{words}: press “{_again(state)}”."
        if getattr(answer.oldest, name) != wanted:
            words = words.replace("Labels", "Labels elsewhere", 1)
            return f"{words}: press “{stack_label(state)}”."
    return ""


def older_cells(state: DockState) -> bool:
    """Tell whether the cells were made of another answer than the one on screen."""
    answer = state.answer
    return answer is not None and state.cells_of != (answer.basis, answer.oldest)


def stale_cells(state: DockState) -> str:
    """Return why the cells are not those of what is painted; empty if they are."""
    if state.cells is None:
        return ""
    if older_cells(state):
        return "Cells are older than the labels: press “Make cells”."
    return stale_labels(state).replace("Labels", "Labels and cells", 1)


def stale_export(state: DockState, what: str) -> str:
    """Return a word on what is written though it is not up to date; empty if it is."""
    if what == "annotation" or why_not_export(state, what):
        return ""
    return stale_cells(state) if what == "cells" else stale_labels(state)


def next_step(state: DockState) -> str:
    """Return the sensible next step.

    Returns
    -------
    str
        "annotate", "paint", "view", "stack", "spread", "cells", "export", or "" while there is
        none.
    """
    if state.source is None or state.busy:
        return ""
    if state.answer is None and not state.supports:
        if state.annotation is None:
            return "annotate"
        if not state.count.total:
            return "paint"
    now, answer = Basis.of(state), state.answer
    if answer is None:
        return "view"
    if answer.basis != now and not state.live:
        return "spread" if answer.spread and not why_not_spread(state) else "view"
    if not answer.complete or answer.oldest != now:
        return "stack"
    return "cells" if state.cells is None or older_cells(state) else "export"


def stack_label(state: DockState) -> str:
    """Return what the whole is called: a stack, or an image of one slice."""
    if state.source is None:
        return "Segment stack"
    t, z = state.source.image.label_shape[:2]
    if t * z == 1:
        return "Segment image"
    return "Segment stack" if z > 1 else "Segment all times"


def _again(state: DockState) -> str:
    """Return the button that brings the labels up to date."""
    step = next_step(state)
    if step == "spread":
        return "Spread"
    return "Segment view" if step == "view" else stack_label(state)


def _no_image(state: DockState) -> str:
    return "" if state.source is not None else state.refusal or NO_IMAGE


def _busy(state: DockState) -> str:
    return f"{state.busy}: wait, or press Cancel." if state.busy else ""


def _incomplete(state: DockState) -> str:
    if state.answer is None or state.answer.complete:
        return ""
    return (
        f"A part has no answer by this model yet: press “{stack_label(state)}”, or spread labels "
        f"further."
    )


def _too_little_paint(state: DockState) -> str:
    painted = sorted(state.count.total)
    if state.supports or len(painted) > 1:
        return ""
    if len(painted) == 1:
        name = _name(state, painted[0])
        return f"Only {name} is painted: paint some of another class too."
    if state.needs_support:
        return "Nothing is painted, and this model needs it: paint some of every class."
    return ""


def _name(state: DockState, class_id: int) -> str:
    return f"“{state.classes[class_id].name}”" if class_id in state.classes else f"{class_id}"
