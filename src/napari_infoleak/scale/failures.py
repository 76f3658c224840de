"""Any exception as one line for a user and an exit status."""

from __future__ import annotations

import errno

from napari_infoleak.core.errors import Cancelled, InfoleakError

FULL_DISK = {errno.ENOSPC, errno.EDQUOT}


def one_line(text: object) -> str:
    """Fold a text of several lines into one."""
    return " ".join(str(text).split())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the host or on a device."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "not enough mem" in text)


def describe(error: BaseException) -> tuple[str, int]:
    """Say an exception in one line.

    Parameters
    ----------
    error : BaseException
        Whatever was raised.

    Returns
    -------
    message : str
        One line, never empty.
    exit_code : int
        0 is never returned; 2 is bad input, 130 a cancel, 1 the rest.
    """
    if isinstance(error, KeyboardInterrupt):
        return "cancelled", Cancelled.exit_code
    if isinstance(error, InfoleakError):
        return one_line(error) or type(error).__name__, error.exit_code
    if is_out_of_memory(error):
        return "the memory is full: take a smaller --tile, a region or a smaller image", 1
    if isinstance(error, OSError):
        return _describe_os_error(error), 1
    return f"unexpected {type(error).__name__}: {one_line(error) or 'no details'}", 1


def _describe_os_error(error: OSError) -> str:
    """Say a failure of the file system without numbers of errors."""
    if error.errno in FULL_DISK:
        return "the disk is full: free some space or write elsewhere"
    reason = one_line(error.strerror or error)
    return f"{error.filename}: {reason}" if error.filename else reason
