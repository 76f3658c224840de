"""The commands, and what their errors look like."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence

from cyclopts import App
from cyclopts.exceptions import CycloptsError

from napari_infoleak.cli.celling import cells
from napari_infoleak.cli.doctor import doctor
from napari_infoleak.cli.explaining import doubtful, review, unknown, why
from napari_infoleak.cli.exporting import export
from napari_infoleak.cli.growing import add_class
from napari_infoleak.cli.listing import methods, models
from napari_infoleak.cli.replaying import replay
from napari_infoleak.cli.scoring import evaluate
from napari_infoleak.cli.segmenting import segment
from napari_infoleak.cli.spreading import propagate
from napari_infoleak.cli.training import train
from napari_infoleak.core.provenance import package_version
from napari_infoleak.scale.failures import describe, one_line

BAD_INPUT = 2
INTERRUPTED = 130
TERMINATED = 143
BROKEN_PIPE = 1

app = App(
    name="infoleak",
    help="Segment membranes and cells in microscopy stacks from a few painted strokes.",
    help_epilogue="Errors are one line; --debug (or INFOLEAK_DEBUG=1) adds where they come from.",
    version=package_version,
    suppress_keyboard_interrupt=False,
)
for _command in (
    segment,
    propagate,
    train,
    add_class,
    export,
    why,
    review,
    doubtful,
    unknown,
    cells,
    evaluate,
    replay,
    methods,
    models,
    doctor,
):
    app.command(_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        0, or after one line on the standard error: 2 for bad input, 130 after Ctrl-C, 143 when
        the process was asked to end, 1 for the rest.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words or os.environ.get("INFOLEAK_DEBUG", "0") not in ("", "0")
    words = [word for word in words if word != "--debug"]
    _never_fail_to_print()
    with _quiet(debug), _terminable():
        return _run(words, debug=debug)


def _run(words: list[str], *, debug: bool) -> int:
    """Run one command and turn whatever it raises into a line and a status."""
    try:
        status = app(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return int(status or 0)
    except CycloptsError as error:
        return _complain(f"{one_line(error)} Try infoleak --help.", BAD_INPUT)
    except BrokenPipeError:
        # Whoever read our output has enough of it; the interpreter must not complain at its end.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except _Terminated:
        return _complain("asked to end; nothing half-written is left", TERMINATED)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        return _complain(*describe(error))


def _complain(message: str, status: int) -> int:
    """Say what is wrong in one line."""
    print(f"infoleak: {message}", file=sys.stderr)
    return status


class _Terminated(BaseException):
    """The system asked the process to end."""


def _terminate(signum: int, frame: object) -> None:
    """Unwind, so that temporary files go."""
    raise _Terminated


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Clean up when the process is asked to end; only the main thread may arrange that."""
    try:
        before = signal.signal(signal.SIGTERM, _terminate)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _quiet(debug: bool) -> Iterator[None]:
    """Keep what libraries grumble away from a person, who cannot act on it."""
    if debug:
        yield
        return
    last_resort = logging.lastResort
    logging.lastResort = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.lastResort = last_resort


def _never_fail_to_print() -> None:
    """A console that lacks a letter shows its number instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
