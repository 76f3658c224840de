"""What is kept from one run to the next: nothing may ever depend on it."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from napari_infoleak.core.errors import BadInput
from napari_infoleak.io import array_cache
from napari_infoleak.io.array_cache import ArrayCache, user_cache


@pytest.fixture
def cache(tmp_path: Path) -> ArrayCache:
    return ArrayCache(tmp_path / "kept", 10**6)


def arrays(size: int = 1000, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"keys": rng.normal(size=size).astype(np.float32), "ids": np.arange(3)}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        one[k].dtype == other[k].dtype and np.array_equal(one[k], other[k]) for k in one
    )


def test_what_was_written_is_read_back(cache: ArrayCache) -> None:
    assert cache.read("a") is None
    cache.write("a", arrays())
    found = ArrayCache(cache.folder, cache.limit).read("a")  # in another process, another day
    assert found is not None
    assert same(found, arrays())


def test_the_folder_may_be_deleted_at_any_moment(cache: ArrayCache) -> None:
    cache.write("a", arrays())
    shutil.rmtree(cache.folder)
    assert cache.read("a") is None
    cache.write("a", arrays())
    assert cache.read("a") is not None


@pytest.mark.parametrize("damage", ["cut", "one bit", "text", "empty"])
def test_a_damaged_file_counts_as_missing(cache: ArrayCache, damage: str) -> None:
    cache.write("a", arrays())
    (path,) = cache.folder.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "one bit":
        content[len(content) // 2] ^= 1
    path.write_bytes({"cut": content[:900], "text": b"hello", "empty": b""}.get(damage, content))
    assert cache.read("a") is None
    cache.write("a", arrays())
    assert cache.read("a") is not None


def test_what_cannot_be_written_is_left_out(
    cache: ArrayCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    cache.write("a", arrays())
    assert cache.read("a") is None
    assert not list(cache.folder.iterdir())


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    cache = ArrayCache(tmp_path / "file" / "kept", 10**6)
    cache.write("a", arrays())
    assert cache.read("a") is None


def test_what_was_used_longest_ago_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_cache, "_TIDY_EVERY", 1)
    cache = ArrayCache(tmp_path, 20_000)
    for number in range(4):
        cache.write(str(number), arrays(1000))
        os.utime(tmp_path / f"{number}.npz", (number, number))
    assert cache.read("0") is not None  # and is used by that
    for number in range(4, 7):
        cache.write(str(number), arrays(1000))
    kept = sorted(path.stem for path in tmp_path.iterdir())
    assert "0" in kept
    assert "1" not in kept
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 25_000


def test_more_than_there_is_room_for_is_not_written(cache: ArrayCache) -> None:
    cache.write("a", arrays(10**6))
    assert cache.read("a") is None


def test_many_write_and_read_the_same_at_once(cache: ArrayCache) -> None:
    wrong = []

    def work(seed: int) -> None:
        for _ in range(20):
            cache.write("a", arrays(5000, 1))
            found = ArrayCache(cache.folder, cache.limit).read("a")
            if found is not None and not same(found, arrays(5000, 1)):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert [path.name for path in cache.folder.iterdir()] == ["a.npz"]


def test_the_user_says_how_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFOLEAK_CACHE_GB", "0.5")
    cache = user_cache()
    assert cache is not None
    assert cache.limit == 500_000_000
    monkeypatch.setenv("INFOLEAK_CACHE_GB", "0")
    assert user_cache() is None


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf", ""])
def test_a_setting_that_is_no_size_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("INFOLEAK_CACHE_GB", text)
    with pytest.raises(BadInput, match="gigabytes"):
        user_cache()


def test_the_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(array_cache.SETTING, "1")
    monkeypatch.setenv(array_cache.FOLDER, str(tmp_path / "here"))
    cache = user_cache()
    assert cache is not None
    assert cache.folder == tmp_path / "here"
