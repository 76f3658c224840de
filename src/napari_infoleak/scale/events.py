"""What a job reports to whoever submitted it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Progress:
    """A step of a running job; ``done`` of ``total``, with a short text."""

    done: int
    total: int
    message: str = ""


@dataclass(frozen=True)
class Done:
    """The job has ended well; ``result`` is what its function returned."""

    result: Any


@dataclass(frozen=True)
class Failed:
    """The job has ended with an error.

    Attributes
    ----------
    message : str
        One line for the user.
    exit_code : int
        The status a command line would exit with: 2 for bad input, 1 for the rest.
    error : str
        Name of the exception's class, ``"ProcessDied"`` when the child itself ended.
    traceback : str
        For a bug report; empty when there is none.
    """

    message: str
    exit_code: int = 1
    error: str = "InfoleakError"
    traceback: str = ""


@dataclass(frozen=True)
class CancelledEvent:
    """The job was cancelled; nothing of it remains."""


Event: TypeAlias = Progress | Done | Failed | CancelledEvent
