"""Is one capability term a refinement of another: keeps its traps, yields and writes the same, widens nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence

from capability.cheri.isa import Isa
from m4alloc.superopt.cheri.layout import layout_of
from m4alloc.superopt.cheri.lemmas import PROVED
from m4alloc.superopt.cheri.model import holds
from m4alloc.superopt.cheri.notation import parsed
from m4alloc.superopt.cheri.refute import environment_of
from m4alloc.superopt.cheri.smt import Answer, Question, ask, is_possible
from m4alloc.superopt.cheri.term import WRITES, Sort, Term, TermError, conjunction, operators, variables
from m4alloc.superopt.cheri.trial import Failure, comparable, replayed, trial
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.verdict import Outcome, Stage, Verdict


def refines(
    source: Term,
    target: Term,
    conditions: Sequence[Fact] = (),
    *,
    isa: Isa,
    strict: bool = True,
    seconds: float = 10.0,
    count: int = 200,
) -> Verdict:
    """Is `target` a refinement of `source` on this instruction set, where the conditions hold?

    conditions: facts in the language of terms: "tag(c) and not sealed(c)", "within(c, addr(c), 64)".  strict: untagged
    values count in every field, else by their address.  count: inputs tried first.  A counterexample is one that the
    concrete model has run; a claim that it does not confirm, a term without formulas and a time-out are UNKNOWN.
    Raises TermError for a condition that cannot be read.

    >>> from capability.cheri.isa import ISAV9_128
    >>> narrow, once = parsed("set(set(c, m), n)"), parsed("set(c, n)")
    >>> verdict = refines(narrow, once, isa=ISAV9_128)
    >>> verdict.outcome.value, verdict.reason
    ('counterexample', 'gains a tag: vulnerability')
    >>> refines(narrow, once, [Fact("within(c, addr(c), m) and n <= m")], isa=ISAV9_128).accepted
    True
    """
    started = time.monotonic()
    stages: list[Stage] = []
    given = tuple(conditions)
    reason = comparable(source, target, isa)
    condition = conjunction(*(_condition(fact, source) for fact in given))

    def verdict(
        outcome: Outcome, method: str, reason: str = "", failure: Failure | None = None, *, timed_out: bool = False
    ) -> Verdict:
        return Verdict(
            outcome,
            method,
            reason,
            None if failure is None else failure.counterexample,
            given,
            _obligations(source, strict) if outcome is Outcome.REFINES else (),
            tuple(stages),
            time.monotonic() - started,
            timed_out=timed_out,
        )

    if reason:
        return verdict(Outcome.UNKNOWN, "none", reason)
    if source == target:
        return verdict(Outcome.REFINES, "identity")
    tried = trial(source, target, condition, isa, count=count, strict=strict)
    found = "a difference" if tried.failure else f"no difference on {tried.tried} of {tried.drawn} inputs"
    stages.append(Stage("tests", found, time.monotonic() - started))
    if tried.failure is not None:
        return verdict(Outcome.COUNTEREXAMPLE, "tests", _effect(tried.failure), tried.failure)
    try:
        layout = layout_of(isa)
        if not tried.tried and is_possible(Question(source, target, condition, layout, strict)) is False:
            return verdict(
                Outcome.UNKNOWN, "SMT", "no input satisfies the conditions, so that a proof would say nothing"
            )
        answer = _asked(source, target, condition, isa, strict=strict, seconds=seconds, stages=stages)
    except TermError as error:
        return verdict(Outcome.UNKNOWN, "SMT", str(error))
    if answer.outcome == "proved":
        return verdict(Outcome.REFINES, f"SMT at full width, {answer.by}")
    if answer.model is None:
        return verdict(Outcome.UNKNOWN, "SMT", answer.reason, timed_out=True)
    environment = environment_of(answer.model, isa)
    failure = replayed(source, target, environment, isa, strict=strict) if holds(condition, environment, isa) else None
    if failure is None:
        return verdict(Outcome.UNKNOWN, "SMT", "z3 has a counterexample that the concrete model does not confirm")
    return verdict(Outcome.COUNTEREXAMPLE, "SMT", _effect(failure), failure)


def _condition(fact: Fact, source: Term) -> Term:
    term = parsed(fact.text, {**variables(source)})
    if term.sort is not Sort.BOOL:
        raise TermError(f"{fact.text}: a condition is a bool, and this is {term.sort.value}")
    return term


def _asked(
    source: Term, target: Term, condition: Term, isa: Isa, *, strict: bool, seconds: float, stages: list[Stage]
) -> Answer:
    """First from the lemmas, which proves or says nothing; then worked out."""
    layout = layout_of(isa)
    if layout.format in PROVED:
        opened = Question(source, target, condition, layout, strict, by_lemmas=True)
        answer = ask(opened, seconds=seconds / 2, whole=seconds / 2, ways=())
        found = answer.outcome if answer.outcome == "proved" else "open"
        stages.append(Stage("SMT from lemmas", found, answer.seconds))
        if answer.outcome == "proved":
            return Answer("proved", 1, answer.seconds, by="from lemmas")
    worked = Question(source, target, condition, layout, strict)
    answer = ask(worked, seconds=seconds, whole=seconds / 2)
    stages.append(Stage("SMT worked out", answer.outcome, answer.seconds))
    return answer


def _effect(failure: Failure) -> str:
    return f"{failure.effect.value}: {failure.effect.verdict}"


def _obligations(source: Term, strict: bool) -> tuple[str, ...]:
    fields = "in every field, untagged values too" if strict else "untagged values by their address only"
    claims = [
        "a trap of the source is a trap of the target, for the same reason, and there is no other",
        f"the value is the same, {fields}",
        "a tagged result has no address, no permission and no lost seal that the source's has not",
    ]
    if operators(source) & WRITES:
        claims.append("the writes are the same, in the same order")
    return tuple(claims)
