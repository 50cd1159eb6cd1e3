"""Drive any allocator in a shared library, in forked children, so that its crash is an observation.

A fork server (m4alloc.check.worker) loads the library once; each episode is a fork of it and begins with a fresh
heap. Replies come back through shared memory and survive the child.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from m4alloc.check.board import CAPACITY, Board, Phase
from m4alloc.check.judgement import Terms
from m4alloc.check.operation import FUNCTIONS, Operation
from m4alloc.check.target import Closing, End, EndedError, Episode, Usage
from spec.event import Event, Function

ROOT = str(Path(__file__).resolve().parents[2])
START_SECONDS = 30.0
STATIC_TLS = "glibc.rtld.optional_static_tls=65536"
"""Room for libraries with initial-exec thread-local storage, which else can only be preloaded (jemalloc)."""
CHILD_FAILED = 70


class WorkerError(Exception):
    """The fork server could not start, or failed by itself: the library cannot be loaded, or a fault of ours."""


class Foreign(Closing):
    """An allocator in the shared library at `path`, or the one already in use when `path` is "system".

    timeout: seconds that one batch may take before the child is killed and the episode counts as hung.
    environment: variables added to the child's, such as M4ALLOC_OPTIONS.
    Raises WorkerError: the file is missing, cannot be loaded, or exports no malloc and free.
    Cost: 0.1 s to start; then about 1 ms an episode and 10 us an operation.

    >>> from m4alloc.check.operation import Operation
    >>> with Foreign("system") as libc:
    ...     episode = libc.run([Operation(Function.MALLOC, size=24), Operation(Function.MALLOC, size=24)])
    >>> [event.usable for event in episode.events]
    [24, 24]
    """

    def __init__(
        self, path: str | os.PathLike[str], *, timeout: float = 10.0, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = os.fspath(path)
        self.timeout = timeout
        if self.name != "system":
            if not Path(self.name).is_file():
                raise WorkerError(f"{self.name}: no such file")
            self.name = str(Path(self.name).resolve())
        self.board, descriptor = Board.create()
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        variables = {**os.environ, **(environment or {})}
        variables["PYTHONPATH"] = os.pathsep.join([ROOT, *filter(None, [variables.get("PYTHONPATH")])])
        variables["PYTHONFAULTHANDLER"] = ""
        variables["GLIBC_TUNABLES"] = ":".join(filter(None, [variables.get("GLIBC_TUNABLES"), STATIC_TLS]))
        command = [sys.executable, "-S", "-m", "m4alloc.check.worker", self.name, str(theirs.fileno()), str(descriptor)]
        self.server = subprocess.Popen(
            command, pass_fds=(theirs.fileno(), descriptor), stderr=self.errors, stdin=subprocess.DEVNULL, env=variables
        )
        theirs.close()
        os.close(descriptor)
        self.options = variables.get("M4ALLOC_OPTIONS", "")
        self.quarantine = self.quarantine_limit = 0
        self.functions = self.hello()

    def hello(self) -> frozenset[Function]:
        """Wait for the server's first message: the functions that the library exports."""
        message = self.receive(START_SECONDS)
        if message is None or message[:1] != b"H":
            said = (message or b"")[1:].decode(errors="replace") or self.said() or "the fork server did not start"
            self.close()
            raise WorkerError(f"{self.name} cannot be driven: {said}")
        self.quarantine, self.quarantine_limit = struct.unpack_from("<QQ", message, 1)
        return frozenset(FUNCTIONS[number] for number in message[17:])

    def terms(self, standard: str = "c17") -> Terms:
        """What the library is held to: the standard, and what it states itself (m4alloc_info, m4alloc_misuses).

        Misuse is asked for only where the environment says misuse=count: elsewhere it ends the child, as it should.
        """
        counts = "misuse=count" in self.options and self.quarantine_limit > 0
        return Terms(standard, self.quarantine, self.quarantine_limit, counts)

    def receive(self, seconds: float) -> bytes | None:
        """The next message; None when none came in time, empty when the server is gone."""
        self.link.settimeout(seconds)
        try:
            return self.link.recv(4096)
        except TimeoutError:
            return None
        except ConnectionError:
            return b""

    def said(self) -> str:
        """What the child wrote to standard error."""
        self.errors.seek(0)
        return self.errors.read(1 << 16).decode(errors="replace").strip()

    def fork(self) -> int:
        """Start an episode: the child's pid."""
        self.errors.seek(0)
        self.errors.truncate()
        self.link.send(b"F")
        message = self.receive(START_SECONDS)
        if not message or message[:1] != b"P":
            raise WorkerError(f"{self.name}: the fork server failed: {self.said()}")
        pid: int = struct.unpack("<i", message[1:])[0]
        return pid

    def begin(self) -> ForeignSession:
        """A fresh heap to be asked step by step; one session at a time."""
        return ForeignSession(self)

    def run(self, operations: Sequence[Operation]) -> Episode:
        """Carry out a whole plan on a fresh heap. Cost: 1 ms and 10 us an operation, plus the bytes touched."""
        events: list[Event] = []
        with self.begin() as session:
            try:
                for start in range(0, len(operations) or 1, CAPACITY):
                    events += session.batch(operations[start : start + CAPACITY])
            except EndedError as ended:
                return ended.episode
        return Episode(events, message=self.said())

    def repeat(self, operations: Sequence[Operation], limit: int) -> Usage:
        """Carry out the plan over and over on one fresh heap, freeing all after each, until `limit` bytes were used."""
        with self.begin() as session:
            return session.repeat(operations, limit)

    def close(self) -> None:
        """End the server."""
        self.link.close()
        self.board.close()
        try:
            self.server.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        self.errors.close()


