"""Which implementation runs here: the native core ("fast") or the reference allocator in Python ("pure")."""

from __future__ import annotations

import importlib
import warnings

REASON: str | None = None
"""Why the native core is not used; None when it is."""

try:
    importlib.import_module("m4alloc._fast")
except ImportError as error:
    NAME = "pure"
    REASON = str(error)
else:
    NAME = "fast"

_announced = False


def announce_pure() -> None:
    """Warn, the first time only, that the pure backend is in use: right, but thousands of times slower."""
    global _announced
    if not _announced:
        _announced = True
        message = (
            f"m4alloc runs on the pure-Python reference allocator: {REASON}. `m4alloc doctor` says how to get the core"
        )
        warnings.warn(message, RuntimeWarning, stacklevel=3)
