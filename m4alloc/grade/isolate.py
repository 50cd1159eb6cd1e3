"""Run a function in a forked child, so that whatever the student's code does there ends the child and nothing else."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a child ended: with a value; or of its own exception, told in words; by a signal; or not in time."""

    value: Any = None
    raised: str = ""
    signal: int = 0
    hung: bool = False
    seconds: float = 0.0

    @property
    def problem(self) -> str:
        """What went wrong in one phrase; empty when nothing did."""
        if self.hung:
            return f"no answer in {self.seconds:g} s"
        if self.signal:
            with contextlib.suppress(ValueError):
                return f"the process was killed by {signal.Signals(self.signal).name}"
            return f"the process was killed by signal {self.signal}"
        return self.raised


def isolated(work: Callable[[], Any], timeout: float, *, memory: int = 0, about: str = "") -> Outcome:
    """What `work` returns, as plain data of JSON, from a child that has `timeout` seconds.

    memory: bytes of addresses that the child may add, 0 for no limit. about: the file whose line is told when an
    exception ends the child. What the child prints goes to /dev/null. Interrupted, the child and all it started end.
    Cost: 2 ms, and what `work` takes.

    >>> isolated(lambda: [1, 2], 5).value
    [1, 2]
    >>> isolated(lambda: 1 // 0, 5).problem
    'ZeroDivisionError: integer division or modulo by zero'
    >>> isolated(lambda: os.kill(os.getpid(), signal.SIGSEGV), 5).problem
    'the process was killed by SIGSEGV'
    """
    receiving, sending = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(receiving)
        _child(work, sending, memory, about)
    os.close(sending)
    until = time.monotonic() + timeout
    said, hung = bytearray(), False
    alive = os.pidfd_open(child)  # the pipe alone will not do: what the child has forked may hold it for ever
    try:
        while True:
            ready, _, _ = select.select([receiving, alive], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                hung = True
                break
            if receiving not in ready:
                break
            piece = os.read(receiving, 1 << 16)
            if not piece:
                break
            said += piece
    finally:
        os.close(receiving)
        os.close(alive)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if hung:
        return Outcome(hung=True, seconds=timeout)
    if said[:1] == b"V":
        with contextlib.suppress(ValueError):
            return Outcome(json.loads(said[1:]))
        return Outcome(raised="the process said something that is no answer")
    if said[:1] == b"R":
        return Outcome(raised=said[1:].decode(errors="replace"))
    ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return Outcome(signal=ended, raised="" if ended else f"the process ended with status {os.WEXITSTATUS(status)}")


def _child(work: Callable[[], Any], sending: int, memory: int, about: str) -> None:
    """Do the work, send what came of it, and end, whatever happens."""
    answer = b"Rthe child failed"
    try:
        os.setpgid(0, 0)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        faulthandler.disable()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        sys.stdout = sys.stderr = os.fdopen(nothing, "w")
        if memory:
            with open("/proc/self/statm") as file:  # noqa: PTH123
                used = int(file.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + memory, resource.RLIM_INFINITY))
        answer = b"V" + json.dumps(work()).encode()
    except BaseException as error:  # SystemExit and KeyboardInterrupt of the student's code, too
        answer = b"R" + told(error, about).encode(errors="replace")
    finally:
        while answer:
            answer = answer[os.write(sending, answer) :]
        os._exit(0)


def told(error: BaseException, about: str = "") -> str:
    """An exception in words: what it is, and the last line of the file in question that it passed.

    >>> told(ValueError("seven"))
    'ValueError: seven'
    """
    said = f"{type(error).__name__}: {error}".removesuffix(": ")
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if about and frame.filename == about]
    if not frames:
        return said
    last = frames[-1]
    return f"{said} (line {last.lineno}, in {last.name}: {(last.line or '').strip()})"
