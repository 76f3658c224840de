from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

COMMANDS = ("segment", "cells", "evaluate", "methods", "models", "doctor")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run, command):
    done = run(command, "--help")
    assert done.status == 0
    assert f"infoleak {command}" in done.out
    assert "--json" in done.out
    assert done.err == ""


def test_the_program_has_help_and_a_version(run):
    for words in ([], ["--help"]):
        done = run(*words)
        assert done.status == 0
        assert all(command in done.out for command in COMMANDS)
    assert run("--version").out.strip()[0].isdigit()


def test_methods_are_listed(run):
    assert "annotation-leakage" in run("methods").out
    listed = run("methods", "--json").json
    assert listed[0]["name"] == "annotation-leakage"
    assert listed[0]["needs_support"] is False


def test_models_are_listed(run):
    done = run("models", "--json")
    assert done.status == 0
    for model in done.json:
        assert {"name", "path", "method", "size_bytes", "classes", "sha256"} <= set(model)
    assert run("models").status == 0


def test_no_model_is_a_sentence(run, monkeypatch):
    monkeypatch.setattr("napari_infoleak.api.models", list)
    assert "--model" in run("models").out


def test_doctor_tells_what_works(run, tiny):
    done = run("doctor", "--json")
    assert done.status == 0, done.err
    found = done.json
    assert {one["name"] for one in found["devices"]} == {"cpu", "cuda", "mps"}
    assert all(one["detail"] for one in found["devices"])
    assert found["answer"]["works"]
    assert found["answer"]["seconds"] > 0
    assert found["answer"]["overlap"] > 0.3
    told = run("doctor").out
    for word in ("napari-infoleak", "Python", "torch", "device cpu", "threads", "cache", "window"):
        assert word in told


def test_doctor_says_what_is_broken_and_fails(run, tiny, monkeypatch):
    from napari_infoleak.segmenters import registry

    def broken(model, device="cpu"):
        raise OSError(5, "Input/output error", "membrane.safetensors")

    monkeypatch.setattr(registry, "load", broken)
    done = run("doctor")
    assert done.status == 1
    assert "no: membrane.safetensors: Input/output error" in done.out


def test_a_reader_that_has_enough_is_no_error(folder):
    code = "import sys; from napari_infoleak.cli import main; sys.exit(main())"
    piped = subprocess.Popen(
        [sys.executable, "-c", code, "methods", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    piped.stdout.close()
    piped.wait(60)
    assert piped.stderr.read() == b""
    piped.stderr.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_one_line_and_nothing_half_written(folder, tmp_path, sent, status):
    script = tmp_path / "slow.py"
    script.write_text(
        "import sys, time\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from napari_infoleak import api\n"
        "from napari_infoleak.cli import main\n"
        "def slow(*args, **kwargs):\n"
        "    path = Path('out.tif')\n"
        "    from napari_infoleak.io.atomic import atomic\n"
        "    with atomic(path) as part:\n"
        "        part.write_bytes(b'half')\n"
        "        Path('started').touch()\n"
        "        time.sleep(60)\n"
        "api.evaluate = slow\n"
        "sys.exit(main(['evaluate', 'truth.tif', 'truth.tif']))\n"
    )
    before = {path.name for path in folder.iterdir()}
    running = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not (folder / "started").exists() and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(running.pid, sent)
    _, err = running.communicate(timeout=60)
    assert running.returncode == status
    assert len(err.splitlines()) == 1
    assert err.startswith("infoleak: ")
    assert {path.name for path in folder.iterdir()} == before | {"started"}
