"""Keys of the dock, and how they keep out of the way of others.

The manifest lists the same keys; napari reads none of them from there (as of 0.9), so the dock
binds them, for as long as it is open, through the viewer.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari.settings import get_settings
from napari.utils.key_bindings import coerce_keybinding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari import Viewer

KEYS: Mapping[str, str] = MappingProxyType(
    {"next_place": "N", "segment_view": "Shift+Enter", "segment_stack": "Ctrl+Enter"}
)
"""Key by the name of the command in the manifest."""


def bind(viewer: Viewer, key: str, action: Callable[[Any], Any]) -> str:
    """Let a key do something, unless somebody else has it.

    Parameters
    ----------
    viewer : napari Viewer
    key : str
        As napari names it: "N", "Shift+Enter".
    action : callable
        Gets the viewer.

    Returns
    -------
    str
        Who has the key already; empty if it is ours now.
    """
    owner = owner_of(viewer, key)
    if not owner:
        viewer.bind_key(key, action)
    return owner


def give_back(viewer: Viewer, key: str, action: Callable[[Any], Any]) -> None:
    """Undo `bind`; a key that is not ours is left alone."""
    if viewer.keymap.get(coerce_keybinding(key)) == action:
        viewer.bind_key(key, None, overwrite=True)


def owner_of(viewer: Viewer, key: str) -> str:
    """Return who has a key: another plugin in this viewer, or a shortcut of napari's."""
    wanted = coerce_keybinding(key)
    if wanted in viewer.keymap:
        return "another plugin"
    for name, bindings in get_settings().shortcuts.shortcuts.items():
        if wanted in [coerce_keybinding(str(binding)) for binding in bindings]:
            return f"napari, for “{name.partition(':')[2].replace('_', ' ')}”"
    return ""
