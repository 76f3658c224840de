"""What leaves the house: the wheel, the sdist, and a wheel made of that sdist."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

pytest.importorskip("hatchling")

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "napari_infoleak"
if not (ROOT / "pyproject.toml").is_file():
    pytest.skip("not a checkout", allow_module_level=True)


def build(target: str, source: Path, folder: Path) -> Path:
    """Build without isolation, hence without the network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (result,) = folder.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return result


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked_sdist(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return root


@pytest.fixture(scope="module")
def wheel_of_sdist(unpacked_sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", unpacked_sdist, tmp_path_factory.mktemp("wheel of sdist"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the wheel as an installer would lay it out."""
    folder = tmp_path_factory.mktemp("a folder with spaces and ünïcode")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run_installed(installed: Path, code: str) -> str:
    """Run Python where the unpacked wheel comes before any other copy of the package."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=installed,
        env=environment,
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    return done.stdout.strip()


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_every_module_and_the_manifest(wheel: Path) -> None:
    sources = {f"napari_infoleak/{p.relative_to(PACKAGE).as_posix()}" for p in modules()}
    assert sources <= names(wheel)
    assert {"napari_infoleak/napari.yaml", "napari_infoleak/py.typed"} <= names(wheel)


def modules() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py*") if path.suffix in {".py", ".pyi"}]


def test_wheel_holds_the_weights(wheel: Path) -> None:
    assert "napari_infoleak/weights/membrane.safetensors" in names(wheel)
    with zipfile.ZipFile(wheel) as archive:
        size = archive.getinfo("napari_infoleak/weights/membrane.safetensors").file_size
    assert 1e4 < size <= 8e6


def test_wheel_holds_the_sample_data_but_not_what_is_no_use(wheel: Path) -> None:
    samples = {path.name for path in (ROOT / "sample_data").glob("*.ome.tif")}
    assert samples
    assert {f"napari_infoleak/sample_data/{name}" for name in samples} <= names(wheel)
    stray = [n for n in names(wheel) if "__pycache__" in n or n.endswith("make.py")]
    assert stray == []
    tops = {name.split("/")[0].removesuffix(".dist-info").split("-")[0] for name in names(wheel)}
    assert tops == {"napari_infoleak"}


def test_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(archive.read(path).decode())
        entry_points = archive.read(path.replace("METADATA", "entry_points.txt")).decode()
    assert metadata["Name"] == "napari-infoleak"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert "Framework :: napari" in metadata.get_all("Classifier", [])
    assert {"gui", "fast", "cluster", "formats", "bioimageio", "dev"} == set(
        metadata.get_all("Provides-Extra", [])
    )
    assert any(name.endswith("licenses/LICENSE") for name in names(wheel))
    assert "infoleak = napari_infoleak.cli:main" in entry_points
    assert "napari-infoleak = napari_infoleak:napari.yaml" in entry_points


def test_requirements_have_lower_bounds_only() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    for requirement in [*project["dependencies"], *(r for extra in extras for r in extra)]:
        bound = requirement.split(";")[0]
        assert ">=" in bound, requirement
        assert not any(sign in bound for sign in ("<", "==", "~=", "!=")), requirement
        assert "torchvision" not in requirement


def test_sdist_holds_real_files_and_gives_the_same_wheel(
    sdist: Path, wheel: Path, wheel_of_sdist: Path
) -> None:
    with tarfile.open(sdist) as archive:
        members = {member.name.split("/", 1)[1]: member for member in archive.getmembers()}
    assert members["napari.yaml"].isfile()
    assert members["src/napari_infoleak/napari.yaml"].isfile()
    assert "sample_data/make.py" in members
    assert names(wheel_of_sdist) == names(wheel)


def test_root_manifest_is_the_packaged_one(unpacked_sdist: Path) -> None:
    packaged = (PACKAGE / "napari.yaml").read_bytes()
    assert (unpacked_sdist / "napari.yaml").read_bytes() == packaged
    root = ROOT / "napari.yaml"
    if root.is_symlink():  # a checkout without symlinks holds the link's text
        assert root.read_bytes() == packaged


def test_installed_wheel_finds_its_files(installed: Path) -> None:
    code = (
        "import napari_infoleak, importlib.resources as r\n"
        "from napari_infoleak.io.samples import sample_path\n"
        "print(napari_infoleak.__file__); print(sample_path('em_stack'))"
    )
    package, sample = run_installed(installed, code).splitlines()
    assert Path(package).is_relative_to(installed)
    assert Path(sample) == installed / "napari_infoleak" / "sample_data" / "em_stack.ome.tif"


def test_napari_finds_the_manifest_of_the_wheel(installed: Path) -> None:
    pytest.importorskip("npe2")
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from npe2 import PluginManifest\n"
        "manifest = PluginManifest.from_distribution('napari-infoleak')\n"
        "print(manifest.name, len(manifest.contributions.widgets or ()))"
    )
    name, widgets = run_installed(installed, code).split()
    assert name == "napari-infoleak"
    assert int(widgets) >= 1


@pytest.mark.filterwarnings("ignore")
def test_napari_finds_the_manifest_of_this_environment() -> None:
    """Covers the editable install, which is what a checkout is tested with."""
    npe2 = pytest.importorskip("npe2")
    manifest = npe2.PluginManifest.from_distribution("napari-infoleak")
    assert manifest.contributions.widgets
    for command in manifest.contributions.commands or []:
        module, _, function = str(command.python_name).partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_one_version_everywhere() -> None:
    import napari_infoleak

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    version = project["version"]
    assert napari_infoleak.__version__ == version
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
