"""Whether one function may stand in for another: a proof, an input that shows it may not, or why it is not known."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import z3

from m4alloc.superopt import (
    fact_terms,
    native,
    smt_attributes,
    smt_clock,
    smt_counterexample,
    smt_inputs,
    smt_solve,
    vectors,
)
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function, canonical
from m4alloc.superopt.smt_clock import Clock
from m4alloc.superopt.smt_function import Encoding, encode
from m4alloc.superopt.smt_instructions import unknown_constants
from m4alloc.superopt.smt_refinement import Difference, difference
from m4alloc.superopt.smt_values import (
    FALSE,
    Choices,
    OutOfTimeError,
    Term,
    both,
    either,
    negation,
    scalars,
)
from m4alloc.superopt.verdict import Counterexample, Outcome, Stage, UnsupportedError, Verdict

METHOD = "SMT"
SAME = "comparison of the texts"
VACUOUS = "the source is undefined for every input"
MIXED = "the same bytes may be accessed as a pointer and as another value, which need not give the same bits"
CONTRADICTION = "the assumptions contradict each other"
ENCODING_FAILED = "the encoding failed: "
"""How a reason begins that tells of a mistake in the checker, not of a pair that is beyond it."""


_ONE_AT_A_TIME = threading.RLock()
"""z3's terms all live in one context, which is not for several threads."""


class SignatureError(ValueError):
    """Two functions that cannot stand in for each other, as their types differ."""


def check_signatures(source: Function, target: Function) -> None:
    """SignatureError, naming what differs, where the functions take or return different types."""
    if source.type != target.type:
        raise SignatureError(f"@{source.name} returns {source.type}, @{target.name} returns {target.type}")
    if len(source.arguments) != len(target.arguments):
        raise SignatureError(
            f"@{source.name} takes {len(source.arguments)} arguments, @{target.name} takes {len(target.arguments)}"
        )
    for number, (theirs, ours) in enumerate(zip(source.arguments, target.arguments, strict=True), 1):
        if theirs.type != ours.type:
            raise SignatureError(
                f"argument {number}: %{theirs.name} of @{source.name} is {theirs.type}, "
                f"%{ours.name} of @{target.name} is {ours.type}"
            )


