from __future__ import annotations

import io

import pytest

from napari_infoleak.cli.bar import Bar, duration, line
from napari_infoleak.cli.console import table


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_nothing_is_drawn_where_nobody_looks():
    stream = io.StringIO()
    with Bar(stream) as bar:
        bar(1, 2, "working")
    assert stream.getvalue() == ""


def test_a_terminal_gets_one_line_that_goes_away():
    stream = Terminal()
    with Bar(stream) as bar:
        bar(1, 2, "working")
        bar(2, 2, "working")
    drawn = stream.getvalue()
    assert "\n" not in drawn
    assert "100 %" in drawn
    assert drawn.endswith("\r")
    assert drawn.rstrip("\r").rpartition("\r")[2].strip() == ""


def test_a_line_says_how_much_and_how_long():
    text = line(1, 4, "plane 1 of 4", 75.0)
    assert "25 %" in text
    assert "plane 1 of 4" in text
    assert "1 min 15 s left" in text
    assert "left" not in line(4, 4, "", 0.0)
    assert "0 %" in line(0, 0, "", None)
    line(5, 4, "", None)[:24].isascii()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3661, "1 h 1 min")]
)
def test_durations_are_said_as_people_do(seconds, text):
    assert duration(seconds) == text


def test_columns_line_up():
    text = table([("a", "1"), ("long", "2")], ("x", "y"))
    assert text.splitlines() == ["x     y", "a     1", "long  2"]
