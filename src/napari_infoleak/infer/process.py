"""Settings of a whole process. Only ever called in processes of our own, never in the host's."""

from __future__ import annotations

import ctypes
import sys

import torch

from napari_infoleak.core.errors import BadInput

# glibc's names for what mallopt sets
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


def tune_allocator() -> bool:
    """Let glibc keep large blocks instead of returning them to the system after every layer.

    It saves the page faults of each forward pass, 16 to 35 % of its time. The price: the process
    keeps its memory for as long as it lives. So this is for worker processes alone.

    Returns
    -------
    bool
        Whether it was done; it is not on systems without glibc, where it is not needed either.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # musl
        return False
    settings = {_MMAP_THRESHOLD: 1 << 30, _TRIM_THRESHOLD: (1 << 31) - 1, _TOP_PAD: 64 << 20}
    accepted = [mallopt(name, value) == 1 for name, value in settings.items()]
    return all(accepted)


def set_threads(count: int | None = None) -> int:
    """Set how many threads torch computes with in this process.

    Parameters
    ----------
    count : int, optional
        At least 1; None leaves torch's own choice.

    Returns
    -------
    int
        The number now in use.

    Raises
    ------
    BadInput
        If the number is below 1.
    """
    if count is not None:
        if count < 1:
            raise BadInput(f"{count} threads were asked for: give 1 or more, or none to choose")
        torch.set_num_threads(count)
    return torch.get_num_threads()


def bf16_is_fast() -> bool:
    """Tell whether this processor has instructions of its own for bfloat16.

    Where it has none, torch imitates them, somewhat slower than float32 with AVX-512 and a hundred
    times slower without. Ask before computing in bfloat16 on the CPU.

    Returns
    -------
    bool
        False also where torch cannot tell.
    """
    try:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return bool(native and torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):
        return False
