"""Progress of a search that has so many seconds: its steps are the seconds."""

from __future__ import annotations

import threading
import time
from typing import Self

from m4alloc.check.progress import Progress


class Seconds:
    """A progress inside another one: each phase is named after what is searched, and a thread tells the seconds.

    seconds: those that the search has.
    """

    def __init__(self, whole: Progress, name: str, seconds: float) -> None:
        self._whole, self._name, self._total = whole, name, max(1, round(seconds))
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="seconds", daemon=True)

    def phase(self, name: str, total: int | None = None) -> None:
        """A method begins; the seconds go on."""
        self._whole.phase(f"{self._name}: {name}", self._total)
        self.advance(0)

    def advance(self, done: int) -> None:
        """The time that has passed, whatever is said to be done."""
        self._whole.advance(min(self._total, int(time.monotonic() - self._began)))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, tb: object) -> None:
        self._over.set()
        self._thread.join()

    def _tell(self) -> None:
        while not self._over.wait(1.0):
            self.advance(0)
