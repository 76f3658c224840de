from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from napari_infoleak.core.errors import BadInput, Cancelled, InfoleakError
from napari_infoleak.scale import CancelledEvent, Done, Executor, Failed, Progress

JOBS = "executor_jobs"
PATIENCE = 60.0


@pytest.fixture(scope="module", autouse=True)
def _jobs_on_path():
    """The child inherits the parent's sys.path."""
    sys.path.insert(0, str(Path(__file__).parent))
    yield
    sys.path.remove(str(Path(__file__).parent))


@pytest.fixture(scope="module")
def shared():
    with Executor(threads=1, preload=()) as executor:
        yield executor


@pytest.fixture
def fresh():
    with Executor(threads=1, preload=()) as executor:
        yield executor


def run(executor, name, **kwargs):
    return executor.submit(f"{JOBS}.{name}", **kwargs).result(PATIENCE)


def wait_for(path, patience=PATIENCE):
    until = time.monotonic() + patience
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not appear"
        time.sleep(0.01)


def last_event(job):
    assert job.wait(PATIENCE)
    return job.poll()[-1]


def busy_job(executor, name, tmp_path, **kwargs):
    started = tmp_path / "started"
    job = executor.submit(f"{JOBS}.{name}", started=str(started), **kwargs)
    wait_for(started)
    return job


def seconds_to_cancel(job):
    begin = time.monotonic()
    job.cancel()
    assert job.wait(PATIENCE)
    return time.monotonic() - begin


def alive(pid):
    if sys.platform == "win32":
        listed = subprocess.run(["tasklist", "/FI", f"PID eq {pid}"], capture_output=True)
        return str(pid).encode() in listed.stdout
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# ---------------------------------------------------------------------- results


def test_the_result_comes_back(shared):
    job = shared.submit(f"{JOBS}.echo", value={"a": [1, None]})
    assert job.result(PATIENCE) == {"a": [1, None]}
    assert job.done
    assert [type(event) for event in job.poll()] == [Done]
    assert job.poll() == []


def test_one_child_serves_all_jobs(shared):
    assert run(shared, "pid") == run(shared, "pid") == shared.pid != os.getpid()


def test_the_dotted_name_may_have_a_colon(shared):
    assert shared.submit(f"{JOBS}:echo", value=1).result(PATIENCE) == 1


@pytest.mark.parametrize("size", [10, 300_000])
def test_arrays_travel_wherever_they_hide(shared, size):
    array = np.arange(size, dtype=np.float64)
    result = run(shared, "double", array=array)
    np.testing.assert_array_equal(result["array"], array * 2)
    np.testing.assert_array_equal(result["nested"][0], array)
    result["array"][0] = 1  # a result belongs to the caller


def test_the_child_cannot_change_what_the_caller_has(shared):
    array = np.zeros(500_000)
    assert run(shared, "change", array=array) == 7 * 500_000
    assert not array.any()


def test_arguments_are_as_they_were_when_submitted(fresh):
    array = np.zeros(500_000)
    job = fresh.submit(f"{JOBS}.echo", value=array)
    array[:] = 1
    assert not job.result(PATIENCE).any()


def test_large_arguments_without_arrays_do_not_block(fresh):
    text = "x" * 3_000_000
    assert run(fresh, "echo", value=text) == text


def test_a_held_array_is_written_once_and_stays_readable(shared):
    array = np.arange(400_000, dtype=np.float64)
    shared.hold(array)
    first, second = run(shared, "where", array=array), run(shared, "where", array=array)
    assert first == second
    assert Path(first).exists()
    np.testing.assert_array_equal(run(shared, "echo", value=array), array)
    shared.release(array)
    assert sys.platform == "win32" or not Path(first).exists()
    np.testing.assert_array_equal(run(shared, "echo", value=array), array)


@pytest.fixture
def full_disk(monkeypatch):
    """A disk without room, until it is told that there is some."""
    from napari_infoleak.scale import executor, transfer

    class Disk:
        full = True

    def save(array, folder):
        if Disk.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return transfer.save_array(array, folder)

    monkeypatch.setattr(executor, "save_array", save)
    return Disk


