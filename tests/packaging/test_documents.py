"""The prose keeps its promises: links lead somewhere, commands have the shape that is checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if not (ROOT / "docs").is_dir():
    pytest.skip("not a checkout", allow_module_level=True)

PAGES = [ROOT / "README.md", ROOT / "sample_data" / "README.md", *(ROOT / "docs").rglob("*.md")]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    titles = HEADING.findall(page.read_text("utf-8"))
    plain = [re.sub(r"[^\w\- ]", "", title).strip().lower() for title in titles]
    return {re.sub(r"[\s-]+", "-", title) for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if target.startswith(("https:", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        goal = (page.parent / path).resolve() if path else page
        assert goal.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(goal), f"{page.name} links to {target}"


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        assert page.relative_to(ROOT / "docs").as_posix() in navigation


def readme_command(name: str) -> str:
    readme = (ROOT / "README.md").read_text("utf-8")
    found = re.search(rf"^<!-- command: {name} -->\n```sh\n(.+?)^```$", readme, re.M | re.S)
    assert found, f"the README has no command {name}"
    return found[1]


@pytest.mark.parametrize("name", ["run", "test"])
def test_each_readme_command_is_one_command_that_does_all_set_up(name: str) -> None:
    joined = readme_command(name).replace("\\\n", " ").strip()
    assert "\n" not in joined
    parts = [part.strip() for part in joined.split("&&")]
    assert parts[:3] == [
        "python3 -m venv .venv",
        ". .venv/bin/activate",
        "pip install torch==2.13.0",
    ]
    assert parts[3].startswith("pip install -e")


def test_readme_commands_do_the_main_job_and_the_tests() -> None:
    assert "infoleak segment sample_data/em_stack.ome.tif" in readme_command("run")
    assert readme_command("run").strip().endswith("--with napari-infoleak")
    assert readme_command("test").strip().endswith("python -m pytest")
