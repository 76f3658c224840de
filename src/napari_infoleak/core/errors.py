"""Errors that a person can act on: one line, and the exit code the command line returns."""

from __future__ import annotations

from typing import ClassVar


class InfoleakError(Exception):
    """Base of every error that the program raises on purpose.

    Parameters
    ----------
    message : str
        What happened and what to do. Line breaks are folded into spaces, so that the message is
        one line wherever it is shown.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(" ".join(str(message).split()))


class BadInput(InfoleakError, ValueError):
    """The input cannot be used; the message says what was given, expected, and what to do."""

    exit_code: ClassVar[int] = 2


class EmptySupportError(BadInput):
    """No pixel is annotated where an annotation is needed; the message says what to paint."""


class BadModelFile(BadInput):
    """A model file is broken, foreign, or of a newer format."""


class OutOfMemory(InfoleakError):
    """Memory ran out, even with the smallest tiles."""


class WriteFailed(InfoleakError):
    """A file could not be written: the disk is full, or the folder may not be written to."""


class Cancelled(InfoleakError):
    """The user asked to stop."""

    exit_code: ClassVar[int] = 130

    def __init__(self, message: str = "cancelled") -> None:
        super().__init__(message)
