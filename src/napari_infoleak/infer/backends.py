"""All that depends on the machine: its devices, a segmenter made ready for one, process settings.

The public names of `devices`, `prepare` and `process` in one place.
"""

from napari_infoleak.infer.devices import (
    DeviceInfo,
    choose_device,
    describe_devices,
    processor_name,
)
from napari_infoleak.infer.prepare import device_of, prepare
from napari_infoleak.infer.process import bf16_is_fast, set_threads, tune_allocator

__all__ = [
    "DeviceInfo",
    "bf16_is_fast",
    "choose_device",
    "describe_devices",
    "device_of",
    "prepare",
    "processor_name",
    "set_threads",
    "tune_allocator",
]
