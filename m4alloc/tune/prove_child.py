"""A function that may crash, in a child of its own: what it returns comes back, and so does how it ended."""

from __future__ import annotations

import contextlib
import faulthandler
import mmap
import os
import pickle
import select
import signal
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

GRACE = 0.05
"""Seconds between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended. value: what the function returned. how: empty, or the signal, the exception or the timeout.

    at: the last number that the function wrote into its counter. said: what it wrote to standard error.
    """

    value: Any
    how: str
    at: int
    said: str = ""


def in_child(work: Callable[[memoryview], object], seconds: float | None = None) -> Ended:
    """Run `work` in a forked child and return how it ended. It is given a counter, counter[0], that survives it.

    seconds: after which the child is killed. What it returns is pickled. An exception is told by its text.
    Cost: a fork.

    >>> in_child(lambda counter: 6 * 7).value
    42
    >>> in_child(lambda counter: os.abort()).how
    'SIGABRT'
    """
    shared = mmap.mmap(-1, mmap.PAGESIZE)
    counter = memoryview(shared).cast("Q")
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - the child writes it, and it is read when the child has ended
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Later Pythons warn of threads that the child does not have. It needs none, and waits for none.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(reader)
        _carry_out(work, counter, writer, errors.fileno())
    os.close(writer)
    try:
        said, late = _read(reader, child, seconds)
        _, status = os.waitpid(child, 0)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    finally:
        os.close(reader)
    errors.seek(0)
    told = errors.read().decode(errors="replace").strip()
    errors.close()
    at = counter[0]
    counter.release()
    shared.close()
    if late:
        return Ended(None, f"no end within {seconds:g} s", at, told)
    if os.WIFSIGNALED(status):
        return Ended(None, signal.Signals(os.WTERMSIG(status)).name, at, told)
    if not said:
        return Ended(None, f"it ended with status {os.WEXITSTATUS(status)}", at, told)
    value, how = pickle.loads(said)
    return Ended(value, how, at, told)


def _carry_out(work: Callable[[memoryview], object], counter: memoryview, writer: int, errors: int) -> None:
    """The child: never returns."""
    status = 0
    try:
        os.dup2(errors, 2)
        faulthandler.disable()  # the parent knows a signal when it sees one
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
        try:
            answer = pickle.dumps((work(counter), ""))
        except BaseException as error:
            answer = pickle.dumps((None, f"{type(error).__name__}: {error}"))
        with os.fdopen(writer, "wb") as file:
            file.write(answer)
    except BaseException:
        status = 70
    finally:
        os._exit(status)


def _read(reader: int, child: int, seconds: float | None) -> tuple[bytes, bool]:
    """All that the child says, and whether it took too long, in which case it is killed."""
    until = None if seconds is None else time.monotonic() + seconds
    parts: list[bytes] = []
    while True:
        left = GRACE if until is None else min(GRACE, max(0.0, until - time.monotonic()))
        ready, _, _ = select.select([reader], [], [], left)
        if ready:
            part = os.read(reader, 1 << 20)
            if not part:
                return b"".join(parts), False
            parts.append(part)
        elif until is not None and time.monotonic() >= until:
            os.kill(child, signal.SIGKILL)
            return b"", True
