"""Which processor computes, and an honest word when the wanted one is missing."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass

import torch

from napari_infoleak.core.errors import BadInput

_KINDS = ("auto", "cpu", "cuda", "mps")

SETTING = "INFOLEAK_DEVICE"
"""Environment variable with the device that "auto" stands for."""


@dataclass(frozen=True)
class DeviceInfo:
    """A device and whether it can be used here.

    Attributes
    ----------
    kind : str
        cpu, cuda or mps.
    available : bool
        Whether work can run on it now.
    detail : str
        What it is, or why it is missing.
    """

    kind: str
    available: bool
    detail: str


def choose_device(wanted: str | torch.device = "auto") -> torch.device:
    """Find the device that is asked for.

    Parameters
    ----------
    wanted : str or torch.device
        auto takes what the environment variable `SETTING` says, else cuda, else mps, else cpu. A
        number picks one of several, as in cuda:1.

    Returns
    -------
    torch.device
        A device that can be used.

    Raises
    ------
    BadInput
        If there is no such device here; the message says why and what else there is.
    """
    said = ""
    if str(wanted).strip().lower() == "auto":
        wanted = os.environ.get(SETTING) or "auto"
        said = f" of the environment variable {SETTING}" if SETTING in os.environ else ""
    device = f"device '{wanted}'{said}"
    kind, _, number = str(wanted).strip().lower().partition(":")
    if kind not in _KINDS or (number and (kind == "auto" or not number.isdecimal())):
        raise BadInput(f"{device} is unknown: choose one of {', '.join(_KINDS)}")
    if kind == "auto":
        kind = "cuda" if not _why_no_cuda() else "cpu" if _why_no_mps() else "mps"
    missing = {"cuda": _why_no_cuda, "mps": _why_no_mps}.get(kind, str)()
    if missing:
        raise BadInput(f"{device} is not available ({missing}): choose cpu or auto")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if number and int(number) >= count:
        raise BadInput(f"{device} does not exist: there are {count} of {kind}, from 0 on")
    return torch.device(kind, int(number)) if number else torch.device(kind)


def describe_devices() -> list[DeviceInfo]:
    """List all devices that could be asked for, usable or not.

    Returns
    -------
    list of DeviceInfo
        cpu, cuda, mps, with the reason where one is missing.
    """
    cuda, mps = _why_no_cuda(), _why_no_mps()
    return [
        DeviceInfo("cpu", True, f"{processor_name()}, {torch.get_num_threads()} threads"),
        DeviceInfo("cuda", not cuda, cuda or _gpu_names()),
        DeviceInfo("mps", not mps, mps or "Apple GPU"),
    ]


def processor_name() -> str:
    """Give the processor's name, as far as the system tells."""
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return (
        next(iter(names), "")
        or platform.processor()
        or f"{platform.machine()}, {os.cpu_count()} cores"
    )


def _why_no_cuda() -> str:
    """Say why CUDA cannot be used; empty if it can."""
    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} is built without CUDA"
    return "" if torch.cuda.is_available() else "torch finds no CUDA GPU or driver"


def _why_no_mps() -> str:
    """Say why Metal cannot be used; empty if it can."""
    if not torch.backends.mps.is_built():
        return f"torch {torch.__version__} is built without Metal"
    return "" if torch.backends.mps.is_available() else "macOS offers no Metal GPU"


def _gpu_names() -> str:
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ", ".join(names)
