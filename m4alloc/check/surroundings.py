"""What a program under test is run in: its environment, its input, and what an interrupt from the terminal does."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def environment_of(env: Mapping[str, str] | None) -> dict[str, str]:
    """The program's environment: as given, with misuse counted."""
    environment = dict(os.environ if env is None else env)
    kept = [
        word for word in environment.get("M4ALLOC_OPTIONS", "").split(",") if word and not word.startswith("misuse=")
    ]
    environment["M4ALLOC_OPTIONS"] = ",".join([*kept, "misuse=count"])
    return environment


@contextmanager
def no_collector() -> Iterator[None]:
    """Without the cyclic garbage collector: judging makes millions of small tuples and no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def repeatable(stdin: IO[bytes] | None) -> Iterator[IO[bytes]]:
    """A file that every run can read from its start: a copy of what came through a pipe, else the file itself."""
    if stdin is None or stdin.isatty():
        with Path(os.devnull).open("rb") as null:
            yield null
    elif stdin.seekable():
        yield stdin
    else:
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(stdin, copy)
            copy.seek(0)
            yield copy


@contextmanager
def interrupts_noted() -> Iterator[list[int]]:
    """Collect SIGINTs instead of raising: the program gets its own, and what was judged so far stands.

    The second one while we judge raises KeyboardInterrupt after all. Outside the main thread nothing is changed.
    """
    caught: list[int] = []

    def note(number: int, frame: object) -> None:
        caught.append(number)
        if len(caught) > 2:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    previous = signal.signal(signal.SIGINT, note)
    try:
        yield caught
    finally:
        signal.signal(signal.SIGINT, previous)
