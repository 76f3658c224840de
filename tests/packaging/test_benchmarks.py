"""What the tables of the docs rest on: kept rows, painted planes, filled pages."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
if not FOLDER.is_dir():
    pytest.skip("not a checkout", allow_module_level=True)

TABLES = (
    "annotation_efficiency",
    "annotation_efficiency, in short",
    "multiclass",
    "fluorescence",
    "splits",
    "spreading",
    "spreading, fine-tuned",
    "shrinking",
    "guided_painting",
    "planted_mistakes",
    "architectures",
    "interactive",
    "throughput",
    "gui_pause",
    "corrections",
    "growing",
)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("_rows")


@pytest.fixture
def sets(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("_sets")


def test_a_run_goes_on_where_it_stopped(rows: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    key = {"arm": "leak", "seed": 0, "model": "old"}
    rows.Kept(path).add(key, {"iou": 0.5})
    assert rows.Kept(path).has(key, "iou")
    assert not rows.Kept(path).has(key, "a figure that joined later")
    assert not rows.Kept(path).has(key | {"seed": 1})


def test_runs_side_by_side_keep_the_rows_of_each_other(rows: ModuleType, tmp_path: Path) -> None:
    one, other = (rows.Kept(tmp_path / "kept.json") for _ in range(2))
    one.add({"arm": "leak", "seed": 0, "model": ""}, {"iou": 0.5})
    other.add({"arm": "leak", "seed": 1, "model": ""}, {"iou": 0.6})
    assert len(rows.Kept(tmp_path / "kept.json").rows) == 2


def test_new_weights_are_measured_and_take_the_place_of_the_old(
    rows: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "kept.json"
    key = {"arm": "leak", "seed": 0, "model": "old"}
    kept = rows.Kept(path)
    kept.add(key, {"iou": 0.5})
    kept.add({"arm": "forest", "seed": 0, "model": ""}, {"iou": 0.4})
    assert not kept.has(key | {"model": "new"})
    assert [row["arm"] for row in kept.current("new")] == ["forest"]
    kept.add(key | {"model": "new"}, {"iou": 0.6})
    found = json.loads(path.read_text())
    assert sorted(row["iou"] for row in found) == [0.4, 0.6]


def test_medians_leave_out_what_was_not_measured(rows: ModuleType) -> None:
    own = [{"iou": 0.2, "ece": None}, {"iou": 0.4}, {"iou": 0.9, "ece": 0.1}]
    assert rows.shown(own, "iou", span=True) == "0.400 (0.200-0.900)"
    assert rows.shown(own, "ece") == "0.100"
    assert rows.shown(own, "ap50") == "-"


def test_a_table_fills_its_own_marks_alone(rows: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    page = tmp_path / "README.md"
    page.write_text(
        "before\n<!-- table: one -->\nold\n<!-- end of table -->\nbetween\n"
        "<!-- table: one, in short -->\nkeep\n<!-- end of table -->\n"
    )
    assert rows.publish("one", r"new \1", tmp_path) == [page]
    told = page.read_text()
    assert r"new \1" in told
    assert "old" not in told
    assert all(word in told for word in ("before", "between", "keep"))
    assert rows.publish("one", r"new \1", tmp_path) == []


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_a_place(name: str) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    assert any(f"<!-- table: {name} -->" in page.read_text("utf-8") for page in pages)


@pytest.mark.parametrize("count", [8, 14, 15])
def test_each_seed_paints_another_plane_away_from_val(sets: ModuleType, count: int) -> None:
    planes = [sets.support_plane(np.zeros((count, 1, 1)), seed) for seed in range(5)]
    assert len(set(planes)) == 5
    assert max(planes) < count - sets.AWAY


def test_every_method_that_is_trained_has_arms_and_a_place_for_its_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari_infoleak.segmenters import registry

    monkeypatch.syspath_prepend(str(FOLDER))
    made = importlib.import_module("_ablation_arms")
    others = ("unet", "annotation-leakage")
    for info in registry.methods():
        if info.trains and info.name not in others:
            names = [arm.name for arm in made.arms(info.name, (8, 16, 32, 64), 16)]
            assert names[:2] == [made.UNET, made.METHOD]
            assert len(set(names)) == len(names)
            page = (ROOT / "docs" / "methods" / f"{info.name}.md").read_text("utf-8")
            assert f"<!-- table: ablations {info.name} -->" in page