def test_a_held_array_that_cannot_be_written_fails_its_job_in_words(fresh, full_disk):
    array = np.arange(400_000, dtype=np.float64)
    fresh.hold(array)
    job = fresh.submit(f"{JOBS}.where", array=array)
    with pytest.raises(InfoleakError) as caught:
        job.result(PATIENCE)
    assert "cannot be written: the disk is full" in str(caught.value)
    assert "held" not in str(caught.value)
    assert run(fresh, "echo", value=1) == 1


def test_a_held_array_is_handed_over_again_once_there_is_room(fresh, full_disk):
    array = np.arange(400_000, dtype=np.float64)
    fresh.hold(array)
    with pytest.raises(InfoleakError, match="the disk is full"):
        run(fresh, "echo", value=array)
    full_disk.full = False
    np.testing.assert_array_equal(run(fresh, "echo", value=array), array)
    fresh.hold(array)
    assert "held" in run(fresh, "where", array=array)


def test_a_released_array_stays_for_the_jobs_that_need_it(fresh, tmp_path):
    array = np.zeros(400_000)
    fresh.hold(array)
    first = busy_job(fresh, "wait_politely", tmp_path)
    waiting = fresh.submit(f"{JOBS}.where", array=array)
    fresh.release(array)
    array[:] = 7
    fresh.hold(array)
    last = fresh.submit(f"{JOBS}.echo", value=array)
    first.cancel()
    file = Path(waiting.result(PATIENCE))
    np.testing.assert_array_equal(last.result(PATIENCE), array)
    assert sys.platform == "win32" or not file.exists()


def test_an_array_that_is_a_file_already_is_not_written_again(fresh, tmp_path):
    path = tmp_path / "stack.npy"
    np.save(path, np.zeros((4, 512, 512)))
    mapped = np.load(path, mmap_mode="r")
    fresh.hold(mapped)
    assert run(fresh, "where", array=mapped) == str(path)


def test_a_job_that_is_cancelled_while_it_waits_leaves_no_file(fresh, tmp_path):
    first = busy_job(fresh, "wait_politely", tmp_path)
    waiting = fresh.submit(f"{JOBS}.echo", value=[np.zeros(400_000), "x" * 100_000])
    waiting.cancel()
    first.cancel()
    assert isinstance(last_event(first), CancelledEvent)
    assert isinstance(last_event(waiting), CancelledEvent)
    assert {path.suffix for path in fresh._folder.path.rglob("*.*")} == {".log"}


def test_a_child_that_dies_leaves_no_arguments(fresh):
    array = np.zeros(400_000)
    with pytest.raises(BadInput, match="no function"):
        fresh.submit(f"{JOBS}.not_there", array=array).result(PATIENCE)
    with pytest.raises(InfoleakError):
        run(fresh, "die", array=array)
    assert not list(fresh._folder.path.glob("job-*"))


def test_a_memory_mapped_file_is_passed_by_name(shared, tmp_path):
    path = tmp_path / "stack with space ü.raw"
    mapped = np.memmap(path, dtype=np.uint16, mode="w+", shape=(4, 512, 512), offset=24)
    mapped[:] = np.arange(4)[:, None, None]
    mapped.flush()
    part = mapped[1:]
    assert run(shared, "where", array=part) == str(path)
    np.testing.assert_array_equal(run(shared, "echo", value=part), part)
    turned = mapped.transpose(2, 1, 0)
    np.testing.assert_array_equal(run(shared, "echo", value=turned), turned)


def test_no_file_is_left_between_jobs(fresh):
    array = np.zeros((3, 500, 500))
    assert run(fresh, "echo", value=[array, array]) is not None
    if sys.platform != "win32":
        assert not list(fresh._folder.path.glob("*.npy"))
        assert not list(fresh._folder.path.glob("*.parcel"))


def test_noise_on_the_standard_streams_does_no_harm(shared):
    assert run(shared, "chatter") == ""


def test_progress_arrives_in_order_and_ends_complete(shared):
    job = shared.submit(f"{JOBS}.count", steps=10)
    assert job.wait(PATIENCE)
    events = job.poll()
    steps = [event.done for event in events if isinstance(event, Progress)]
    assert steps == sorted(steps)
    assert steps[-1] == 10
    assert events[-1] == Done(10)


