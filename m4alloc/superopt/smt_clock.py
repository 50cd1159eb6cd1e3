"""Queries to z3 under one budget of time, and what comes of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import z3

from m4alloc.superopt.smt_values import Term, both

METHOD = "SMT"
GRACE = 0.5
"""Seconds that z3 may overshoot its own limit before it is interrupted."""
KEYBOARD = "interrupted from keyboard"
"""What z3 says of a query that Ctrl-C ended."""


class Watch:
    """Interrupts a query that runs past its deadline: one thread for all queries of a process, as making one for each
    costs as much as a query."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadline = float("inf")
        self._process = 0

    def begin(self, seconds: float) -> None:
        """From now on the running query is interrupted after so many seconds."""
        with self._lock:
            self._deadline = time.monotonic() + seconds
            if self._process != os.getpid():  # a forked child has none of its parent's threads
                self._process = os.getpid()
                threading.Thread(target=self._run, name="z3 watch", daemon=True).start()

    def end(self) -> None:
        """No query runs."""
        with self._lock:
            self._deadline = float("inf")

    def _run(self) -> None:
        while True:
            time.sleep(GRACE / 2)
            with self._lock:
                if time.monotonic() > self._deadline:
                    z3.main_ctx().interrupt()


WATCH = Watch()


@dataclass
class Clock:
    """One budget of seconds for many queries.

    z3's own limit is kept only roughly, so that a watch interrupts what runs over; `queries` counts.
    """

    seconds: float
    started: float = field(default_factory=time.monotonic)
    queries: int = 0

    @property
    def left(self) -> float:
        """Seconds that remain."""
        return self.seconds - (time.monotonic() - self.started)

    def check(
        self, terms: Sequence[Term], *, quantified: bool = False, limit: float = float("inf")
    ) -> tuple[z3.CheckSatResult, z3.ModelRef | None]:
        """z3's answer, with a model where there is one; unknown when the time is up, or this query's `limit`."""
        left = min(self.left, limit)
        if left <= 0:
            return z3.unknown, None
        self.queries += 1
        solver = z3.Solver() if quantified else z3.SolverFor("QF_ABV")
        solver.set("timeout", max(1, int(left * 1000)))
        solver.add(*terms)
        WATCH.begin(left + GRACE)
        try:
            result = solver.check()
            if result == z3.unknown and solver.reason_unknown() == KEYBOARD:
                raise KeyboardInterrupt  # z3 has taken the signal, so that Python does not know of it
            return result, solver.model() if result == z3.sat else None
        except z3.Z3Exception:
            return z3.unknown, None
        finally:
            WATCH.end()


@dataclass(frozen=True)
class Answer:
    """refuted: by the model, for which `bad` holds under every choice of the source; proved; or neither, and why."""

    proved: bool = False
    model: z3.ModelRef | None = None
    renamed: tuple[tuple[Term, Term], ...] = ()
    """What stands in the model for the observation's own variables."""
    reason: str = ""
    method: str = "SMT"
    timed_out: bool = False


def variables(term: Term) -> dict[str, Term]:
    """The uninterpreted constants of a term, by name."""
    found: dict[str, Term] = {}
    seen: set[int] = set()
    stack = [term]
    while stack:
        node = stack.pop()
        key = node.get_id()
        if key in seen:
            continue
        seen.add(key)
        children = node.children()
        if children:
            stack += children
        elif z3.is_const(node) and node.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            found[node.decl().name()] = node
    return found


def gave_up(clock: Clock) -> str:
    """The reason of a time-out."""
    return f"z3 gave up after {clock.seconds:.1f} s"


def out_of_time(clock: Clock) -> Answer:
    """Neither proved nor refuted, for want of time."""
    return Answer(reason=gave_up(clock), timed_out=True)


def possible(clock: Clock, *terms: Term) -> bool | None:
    """The terms can hold together; None when z3 does not know."""
    result, _ = clock.check([both(*terms)])
    return None if result == z3.unknown else bool(result == z3.sat)
