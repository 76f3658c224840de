"""Where journals lie: beside the image, or in the user's own folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_infoleak.core.errors import BadInput, InfoleakError
from napari_infoleak.io.samples import sample_folder
from napari_infoleak.session.journal import InUse, Journal, read_journal
from napari_infoleak.session.results import folder_of, forget
from napari_infoleak.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_infoleak.session.images import ImageReference

SUFFIX = ".infoleak-journal"
_LETTERS = 10
_MOST = 50


def user_folder() -> Path:
    """Return the folder of the user's own journals; it need not be there."""
    import platformdirs

    return platformdirs.user_data_path("napari-infoleak", appauthor=False) / "journals"


def unfinished(image: ImageReference) -> list[tuple[Path, Session]]:
    """Find what was begun on an image, newest first.

    A journal that another window writes is left out, as is one that cannot be understood.
    """
    found: list[tuple[float, Path, Session]] = []
    for path in _existing(image):
        try:
            records, _ = read_journal(path)
            session = Session(records)
            changed = path.stat().st_mtime
        except (OSError, InfoleakError):
            continue
        if session.worth_keeping and _is_free(path):
            found.append((changed, path, session))
    return [(path, session) for _, path, session in sorted(found, key=lambda one: -one[0])]


def open_journal(path: str | Path) -> Session:
    """Read a journal as far as it is whole.

    Raises
    ------
    BadInput
        If there is none, or no record of it is whole.
    """
    try:
        records, _ = read_journal(Path(path).expanduser())
    except OSError as error:
        raise BadInput(f"the session {path} cannot be read: {error.strerror or error}") from error
    if not records:
        raise BadInput(f"{path} is no session; expected a file ending in .infoleak")
    return Session(records)


def new_journal(image: ImageReference) -> Journal:
    """Make a journal for an image, beside it if that is possible.

    Raises
    ------
    OSError
        If neither there nor in the user's folder a file can be made.
    """
    failure: OSError | None = None
    for folder in _folders(image):
        try:
            if folder == user_folder():
                folder.mkdir(parents=True, exist_ok=True)
            for number in range(1, _MOST):
                path = folder / _name(image, number)
                if path.exists():
                    continue
                return Journal(path)
        except InUse:
            continue
        except OSError as error:
            failure = error
    raise failure or OSError(f"there are too many journals of {image.name}")


def put_aside(path: Path) -> Path:
    """Take a journal out of sight, yet not away; what was put aside before it is replaced.

    The results beside it go: it has all that they can be made of again.
    """
    aside = path.with_suffix(".infoleak-journal-old")
    path.replace(aside)
    forget(folder_of(path))
    return aside


def remove(journal: Journal) -> None:
    """Delete a journal and the results beside it."""
    journal.remove()
    forget(folder_of(journal.path))


def _folders(image: ImageReference) -> Iterator[Path]:
    place = None if image.path is None else Path(image.path)
    if place is not None and place.parent.is_dir() and sample_folder() not in place.parents:
        yield place.parent
    yield user_folder()


def _existing(image: ImageReference) -> Iterator[Path]:
    for folder in _folders(image):
        if folder.is_dir():
            yield from folder.glob(f"*.{image.fingerprint[:_LETTERS]}*{SUFFIX}")


def _name(image: ImageReference, number: int) -> str:
    """Return the name of a journal; the image's own stands in front, for people."""
    name = Path(image.path).name if image.path else image.name
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)[:80]
    again = "" if number == 1 else f"-{number}"
    return f"{plain}.{image.fingerprint[:_LETTERS]}{again}{SUFFIX}"


def _is_free(path: Path) -> bool:
    try:
        Journal(path).close()
    except (OSError, InUse):
        return False
    return True
