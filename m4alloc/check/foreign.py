"""Drive any allocator in a shared library, in forked children, so that its crash is an observation.

A fork server in C (m4alloc/check/driver) loads the library once; each episode is a fork of it and begins with a fresh
heap. Events come back through shared memory and survive the child.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from m4alloc.check.board import CAPACITY, Board, Doing
from m4alloc.check.elf import malloc_of, opened, wrong_with
from m4alloc.check.instruction import ABSOLUTE, INSTRUCTION, Instructions, Planner, Row
from m4alloc.check.judgement import Terms
from m4alloc.check.operation import LABELS, Aim, Directive, Operation
from m4alloc.check.target import Closing, End, EndedError, Episode, Usage
from m4alloc.lib import driver
from m4alloc.trace.format import RECORD
from m4alloc.trace.read import Records, decode
from spec.event import ACCESSING, ALLOCATING, FREEING, NEVER_RETURNED, RESIZING, Event, Function

START_SECONDS = 30.0
SLOW = 30
"""Timeouts after which a child that still takes steps hangs all the same: each call then took some milliseconds."""
LOOKS = 4
"""How often in a timeout it is looked whether there were steps: what hangs is known a look after it at the latest."""
STATIC_TLS = "glibc.rtld.optional_static_tls=65536"
"""Room for libraries with initial-exec thread-local storage, which else can only be preloaded (jemalloc)."""
DRIVER_FAILED = 71
FUNCTIONS = {int(function): function for function in Function}
ENDED_IN = {Doing.LOADING: Function.LOAD, Doing.STORING: Function.STORE, Doing.MEASURING: Function.USABLE_SIZE}
"""What the event of an end is called that was in no call."""


class WorkerError(Exception):
    """The driver could not start, or failed by itself: the library cannot be loaded, or a fault of ours."""


class Foreign(Closing):
    """An allocator in the shared library at `path`, or the one already in use when `path` is "system".

    timeout: seconds without a single step after which the child is killed and the episode counts as hung: a slow
    allocator, or a busy machine, is no hang.
    environment: variables added to the child's, such as M4ALLOC_OPTIONS. prefix: what the names of its functions begin
    with, `je_` for je_malloc. seed: of the random bytes that the kernel gives the library.
    Raises WorkerError: the file is missing, cannot be loaded, or exports no malloc and free. LibraryError: the driver
    is not built.
    Cost: 5 ms to start; then about 0.2 ms an episode and 1 us an operation.

    >>> from m4alloc.check.operation import Operation
    >>> with Foreign("system") as libc:
    ...     episode = libc.run([Operation(Function.MALLOC, size=24), Operation(Function.MALLOC, size=24)])
    >>> [event.usable for event in episode.events]
    [24, 24]
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout: float = 10.0,
        environment: Mapping[str, str] | None = None,
        prefix: str = "",
        seed: int = 0,
    ) -> None:
        if not timeout > 0:
            raise ValueError(f"a timeout of {timeout:g} seconds: it must be more than 0")
        self.name = os.fspath(path)
        self.timeout = timeout
        self.prefix = prefix
        if self.name != "system":
            problem = wrong_with(Path(self.name))
            if problem:
                raise WorkerError(f"{self.name}: {problem}")
            self.name = str(Path(self.name).resolve())
        self.copy = loadable(self.name)
        self.board = Board()
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        variables = {**os.environ, **(environment or {})}
        variables["GLIBC_TUNABLES"] = ":".join(filter(None, [variables.get("GLIBC_TUNABLES"), STATIC_TLS]))
        numbers = (str(number) for number in (seed, theirs.fileno(), self.board.descriptor))
        self.server = subprocess.Popen(
            [driver(), str(Path(self.copy.name).resolve()) if self.copy else self.name, prefix, *numbers],
            pass_fds=(theirs.fileno(), self.board.descriptor),
            stderr=self.errors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=variables,
            process_group=0,  # Ctrl-C goes to the terminal's whole group, and is ours to answer
        )
        theirs.close()
        self.starved, self.kills = 0, oom_kills()
        self.options = variables.get("M4ALLOC_OPTIONS", "")
        self.quarantine = self.quarantine_limit = 0
        self.functions = self.hello()

    def hello(self) -> frozenset[Function]:
        """Wait for the server's first message: the functions that the library exports."""
        message = self.receive(START_SECONDS)
        if message is None or message[:1] != b"H":
            said = (message or b"")[1:].decode(errors="replace") or self.load_failure(hung=message is None)
            self.close()
            raise WorkerError(f"{self.name} cannot be driven: {said}{self.instead(said)}")
        self.quarantine, self.quarantine_limit = struct.unpack_from("<QQ", message, 1)
        return frozenset(FUNCTIONS[number] for number in message[17:])

    def instead(self, said: str) -> str:
        """What its malloc is called, where the driver did not find one."""
        if self.name == "system" or said != f"it exports no {self.prefix}malloc":
            return ""
        name = malloc_of(Path(self.name))
        prefix = name.removesuffix("malloc")
        return name and f", but {name}: {f'--symbol-prefix {prefix}' if prefix else 'without --symbol-prefix'}"

    def load_failure(self, *, hung: bool) -> str:
        """What happened to a driver that said nothing."""
        if hung:
            self.server.kill()
            return f"loading it took more than {START_SECONDS:g} s"
        status = self.server.wait(START_SECONDS)
        how = "the driver ended" if status >= 0 else f"it crashed with {signal.Signals(-status).name}"
        return f"{how} while it was loaded{': ' if self.said() else ''}{self.said()}"

    def terms(self, asked: str | Terms = "c17") -> Terms:
        """What the library is held to: what is asked of it, and what it states itself (m4alloc_info, m4alloc_refusals).

        asked: the standard, or terms to add to. Misuse is asked for only where the environment says misuse=count:
        elsewhere it ends the child, as it should.
        """
        counts = "misuse=count" in self.options and self.quarantine_limit > 0
        return replace(
            asked if isinstance(asked, Terms) else Terms(asked),
            quarantine=self.quarantine,
            quarantine_limit=self.quarantine_limit,
            catches_misuse=counts,
        )

    def receive(self, seconds: float | None) -> bytes | None:
        """The next message; None when none came in time, empty when the server is gone."""
        self.link.settimeout(seconds)
        try:
            return self.link.recv(4096)
        except TimeoutError:
            return None
        except ConnectionError:
            return b""

    def send(self, message: bytes) -> None:
        """Say something to the driver, or to its child. Raises WorkerError: the driver is gone."""
        try:
            self.link.send(message)
        except ConnectionError:
            raise WorkerError(self.failure()) from None

    def failure(self) -> str:
        """What is known of a driver that failed: how it ended, and what it said."""
        try:
            status = self.server.wait(1.0)
        except subprocess.TimeoutExpired:
            how = "it does not answer"
        else:
            how = f"it ended with status {status}" if status >= 0 else f"{signal.Signals(-status).name} ended it"
        said = self.said()
        return f"{self.name}: the driver failed: {how}{': ' if said else ''}{said}"

    def was_starved(self) -> bool:
        """Whether it was the system that killed a child, since memory ran out: it counts whom it kills."""
        before, self.kills = self.kills, oom_kills()
        self.starved += self.kills > before
        return self.kills > before

    def said(self) -> str:
        """What the child wrote to standard error."""
        self.errors.seek(0)
        return self.errors.read(1 << 16).decode(errors="replace").strip()

    def fork(self) -> int:
        """Start an episode: the child's pid."""
        self.errors.seek(0)
        self.errors.truncate()
        self.board.clear()
        self.send(b"F")
        message = self.receive(START_SECONDS)
        if not message or message[:1] != b"P":
            raise WorkerError(self.failure())
        pid: int = struct.unpack("<i", message[1:])[0]
        return pid

    def begin(self) -> ForeignSession:
        """A fresh heap to be asked step by step; one session at a time."""
        return ForeignSession(self)

    def run(self, operations: Sequence[Operation]) -> Episode:
        """Carry out a whole plan on a fresh heap. Cost: 0.2 ms and 3 us an operation, plus the bytes touched."""
        return self.carry_out(Planner().plan(operations))

    def carry_out(self, instructions: Instructions) -> Episode:
        """Carry out instructions on a fresh heap."""
        with self.begin() as session:
            try:
                session.carry_out(instructions, session.keep)
            except EndedError as ended:
                return ended.episode
            return Episode(session.past(), message=self.said())

    def repeat(self, operations: Sequence[Operation], limit: int) -> Usage:
        """Carry out the plan over and over on one fresh heap, freeing all after each, until `limit` bytes were used."""
        return self.repeat_rows(Planner().plan(operations), limit)

    def repeat_rows(self, instructions: Instructions, limit: int) -> Usage:
        """The same for instructions. Raises ValueError: more than a batch; EndedError: crash or hang."""
        with self.begin() as session:
            return session.repeat(instructions, limit)

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
        if self.copy is not None:
            self.copy.close()


