"""Real threads that take turns: each number is one POSIX thread, and one of them runs at a time.

Threads are made and joined by pthread_create and pthread_join, so that "thread 2 has ended" means that the
allocator's thread destructors have run.
"""

from __future__ import annotations

import _thread
import ctypes
from collections.abc import Callable
from typing import Any

ENTRY = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)


class Turns:
    """Runs a function on the thread of a given number; 0 is the calling thread. Not itself thread-safe."""

    def __init__(self) -> None:
        self.workers: dict[int, Worker] = {}

    def run(self, thread: int, function: Callable[[], object]) -> None:
        """Run `function` on the thread and wait for it; an exception is raised here. Cost: two hand-overs."""
        if thread == 0:
            function()
            return
        worker = self.workers.get(thread)
        if worker is None:
            worker = self.workers[thread] = Worker()
        worker.run(function)

    def end(self, thread: int) -> None:
        """End the thread and wait until it is gone; its next use starts a new one."""
        worker = self.workers.pop(thread, None)
        if worker is not None:
            worker.end()

    def close(self) -> None:
        """End every thread."""
        for thread in list(self.workers):
            self.end(thread)


class Worker:
    """One POSIX thread that waits for functions to run. Raises OSError when it cannot be started."""

    def __init__(self) -> None:
        self.task: Callable[[], object] | None = None
        self.failure: BaseException | None = None
        self.go, self.done = _thread.allocate_lock(), _thread.allocate_lock()
        self.go.acquire()
        self.done.acquire()
        self.entry = ENTRY(self.loop)
        self.handle = ctypes.c_void_p()
        libc: Any = ctypes.CDLL(None)
        self.join = libc.pthread_join
        self.join.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
        error = libc.pthread_create(ctypes.byref(self.handle), None, self.entry, None)
        if error:
            raise OSError(error, "pthread_create")

    def loop(self, _: object) -> None:
        """What the thread runs: one task a turn, until there is none."""
        while True:
            self.go.acquire()
            if self.task is None:
                return
            try:
                self.task()
            except BaseException as failure:  # handed to the thread that asked
                self.failure = failure
            self.done.release()

    def run(self, task: Callable[[], object]) -> None:
        """Hand one task over and wait."""
        self.task = task
        self.go.release()
        self.done.acquire()
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    def end(self) -> None:
        """Let the thread return and join it."""
        self.task = None
        self.go.release()
        self.join(self.handle, None)
