"""Floor 7, text: the command ``infoleak``.

* `app`: the commands, and what a command's errors look like: one line on the standard error.
* `segmenting`, `spreading`, `celling`, `scoring`, `listing`, `doctor`: one command each.
* `writing`: the arrays of a result into files.
* `files`: refuse what cannot be written before any work begins.
* `bar`: progress with the time left, where somebody looks.
* `console`: what goes to the standard output.
"""

from __future__ import annotations

from napari_infoleak.cli.app import main

__all__ = ["main"]
