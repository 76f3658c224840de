from __future__ import annotations

import contextlib
import errno
import json
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from napari_infoleak.core.errors import BadInput, BadModelFile, WriteFailed
from napari_infoleak.io import load_weights, read_header, save_weights, weights_hash

HEADER = {"method": "annotation_leakage", "classes": [{"id": 2, "name": "Membran é"}]}


class Bomb:
    """A pickle that leaves a trace when it is opened."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return Path.touch, (self.trace,)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tensors = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.ones(3).half()}
    return save_weights(tmp_path / "model.safetensors", tensors, HEADER)


def refused(path: Path) -> str:
    messages = []
    for reader in (load_weights, read_header):
        with pytest.raises(BadModelFile) as caught:
            reader(path)
        assert "\n" not in str(caught.value)
        messages.append(str(caught.value))
    return messages[0]


def test_what_was_saved_is_loaded(model: Path) -> None:
    tensors, header = load_weights(model)
    assert torch.equal(tensors["a.weight"], torch.arange(12.0).reshape(3, 4))
    assert tensors["a.bias"].dtype == torch.float16
    assert {key: header[key] for key in HEADER} == HEADER
    assert header["format_version"] == 1
    assert read_header(model) == header


def test_any_tensor_can_be_saved(tmp_path: Path) -> None:
    shared = torch.arange(6.0).reshape(2, 3).requires_grad_()
    tensors = {"one": shared, "same": shared, "turned": shared.t(), "last": shared.contiguous(
        memory_format=torch.contiguous_format)}  # fmt: skip
    loaded, _ = load_weights(save_weights(tmp_path / "m.safetensors", tensors, {}))
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_a_header_may_hold_anything_that_json_can(tmp_path: Path) -> None:
    header = {"path": tmp_path, "numbers": {1, 2}, "tensor": torch.tensor(1.5).item()}
    _, back = load_weights(save_weights(tmp_path / "m.safetensors", {"a": torch.ones(1)}, header))
    assert back["path"] == str(tmp_path)
    assert back["numbers"] == [1, 2]


def test_a_model_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no weights"):
        save_weights(tmp_path / "m.safetensors", {}, {})


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Bomb(trace)))
    assert "pickle" in refused(path)
    torch.save({"a": Bomb(trace)}, path)
    assert "zip archive" in refused(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "content", [b"", b"a", b"PK\x03\x04" + bytes(50), b"This is a text.\n" * 20, bytes(1000)]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    refused(path)


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path / "none.safetensors")
    refused(tmp_path)
    with pytest.raises(BadModelFile):
        weights_hash(tmp_path / "none.safetensors")


def test_every_cut_is_noticed(model: Path) -> None:
    content = model.read_bytes()
    for size in range(len(content)):
        model.write_bytes(content[:size])
        refused(model)
    model.write_bytes(content + b"\0")
    refused(model)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_gives_a_model_or_one_line(model: Path, data: st.DataObject) -> None:
    content = model.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[place] = data.draw(st.integers(0, 255))
    path = model.with_name("changed.safetensors")
    path.write_bytes(changed)
    with contextlib.suppress(BadModelFile):  # and nothing else
        load_weights(path)


def test_weights_of_another_program_are_told(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.ones(3)}, str(path))
    assert "another program" in refused(path)
    save_file({"a": torch.ones(3)}, str(path), metadata={"infoleak": "no json"})
    assert "damaged" in refused(path)
    save_file({"a": torch.ones(3)}, str(path), metadata={"infoleak": "[1]"})
    assert "damaged" in refused(path)


def test_a_newer_format_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    header = json.dumps({"format_version": 2})
    save_file({"a": torch.ones(3)}, str(path), metadata={"infoleak": header})
    assert "update napari-infoleak" in refused(path)


def test_a_header_that_claims_to_be_huge_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    refused(path)


def test_the_hash_is_that_of_the_file(model: Path, tmp_path: Path) -> None:
    same = tmp_path / "copy.safetensors"
    same.write_bytes(model.read_bytes())
    assert weights_hash(model) == weights_hash(same)
    same.write_bytes(model.read_bytes()[:-1])
    assert weights_hash(model) != weights_hash(same)


def test_a_full_disk_keeps_the_old_model(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = model.read_bytes()

    def full(*args: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteFailed, match="the disk is full"):
        save_weights(model, {"a": torch.zeros(1)}, {})
    monkeypatch.undo()
    assert model.read_bytes() == before
    assert [entry.name for entry in model.parent.iterdir()] == [model.name]
