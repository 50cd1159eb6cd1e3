"""How far a long job is, on stderr: a moving bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from m4alloc.view.quantity import number, percent

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


class Progress(Protocol):
    """Told what is going on; used in a with-statement."""

    def phase(self, name: str, total: int | None = None) -> None:
        """A new part of the job begins; total: its steps, when known."""
        ...

    def advance(self, done: int) -> None:
        """So many steps of this part are done."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...


class Silent:
    """Says nothing."""

    def phase(self, name: str, total: int | None = None) -> None: ...

    def advance(self, done: int) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, tb: object) -> None: ...


class Within:
    """A progress inside one that is open already: its beginning and end are not the whole's."""

    def __init__(self, whole: Progress) -> None:
        self._whole = whole

    def phase(self, name: str, total: int | None = None) -> None:
        self._whole.phase(name, total)

    def advance(self, done: int) -> None:
        self._whole.advance(done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, tb: object) -> None: ...


class Lines:
    """One line a phase that takes longer than ten seconds, every ten seconds."""

    def __init__(self, file: TextIO, every: float = EVERY) -> None:
        self._file = file
        self._every = every
        self._name = ""
        self._total: int | None = None
        self._last = time.monotonic()

    def phase(self, name: str, total: int | None = None) -> None:
        self._name, self._total = name, total

    def advance(self, done: int) -> None:
        now = time.monotonic()
        if now - self._last < self._every:
            return
        self._last = now
        part = f" of {number(self._total)} ({percent(done / self._total)})" if self._total else ""
        print(f"m4alloc: {self._name}: {number(done)}{part}", file=self._file, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, tb: object) -> None: ...


class Bars:
    """A bar for the present phase, with what is done and the time that remains; gone at the end."""

    def __init__(self, file: TextIO) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = RichProgress(*columns, console=Console(file=file), transient=True)
        self._task = self._bars.add_task("", visible=False)

    def phase(self, name: str, total: int | None = None) -> None:
        # While the program itself runs it owns the terminal: no bar for a phase without a total.
        self._bars.reset(self._task, description=name, total=total, visible=total is not None)
        if total is None:
            self._bars.stop()
        else:
            self._bars.start()

    def advance(self, done: int) -> None:
        self._bars.update(self._task, completed=done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, tb: object) -> None:
        self._bars.stop()


def on_stderr() -> Progress:
    """The progress that suits where stderr goes."""
    return Bars(sys.stderr) if sys.stderr.isatty() else Lines(sys.stderr)