def test_jobs_run_in_the_order_they_were_submitted(shared):
    jobs = [shared.submit(f"{JOBS}.echo", value=i) for i in range(5)]
    assert [job.result(PATIENCE) for job in jobs] == list(range(5))


def test_the_child_does_not_run_the_callers_script_again(tmp_path):
    """A script without a main guard, as people write them, must not start itself anew."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "print('running', flush=True)\n"
        "from napari_infoleak.scale import Executor\n"
        "executor = Executor(threads=1, preload=())\n"
        f"print(executor.submit('{JOBS}.echo', value='fine').result(60), flush=True)\n"
    )  # and without a close: the end of the script ends the child
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=90)
    assert done.stdout.split() == ["running", "fine"], done.stderr
    assert done.stderr == ""


# ---------------------------------------------------------------------- errors


def test_bad_input_in_the_child_is_told_in_one_line(shared):
    failed = last_event(shared.submit(f"{JOBS}.raise_bad_input"))
    assert failed.message == "the thing is wrong: give another thing"
    assert (failed.exit_code, failed.error) == (2, "BadInput")
    with pytest.raises(BadInput, match="give another"):
        run(shared, "raise_bad_input")


def test_a_bug_in_the_child_is_one_line_with_a_traceback_for_the_report(shared):
    failed = last_event(shared.submit(f"{JOBS}.raise_bug"))
    assert "\n" not in failed.message
    assert "KeyError" in failed.message
    assert failed.exit_code == 1
    assert "raise_bug" in failed.traceback
    with pytest.raises(InfoleakError):
        run(shared, "raise_bug")


def test_memory_that_ran_out_is_told(shared):
    assert "memory" in last_event(shared.submit(f"{JOBS}.raise_memory")).message


@pytest.mark.parametrize(
    ("name", "word"),
    [
        (f"{JOBS}.missing", "missing"),
        ("no_such_module.function", "no_such_module"),
        (f"{JOBS}.NOT_A_FUNCTION", "not a function"),
        ("nothing", "nothing"),
        ("", "function"),
    ],
)
def test_an_unknown_function_fails_with_its_name(shared, name, word):
    failed = last_event(shared.submit(name))
    assert isinstance(failed, Failed)
    assert word in failed.message
    assert failed.exit_code == 2


def test_a_wrong_argument_fails_its_job_alone(shared):
    assert isinstance(last_event(shared.submit(f"{JOBS}.echo", nonsense=1)), Failed)
    assert run(shared, "echo", value=1) == 1


def test_arguments_that_cannot_be_pickled_are_named(shared):
    with pytest.raises(BadInput, match="'value'"):
        shared.submit(f"{JOBS}.echo", value=threading.Lock())
    with pytest.raises(BadInput, match="'value'"):
        shared.submit(f"{JOBS}.echo", value=[np.zeros(400_000), lambda: None])
    assert not list(shared._folder.path.glob("*.npy"))
    assert run(shared, "echo", value=2) == 2


def test_a_class_the_child_cannot_find_fails_in_one_line(shared):
    class Local:
        pass

    with pytest.raises(BadInput, match="'value'"):
        shared.submit(f"{JOBS}.echo", value=Local())


def test_a_result_that_cannot_be_pickled_fails_in_one_line(shared):
    failed = last_event(shared.submit(f"{JOBS}.unpicklable"))
    assert "cannot be sent back" in failed.message
    assert "\n" not in failed.message


def test_leaving_inside_a_job_does_not_end_the_child(shared):
    before = run(shared, "pid")
    assert isinstance(last_event(shared.submit(f"{JOBS}.leave")), Failed)
    assert run(shared, "pid") == before


# ---------------------------------------------------------------------- death


@pytest.mark.parametrize("name", ["die", "be_killed"])
def test_a_child_that_dies_fails_its_job_and_the_next_gets_a_new_one(fresh, name):
    first = run(fresh, "pid")
    doomed = fresh.submit(f"{JOBS}.{name}")
    after = fresh.submit(f"{JOBS}.pid")
    failed = last_event(doomed)
    assert isinstance(failed, Failed)
    assert failed.error == "ProcessDied"
    assert "worker process" in failed.message
    assert "\n" not in failed.message
    assert after.result(PATIENCE) != first


def test_a_child_that_dies_between_jobs_is_replaced(fresh):
    first = run(fresh, "pid")
    os.kill(first, 9)
    until = time.monotonic() + PATIENCE
    while fresh.pid == first and time.monotonic() < until:
        time.sleep(0.01)
    assert run(fresh, "pid") != first


def test_a_child_that_cannot_start_fails_the_job(fresh, monkeypatch):
    monkeypatch.setattr(
        "multiprocessing.spawn.get_executable", lambda: b"/nowhere/python that is not there"
    )
    failed = last_event(fresh.submit(f"{JOBS}.pid"))
    assert isinstance(failed, Failed)
    assert "cannot start" in failed.message


def test_a_child_that_fails_at_its_start_says_why(fresh, monkeypatch):
    monkeypatch.setattr(
        "napari_infoleak.scale.process._START", "raise RuntimeError('broken installation')"
    )
    failed = last_event(fresh.submit(f"{JOBS}.pid"))
    assert "broken installation" in failed.message


# ---------------------------------------------------------------------- cancel


def test_a_polite_job_is_cancelled_and_the_child_lives_on(fresh, tmp_path):
    job = busy_job(fresh, "wait_politely", tmp_path)
    before = fresh.pid
    assert seconds_to_cancel(job) < 5  # 0.8 s and a little; the slack is for a busy machine
    assert isinstance(job.poll()[-1], CancelledEvent)
    assert run(fresh, "pid") == before
    with pytest.raises(Cancelled):
        job.result()


@pytest.mark.parametrize("name", ["wait_deaf", "swallow_everything"])
def test_a_deaf_job_is_ended_within_a_second(fresh, tmp_path, name):
    job = busy_job(fresh, name, tmp_path)
    before = fresh.pid
    assert seconds_to_cancel(job) < 5  # 0.8 s and a little; the slack is for a busy machine
    assert isinstance(job.poll()[-1], CancelledEvent)
    assert run(fresh, "pid") != before
    assert not alive(before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without unwinding")
def test_an_ended_job_may_remove_what_it_has_half_written(fresh, tmp_path):
    cleaned = tmp_path / "cleaned"
    job = busy_job(fresh, "clean_up", tmp_path, cleaned=str(cleaned))
    job.cancel()
    wait_for(cleaned)


def test_a_waiting_job_is_cancelled_at_once_and_the_running_one_goes_on(fresh, tmp_path):
    running = busy_job(fresh, "wait_politely", tmp_path)
    waiting = fresh.submit(f"{JOBS}.echo", value=1)
    waiting.cancel()
    assert waiting.done
    assert [type(event) for event in waiting.poll()] == [CancelledEvent]
    assert not running.done
    running.cancel()
    assert running.wait(PATIENCE)


def test_jobs_behind_a_cancelled_one_are_run(fresh, tmp_path):
    deaf = busy_job(fresh, "wait_deaf", tmp_path)
    behind = fresh.submit(f"{JOBS}.echo", value="next")
    deaf.cancel()
    assert behind.result(PATIENCE) == "next"


def test_a_result_that_comes_after_the_cancel_is_dropped(fresh, tmp_path):
    job = busy_job(fresh, "finish_despite_cancel", tmp_path)
    job.cancel()
    assert isinstance(last_event(job), CancelledEvent)
    assert not list(fresh._folder.path.glob("*.npy"))


def test_cancelling_twice_or_after_the_end_changes_nothing(shared):
    job = shared.submit(f"{JOBS}.echo", value=1)
    assert job.result(PATIENCE) == 1
    job.poll()
    job.cancel()
    job.cancel()
    assert job.poll() == []
    assert job.result() == 1


def test_cancelled_raised_by_the_function_counts_as_cancelled(shared):
    assert isinstance(last_event(shared.submit(f"{JOBS}.raise_cancelled")), CancelledEvent)


def test_a_cancel_while_the_child_still_starts(tmp_path):
    with Executor(threads=1, preload=()) as executor:
        job = executor.submit(f"{JOBS}.wait_politely")
        assert seconds_to_cancel(job) < 5  # 0.8 s and a little; the slack is for a busy machine
        assert run(executor, "echo", value=3) == 3


# ---------------------------------------------------------------------- close


def test_closing_while_busy_ends_everything_at_once(tmp_path):
    before = set(threading.enumerate())
    executor = Executor(threads=1, preload=())
    running = busy_job(executor, "swallow_everything", tmp_path)
    waiting = executor.submit(f"{JOBS}.echo", value=np.zeros(500_000))
    pid, folder = executor.pid, executor._folder.path
    begin = time.monotonic()
    executor.close()
    assert time.monotonic() - begin < 5
    for job in (running, waiting):
        assert isinstance(job.poll()[-1], CancelledEvent)
    assert not alive(pid)
    assert not folder.exists()
    assert executor.closed
    assert not set(threading.enumerate()) - before


def test_nothing_is_accepted_after_close():
    executor = Executor()
    executor.close()
    executor.close()
    with pytest.raises(InfoleakError, match="closed"):
        executor.submit(f"{JOBS}.echo")
    with pytest.raises(InfoleakError, match="closed"):
        executor.start()
    with pytest.raises(InfoleakError, match="closed"):
        executor.hold(np.zeros(3))


def test_cancel_after_close_does_nothing(tmp_path):
    executor = Executor(threads=1, preload=())
    job = busy_job(executor, "wait_politely", tmp_path)
    executor.close()
    job.cancel()
    assert isinstance(job.poll()[-1], CancelledEvent)


def test_an_unused_executor_makes_nothing():
    before = threading.active_count()
    executor = Executor()
    assert executor.pid is None
    assert not executor.busy
    assert executor._folder is None
    assert threading.active_count() == before
    executor.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_the_child_ends_when_its_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from napari_infoleak.scale import Executor\n"
        "executor = Executor(threads=1, preload=())\n"
        f"executor.submit('{JOBS}.wait_deaf', started={str(tmp_path / 'started')!r})\n"
        "while executor.pid is None:\n"
        "    time.sleep(0.01)\n"
        "print(executor.pid, executor._folder.path, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as run_:
        _, folder = run_.stdout.readline().split()
        wait_for(tmp_path / "started")
        run_.kill()
    until = time.monotonic() + PATIENCE
    while Path(folder).exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(folder).exists()


def test_the_child_can_be_started_ahead_and_loads_torch():
    with Executor(threads=1) as executor:
        executor.start()
        loaded = set(run(executor, "modules"))
    assert "torch" in loaded
    assert not {"qtpy", "napari"} & loaded


def test_a_new_environment_makes_a_new_child(fresh):
    first = run(fresh, "pid")
    fresh.configure({"INFOLEAK_TEST": "one"})
    assert run(fresh, "variable", key="INFOLEAK_TEST") == "one"
    second = run(fresh, "pid")
    assert second != first
    fresh.configure({"INFOLEAK_TEST": "one"})
    assert run(fresh, "pid") == second, "nothing has changed"
    fresh.configure({})
    assert run(fresh, "variable", key="INFOLEAK_TEST") is None


def test_an_environment_set_while_the_child_starts_is_not_lost(fresh, monkeypatch):
    from napari_infoleak.scale import executor

    class Slow(executor.ChildProcess):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            fresh.configure({"INFOLEAK_TEST": "late"})

    monkeypatch.setattr(executor, "ChildProcess", Slow)
    assert run(fresh, "variable", key="INFOLEAK_TEST") == "late"


def test_a_running_job_ends_before_its_environment_changes(fresh, tmp_path):
    job = busy_job(fresh, "wait_politely", tmp_path)
    fresh.configure({"INFOLEAK_TEST": "two"})
    following = fresh.submit(f"{JOBS}.variable", key="INFOLEAK_TEST")
    assert not job.wait(0.2)
    job.cancel()
    assert following.result(PATIENCE) == "two"


def test_a_job_may_be_given_more_time_to_stop(fresh, tmp_path):
    job = busy_job(fresh, "wait_deaf", tmp_path)
    job.cancel(patience=2.5)
    assert not job.wait(1.5), "by default it would have been ended by now"
    assert job.wait(PATIENCE)
