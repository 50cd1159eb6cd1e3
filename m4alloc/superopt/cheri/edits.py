"""Every single change of a program that a rule proposes, proved or not: the search asks, the checker answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from capability.cheri.isa import Isa
from m4alloc.superopt.cheri.killed import UNSOUND
from m4alloc.superopt.cheri.model import evaluated
from m4alloc.superopt.cheri.program import Branch, Program, Step, flattened, is_pure
from m4alloc.superopt.cheri.rules import SOUND, Rule
from m4alloc.superopt.cheri.term import (
    INFIX,
    Apply,
    Let,
    Number,
    Sort,
    Term,
    TermError,
    Variable,
    apply,
    children,
    operators,
    substituted,
)

_ALONE = frozenset({"if", "tuple", "do", "let"})
_FOLDED = (INFIX | {"rounded", "mask", "not", "all", "any"}) - {"true", "false"}


@dataclass(frozen=True)
class Edit:
    """A change: the rule that proposes it, the row that warns of it, the step that it changes, and what comes of it."""

    rule: str
    warning: str
    at: str
    program: Program


def _plain(rule: Rule) -> bool:
    """Pattern and replacement are single expressions that a list of steps can hold."""
    has_let = isinstance(rule.source, Let) or isinstance(rule.target, Let)
    return not has_let and not (operators(rule.source) | operators(rule.target)) & _ALONE


def _rewrites() -> tuple[tuple[Rule, str, str], ...]:
    """The rules with the name they are told by when they are proved, and when they are refused."""
    warned = {(one.rule.pattern, one.rule.replacement): one.rule.row for one in UNSOUND}
    known = {(rule.pattern, rule.replacement) for rule in SOUND}
    found = [
        (rule, rule.name, warned.get((rule.pattern, rule.replacement), rule.row)) for rule in SOUND if _plain(rule)
    ]
    found += [
        (one.rule, f"{one.name}, which is wrong elsewhere", one.rule.row)
        for one in UNSOUND
        if _plain(one.rule) and (one.rule.pattern, one.rule.replacement) not in known
    ]
    return tuple(found)


REWRITES = _rewrites()


def edits(program: Program, isa: Isa, outer: Sequence[Step] = (), *, tempting: bool = True) -> Iterator[Edit]:
    """The changes of a program, and of the arms of its branch.

    outer: steps before it that it may match into.  tempting: also those of rules that are wrong in general.

    Cost: O(steps * rules).
    """
    yield from _shared(program, outer)
    yield from _unused(program)
    yield from _constants(program, isa)
    defined = {step.name: step.value for step in (*outer, *program.steps)}
    for number, step in enumerate(program.steps):
        for rule, name, warning in REWRITES:
            if not tempting and rule.row.startswith("U"):
                continue
            found = matched(rule.source, step.value, defined)
            if found is None:
                continue
            values, inner = found
            changed = _replaced(program, number, rule.target, values, inner, isa, outer)
            if changed is not None and changed != program:
                yield Edit(name, warning, step.name, changed)
    if isinstance(program.result, Branch):
        inside = (*outer, *program.steps)
        for one in edits(program.result.one, isa, inside, tempting=tempting):
            yield replace(one, program=replace(program, result=replace(program.result, one=one.program)))
        for one in edits(program.result.other, isa, inside, tempting=tempting):
            yield replace(one, program=replace(program, result=replace(program.result, other=one.program)))


def matched(
    pattern: Term, value: Term, defined: Mapping[str, Apply]
) -> tuple[dict[str, Variable | Number], frozenset[str]] | None:
    """Atoms for the pattern's variables, and the names of the steps below the first that it covers."""
    values: dict[str, Variable | Number] = {}
    inner: set[str] = set()

    def match(pattern: Term, value: Term) -> bool:
        if isinstance(pattern, Variable):
            if not isinstance(value, Variable | Number) or value.sort is not pattern.sort:
                return False
            return values.setdefault(pattern.name, value) == value
        if isinstance(value, Variable) and value.name in defined:
            inner.add(value.name)
            value = defined[value.name]
        if isinstance(pattern, Number):
            return isinstance(value, Number) and value.value == pattern.value
        if not isinstance(pattern, Apply) or not isinstance(value, Apply) or pattern.operator != value.operator:
            return False
        return all(match(one, other) for one, other in zip(pattern.operands, value.operands, strict=True))

    return (values, frozenset(inner)) if match(pattern, value) else None


