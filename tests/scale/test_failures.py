from __future__ import annotations

import errno

import pytest

from napari_infoleak.core.errors import BadInput, Cancelled, WriteFailed
from napari_infoleak.scale.failures import describe


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


@pytest.mark.parametrize(
    ("error", "words", "code"),
    [
        (BadInput("axes are wrong:\n  give others"), "axes are wrong: give others", 2),
        (WriteFailed("disk is full"), "disk is full", 1),
        (Cancelled(), "cancelled", 130),
        (KeyboardInterrupt(), "cancelled", 130),
        (MemoryError(), "memory is full", 1),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "memory is full", 1),
        (RuntimeError("DefaultCPUAllocator: not enough memory"), "memory is full", 1),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full", 1),
        (FileNotFoundError(2, "No such file", "a.tif"), "a.tif: No such file", 1),
        (KeyError("x\ny"), "unexpected KeyError", 1),
        (ValueError(), "no details", 1),
        (BadInput(), "BadInput", 2),
    ],
)
def test_any_exception_is_one_line_and_a_status(error, words, code):
    message, status = describe(error)
    assert words in message
    assert "\n" not in message
    assert status == code
