"""How much memory is free, on the device that is to compute."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch

from napari_infoleak.core.errors import BadInput

LIMIT = "INFOLEAK_MEMORY_GB"
"""Environment variable with the most gigabytes that work may count on."""

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def free_bytes(device: torch.device) -> int | None:
    """Look up the free memory of a device.

    Parameters
    ----------
    device : torch.device
        cpu, cuda or mps.

    Returns
    -------
    int or None
        Bytes, no more than the environment variable `LIMIT` allows; None where the system does
        not tell and nobody set a limit.

    Raises
    ------
    BadInput
        If that variable is no number of gigabytes.
    """
    known = [size for size in (_free(device), memory_limit()) if size is not None]
    return min(known, default=None)


def memory_limit() -> int | None:
    """Return the bytes that the user allows; None if there is no limit.

    Raises
    ------
    BadInput
        If the environment variable `LIMIT` is no number of gigabytes above 0.
    """
    text = os.environ.get(LIMIT, "")
    if not text:
        return None
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = math.nan
    if not 0 < gigabytes < math.inf:
        raise BadInput(f"{LIMIT} is {text!r}; expected a number of gigabytes above 0")
    return int(gigabytes * 1e9)


def _free(device: torch.device) -> int | None:
    """Free memory as the system tells it."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + reserved)
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    known = [size for size in (_of_system(), _of_group()) if size is not None]
    return min(known, default=None)


def _of_system() -> int | None:
    """Free memory of the computer."""
    try:
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        pages = os.sysconf("SC_PHYS_PAGES")  # macOS tells the total only: count on half of it
        return pages * os.sysconf("SC_PAGE_SIZE") // 2
    except (OSError, ValueError, AttributeError):  # Windows has no sysconf
        return None


def _of_group() -> int | None:
    """Free memory of the container or cluster job that this process runs in."""
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
        cached = [int(line.split()[1]) for line in lines if line.startswith("inactive_file ")]
        return max(0, limit - used + sum(cached))
    except (OSError, ValueError):  # no such group, or "max"
        return None
