"""Questions to z3 about two terms over the full encoding: may the target do what the source may not?

The question is put whole first. Where z3 does not answer in time it is put again for each exponent of each capability,
which with fixed shifts is easy; the cases cover all, so that together they are a proof at full width.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from m4alloc.superopt.cheri.layout import Layout
from m4alloc.superopt.cheri.symbol import Cap, Seen, Symbol, Unsupported
from m4alloc.superopt.cheri.symbolic import SymbolicMachine, observed
from m4alloc.superopt.cheri.term import Apply, Sort, Term, Variable, operators, subterms, variables
from m4alloc.superopt.cheri.words import FALSE, Truth, Word, every, joined, solver


@dataclass(frozen=True)
class Answer:
    """outcome: "proved", "refuted" or "unknown". model: for a refutation, variable to (upper, address, tag), an integer
    or a truth. cases: 1 where the question was put whole; by: how it was split."""

    outcome: str
    cases: int
    seconds: float
    reason: str = ""
    model: Mapping[str, tuple[int, int, bool] | int | bool] | None = None
    by: str = "whole"


@dataclass(frozen=True)
class Question:
    """The parts of a question, before it is put."""

    source: Term
    target: Term
    condition: Term
    layout: Layout
    strict: bool = True
    by_lemmas: bool = False

    @property
    def sorts(self) -> dict[str, Sort]:
        """Of all the variables."""
        return {**variables(self.source), **variables(self.target), **variables(self.condition)}

    @property
    def has_functions(self) -> bool:
        """Memory, and what is left open, are unknown functions, which takes another logic."""
        return self.by_lemmas or bool((operators(self.source) | operators(self.target)) & {"load", "loadcap"})

    def formula(self, environment: Mapping[str, Symbol]) -> tuple[Truth, Truth]:
        """What may be assumed, and what is then to be shown."""
        machine = SymbolicMachine(self.layout, by_lemmas=self.by_lemmas)
        given = [
            value.tag.implies(machine.derivable(value)) for value in environment.values() if isinstance(value, Cap)
        ]
        condition = observed(self.condition, environment, self.layout, by_lemmas=self.by_lemmas)
        assert isinstance(condition.value, Truth)
        given += [condition.value, ~condition.trapped]
        before = observed(self.source, environment, self.layout, by_lemmas=self.by_lemmas)
        after = observed(self.target, environment, self.layout, by_lemmas=self.by_lemmas)
        given += [*condition.facts, *before.facts, *after.facts]
        for loaded in (*before.loaded, *after.loaded):
            given.append(loaded.tag.implies(machine.derivable(loaded)))
        return every(*given), refinement(before, after, strict=self.strict)


def refinement(source: Seen, target: Seen, *, strict: bool) -> Truth:
    """The target traps where the source does, for the same reason, and else yields and writes the same.

    Raises Unsupported where the two write a different number of times.
    """
    kept = every(source.trapped, target.trapped, source.kind.eq(target.kind))
    value = every(~source.trapped, ~target.trapped, same(source.value, target.value, strict=strict))
    return every(kept | value, *_same_writes(source, target))


def _same_writes(source: Seen, target: Seen) -> Iterator[Truth]:
    if [event.what for event in source.events] != [event.what for event in target.events]:
        raise Unsupported("the two write a different number of times, or in another order")
    for one, other in zip(source.events, target.events, strict=True):
        equal = every(*(left.eq(right) for left, right in zip(one.words, other.words, strict=True)))
        yield one.guard.same(other.guard) & one.guard.implies(equal)


def same(source: Symbol, target: Symbol, *, strict: bool) -> Truth:
    """Equal, hence of no more authority; of untagged values only the address counts unless `strict`."""
    if isinstance(source, Cap) and isinstance(target, Cap):
        bits = source.upper.eq(target.upper)
        if not strict:
            bits = ~source.tag | bits
        return every(source.tag.same(target.tag), source.address.eq(target.address), bits)
    if isinstance(source, Word) and isinstance(target, Word):
        return source.eq(target)
    if isinstance(source, Truth) and isinstance(target, Truth):
        return source.same(target)
    if isinstance(source, tuple) and isinstance(target, tuple):
        if len(source) != len(target):
            return FALSE
        return every(*(same(one, other, strict=strict) for one, other in zip(source, target, strict=True)))
    return Truth(source is None and target is None)


def ask(
    question: Question,
    *,
    seconds: float = 60.0,
    whole: float = 5.0,
    patience: float = 8.0,
    ways: Sequence[Sequence[str]] | None = None,
) -> Answer:
    """Put the question whole for `whole` seconds; then in cases, by one way of splitting after the other, leaving each
    way but the last at the first case that takes longer than `patience`; until `seconds` have passed.
    ways: variables to fix together; by default each length, each capability, and both.

    Raises Unsupported for terms that have no formulas.
    """
    started = time.monotonic()
    answer = _put(question, fresh(question.sorts, question.layout), min(whole, seconds))
    if answer.outcome != "unknown":
        return replace(answer, seconds=time.monotonic() - started)
    ways = list(_ways(question)) if ways is None else list(ways)
    for number, way in enumerate(ways):
        is_last = number == len(ways) - 1
        for done, case in enumerate(cases(question, way)):
            left = seconds - (time.monotonic() - started)
            if left <= 0:
                return Answer("unknown", done, seconds, f"not decided in {seconds:g} s ({done} cases by {_named(way)})")
            answer = _put(question, case, left if is_last else min(left, patience))
            if answer.outcome == "unknown" and not is_last:
                break
            if answer.outcome != "proved":
                return replace(answer, cases=done + 1, seconds=time.monotonic() - started)
        else:
            return Answer("proved", done + 1, time.monotonic() - started, by=_named(way))
    return Answer("unknown", 0, time.monotonic() - started, answer.reason)


def _named(way: Sequence[str]) -> str:
    return f"each magnitude or exponent of {', '.join(way)}"


def _ways(question: Question) -> Iterator[tuple[str, ...]]:
    """Variables to fix together: the capabilities, each length alone, and each length with the capabilities."""
    capabilities = tuple(name for name, sort in question.sorts.items() if sort is Sort.CAP)[:1]
    lengths = [name for name in _lengths(question.source, question.target) if name in question.sorts]
    for name in lengths:
        yield (name,)
    if capabilities:
        yield capabilities
    for name in lengths:
        if capabilities:
            yield (*capabilities, name)


def _lengths(*terms: Term) -> list[str]:
    """Variables that stand where a length does."""
    found: dict[str, None] = {}
    for term in terms:
        for one in subterms(term):
            if isinstance(one, Apply) and one.operator in ("set", "setexact", "rounded", "mask"):
                last = one.operands[-1]
                if isinstance(last, Variable):
                    found[last.name] = None
    return list(found)


def _put(question: Question, environment: Mapping[str, Symbol], seconds: float) -> Answer:
    z3 = solver()
    started = time.monotonic()
    given, claim = question.formula(environment)
    hunt = given & ~claim
    if isinstance(hunt.raw, bool):
        if not hunt.raw:
            return Answer("proved", 1, time.monotonic() - started)
        hunt = Truth(z3.BoolVal(True))
    looking = z3.SolverFor("QF_UFBV" if question.has_functions else "QF_BV")
    looking.set("timeout", max(1, int(1000 * (seconds - (time.monotonic() - started)))))
    looking.add(hunt.raw)
    found = looking.check()
    passed = time.monotonic() - started
    if found == z3.unsat:
        return Answer("proved", 1, passed)
    if found == z3.sat:
        return Answer("refuted", 1, passed, model=_values(environment, looking.model()))
    return Answer("unknown", 1, passed, f"z3 gave up after {passed:.1f} s: {looking.reason_unknown()}")


def is_possible(question: Question, *, seconds: float = 10.0) -> bool | None:
    """Is there an input on which the condition holds?  None where z3 does not know."""
    z3 = solver()
    given, _ = question.formula(fresh(question.sorts, question.layout))
    if isinstance(given.raw, bool):
        return given.raw
    looking = z3.SolverFor("QF_UFBV" if question.has_functions else "QF_BV")
    looking.set("timeout", int(1000 * seconds))
    looking.add(given.raw)
    found = looking.check()
    return None if found == z3.unknown else bool(found == z3.sat)


def fresh(sorts: Mapping[str, Sort], layout: Layout) -> dict[str, Symbol]:
    """An unknown for each variable."""
    z3 = solver()
    found: dict[str, Symbol] = {}
    for name, sort in sorts.items():
        if sort is Sort.CAP:
            found[name] = Cap(
                Word(z3.BitVec(f"{name}.upper", layout.upper_bits), layout.upper_bits),
                Word(z3.BitVec(f"{name}.address", layout.address_bits), layout.address_bits),
                Truth(z3.Bool(f"{name}.tag")),
            )
        elif sort is Sort.BOOL:
            found[name] = Truth(z3.Bool(name))
        else:
            found[name] = Word(z3.BitVec(name, layout.address_bits), layout.address_bits)
    return found


def cases(question: Question, names: Sequence[str]) -> Iterator[dict[str, Symbol]]:
    """Environments that together cover all inputs: each exponent of the capabilities named, each number of leading
    zeros of the integers."""
    whole = fresh(question.sorts, question.layout)
    choices: list[list[tuple[str, Symbol]]] = []
    for name in names:
        value = whole[name]
        if isinstance(value, Cap):
            choices.append(
                [(name, value._replace(upper=upper)) for upper in _by_exponent(value.upper, question.layout)]
            )
        elif isinstance(value, Word):
            choices.append([(name, word) for word in _by_magnitude(value)])
    for chosen in product(*choices):
        yield {**whole, **dict(chosen)}


def _by_magnitude(word: Word) -> list[Word]:
    """The words with the number of leading zeros fixed."""
    width = word.width
    found = [Word(0, width), Word(1, width)]
    found += [joined(Word(1, width - count), word.bits(count - 1, 0)) for count in range(1, width)]
    return found


def _by_exponent(upper: Word, layout: Layout) -> list[Word]:
    """The upper words with the exponent fixed: not internal, and internal with each value of its field."""
    codec = layout.codec
    low, width = codec.split_bits, codec.mantissa
    rest = upper.bits(layout.upper_bits - 1, codec.width)
    flag = codec.internal_flag
    found = [joined(rest, Word(1 - flag, 1), upper.bits(codec.width - 2, 0))]
    for stored in range(1 << (2 * low)):
        high, bottom = Word(stored >> low, low), Word(stored, low)
        middle = [upper.bits(2 * width - 2, 2 * width - 2)] if codec.length_bit else []
        found.append(
            joined(
                rest,
                Word(flag, 1),
                *middle,
                upper.bits(2 * width - 3, width + low),
                high,
                upper.bits(width - 1, low),
                bottom,
            )
        )
    return found


def _values(environment: Mapping[str, Symbol], model: Any) -> dict[str, tuple[int, int, bool] | int | bool]:
    def number(word: Word) -> int:
        if isinstance(word.raw, int):
            return word.raw
        return int(model.eval(word.raw, model_completion=True).as_long())

    def truth(value: Truth) -> bool:
        z3 = solver()
        return value.raw if isinstance(value.raw, bool) else z3.is_true(model.eval(value.raw, model_completion=True))

    found: dict[str, tuple[int, int, bool] | int | bool] = {}
    for name, value in environment.items():
        if isinstance(value, Cap):
            found[name] = number(value.upper), number(value.address), truth(value.tag)
        elif isinstance(value, Truth):
            found[name] = truth(value)
        elif isinstance(value, Word):
            found[name] = number(value)
    return found
