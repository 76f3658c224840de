"""Axes: letters out of T, C, Z, Y, X, and the way to the canonical order and back.

This is the only file that transposes. All functions work on numpy and dask arrays alike, and all
of them return views (numpy) or lazy arrays (dask): no pixel is copied or read here.
"""

from __future__ import annotations

from typing import Any

from napari_infoleak.core.errors import BadInput

CANONICAL = "TCZYX"

_MEANING = "T time, C channel, Z depth, Y rows, X columns"
_MOST_CHANNELS = 4  # an axis this short is taken for channels where a guess is needed
_COLOURS = (3, 4)  # RGB and RGBA
_SMALLEST_PICTURE = 16  # pixels; below, a last axis of 3 or 4 is not taken for colours


def parse_axes(text: str, shape: tuple[int, ...]) -> str:
    """Check axis letters against an array's shape.

    Parameters
    ----------
    text : str
        One letter a dimension, in any case, such as ``"zyx"``. S (colour samples) and K (classes)
        count as C.
    shape : tuple of int
        Shape of the array.

    Returns
    -------
    str
        The letters in upper case, each out of T, C, Z, Y, X.

    Raises
    ------
    BadInput
        If a letter is unknown or given twice, Y or X is missing, or the count is wrong.

    Examples
    --------
    >>> parse_axes("zyx", (5, 64, 64))
    'ZYX'
    >>> parse_axes("YXS", (64, 64, 3))
    'YXC'
    """
    axes = _upper(text)
    unknown = sorted(set(axes) - set(CANONICAL))
    if unknown:
        raise BadInput(
            f"axes {text!r} hold {', '.join(map(repr, unknown))}, which is no axis letter; "
            f"use {_MEANING}"
        )
    repeated = sorted({letter for letter in axes if axes.count(letter) > 1})
    if repeated:
        raise BadInput(
            f"axes {text!r} name {', '.join(repeated)} more than once; each letter stands for one "
            f"dimension (S, colour samples, and K, classes, count as C)"
        )
    if len(axes) != len(shape):
        raise BadInput(
            f"axes {text!r} have {len(axes)} letters, but the array has {len(shape)} dimensions "
            f"{_shown(shape)}; give one letter a dimension ({_MEANING})"
        )
    if "Y" not in axes or "X" not in axes:
        raise BadInput(f"axes {text!r} lack Y or X; every image has rows Y and columns X")
    return axes


def guess_axes(shape: tuple[int, ...], hint: str | None = None, rgb: bool = False) -> str:
    """Guess the axes of an array from its shape and from what its file said.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array, 2 to 5 dimensions.
    hint : str or None
        Letters that a file gave. Taken when they are plain letters that fit the shape. Answers
        that only say "some sequence of pages" (``"QYX"``, ``"IYX"``) or that take the first three
        planes for colours (``"SYX"``) are no answer.
    rgb : bool
        True if the array is known to hold colours (in its last axis, of length 3 or 4, or else in
        the first).

    Returns
    -------
    str
        One letter a dimension. Three dimensions are ZYX, four TZYX and five TCZYX, unless a
        channel axis (at most 4 long) shows.

    Raises
    ------
    BadInput
        If the array has fewer than 2 or more than 5 dimensions.

    Examples
    --------
    >>> guess_axes((30, 512, 512))
    'ZYX'
    >>> guess_axes((30, 2, 512, 512))
    'TCYX'
    >>> guess_axes((512, 512, 3), rgb=True)
    'YXC'
    """
    told = _told_by_file(shape, hint, rgb)
    if told:
        return told
    if not 2 <= len(shape) <= len(CANONICAL):
        raise BadInput(
            f"an array with {len(shape)} dimensions {_shown(shape)} is no image; "
            f"expected 2 to 5 dimensions out of {_MEANING}"
        )
    if _ends_in_colours(shape, hint, rgb):
        return _without_colours(shape[:-1]) + "C"
    if rgb and len(shape) == 3 and shape[0] in _COLOURS:
        return "CYX"
    return _guess_plain(shape)


def without_channel(axes: str) -> str:
    """Return the axes that labels of such an image have: all but C."""
    return _upper(axes).replace("C", "")


def to_canonical(array: Any, axes: str) -> Any:
    """Bring an array to TCZYX; missing axes get length 1.

    Parameters
    ----------
    array : numpy or dask array
        The array, of as many dimensions as `axes` has letters.
    axes : str
        Its axes, see `parse_axes`.

    Returns
    -------
    numpy or dask array, 5-D TCZYX
        A view; nothing is copied or read.
    """
    letters = parse_axes(axes, tuple(array.shape))
    order = [letters.index(letter) for letter in CANONICAL if letter in letters]
    place = tuple(slice(None) if letter in letters else None for letter in CANONICAL)
    return array.transpose(order)[place]