def _replaced(
    program: Program,
    number: int,
    target: Term,
    values: Mapping[str, Variable | Number],
    inner: frozenset[str],
    isa: Isa,
    outer: Sequence[Step],
) -> Program | None:
    """The step worked out in the replacement's way, without the steps that only the pattern needed."""
    step = program.steps[number]
    taken = [one.name for one in (*outer, *program.steps)]
    try:
        new, atom = flattened(_folded(substituted(target, values), isa), prefix=f"{step.name}.", taken=taken)
    except TermError:
        return None
    if new and isinstance(atom, Variable) and atom.name == new[-1].name:
        new[-1] = Step(step.name, new[-1].value)
        changed = program.with_steps((*program.steps[:number], *new, *program.steps[number + 1 :]))
    elif step.value.sort is Sort.UNIT:
        return None
    else:
        try:
            rest = program.with_steps((*program.steps[:number], *new, *program.steps[number + 1 :]))
            changed = rest.renamed({step.name: atom})
        except TermError:
            return None
    for _ in inner:
        kept = [
            one for one in changed.steps if one.name not in inner or changed.uses(one.name) or not is_pure(one.value)
        ]
        changed = changed.with_steps(kept)
    return changed


def _folded(term: Term, isa: Isa) -> Term:
    """Operators on numbers worked out, and additions of nothing left out."""
    if not isinstance(term, Apply):
        return term
    operands = tuple(_folded(one, isa) for one in children(term))
    term = apply(term.operator, *operands)
    if operands and all(isinstance(one, Number) for one in operands) and term.operator in _FOLDED:
        seen = evaluated(term, {}, isa)
        if isinstance(seen.value, bool):
            return apply("true" if seen.value else "false")
        assert isinstance(seen.value, int), f"{term} is {seen}"
        return _number(seen.value, isa)
    if term.operator == "+" and operands[1] == Number(0):
        return operands[0]
    return term


def _number(value: int, isa: Isa) -> Number:
    """Small negative numbers as such."""
    space = 1 << isa.format.address_bits
    return Number(value - space if value > space - 4096 else value)


def _shared(program: Program, outer: Sequence[Step]) -> Iterator[Edit]:
    """S24: a step that repeats an earlier one, by that one."""
    seen: dict[Apply, str] = {step.value: step.name for step in outer if step.value.sort is not Sort.UNIT}
    for number, step in enumerate(program.steps):
        if step.value.sort is Sort.UNIT:
            continue
        first = seen.setdefault(step.value, step.name)
        if first != step.name:
            rest = program.with_steps((*program.steps[:number], *program.steps[number + 1 :]))
            warning = "U26" if step.value.operator in ("load", "loadcap") else "S24"
            try:
                yield Edit("S24", warning, step.name, rest.renamed({step.name: Variable(first, step.value.sort)}))
            except TermError:
                continue


def _unused(program: Program) -> Iterator[Edit]:
    """A step that nothing uses, left out."""
    for number, step in enumerate(program.steps):
        if step.value.sort is not Sort.UNIT and not program.uses(step.name):
            rest = (*program.steps[:number], *program.steps[number + 1 :])
            yield Edit("unused", "U22", step.name, program.with_steps(rest))


def _constants(program: Program, isa: Isa) -> Iterator[Edit]:
    """Integer steps on numbers worked out, and choices made that are none."""
    known = {step.name: step.value.operator for step in program.steps}
    for number, step in enumerate(program.steps):
        value = _folded(step.value, isa)
        if step.value.operator == "select":
            value = _chosen(step.value, known) or value
        if isinstance(value, Number | Variable):
            rest = program.with_steps((*program.steps[:number], *program.steps[number + 1 :]))
            yield Edit("constant", "constant", step.name, rest.renamed({step.name: value}))


def _chosen(value: Apply, known: Mapping[str, str]) -> Term | None:
    """The arm of a select that is taken for sure."""
    condition, one, other = value.operands
    if one == other:
        return one
    told = known.get(condition.name) if isinstance(condition, Variable) else None
    return {"true": one, "false": other}.get(told or "")
