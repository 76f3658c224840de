from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from napari_infoleak.core.errors import BadInput
from napari_infoleak.infer.backends import bf16_is_fast, set_threads


def test_threads_are_set_and_reported():
    assert set_threads(2) == torch.get_num_threads() == 2
    assert set_threads(None) == 2


@pytest.mark.parametrize("count", [0, -3])
def test_no_threads_are_refused(count):
    with pytest.raises(BadInput, match="1 or more"):
        set_threads(count)


def test_bf16_is_a_plain_yes_or_no():
    assert bf16_is_fast() in (True, False)


def test_the_allocator_is_tuned_in_a_process_of_its_own():
    # Not in this one: it cannot be undone.
    code = (
        "import sys, torch; from napari_infoleak.infer.backends import tune_allocator;"
        "done = tune_allocator(); torch.ones(3000, 3000).add(1);"
        "assert done in (True, False); assert done or sys.platform != 'linux' or"
        " 'musl' in sys.version.lower()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
