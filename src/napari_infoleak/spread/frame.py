"""What is known of each frame once labels were spread; loads no torch, as the window reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["annotated", "accepted", "stopped", "unreached"]


@dataclass(frozen=True)
class SpreadFrame:
    """How labels came to a frame.

    Attributes
    ----------
    t, z : int
    distance : int or None
        Frames to the nearest annotated one; None if its series has none.
    confidence : float or None
        0 to 1, see `spread.confidence`; None for a frame that was not reached.
    state : {"annotated", "accepted", "stopped", "unreached"}
        "stopped": labelled, but too doubtful for labels to spread on from it. "unreached": left
        unlabelled.
    key : str
        Hash of all that its answer depends on; empty for a frame that was not reached.
    reused : bool
        Whether the answer was known from before.
    """

    t: int
    z: int
    distance: int | None
    confidence: float | None
    state: State
    key: str = ""
    reused: bool = False

    @property
    def passes_on(self) -> bool:
        """Whether labels spread on from it."""
        return self.state in ("annotated", "accepted")
