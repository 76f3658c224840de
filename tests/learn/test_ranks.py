"""Two processes of torch's own launcher train one model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import hashlib, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from napari_infoleak.core.config import TrainConfig
from napari_infoleak.learn.checkpoints import Store
from napari_infoleak.learn.ranks import is_first
from napari_infoleak.learn.recipes.supervised import supervised
from tiny_trainable import fresh, painted

import os
segmenter = fresh(seed=int(os.environ["RANK"]))  # they must agree before they begin
reports = []
outcome = supervised(
    segmenter, painted(), TrainConfig(crop=16, batch=2, device="cpu", steps=8),
    store=Store(Path({folder!r}), {{}}), listen=reports.append,
)
learned = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in segmenter.net.parameters()))
print("LEARNED", learned.hexdigest(), is_first(), len(reports) > 0, outcome.steps, flush=True)
"""


@pytest.mark.slow
def test_two_processes_keep_the_same_weights_and_one_reports(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    folder = tmp_path / "run"
    tests = str(Path(__file__).parents[1])
    script.write_text(PROGRAM.format(tests=tests, folder=str(folder)))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*launcher, "--nproc-per-node", "2", str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    lines = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("LEARNED")]
    assert len(lines) == 2, done.stderr[-2000:]
    (one, *first), (other, *second) = sorted(lines, key=lambda line: line[1], reverse=True)
    assert one == other
    assert first == ["True", "True", "8"]
    assert second == ["False", "False", "8"]
    assert (folder / "last.safetensors").is_file()
