"""Cut a plan down to the fewest requests that show one fault of an allocator in Python, inside its process."""

from __future__ import annotations

import signal
import time
from typing import Any

from m4alloc.check.hunt import clause
from m4alloc.check.judgement import Broken, Terms, judge
from m4alloc.check.local import LocalTarget
from m4alloc.check.operation import Operation
from m4alloc.check.scripted import told
from m4alloc.check.shrink import shrunk
from m4alloc.check.target import EndedError, Episode
from m4alloc.grade.isolate import told as in_words
from m4alloc.grade.policy_load import PolicyError
from spec.event import NEVER_RETURNED, Event, Function
from spec.script_history import from_events
from spec.script_writer import render

SHRINKING = 6.0
"""Seconds that shrinking a fault may take."""
ATTEMPT = 2.0
"""Seconds that one smaller plan may take; then it hangs, which is another fault."""


class NoAnswerError(Exception):
    """The allocator took too long."""


def give_up(number: int, frame: object) -> None:
    """Raise NoAnswerError wherever the process is now."""
    raise NoAnswerError


class Shrinking:
    """Cuts a plan down to the fewest requests that show one fault: a broken rule, or an exception."""

    def __init__(
        self, target: LocalTarget, terms: Terms, broken: Broken | None, error: BaseException | None, file: str
    ) -> None:
        self.target, self.terms, self.broken, self.error, self.file = target, terms, broken, error, file
        self.until = time.monotonic() + SHRINKING

    def look(self, plan: list[Operation]) -> tuple[list[Event], Broken | None, BaseException | None]:
        """The history of a plan, and what is wrong with it."""
        with self.target.begin() as session:
            try:
                for operation in plan:
                    session.run(operation)
                session.sweep()
            except EndedError as ended:
                return ended.episode.events, judge(ended.episode, self.terms), None
            except Exception as error:
                pending = session.executor.resolve(operation)
                events = [*session.events]
                if pending is not None:
                    events.append(pending._replace(flags=pending.flags | NEVER_RETURNED))
                return events, None, error
            return session.events, judge(Episode(session.events), self.terms), None

    def fails(self, plan: list[Operation]) -> bool:
        """Whether the plan shows the same fault; no plan does when the time is over."""
        if time.monotonic() > self.until:
            return False
        try:
            signal.setitimer(signal.ITIMER_REAL, ATTEMPT)
            _, broken, error = self.look(plan)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except NoAnswerError:  # while the history was judged
            return False
        if self.broken is not None:
            return broken is not None and broken.rule.name == self.broken.rule.name
        return type(error) is type(self.error)

    def fault(self, plan: list[Operation]) -> dict[str, Any]:
        """The fault with the smallest script that was found, as fields of Fault."""
        if self.fails(plan):
            plan = shrunk(plan, self.fails)
        events, broken, error = self.look(plan)
        if self.broken is not None:
            broken = broken or self.broken
            script = told(events[: broken.number + 1], self.terms)
            found = {"message": broken.message, "rule": broken.rule.name, "source": clause(broken, self.terms)}
        else:
            script = from_events(events, self.terms.settings())
            found = {"message": f"it raised {in_words(error or self.error or PolicyError(), self.file)}"}
        requests = sum(event.function < Function.LOAD for event in events)
        return {**found, "script": render(script), "requests": requests}
