"""What a program under test is run in: its environment, and what an interrupt from the terminal does."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


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


class Interrupts:
    """How often SIGINT came: true once it has. While `at_once` is set it also raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.count = 0
        self.at_once = False

    def __bool__(self) -> bool:
        return self.count > 0

    def note(self, number: int, frame: object) -> None:
        """The signal handler."""
        self.count += 1
        if self.at_once:
            raise KeyboardInterrupt


@contextmanager
def interrupts_noted() -> Iterator[Interrupts]:
    """Count SIGINTs instead of raising: the program gets its own, and what was judged so far stands.

    Outside the main thread nothing is changed.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    previous = signal.signal(signal.SIGINT, interrupts.note)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, previous)
