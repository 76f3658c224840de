"""The user's settings, from napari's Preferences, and what they change.

napari shows the settings of plugins since 0.9 and lets a plugin read them. Older ones have no place
for them: there the defaults hold, and the variables that `Settings.environment` names can be set
before napari is started.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_infoleak.core.classes import ClassTable

PLUGIN = "napari-infoleak"
_PARTS = ("computing", "colours")
_COLOURS = ("interior", "membrane", "membrane_probability", "uncertainty")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Settings:
    """What a user prefers; the manifest holds the same names and defaults.

    Parameters
    ----------
    device : str
        Where to compute: "auto", "cpu", "cuda" or "mps".
    threads : int
        Threads of the processor to compute with; 0 leaves the choice to torch.
    memory_gb : float
        Most gigabytes that work may count on; 0 is no limit.
    cache_gb : float
        Most gigabytes of encoded images to keep on the disk; 0 keeps none.
    cache_folder : str
        Where to keep them; empty is the usual folder of this system.
    interior, membrane : str
        Colours of the first two classes, "#rrggbb".
    membrane_probability, uncertainty : str
        Colours of these overlays.
    """

    device: str = "auto"
    threads: int = 0
    memory_gb: float = 0.0
    cache_gb: float = 2.0
    cache_folder: str = ""
    interior: str = "#0072b2"
    membrane: str = "#e69f00"
    membrane_probability: str = "#ffb000"
    uncertainty: str = "#e6007e"

    def environment(self) -> dict[str, str]:
        """Return the environment variables of the child; what is left at its default says nothing.

        So a variable that was set before napari was started counts until the setting is changed.
        """
        changed = {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if getattr(self, one.name) != one.default
        }
        variables = {
            "device": ("INFOLEAK_DEVICE",),
            "threads": ("OMP_NUM_THREADS", "MKL_NUM_THREADS"),
            "memory_gb": ("INFOLEAK_MEMORY_GB",),
            "cache_gb": ("INFOLEAK_CACHE_GB",),
            "cache_folder": ("INFOLEAK_CACHE_FOLDER",),
        }
        return {
            variable: f"{value:g}" if isinstance(value, float) else str(value)
            for name, value in changed.items()
            for variable in variables.get(name, ())
        }

    def recoloured(self, classes: ClassTable) -> ClassTable:
        """Return a table whose first two classes have these colours."""
        for class_id, colour in ((1, self.interior), (2, self.membrane)):
            if class_id in classes:
                classes = classes.recolour(class_id, colour)
        return classes

    def overlays(self) -> dict[str, str]:
        """Return the colours of the overlays by kind of layer."""
        return {"membrane": self.membrane_probability, "uncertainty": self.uncertainty}


def read_settings() -> Settings:
    """Read what is set now; a colour that is none counts as not set."""
    chosen = _of_napari()
    parts = [getattr(chosen, part) for part in _PARTS if hasattr(chosen, part)]
    found = {
        one.name: getattr(part, one.name)
        for part in parts
        for one in fields(Settings)
        if hasattr(part, one.name)
    }
    for name in _COLOURS:
        if not _COLOUR.fullmatch(str(found.get(name, ""))):
            found.pop(name, None)
    return Settings(**found)


def follow_settings(changed: Callable[[], Any]) -> Callable[[], None]:
    """Call a function whenever a setting changes; returns how to stop that."""
    chosen = _of_napari()
    events = [getattr(chosen, part).events for part in _PARTS if hasattr(chosen, part)]

    def react(event: Any = None) -> None:
        changed()

    for event in events:
        event.connect(react)

    def stop() -> None:
        for event in events:
            event.disconnect(react)

    return stop


def _of_napari() -> Any:
    """Return napari's object with our settings; None where there is none."""
    try:
        from napari.settings import get_plugin_settings  # since 0.9
    except ImportError:
        return None
    try:
        return get_plugin_settings(PLUGIN)
    except KeyError:  # the plugin is not installed as one, or is switched off
        return None