@dataclass
class _Check:
    """One check of one pair."""

    source: Function
    target: Function
    facts: tuple[Fact, ...]
    clock: Clock
    shared: bool
    unroll: int
    partly: bool = False

    def run(self) -> Verdict:
        for function in (self.source, self.target):
            if not function.blocks:
                raise UnsupportedError(f"@{function.name} has no body")
        smt_attributes.refuse_new_promises(self.source, self.target)
        named = set().union(*(fact_terms.names(fact) for fact in self.facts))
        demanded = {number for number, one in enumerate(self.source.arguments) if one.name in named}
        claims: dict[str, None] = {}
        methods: dict[str, None] = {}
        vacuous = True
        for modes in smt_inputs.cases(self.source, self.target, demanded):
            verdict, is_vacuous = self._case(modes, demanded)
            if verdict.accepted and smt_inputs.mixes_kinds(self.source, self.target):
                # LLVM leaves open what a pointer's bytes are as an integer: their bits or poison, so both are tried.
                verdict = self._case_of_kinds(modes, demanded, verdict)
            if not verdict.accepted:
                return verdict
            vacuous = vacuous and is_vacuous
            claims.update(dict.fromkeys(verdict.obligations))
            methods[verdict.method] = None
        if vacuous:
            claims = {VACUOUS: None}
        method = max(methods, key=len)
        return Verdict(Outcome.REFINES, method, obligations=tuple(claims), vacuous=vacuous)

    def _premises(self) -> list[Term]:
        terms = {}
        for index, argument in enumerate(self.source.arguments):
            bits = smt_inputs.bits_of(index, argument.type)
            if bits is not None:
                terms[argument.name] = bits
        return fact_terms.conditions(self.facts, terms)

    def _case_of_kinds(self, modes: tuple[str, ...], demanded: set[int], loose: Verdict) -> Verdict:
        """The verdict for bits taken as they are, where it holds too if bytes of the other kind are poison."""
        strict, _ = self._case(modes, demanded, strict=True)
        if strict.accepted:
            return loose
        reason = MIXED if strict.outcome is Outcome.COUNTEREXAMPLE else strict.reason
        return Verdict(Outcome.UNKNOWN, METHOD, reason, timed_out=strict.timed_out)

    def _case(self, modes: tuple[str, ...], demanded: set[int], strict: bool = False) -> tuple[Verdict, bool]:
        world = smt_inputs.world_of(self.source, self.target, self.shared, strict)
        world.deadline = time.monotonic() + self.clock.left
        sides = Choices("s!"), Choices("t!")
        given = smt_inputs.inputs(world, self.source, self.target, modes, demanded, sides)
        source = encode(self.source, world, sides[0], given.source, given.source_undefined, unroll=self.unroll)
        target = encode(
            self.target, world, sides[1], given.target, given.target_undefined, unroll=self.unroll, is_target=True
        )
        premises = self._premises()
        found = difference(source, target, world)
        premises += world.facts
        doubts = [*source.doubts, *target.doubts]
        exhausted = either(source.exhausted, target.exhausted)
        sure = both(negation(either(*(doubt for doubt, _ in doubts))), negation(exhausted))
        question = smt_solve.Question(
            both(*premises, sure, found.bad),
            sides[0],
            sides[1],
            found.observed,
            _hints(target),
            _has_products(self.source) or _has_products(self.target),
            negation(either(*world.undef)),
        )
        if self.partly:
            question = smt_solve.from_one_set(question)
        answer = smt_solve.decide(question, self.clock)
        if answer.model is not None:
            reader = smt_counterexample.Reader(answer.model, answer.renamed, world)
            return self._refuted(reader, source, target, question.bad, found, given), False
        if not answer.proved:
            return Verdict(Outcome.UNKNOWN, METHOD, answer.reason, timed_out=answer.timed_out), False
        for doubt, reason in doubts:
            if (doubtful := smt_clock.possible(self.clock, *premises, doubt)) is not False:
                return Verdict(Outcome.UNKNOWN, METHOD, reason, timed_out=doubtful is None), False
        if exhausted is not FALSE:
            runs_on = smt_clock.possible(self.clock, *premises, exhausted, negation(source.undefined))
            if runs_on is not False:
                reason = f"a loop may run more often than it was unrolled ({self.unroll} times)"
                return Verdict(Outcome.UNKNOWN, METHOD, reason, timed_out=runs_on is None), False
        claims = found.claims
        if source.has_loop or target.has_loop:
            claims = (*claims, f"no loop is repeated more than {self.unroll} times under the assumptions")
        return Verdict(Outcome.REFINES, answer.method, obligations=claims), self._is_vacuous(premises, source)

    def _is_vacuous(self, premises: list[Term], source: Encoding) -> bool:
        if source.undefined is FALSE:
            return False
        return smt_clock.possible(self.clock, *premises, negation(source.undefined)) is False

    def _refuted(
        self,
        reader: smt_counterexample.Reader,
        source: Encoding,
        target: Encoding,
        bad: Term,
        found: Difference,
        given: smt_inputs.Inputs,
    ) -> Verdict:
        """The counterexample, after its own evaluation under the model."""
        if not reader.holds(bad):
            return Verdict(Outcome.UNKNOWN, METHOD, "z3's counterexample did not stand up to evaluation")
        for constant in (*unknown_constants(self.source), *unknown_constants(self.target)):
            reason = f"it depends on the constant {constant}, whose value is not known here"
            return Verdict(Outcome.UNKNOWN, METHOD, reason)
        functions, encodings = (self.source, self.target), (source, target)
        text = smt_counterexample.build(reader, functions, encodings, given.shown, found)
        return Verdict(Outcome.COUNTEREXAMPLE, METHOD, counterexample=text)


def _has_products(function: Function) -> bool:
    return any("mul.with.overflow" in one.callee or (one.opcode == "mul" and "nuw" in one.flags) for one in function)


def _hints(target: Encoding) -> tuple[Term, ...]:
    """The target's result and what it stores: what a free choice of the source may have to equal."""
    found = [lane.bits for lane in scalars(target.result)] if target.result is not None else []
    for access in target.accesses:
        found += [lane.bits for lane in access.value]
    return tuple(found)


def refines(
    source: Function,
    target: Function,
    facts: Sequence[Fact] = (),
    *,
    seconds: float = 10.0,
    shared: bool = False,
    unroll: int = 0,
    partly: bool = False,
) -> Verdict:
    """Whether `target` may stand in for `source`, by SMT, for every input on which the facts hold.

    seconds: the whole budget; z3 may overshoot by about half a second.  shared: another thread may access the memory,
    so that the sequence of accesses must stay the same.  unroll: how often a loop may be repeated; a proof needs the
    bound to be exhaustive.  partly: an integer argument may also be undef in part, one of some values at each use, as
    `or undef, 1` is; else undef as a whole or not at all.  Arguments are matched by position; the facts name the
    source's.
    Raises SignatureError where types differ, FactError for a fact that is not in the language.  Where the checker
    itself stumbles, the verdict is UNKNOWN with a reason that begins with ENCODING_FAILED.
    Cost: milliseconds for the usual; products and divisions at 32 bits and more may use the whole budget.
    """
    started = time.monotonic()
    check_signatures(source, target)
    clock = Clock(seconds)
    facts = tuple(facts)
    check = _Check(source, target, facts, clock, shared, unroll, partly)
    try:
        with _ONE_AT_A_TIME:
            verdict = _consistent(check) or check.run()
    except UnsupportedError as reason:
        late = isinstance(reason, OutOfTimeError)
        verdict = Verdict(Outcome.UNKNOWN, METHOD, str(reason), timed_out=late)
    except (z3.Z3Exception, RecursionError) as error:
        verdict = Verdict(Outcome.UNKNOWN, METHOD, f"z3 failed: {error}")
    except (AssertionError, AttributeError, IndexError, KeyError, TypeError) as error:
        # A search must not end because one proposal is odder than the encoding foresaw; it is never accepted either.
        verdict = Verdict(Outcome.UNKNOWN, METHOD, f"{ENCODING_FAILED}{type(error).__name__}: {error}")
    if verdict.outcome is Outcome.UNKNOWN and verdict.reason != CONTRADICTION and _is_same(source, target):
        verdict = Verdict(Outcome.REFINES, SAME, obligations=("both are the same function",))
    spent = time.monotonic() - started
    stage = Stage(METHOD, verdict.outcome.value, spent)
    return replace(verdict, assumptions=facts, seconds=spent, stages=(stage,))


