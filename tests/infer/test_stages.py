from __future__ import annotations

import itertools
import threading
import time

import pytest

from napari_infoleak.core.errors import Cancelled
from napari_infoleak.core.progress import CancelToken
from napari_infoleak.infer.stages import run


def doubled(items):
    for item in items:
        yield 2 * item


def test_all_items_come_through_in_order():
    got = []
    run(range(100), doubled, got.append)
    assert got == list(range(0, 200, 2))


def test_an_empty_source_ends():
    got = []
    run([], doubled, got.append)
    assert got == []


def test_the_reader_runs_ahead_by_no_more_than_the_depth():
    read, ahead = [], []

    def source():
        for i in range(30):
            read.append(i)
            yield i

    def slow(items):
        for item in items:
            time.sleep(0.002)
            ahead.append(len(read) - item)
            yield item

    run(source(), slow, lambda _: None, depth=3)
    # waiting in the queue, in the worker's hand, and in the reader's hand
    assert max(ahead) <= 3 + 2


def test_a_slow_writer_holds_the_work_back():
    made, ahead = itertools.count(), []
    last = 0

    def work(items):
        nonlocal last
        for item in items:
            last = next(made)
            yield item

    def sink(item):
        time.sleep(0.002)
        ahead.append(last - item)

    run(range(30), work, sink, depth=2)
    assert max(ahead) <= 2 + 2


def failing(stage, after):
    """Source, work and sink of which one fails after some items."""

    def trip(name, item):
        if name == stage and item >= after:
            raise RuntimeError(f"{name} failed")
        return item

    def source():
        for i in itertools.count():
            yield trip("source", i)

    def work(items):
        for item in items:
            yield trip("work", item)

    return source(), work, lambda item: trip("sink", item)


@pytest.mark.parametrize("after", [0, 1, 20])
@pytest.mark.parametrize("stage", ["source", "work", "sink"])
def test_an_error_of_any_stage_stops_all(stage, after):
    before = threading.active_count()
    with pytest.raises(RuntimeError, match=f"^{stage} failed$"):
        run(*failing(stage, after))
    assert threading.active_count() == before


def test_the_first_error_wins():
    first_raised = threading.Event()

    def source():
        yield 1
        first_raised.wait(5)
        time.sleep(0.02)
        raise RuntimeError("second")

    def sink(_item):
        first_raised.set()
        raise RuntimeError("first")

    with pytest.raises(RuntimeError, match="first"):
        run(source(), iter, sink)


def test_cancel_stops_an_endless_run():
    cancel = CancelToken()
    got = []

    def sink(item):
        got.append(item)
        if item == 5:
            cancel.cancel()

    before = threading.active_count()
    with pytest.raises(Cancelled):
        run(itertools.count(), iter, sink, cancel=cancel)
    assert threading.active_count() == before


def test_cancel_is_seen_while_the_work_waits_for_the_reader():
    cancel, release = CancelToken(), threading.Event()

    def source():
        cancel.cancel()
        release.wait(0.3)
        yield 1

    with pytest.raises(Cancelled):
        run(source(), iter, lambda _: None, cancel=cancel)


def test_ctrl_c_in_the_work_is_passed_on():
    def work(items):
        for _ in items:
            raise KeyboardInterrupt
        yield 0

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        run(itertools.count(), work, lambda _: None)
    assert threading.active_count() == before