def from_canonical(array: Any, axes: str) -> Any:
    """Bring a TCZYX array back to the axes it came with: the inverse of `to_canonical`.

    Parameters
    ----------
    array : numpy or dask array, 5-D TCZYX
        The canonical array.
    axes : str
        The axes to return; those left out must have length 1.

    Returns
    -------
    numpy or dask array
        A view with the dimensions in the order of `axes`.
    """
    if array.ndim != len(CANONICAL):
        raise BadInput(
            f"an array of shape {_shown(array.shape)} is not canonical; expected 5 dimensions "
            f"{CANONICAL}"
        )
    letters = _upper(axes)
    for letter, size in zip(CANONICAL, array.shape, strict=True):
        if letter not in letters and size != 1:
            raise BadInput(
                f"axes {axes!r} leave out {letter}, but the array has {size} of it; "
                f"name every axis that is longer than 1"
            )
    parse_axes(letters, tuple(array.shape[CANONICAL.index(letter)] for letter in letters))
    kept = [letter for letter in CANONICAL if letter in letters]
    picked = array[tuple(slice(None) if letter in letters else 0 for letter in CANONICAL)]
    return picked.transpose([kept.index(letter) for letter in letters])


def labels_to_canonical(array: Any, axes: str) -> Any:
    """Bring labels (or an annotation) to TZYX.

    Parameters
    ----------
    array : numpy or dask array
        Labels; they have the image's axes without C.
    axes : str
        Axes of the image; a C among them is skipped.

    Returns
    -------
    numpy or dask array, 4-D TZYX
    """
    return to_canonical(array, without_channel(axes))[:, 0]


def labels_from_canonical(array: Any, axes: str) -> Any:
    """Bring TZYX labels back to the image's axes without C: undoes `labels_to_canonical`."""
    if array.ndim != len(CANONICAL) - 1:
        raise BadInput(
            f"labels of shape {_shown(array.shape)} are not canonical; expected 4 dimensions TZYX"
        )
    return from_canonical(array[:, None], without_channel(axes))


def planes_to_canonical(array: Any, axes: str) -> Any:
    """Bring probabilities, K then the image's axes without C, to K TZYX."""
    return _each_plane(array, without_channel(axes), inverse=False)


def planes_from_canonical(array: Any, axes: str) -> Any:
    """Bring K TZYX probabilities back to K, then the image's axes without C."""
    return _each_plane(array, without_channel(axes), inverse=True)


def _each_plane(array: Any, letters: str, *, inverse: bool) -> Any:
    """Transpose all but the leading K axis, as one view."""
    if array.ndim < 3:
        raise BadInput(
            f"probabilities of shape {_shown(array.shape)} lack the leading class axis K; "
            f"expected K, then {letters}"
        )
    if not inverse:
        parse_axes(letters, tuple(array.shape[1:]))
        order = [letters.index(letter) + 1 for letter in "TZYX" if letter in letters]
        place = tuple(slice(None) if letter in letters else None for letter in "TZYX")
        return array.transpose([0, *order])[(slice(None), *place)]
    labels_from_canonical(array[0], letters)  # the same checks, on a view
    kept = [letter for letter in "TZYX" if letter in letters]
    picked = array[(slice(None), *(slice(None) if n in letters else 0 for n in "TZYX"))]
    return picked.transpose([0, *(kept.index(letter) + 1 for letter in letters)])


def looks_like_colour(shape: tuple[int, ...]) -> bool:
    """Tell whether an array of this shape most likely ends in Y, X and 3 or 4 colours."""
    return len(shape) >= 3 and shape[-1] in _COLOURS and min(shape[-3:-1]) >= _SMALLEST_PICTURE


def _told_by_file(shape: tuple[int, ...], hint: str | None, rgb: bool) -> str | None:
    """Return the file's own letters where they are an answer."""
    if not hint:
        return None
    letters = hint.strip().upper()
    vague = set(letters) - set(CANONICAL + "SK") or len(letters) != len(shape)
    first_planes_as_colours = "S" in letters and not letters.endswith("S") and not rgb
    if vague or first_planes_as_colours:
        return None
    try:
        return parse_axes(letters, shape)
    except BadInput:  # repeated letters or no Y X: the file does not know either
        return None


def _ends_in_colours(shape: tuple[int, ...], hint: str | None, rgb: bool) -> bool:
    says_so = rgb or bool(hint and hint.strip().upper().endswith("S"))
    return says_so and len(shape) >= 3 and shape[-1] in _COLOURS


def _without_colours(shape: tuple[int, ...]) -> str:
    """Axes of the dimensions in front of the colours, where no other channel can be."""
    return {2: "YX", 3: "ZYX", 4: "TZYX"}[len(shape)]


def _guess_plain(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return "YX"
    if len(shape) == 3:
        return "ZYX"
    if len(shape) == 4:
        first_short, second_short = (size <= _MOST_CHANNELS for size in shape[:2])
        if first_short == second_short:
            return "TZYX"
        return "CZYX" if first_short else "TCYX"
    channels_last = shape[2] <= _MOST_CHANNELS and shape[2] < shape[1]
    return "TZCYX" if channels_last else "TCZYX"


def _upper(axes: str) -> str:
    """Capital letters, colour samples and classes taken for channels."""
    return str(axes).strip().upper().replace("S", "C").replace("K", "C")


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape) if shape else "()"
