"""Floor 6, below the facade: what was painted, chosen and done, kept and found again.

* `paint`: the painted planes of an annotation, and differences between two moments.
* `history`: undo and redo of such differences.
* `images`: images as a session refers to them, and by what they are known again.
* `session`: records of what happened, and the state that they lead to.
* `journal`: the records on disk while the session goes on; a crash loses none.
* `results`: answers and cells beside it, so that they need not be computed again.
* `places`: where journals lie.
* `file`: a session as one file.
"""

from __future__ import annotations

from napari_infoleak.session.file import load_session, save_session
from napari_infoleak.session.images import ImageReference, fingerprint
from napari_infoleak.session.session import Session, Step, needed_steps

__all__ = [
    "ImageReference",
    "Session",
    "Step",
    "fingerprint",
    "load_session",
    "needed_steps",
    "save_session",
]
