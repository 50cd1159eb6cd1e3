"""Refuse to work with a package that has taken the name `spec` or `capability`.

Another project on PyPI is called `spec`. Installed beside ours, the later one silently wins, and its files may
even be mixed with ours in one folder. So the source of each is looked at before anything is imported from it.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from pathlib import Path

MARK = '__project__ = "m4alloc"'


class ShadowedError(ImportError):
    """Another package has taken the name of one of ours; the message says which file and how to fix it."""

    def __init__(self, name: str, path: str | None) -> None:
        found = f"the one found is {path}" if path else "none was found"
        super().__init__(
            f"m4alloc needs its own package {name!r}, but {found}. Fix: pip uninstall {name}; "
            "pip install --force-reinstall --no-deps m4alloc (or use an environment of its own, or remove a file or "
            f"folder called {name!r} from the current directory).",
            name=name,
            path=path,
        )


def require_ours() -> None:
    """Raise ShadowedError unless `capability` and `spec` are this project's own; imports neither of them."""
    for name in ("capability", "spec"):
        _require(name)


def _source(found: ModuleSpec) -> str:
    """The text of a package's __init__.py, "" for one without.

    Not every loader tells it (pytest's, which rewrites assertions, does not), so the file itself is read where there is
    one.
    """
    if isinstance(found.loader, InspectLoader):
        return found.loader.get_source(found.name) or ""
    if found.has_location and found.origin:
        return Path(found.origin).read_text("utf-8")
    return ""


@cache
def _require(name: str) -> None:
    try:
        found = importlib.util.find_spec(name)
    except ValueError:  # in sys.modules without a __spec__: somebody's stand-in
        found = None
    if found is None or MARK not in _source(found):
        raise ShadowedError(name, found.origin if found else None)
