"""Results beside a journal: kept, read again, and refused with a word where they are none."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_infoleak.core.errors import BadInput
from napari_infoleak.session import results

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    results.keep(tmp_path / "kept", results.ANSWER, {"labels": labels}, {"model": "membrane"})
    arrays, told = results.kept(tmp_path / "kept", results.ANSWER) or ({}, {})
    np.testing.assert_array_equal(arrays["labels"], labels)
    assert arrays["labels"].dtype == np.uint8
    assert told == {"model": "membrane"}
    assert results.kept(tmp_path / "kept", results.CELLS) is None


def test_a_file_that_would_fill_the_memory_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results.keep(tmp_path, results.ANSWER, {"labels": np.zeros((100, 1000), np.uint8)}, {})
    assert (tmp_path / "answer.npz").stat().st_size < 5000
    monkeypatch.setattr(results, "_MOST", 50_000)
    with pytest.raises(BadInput, match=r"answer\.npz is damaged"):
        results.kept(tmp_path, results.ANSWER)


@pytest.mark.parametrize("shape", [(10**6, 10**6), (10**10, 10**10)])
def test_an_array_that_claims_more_than_it_holds_is_refused(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    with zipfile.ZipFile(tmp_path / "answer.npz", "w") as file:
        file.writestr("told.json", "{}")
        with file.open("labels.npy", "w") as place:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(place, header)
    with pytest.raises(BadInput, match="damaged"):
        results.kept(tmp_path, results.ANSWER)
