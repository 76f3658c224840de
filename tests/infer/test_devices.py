from __future__ import annotations

import pytest
import torch

from napari_infoleak.core.errors import BadInput
from napari_infoleak.infer import devices
from napari_infoleak.infer.backends import choose_device, describe_devices


def missing(monkeypatch, **why):
    for kind, reason in why.items():
        monkeypatch.setattr(devices, f"_why_no_{kind}", lambda reason=reason: reason)


def test_auto_takes_the_best_there_is(monkeypatch):
    missing(monkeypatch, cuda="no", mps="no")
    assert choose_device() == torch.device("cpu")
    missing(monkeypatch, mps="")
    assert choose_device("auto") == torch.device("mps")
    missing(monkeypatch, cuda="")
    assert choose_device("AUTO") == torch.device("cuda")


def test_auto_may_be_told_what_to_take(monkeypatch):
    missing(monkeypatch, cuda="", mps="")
    monkeypatch.setenv(devices.SETTING, "cpu")
    assert choose_device("auto") == torch.device("cpu")
    assert choose_device("mps") == torch.device("mps"), "who asks for one gets it"
    monkeypatch.setenv(devices.SETTING, "tpu")
    with pytest.raises(BadInput, match="'tpu' of the environment variable INFOLEAK_DEVICE"):
        choose_device()


def test_a_device_can_be_given_as_torch_has_it():
    assert choose_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_a_missing_device_says_why(monkeypatch, kind):
    missing(monkeypatch, **{kind: "nobody plugged it in"})
    with pytest.raises(BadInput, match=f"'{kind}'.*nobody plugged it in.*auto"):
        choose_device(kind)


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cuda:-1", "auto:1", "tpu"])
def test_an_unknown_device_lists_the_known(name):
    with pytest.raises(BadInput, match="auto, cpu, cuda, mps"):
        choose_device(name)


def test_a_number_beyond_the_last_is_refused(monkeypatch):
    missing(monkeypatch, cuda="")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(BadInput, match="there are 2"):
        choose_device("cuda:2")


def test_every_device_is_described():
    found = {one.kind: one for one in describe_devices()}
    assert list(found) == ["cpu", "cuda", "mps"]
    assert found["cpu"].available
    assert all(one.detail for one in found.values())
    assert found["cuda"].available == torch.cuda.is_available()