class ForeignSession(Closing):
    """One episode: a forked child with a fresh heap."""

    def __init__(self, foreign: Foreign) -> None:
        self.foreign = foreign
        self.pid = foreign.fork()
        self.past: list[Event] = []
        self.over = False

    def exchange(self, message: bytes) -> bytes:
        """Send one command and wait for its end: what the child answered. Raises EndedError: crash or hang."""
        foreign = self.foreign
        if self.over:
            raise ValueError("the session is closed")
        foreign.link.send(message)
        start = time.monotonic()
        answer = foreign.receive(foreign.timeout)
        if answer is None:
            os.kill(self.pid, signal.SIGKILL)
            answer = foreign.receive(START_SECONDS)
            hung = time.monotonic() - start >= foreign.timeout
        else:
            hung = False
        if answer and answer[:1] == b"D" and not hung:
            return answer[1:]
        if answer and answer[:1] == b"D":  # the answer and the kill crossed
            answer = foreign.receive(START_SECONDS)
        self.over = True
        if not answer or answer[:1] != b"X":
            raise WorkerError(f"{foreign.name}: the fork server failed: {foreign.said()}")
        status: int = struct.unpack("<i", answer[1:])[0]
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == CHILD_FAILED and not hung:
            raise WorkerError(f"the child failed by itself: {foreign.said()}")
        raise EndedError(self.ended(status, hung))

    def ended(self, status: int, hung: bool) -> Episode:
        """Everything known of a child that is no more."""
        events = self.foreign.board.events()
        _, phase = self.foreign.board.reached()
        pending = events.pop() if phase is Phase.CALLING and events else None
        number = 0 if hung or not os.WIFSIGNALED(status) else os.WTERMSIG(status)
        end = End.HUNG if hung else End.CRASHED
        return Episode(self.past + events, end, number, pending, self.foreign.said())

    def batch(self, operations: Sequence[Operation]) -> list[Event]:
        """Carry out up to CAPACITY operations: the events they gave."""
        self.foreign.board.ask(operations)
        self.exchange(b"G")
        events = self.foreign.board.events()
        self.past += events
        return events

    def request(self, event: Event) -> list[Event]:
        """Carry out one request that names its block by address. Cost: 0.1 ms."""
        return self.one(b"A", event)

    def sweep(self) -> list[Event]:
        """LOAD events for live blocks whose contents changed."""
        return self.batch([])

    def one(self, command: bytes, event: Event) -> list[Event]:
        """One command with one event on the board."""
        board = self.foreign.board
        board.ask([])
        board.put(event)
        self.exchange(command)
        events = board.events()
        self.past += events
        return events

    def repeat(self, operations: Sequence[Operation], limit: int) -> Usage:
        """Carry out the plan over and over, freeing all after each round, until `limit` bytes were used."""
        self.foreign.board.ask(operations)
        return Usage(*struct.unpack("<QQQ", self.exchange(b"R" + struct.pack("<Q", limit))))

    def close(self) -> None:
        """Let the child end."""
        if self.over:
            return
        self.over = True
        self.foreign.link.send(b"Q")
        answer = self.foreign.receive(START_SECONDS)
        if answer is None or answer[:1] != b"X":
            os.kill(self.pid, signal.SIGKILL)
            self.foreign.receive(START_SECONDS)
