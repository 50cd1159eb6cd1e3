"""Grade an allocator written in Python: each trace judged by the contract, its pages counted, and timed, in a child."""

from __future__ import annotations

import shlex
import signal
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from m4alloc.check import adapter
from m4alloc.check.adapter_memory import Blind
from m4alloc.check.hunt import clause
from m4alloc.check.judgement import Terms, judge
from m4alloc.check.local import LocalTarget
from m4alloc.check.progress import Progress
from m4alloc.check.target import EndedError, Episode
from m4alloc.grade.isolate import Outcome, isolated
from m4alloc.grade.isolate import told as in_words
from m4alloc.grade.outcome import Graded, GradeError
from m4alloc.grade.plan import functions_of, missing, operations
from m4alloc.grade.policy_checked import surveyed
from m4alloc.grade.policy_load import PolicyError, load
from m4alloc.grade.policy_shrink import SHRINKING, NoAnswerError, Shrinking, give_up
from m4alloc.grade.policy_time import RACES, timed, timed_reference
from m4alloc.grade.report import Checked, Fault, Measured
from m4alloc.grade.traces import peak_live
from m4alloc.tune.workload import Kind, Workload
from m4alloc.view.quantity import plural
from spec.event import Event, Function

PAGE = 4096
MEMORY = 8 << 30
"""Bytes of addresses that a student's process may add: what grows without an end ends there, and not the machine."""
NO_ANSWER = "the process did not say what happened: the file has written into what is not its own, or replaced it"


class PolicyGrader:
    """One Python file, to be graded on traces one after the other.

    path: FILE.py, or FILE.py:CLASS. timeout: seconds that a trace may take. Raises GradeError: it is no Python, cannot
    be imported, or holds no allocator.
    """

    kind = "python"
    reference = "the reference allocator in Python"

    def __init__(self, path: str, timeout: float) -> None:
        file, _, self.wanted = path.partition(".py:")
        self.path = f"{file}.py" if self.wanted else path
        self.timeout = timeout
        self.check_syntax()
        probe = self.isolated(partial(probed, self.path, self.wanted))
        if probe.problem:
            raise GradeError(f"{self.path} cannot be imported: {probe.problem}")
        if isinstance(probe.value, str):
            raise GradeError(probe.value)
        if not isinstance(probe.value, dict) or not {"functions", "blind"} <= {*probe.value}:
            raise GradeError(f"{self.path} cannot be graded: {NO_ANSWER}")
        self.functions = frozenset(Function(number) for number in probe.value["functions"])
        blind = "contents were not looked at: the class has no load(address, size) and store(address, bytes)"
        self.notes: tuple[str, ...] = (blind,) if probe.value["blind"] else ()

    def isolated(self, work: Callable[[], Any], more: float = 0.0) -> Outcome:
        """What comes of some work in a child, which has `more` seconds than a trace may take."""
        return isolated(work, self.timeout + more, memory=MEMORY, about=str(Path(self.path).resolve()))

    def check_syntax(self) -> None:
        """Raise GradeError, with the line, unless the file is Python."""
        try:
            source = Path(self.path).read_bytes()
            compile(source, self.path, "exec")
        except SyntaxError as error:
            line = (error.text or "").rstrip()
            caret = " " * max(0, (error.offset or 1) - 1) + "^"
            raise GradeError(f"{self.path}, line {error.lineno}: {error.msg}\n  {line}\n  {caret}") from error
        except (ValueError, OSError) as error:
            raise GradeError(f"{self.path}: {error}") from error

    def checked(self, budget: float, progress: Progress) -> tuple[Checked, bool]:
        """What directed plans show before the traces. Never interrupted: an interrupt ends the grade."""
        progress.phase("directed plans")
        work = partial(surveyed, self.path, self.wanted, self.functions, budget)
        seen = isolated(work, budget + 4 * SHRINKING, memory=MEMORY, about=str(Path(self.path).resolve()))
        if seen.problem:
            detail, fault = "directed plans", Fault(seen.problem)
            return Checked(0.0, 0, detail, 0, 0, Terms(adapter.OF_OBJECTS).standard, fault), False
        try:
            fault = seen.value.pop("fault")
            return Checked(**seen.value, fault=None if fault is None else Fault(**fault)), False
        except (TypeError, AttributeError, KeyError):
            raise GradeError(f"{self.path} cannot be graded: {NO_ANSWER}") from None

    def grade(self, workload: Workload) -> Graded:
        """Judge the trace, and measure it if the allocator is right."""
        absent = missing(workload, self.functions)
        if absent is not None:
            name, times = absent
            return Graded(fault=Fault(f"the trace calls {name} {plural(times, 'time')}, and the class has none"))
        work = partial(carried_out, self.path, self.wanted, workload, self.functions, self.timeout)
        seen = self.isolated(work, 2 * SHRINKING)
        if seen.problem:
            return Graded(fault=Fault(seen.problem))
        if "fault" in seen.value:
            return Graded(fault=Fault(**seen.value["fault"]))
        try:
            events = as_events(seen.value["events"])
        except (TypeError, ValueError, KeyError):
            return Graded(fault=Fault(NO_ANSWER))
        calls = [event for event in events if event.function < Function.LOAD]
        if len(calls) < len(workload) and all(call.result or call.function is Function.FREE for call in calls):
            return Graded(fault=Fault(NO_ANSWER))
        terms = Terms(adapter.OF_OBJECTS)
        broken = judge(Episode(events), terms)  # once more, where the file has never been
        if broken is not None:
            return Graded(fault=Fault(broken.message, broken.rule.name, clause(broken, terms)))
        mine, theirs = [], []
        for _ in range(RACES):
            race = self.isolated(partial(timed, self.path, self.wanted, workload, self.functions))
            if race.problem:
                return Graded(fault=Fault(f"while it was timed: {race.problem}"))
            if not isinstance(race.value, float) or race.value <= 0:
                return Graded(fault=Fault(NO_ANSWER))
            mine.append(race.value)
            theirs.append(isolated(partial(timed_reference, workload, self.functions), 600).value)
        median = statistics.median
        return Graded(
            Measured(
                **taken(workload, events),
                peak_live=peak_live(workload)[0],
                seconds=median(mine),
                reference_seconds=median(theirs),
            )
        )

    def replay_command(self, file: str) -> str:
        """How a script is carried out again: a script is a trace, too."""
        return shlex.join(["m4alloc", "grade", f"{self.path}:{self.wanted}" if self.wanted else self.path, file])

    def events(self, workload: Workload) -> list[Event]:
        """The trace's history on this allocator, for a picture of its heap; nothing when it crashes or hangs."""
        seen = self.isolated(partial(history, self.path, self.wanted, workload, self.functions))
        return [] if seen.problem else as_events(seen.value)