class ForeignSession(Closing):
    """One episode: a forked child with a fresh heap."""

    def __init__(self, foreign: Foreign) -> None:
        self.foreign = foreign
        self.pid = foreign.fork()
        self.planner = Planner()
        self.slots: dict[int, int] = {}
        self.kept: list[Records] = []
        self.over = False

    def past(self) -> list[Event]:
        """The history so far."""
        return [event for page in self.kept for event in decode(page, LABELS)]

    def exchange(self, message: bytes, keep: Callable[[Records], bool], *, patience: bool = False) -> bytes:
        """Send one command and wait for its end: what the child answered.

        keep: given each page of events; whether to go on. patience: the child itself ends what takes too long.
        Raises EndedError: crash or hang.
        """
        foreign = self.foreign
        if self.over:
            raise ValueError("the session is closed")
        foreign.send(message)
        while True:
            answer, hung = (foreign.receive(None), False) if patience else self.await_answer()
            if hung:
                self.kill()
                answer = foreign.receive(START_SECONDS)
            if answer and answer[:1] == b"M" and not hung:
                foreign.send(b"C" if keep(foreign.board.events()) else b"S")
                continue
            break
        if answer and answer[:1] == b"D" and not hung:
            keep(foreign.board.events())
            return answer[1:]
        while answer and answer[:1] in b"DM":  # the answer and the kill crossed
            answer = foreign.receive(START_SECONDS)
        self.over = True
        if not answer or answer[:1] != b"X":
            raise WorkerError(foreign.failure())
        status: int = struct.unpack("<i", answer[1:])[0]
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == DRIVER_FAILED and not hung:
            raise WorkerError(f"the child failed by itself: {foreign.said()}")
        if not hung and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and foreign.was_starved():
            records = foreign.board.events()
            keep(records[records["flags"] & NEVER_RETURNED == 0])  # the call under way is not to blame
            raise EndedError(Episode(self.past()))
        keep(self.last_page())
        raise EndedError(self.ended(status, hung))

    def await_answer(self) -> tuple[bytes | None, bool]:
        """The child's next message, and whether it hangs: no step for the whole timeout, or steps for ever."""
        foreign, quiet, before = self.foreign, 0, self.foreign.board.steps
        for _ in range(SLOW * LOOKS):
            answer = foreign.receive(foreign.timeout / LOOKS)
            if answer is not None:
                return answer, False
            steps = foreign.board.steps
            quiet, before = quiet + 1 if steps == before else 0, steps
            if quiet == LOOKS:
                break
        return None, True

    def kill(self) -> None:
        """End the child and every process that it forked."""
        for end in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError):
                end(self.pid, signal.SIGKILL)

    def last_page(self) -> Records:
        """The events of a child that is no more, with one for what it did with a block, if that ended it."""
        board = self.foreign.board
        records = board.events()
        told = [activity for activity in board.activities() if activity.doing in ENDED_IN]
        last = np.zeros(len(told), RECORD)
        for row, activity in zip(last, told, strict=True):
            row["function"], row["flags"] = ENDED_IN[activity.doing], NEVER_RETURNED
            row["thread"], row["address"], row["size"] = activity.thread, activity.address, activity.size
            row["usable"] = row["intact"] = -1
        return np.concatenate([records, last])

    def ended(self, status: int, hung: bool) -> Episode:
        """Everything known of a child that is no more."""
        number = 0 if hung or not os.WIFSIGNALED(status) else os.WTERMSIG(status)
        end = End.HUNG if hung else End.CRASHED
        return Episode(self.past(), end, number, self.foreign.said())

    def carry_out(self, instructions: Instructions, take: Callable[[Records], bool], *, looking: bool = True) -> None:
        """Carry out instructions, as many as one likes.

        looking: whether every live block is looked at after them. take: given the events page by page, the last page
        of a child that ended as well; whether to go on with a directive that repeats. Raises EndedError: crash or hang.
        """
        for start, stop in batches(instructions):
            self.foreign.board.ask(instructions[start:stop])
            self.exchange(b"G" if looking else b"g", take)

    def keep(self, records: Records) -> bool:
        """Remember a page for `past`."""
        self.kept.append(records)
        return True

    def batch(self, operations: Sequence[Operation]) -> list[Event]:
        """Carry out operations: the events they gave."""
        return self.told(self.planner.plan(operations))

    def told(self, instructions: Instructions, *, looking: bool = True) -> list[Event]:
        """Carry out instructions: the events they gave."""
        before = len(self.kept)
        self.carry_out(instructions, self.keep, looking=looking)
        return [event for page in self.kept[before:] for event in decode(page, LABELS)]

    def request(self, event: Event) -> list[Event]:
        """Carry out one request that names its block by address. Cost: 0.05 ms."""
        row = self.row(event)
        if row is None:
            return [event]
        slot = row.slot if row.uses_slot else -1
        events = self.told(np.array([row], INSTRUCTION), looking=False)
        self.follow(events[-1] if events else event, slot)
        return events or [event]

    def row(self, event: Event) -> Row | None:
        """The instruction for the event's request; None for an access that is only named, never made."""
        function, planner = event.function, self.planner
        thread, size, count, alignment = event.thread, event.size, event.count, event.alignment
        if function is Function.LABEL:
            number = LABELS.index(event.label) + 1 if event.label in LABELS else 0
            return Row(function, 0, thread, 0, size, number)
        owned = self.slots.get(event.address) if event.address else None
        if owned is not None:
            return planner.row(function, Aim.LIVE, thread, owned, size, count, alignment)
        if function in ACCESSING:
            return None
        if function in ALLOCATING or function in RESIZING:
            aim = ABSOLUTE if event.address and function in RESIZING else Aim.NULL
            return planner.row(function, aim, thread, planner.fresh(), size, count, alignment, signed(event.address))
        aim = ABSOLUTE if event.address else Aim.NULL
        return Row(function, aim, thread, 0, size, count, alignment, signed(event.address))

    def follow(self, event: Event, slot: int) -> None:
        """Keep in mind which slot a live address has, after the reply to a request."""
        function = event.function
        failed = function is Function.POSIX_MEMALIGN and event.errno
        gives_up = function in FREEING or (function in RESIZING and (event.result or not event.request_size))
        if gives_up and event.address and not (function in RESIZING and event.errno):
            gone = self.slots.pop(event.address, None)
            if gone is not None and function in FREEING:
                self.planner.drop(gone)
        if function in ALLOCATING or function in RESIZING:
            if event.result and not failed:
                self.slots[event.result] = slot
            elif function in ALLOCATING or not event.address:
                self.planner.drop(slot)

    def sweep(self) -> list[Event]:
        """LOAD events for live blocks whose contents changed."""
        return self.batch([])

    def repeat(self, instructions: Instructions, limit: int) -> Usage:
        """Carry out the instructions over and over, freeing all after each round, until `limit` bytes were used."""
        self.foreign.board.ask(instructions)
        try:
            answer = self.exchange(b"R" + struct.pack("<Q", limit), lambda _: True)
        finally:
            self.foreign.board.wipe()  # the driver went over its lines by itself
        return Usage(*struct.unpack("<QQQQQQ", answer))

    def close(self) -> None:
        """Let the child end."""
        if self.over:
            return
        self.over = True
        self.foreign.send(b"Q")
        answer = self.foreign.receive(START_SECONDS)
        if answer is None or answer[:1] != b"X":
            self.kill()
            self.foreign.receive(START_SECONDS)


