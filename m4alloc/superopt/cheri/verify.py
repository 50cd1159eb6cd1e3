"""Is one function over capabilities a refinement of another: what `--verify` asks of two files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from capability.cheri.isa import Isa
from m4alloc.superopt.cheri.equivalence import refines
from m4alloc.superopt.cheri.notation import unparsed
from m4alloc.superopt.cheri.program import Branch, Program, Step
from m4alloc.superopt.cheri.promises import unkept
from m4alloc.superopt.cheri.term import MEMORY, Apply, Number, Sort, Term, Variable, operators, substituted
from m4alloc.superopt.equivalence import SignatureError
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.verdict import Outcome, Verdict

WRITTEN = Fact("no byte that is read is undef or poison", "memory is written before it is read")
_LOCAL = re.compile(r"%([-a-zA-Z$._0-9]+)")


def refines_program(
    source: Program,
    target: Program,
    facts: Sequence[Fact] = (),
    *,
    isa: Isa,
    strict: bool = True,
    seconds: float = 20.0,
) -> Verdict:
    """Does `target` refine `source`, their parameters taken in order?

    facts: over the source's parameters.  UNKNOWN where the integer code that both keep is not the same, and where the
    target's text promises more than terms say (see `promises`), or uses what may be undef or poison.  A target that
    loads is proved for memory that holds neither, which is among the assumptions.  Raises TermError for facts that
    cannot be read.
    """
    renames = {one.name: other.name for one, other in zip(target.parameters, source.parameters, strict=False)}
    renames |= {one: other for (one, _), (other, _) in zip(target.before, source.before, strict=False)}
    if replace(target, name=source.name) == source and source.bits == isa.format.address_bits:
        return refines(source.term, source.term, facts, isa=isa, strict=strict, seconds=seconds)
    sorts = {one.name: one.sort for one in target.parameters}
    names: dict[str, Variable | Number] = {old: Variable(new, sorts.get(old, Sort.INT)) for old, new in renames.items()}
    apart = _apart(target, names)
    reason = _incomparable(source, target, renames, isa) or _misaligned(source, apart, target)
    if reason:
        return Verdict(Outcome.UNKNOWN, "none", reason, assumptions=tuple(facts))
    verdict = refines(source.term, apart.term, facts, isa=isa, strict=strict, seconds=seconds)
    if verdict.accepted and operators(target.term) & {"load", "loadcap"}:
        verdict = replace(verdict, assumptions=(*verdict.assumptions, WRITTEN))
    return verdict


def check_signatures(source: Program, target: Program) -> None:
    """SignatureError where the two take arguments of other sorts."""
    ours, theirs = ([one.sort.value for one in each.parameters] for each in (source, target))
    if ours != theirs:
        raise SignatureError(
            f"@{source.name} takes ({', '.join(ours)}), @{target.name} ({', '.join(theirs)}); the same are wanted"
        )


def _incomparable(source: Program, target: Program, renames: Mapping[str, str], isa: Isa) -> str:
    """Why the two cannot be compared; "" if they can."""
    if {source.bits, target.bits} != {isa.format.address_bits}:
        return f"addresses of {source.bits} and {target.bits} bits, and of {isa.format.address_bits} on {isa}"
    if [one.sort for one in source.parameters] != [one.sort for one in target.parameters]:
        return "the two have other parameters"
    mapped = [
        _LOCAL.sub(lambda match: f"%{renames.get(match.group(1), match.group(1))}", text) for _, text in target.before
    ]
    if mapped != [text for _, text in source.before]:
        return "integer code that is kept as it is differs between the two"
    for one, other in zip(source.parameters, target.parameters, strict=True):
        if one.noundef or other.frozen:
            continue
        if other.noundef:
            return f"%{other.name} of the second is noundef, %{one.name} of the first is not"
        kept = sum(other.name in _LOCAL.findall(text) for _, text in target.before)
        if target.uses(other.name) + kept > 1:
            return f"%{other.name} may be undef, and the target uses it more than once without a freeze"
        if target.uses(other.name) + kept:
            return f"%{other.name} may be undef or poison, and the target uses it without a freeze"
    if loose := [name for name in target.promises.loose if target.uses(name)]:
        return f"%{loose[0]} may be poison, and the target uses it without a freeze"
    return unkept(source.promises, target.promises)


def _misaligned(source: Program, apart: Program, target: Program) -> str:
    """Which access of the target asks for an alignment that none of the source at its address does; "" if none does.

    apart: the target over the source's names.
    """
    wanted = dict(target.promises.aligned)
    given = dict(source.promises.aligned)
    known: dict[str, int] = {}
    is_straight = not any(isinstance(one.result, Branch) for one in (source, target))
    for name, at in _addresses(source) if is_straight else ():
        known[at] = max(known.get(at, 0), given.get(name, 0))
    for (name, at), step in zip(_addresses(apart), target.steps, strict=False):
        free = target.bits // 4 if step.value.operator.endswith("cap") else 1
        if wanted.pop(step.name, 0) > max(free, known.get(at, 0)):
            return f"the access {name} is aligned to more bytes than one of the first at its address"
    if any(alignment > 1 for alignment in wanted.values()):
        return "accesses in branches of the second are aligned, which nothing shows to be so"
    return ""


def _addresses(program: Program) -> Iterator[tuple[str, str]]:
    """Each step, and the address of its access as a term of the parameters; "" for one that is no access."""
    values: dict[str, Term] = {}
    for step in program.steps:
        value = substituted(step.value, values)
        assert isinstance(value, Apply), f"{step} is no step"
        values[step.name] = value
        yield step.name, unparsed(value.operands[0]) if step.value.operator in MEMORY else ""


def _apart(program: Program, names: Mapping[str, Variable | Number]) -> Program:
    """The program with these atoms for its inputs, and names of its own for its steps."""
    known = dict(names)
    steps: list[Step] = []
    for step in program.steps:
        value = substituted(step.value, known)
        assert isinstance(value, Apply), f"{step} is no step"
        known[step.name] = Variable(f"{step.name} of the target", value.sort)
        steps.append(Step(f"{step.name} of the target", value))
    result = program.result
    if isinstance(result, Variable):
        result = known.get(result.name, result)
    elif isinstance(result, Branch):
        condition = known.get(result.condition.name, result.condition)
        assert isinstance(condition, Variable), "a condition is a step or a parameter"
        result = Branch(condition, _apart(result.one, known), _apart(result.other, known))
    return replace(program, steps=tuple(steps), result=result)