def probed(path: str, wanted: str) -> dict[str, Any] | str:
    """The functions that the allocator has, and whether its memory is out of reach; or why there is none."""
    try:
        target = adapter.from_object(load(path, wanted))
    except PolicyError as error:
        return str(error)
    return {"functions": [int(function) for function in target.functions], "blind": target.executor is Blind}


def carried_out(
    path: str, wanted: str, workload: Workload, functions: frozenset[Function], seconds: float
) -> dict[str, Any]:
    """What the trace took, or the fault that it showed: to be run in a child.

    seconds: that the trace may take; when they are over, the line is told where the allocator then is.
    """
    target = adapter.from_object(load(path, wanted))
    terms = target.terms()
    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    events, error = run(target, workload, functions)
    signal.setitimer(signal.ITIMER_REAL, 0)
    if isinstance(error, NoAnswerError):
        made = sum(event.function < Function.LOAD for event in events)
        where = in_words(error, str(Path(path).resolve())).removeprefix("NoAnswerError").lstrip(": ")
        late = f"no answer after {seconds:g} s, in request {made + 1:,} of {len(workload):,}"
        return {"fault": {"message": f"{late} {where}".rstrip()}}
    broken = None if error is not None else judge(Episode(events), terms)
    if error is None and broken is None:
        return {"events": rows(events)}
    stop = len(workload) if broken is None else min(len(workload), broken.number + 2)
    stop = min(stop, sum(event.function < Function.LOAD for event in events) + 1)
    plan = operations(workload, functions, stop)
    return {"fault": Shrinking(target, terms, broken, error, str(Path(path).resolve())).fault(plan)}


def run(
    target: LocalTarget, workload: Workload, functions: frozenset[Function]
) -> tuple[list[Event], BaseException | None]:
    """The history of the trace on a fresh allocator, up to the exception that ended it, if one did."""
    places = [0] * (workload.blocks + 1)
    columns = (functions_of(workload, functions), workload.kind, workload.block, workload.size, workload.alignment)
    with target.begin() as session:
        for function, kind, block, size, alignment in zip(*(column.tolist() for column in columns), strict=True):
            if kind != Kind.ALLOCATE and not places[block]:
                continue  # the request for it failed
            address = 0 if kind == Kind.ALLOCATE else places[block]
            try:
                seen = session.request(Event(Function(function), 0, address, size, 1, alignment))
            except EndedError as ended:
                return ended.episode.events, None if judge(ended.episode, target.terms()) else ended
            except Exception as error:
                return session.events, error
            reply = seen[-1]
            places[block] = reply.result if kind != Kind.RESIZE or reply.result else places[block]
        session.sweep()
        return session.events, None


def taken(workload: Workload, events: list[Event]) -> dict[str, Any]:
    """The pages in which requested bytes ever lay, and what the live blocks could hold at the peak of live bytes."""
    pages: set[int] = set()
    live: dict[int, tuple[int, int]] = {}
    held = usable = most = 0
    known = True
    for event in events:
        if event.function in (Function.FREE, Function.REALLOC) and event.address in live:
            size, room = live.pop(event.address)
            held, usable = held - size, usable - room
        if event.result and event.function < Function.LOAD:
            known = known and event.usable >= 0
            size = event.request_size
            room = event.usable if event.usable >= 0 else size
            live[event.result] = size, room
            held, usable = held + size, usable + room
            pages.update(range(event.result // PAGE, (event.result + max(size, 1) - 1) // PAGE + 1))
        if held > most:
            most, then = held, usable
    return {"footprint": PAGE * len(pages), "usable": then if known and most else None}


def history(path: str, wanted: str, workload: Workload, functions: frozenset[Function]) -> list[tuple[Any, ...]]:
    """The trace's events as far as they are numbers: to be run in a child."""
    events, _ = run(adapter.from_object(load(path, wanted)), workload, functions)
    return rows(events)


def rows(events: list[Event]) -> list[tuple[Any, ...]]:
    """Events as plain data: fields that are numbers, as such, and then the label."""
    return [(*map(int, event[:-1]), event.label) for event in events]


def as_events(plain: list[Any]) -> list[Event]:
    """The same events again."""
    return [Event(Function(row[0]), *row[1:]) for row in plain]
