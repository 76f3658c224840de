"""``infoleak export --small``: a small model of a large one."""

from __future__ import annotations

FAST = ("--crop", 16, "--batch", 1, "--device", "cpu", "--threads", 1, "--steps", 2)
EXPORT = ("export", "membrane", "stack.tif", "--output", "small.safetensors")


def test_a_small_model_is_made_and_used(run, folder):
    ran = run(*EXPORT, "--small", "--annotated", "stack.tif", "truth.tif", *FAST, "--json")
    assert ran.status == 0, ran.err
    assert ran.json["shrunk"]["bytes"]["after"] < ran.json["shrunk"]["bytes"]["before"]
    assert {row["name"] for row in ran.json["shrunk"]["table"]} == {"interior", "membrane"}
    used = run("segment", "stack.tif", "--model", "small.safetensors", "--output", "out.tif")
    assert used.status == 0, used.err


def test_a_person_is_shown_size_time_and_classes(run, folder):
    ran = run(*EXPORT, "--small", *FAST)
    assert ran.status == 0, ran.err
    for word in ("size, MB", "seconds a megapixel", "before", "after", "membrane", "agreement"):
        assert word in ran.out


def test_bad_input_is_one_line(run, folder):
    cases = [
        ((*EXPORT,), "--small"),
        ((*EXPORT, "--small", "--also", "nothing.safetensors"), "nothing.safetensors"),
        ((*EXPORT[:2], *EXPORT[3:], "--small"), "no image"),
        ((*EXPORT[:2], "text.txt", *EXPORT[3:], "--small"), "text.txt"),
    ]
    for words, says in cases:
        ran = run(*words, *FAST)
        assert ran.status == 2
        assert says in ran.complaint
