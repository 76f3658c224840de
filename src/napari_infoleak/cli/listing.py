"""``infoleak methods`` and ``infoleak models``: what there is to choose from."""

from __future__ import annotations

from dataclasses import asdict

from napari_infoleak import api
from napari_infoleak.cli.console import print_json, table
from napari_infoleak.cli.options import Json

SHOWN = ("name", "title", "summary", "paper", "evidence", "dims", "trains", "needs_support")
"""What a user may know of a method; where its code lies is our own affair."""


def methods(*, json: Json = False) -> None:
    """List the ways to use annotations.

    Parameters
    ----------
    json
        Print the list as JSON.
    """
    found = api.methods()
    if json:
        print_json([{name: getattr(one, name) for name in SHOWN} for one in found])
        return
    for one in found:
        print(f"{one.name}: {one.title}")
        print(f"    {one.summary}")
        print(f"    {one.paper} ({one.evidence})")


def models(*, json: Json = False) -> None:
    """List the models that are shipped.

    Parameters
    ----------
    json
        Print the list as JSON.
    """
    found = api.models()
    if json:
        print_json([asdict(one) for one in found])
        return
    if not found:
        print("no model is installed; give the path of a model file to --model")
        return
    rows = [
        (
            one.name,
            one.method,
            f"{one.size_bytes / 1e6:.1f} MB",
            ", ".join(one.classes),
            one.description,
        )
        for one in found
    ]
    print(table(rows, ("name", "method", "size", "classes", "description")))
