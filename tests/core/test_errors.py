from __future__ import annotations

import pickle

import pytest

from napari_infoleak.core import errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.InfoleakError, 1),
        (errors.BadInput, 2),
        (errors.EmptySupportError, 2),
        (errors.BadModelFile, 2),
        (errors.OutOfMemory, 1),
        (errors.WriteFailed, 1),
        (errors.Cancelled, 130),
    ],
)
def test_errors_are_one_line_with_an_exit_code(kind: type[errors.InfoleakError], code: int) -> None:
    error = kind("first\n  second")
    assert str(error) == "first second"
    assert error.exit_code == code
    assert str(pickle.loads(pickle.dumps(error))) == "first second"


def test_bad_input_is_a_value_error() -> None:
    assert issubclass(errors.BadInput, ValueError)