def oom_kills() -> int:
    """How many processes Linux has killed since memory ran out, on the whole machine; 0 where it does not say."""
    try:
        words = Path("/proc/vmstat").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0


def loadable(name: str) -> IO[bytes] | None:
    """A copy of the library that dlopen takes, which goes when it is closed; None where the library itself will do."""
    data = b"" if name == "system" else opened(Path(name))
    if not data:
        return None
    copy = tempfile.NamedTemporaryFile(prefix="m4alloc-", suffix=".so")  # noqa: SIM115 - lives as long as the driver
    copy.write(data)
    copy.flush()
    return copy


def batches(instructions: Instructions) -> Iterator[tuple[int, int]]:
    """Where to cut instructions into batches of CAPACITY at most: never between a directive and its end.

    Raises ValueError: what stands between the two is more than a batch.

    >>> list(batches(np.zeros(CAPACITY + 1, INSTRUCTION))) == [(0, CAPACITY), (CAPACITY, CAPACITY + 1)]
    True
    """
    if len(instructions) <= CAPACITY:
        yield 0, len(instructions)
        return
    labels = instructions["function"] == Function.LABEL
    opens = labels & np.isin(instructions["count"], (Directive.PARALLEL, Directive.REPEAT))
    closes = labels & np.isin(instructions["count"], (Directive.JOIN, Directive.END_REPEAT))
    inside = np.cumsum(opens.astype(np.int64) - closes.astype(np.int64))
    start = 0
    while start < len(instructions):
        stop = min(start + CAPACITY, len(instructions))
        while stop < len(instructions) and stop > start and inside[stop - 1]:
            stop -= 1
        if stop == start:
            raise ValueError(f"what is repeated or runs in parallel holds at most {CAPACITY} instructions")
        yield start, stop
        start = stop


def signed(address: int) -> int:
    """The address as the signed number that an instruction has room for.

    >>> signed(2**64 - 1)
    -1
    """
    return address - (1 << 64) if address >> 63 else address
