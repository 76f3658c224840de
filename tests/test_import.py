from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "qtpy",
    "PyQt6",
    "PySide6",
    "napari",
    "numpy",
    "zarr",
    "tifffile",
    "dask",
    "skimage",
    "pydantic",
    "cyclopts",
)


def loaded_by(code):
    """Modules that a fresh interpreter has after running some code."""
    words = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name for name in done.stdout.split() if "." not in name or "infoleak" in name}


def test_importing_loads_nothing():
    loaded = loaded_by("import napari_infoleak")
    assert not loaded & set(HEAVY)


def test_the_public_names_load_neither_torch_nor_qt():
    code = "import napari_infoleak as il\n[getattr(il, name) for name in il.__all__]"
    assert not loaded_by(code) & {"torch", "qtpy", "PyQt6", "PySide6", "napari", "zarr", "skimage"}


def test_listing_methods_and_models_loads_no_torch():
    assert "torch" not in loaded_by("import napari_infoleak as il\nil.methods(); il.models()")


def test_the_command_line_starts_without_torch():
    code = "from napari_infoleak.cli import main\nassert main(['methods']) == 0"
    assert not loaded_by(code) & {"torch", "qtpy", "napari", "zarr", "skimage", "dask"}


def test_every_public_name_is_there_and_listed():
    import napari_infoleak as il

    for name in il.__all__:
        assert getattr(il, name) is not None
        assert name in dir(il)
    assert il.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="nonsense"):
        _ = il.nonsense


def test_the_names_of_the_stub_are_those_of_the_module():
    import ast
    from pathlib import Path

    import napari_infoleak as il

    stub = Path(il.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    names = next(
        ast.literal_eval(node.value)
        for node in ast.parse(stub).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
    )
    assert names == il.__all__


@pytest.mark.parametrize("first", ["import napari_infoleak.evaluate", "pass"])
def test_a_function_is_not_hidden_by_the_subpackage_of_its_name(first):
    code = (
        f"{first}\n"
        "import napari_infoleak as il, numpy as np\n"
        "truth = np.array([[1, 2], [1, 1]])\n"
        "assert il.evaluate(truth, truth)['miou'] == 1\n"
        "from napari_infoleak.evaluate import class_iou\n"
        "assert il.evaluate(truth, truth)['miou'] == 1\n"
    )
    loaded_by(code)


def test_python_m_is_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "napari_infoleak", "methods"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "annotation-leakage" in done.stdout
