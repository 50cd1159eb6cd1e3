"""Which implementation runs here: the native core ("fast") or the reference allocator in Python ("pure")."""

from __future__ import annotations

import importlib
import warnings
from typing import Literal

backend: Literal["fast", "pure"]
"""What `m4alloc.backend` is."""
reason: str | None = None
"""Why the native core is not used; None when it is."""

try:
    importlib.import_module("m4alloc._fast")
except ImportError as error:
    backend = "pure"
    reason = str(error)
else:
    backend = "fast"

_announced = False


def announce_pure() -> None:
    """Warn, the first time only, that the pure backend is in use: as correct, and thousands of times slower."""
    global _announced
    if not _announced:
        _announced = True
        message = (
            f"m4alloc runs on the reference allocator in Python ({reason}); `m4alloc doctor` says how to get the core"
        )
        warnings.warn(message, RuntimeWarning, stacklevel=3)
