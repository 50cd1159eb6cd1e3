"""What a script of a finding shows: the rule that broke, its clause, the step that broke it, and the story."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from spec.acceptor import Acceptor
from spec.contract import EXPECTATIONS, RULES, Rule
from spec.error import Violation
from spec.event import ACCESSING, NOT_OBSERVED, Event
from spec.history import Phase, points
from spec.script_history import recorded
from spec.script_words import REPLYING
from spec.script_writer import line_of
from spec.statement import Script, Step


@dataclass(frozen=True, slots=True)
class Shown:
    """What a script shows.

    step: the place in `script.steps` of the step that breaks the rule. message: what happened, in the specification's
    words; empty when the script has no replies. violation: the finding itself, when the replies give it.
    """

    rule: Rule
    clause: str
    step: int
    message: str = ""
    violation: Violation | None = None


def shown(script: Script, rule: Rule | None = None, message: str = "") -> Shown | None:
    """The last violation that the script claims, or the first that its replies hold; None when there is neither.

    rule, message: what was found, where whoever found it knows better (a rule that no single history shows).
    Cost: one pass of the acceptor over the script.

    >>> from spec.script import parse
    >>> seen = shown(parse("a = malloc 24 -> 0x1000\\nb = malloc 24 -> 0x1010   ! violates result-disjoint"))
    >>> seen.rule.name, seen.clause, seen.step
    ('result-disjoint', 'glibc malloc(3)', 1)
    >>> seen.message[:71]
    'malloc(24) at event 2 returned 0x1010 with 24 bytes, 16 bytes into bloc'
    """
    acceptor = judge_of(script)
    claims = ((number, claim) for number, step in enumerate(script.steps) for claim in step.claims)
    claimed = [(number, claim.words[0]) for number, claim in claims if claim.kind == "violates"]
    found = list(violations(script)) if replied(script) else []
    if rule is None and claimed:
        step, name = claimed[-1]
        rule = RULES.get(name) or EXPECTATIONS[name]
    elif rule is None and found:
        step, rule = found[0][0], found[0][1].rule
    elif rule is None:
        return None
    else:
        step = claimed[-1][0] if claimed else len(script.steps) - 1
    clause = acceptor.contract.clause(rule)
    violation = next((one for number, one in found if number == step and one.rule.name == rule.name), None)
    if violation is not None and not message:
        message = violation.message
    if violation is not None:
        message = message.removesuffix(f"; the client broke its side at event {violation.after_misuse}")
    message = message.removesuffix(f" ({clause})").removesuffix(f" {rule.sentence}").removesuffix(".")
    return Shown(rule, clause, step, message, violation)


def replied(script: Script) -> bool:
    """Whether the script tells a history: each call that returns something has its reply."""
    calls = [step for step in script.steps if step.event is not None and step.event.function in REPLYING]
    return bool(calls) and all(step.replied for step in calls)


def judge_of(script: Script) -> Acceptor:
    """A fresh acceptor on the terms that the script gives."""
    arguments = script.settings.arguments()
    return Acceptor(**arguments)  # type: ignore[arg-type]


def told_events(script: Script) -> list[tuple[int, Event]]:
    """The event of each step that has one, with the step's place, for a script with replies."""
    blocks: dict[str, Event] = {}
    pairs = ((number, recorded(script, step, blocks)) for number, step in enumerate(script.steps))
    return [(number, event._replace()) for number, event in pairs if event is not None]


def violations(script: Script) -> Iterator[tuple[int, Violation]]:
    """What breaks the contract in a script with replies, each with the place of its step."""
    acceptor = judge_of(script)
    told = told_events(script)
    places = {id(event): number for number, event in told}
    for phase, event in points(event for _, event in told):
        found = acceptor.release(event) if phase != Phase.END else []
        found += acceptor.acquire(event) if phase != Phase.BEGIN else []
        yield from ((places[id(event)], one) for one in found if isinstance(one, Violation))


def asked(step: Step) -> Step:
    """The step without its reply, evidence and numbers: what is asked, and no more.

    >>> from spec.script import parse
    >>> line_of(asked(parse("@1 [3..4] a = malloc 24 -> 0x1000 usable 32   ! violates result-disjoint").steps[0]))
    '@1 a = malloc 24'
    """
    event = step.event
    if event is None:
        return step
    written = event.result if event.function in ACCESSING else 0
    kept = event._replace(
        address=0,  # of a pointer's own, or what posix_memalign found in *memptr
        result=written,
        errno=0,
        usable=NOT_OBSERVED,
        intact=NOT_OBSERVED,
        begin=0,
        end=0,
        time_ns=0,
        site=0,
        flags=0,
    )
    return replace(step, event=kept, replied=False, claims=())


def request_line(step: Step) -> str:
    """The line of `asked(step)`; a step that only claims keeps its claims."""
    return line_of(asked(step))
