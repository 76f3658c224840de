"""The reference names every option of the command line, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from napari_infoleak.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"
COMMANDS = (
    "segment",
    "propagate",
    "why",
    "review",
    "doubtful",
    "unknown",
    "train",
    "add-class",
    "export",
    "cells",
    "evaluate",
    "replay",
    "models",
    "methods",
    "doctor",
)
if not PAGE.is_file():
    pytest.skip("not a checkout", allow_module_level=True)


def options_of(command: str) -> set[str]:
    arguments = app[command].assemble_argument_collection()
    return {name for argument in arguments for name in argument.names if name.startswith("--")}


def section_of(command: str) -> str:
    heads = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.M)
    (section,) = [part for part in heads if f"infoleak {command}" in part.splitlines()[0]]
    return section


@pytest.mark.parametrize("command", COMMANDS)
def test_reference_names_every_option(command: str) -> None:
    named = set(re.findall(r"`(--[a-z-]+)", section_of(command)))
    assert named == options_of(command)


def test_reference_names_every_command() -> None:
    known = {name for name in app if not name.startswith("-")}
    assert known == set(COMMANDS)