def _is_same(source: Function, target: Function) -> bool:
    """They differ in names at most, so that even what is not understood does the same."""
    return canonical(source) == canonical(replace(target, name=source.name))


def _consistent(check: _Check) -> Verdict | None:
    """An UNKNOWN verdict where the facts cannot hold together; None where they can."""
    if not check.facts:
        return None
    possible = smt_clock.possible(check.clock, *check._premises())
    if possible:
        return None
    if possible is False:
        return Verdict(Outcome.UNKNOWN, METHOD, CONTRADICTION)
    return Verdict(Outcome.UNKNOWN, METHOD, smt_clock.gave_up(check.clock), timed_out=True)


def funnel(
    source: Function,
    target: Function,
    facts: Sequence[Fact] = (),
    *,
    seconds: float = 10.0,
    shared: bool = False,
    unroll: int = 0,
) -> Verdict:
    """`refines`, after cheaper attempts to refute: a few hundred inputs, then all inputs of small functions natively.

    Arguments and errors are those of `refines`; each stage that ran is in `stages`.  Only `refines` can accept here
    (elsewhere judge_proof.on_every_input, which runs every input, and idioms_sums, which compares tables of all bytes).
    Cost: 2 to 10 ms for the tests, 5 to 10 ms for the native run, then that of `refines`.
    """
    check_signatures(source, target)
    started = time.monotonic()
    stages: list[Stage] = []
    for name, attempt in (("tests", _tested), ("exhaustive natively", _run_natively)):
        began = time.monotonic()
        found, result = attempt(source, target, tuple(facts))
        stages.append(Stage(name, result, time.monotonic() - began))
        if found is not None:
            return Verdict(
                Outcome.COUNTEREXAMPLE,
                name,
                counterexample=found,
                assumptions=tuple(facts),
                stages=tuple(stages),
                seconds=time.monotonic() - started,
            )
    left = max(0.1, seconds - (time.monotonic() - started))
    verdict = refines(source, target, facts, seconds=left, shared=shared, unroll=unroll)
    return replace(verdict, stages=(*stages, *verdict.stages), seconds=time.monotonic() - started)


def _tested(source: Function, target: Function, facts: tuple[Fact, ...]) -> tuple[Counterexample | None, str]:
    """A counterexample among a few hundred inputs, and what to say of the attempt."""
    inputs = vectors.test_vectors(source, facts)
    theirs = None if inputs is None else vectors.run(source, inputs)
    ours = None if inputs is None or theirs is None else vectors.run(target, inputs)
    if inputs is None or theirs is None or ours is None:
        return None, "not covered"
    wrong = ~vectors.refines_on(theirs, ours)
    if not wrong.any():
        return None, f"no difference on {inputs.count} inputs"
    run = int(wrong.argmax())
    shown = tuple(
        (argument.name, _row_text(value)) for argument, value in zip(source.arguments, inputs.input(run), strict=True)
    )
    return Counterexample(shown, _result_text(theirs, run), _result_text(ours, run)), "refuted"


def _row_text(value: object) -> str:
    if isinstance(value, tuple):
        return f"<{', '.join(map(_row_text, value))}>"
    return "poison" if value is None else str(value)


def _result_text(results: vectors.Results, run: int) -> str:
    if results.ub[run]:
        return "undefined behaviour"
    lanes = [
        "poison" if lost else str(int(word))
        for word, lost in zip(results.value[:, run], results.poison[:, run], strict=True)
    ]
    return lanes[0] if len(lanes) == 1 else f"<{', '.join(lanes)}>"


def _run_natively(source: Function, target: Function, facts: tuple[Fact, ...]) -> tuple[Counterexample | None, str]:
    """A counterexample among all inputs, where they are few enough, and what to say of the attempt."""
    if not (native.supported(source) and native.supported(target)):
        return None, "not covered"
    try:
        found = native.refute(source, target, facts)
    except native.NativeError as error:
        return None, f"not run: {error}"
    return found, "no difference" if found is None else "refuted"
