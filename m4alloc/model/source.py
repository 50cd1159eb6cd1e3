"""Where a model comes from: a file, or the bundled ones by name; with constants set to other values."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from spec.ltl.error import TooLargeError
from spec.model import catalogue
from spec.model.program import Program


class ModelError(ValueError):
    """A model, a property or a constant that is asked for does not exist; what would be right."""


class Source(NamedTuple):
    """A model and how it was asked for. name: the file, or that of a bundled model."""

    name: str
    program: Program
    constants: Mapping[str, int]


def load(name: str | Path, constants: Mapping[str, int] | None = None) -> Source:
    """The model in a file (anything with a dot or a slash in its name), or the bundled one of that name.

    constants: values for constants that the model declares. Raises: ModelError; OSError; the errors of
    `spec.model.reader.read`.

    >>> load("peterson").program.name
    'peterson'
    >>> load("petersen")
    Traceback (most recent call last):
    m4alloc.model.source.ModelError: no bundled model is called petersen; did you mean peterson?
    """
    from spec.model.reader import read

    constants = constants or {}
    text = str(name)
    if "/" in text or "." in text:
        try:
            content = Path(name).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ModelError(f"{text} is no text in UTF-8: {error.reason} at byte {error.start}") from None
    elif text in catalogue.BUNDLED:
        content = catalogue.text(text)
    else:
        close = get_close_matches(text, list(catalogue.BUNDLED), 3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(catalogue.BUNDLED)}"
        raise ModelError(f"no bundled model is called {text}; {hint}")
    try:
        program = read(catalogue.with_constants(content, constants), text)
    except TooLargeError as error:
        # It is the model that is too large as it is written, not what is asked of it.
        raise ModelError(f"{text}: {error}") from None
    return Source(text, program, dict(constants))
