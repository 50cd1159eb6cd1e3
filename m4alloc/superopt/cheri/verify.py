"""Is one function over capabilities a refinement of another: what `--verify` asks of two files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from capability.cheri.isa import Isa
from m4alloc.superopt.cheri.equivalence import refines
from m4alloc.superopt.cheri.program import Branch, Program, Step
from m4alloc.superopt.cheri.term import Apply, Number, Sort, Variable, substituted
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.verdict import Outcome, Verdict

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
    target may see an argument that is undef as several values.  Raises TermError for facts that cannot be read.
    """
    renames = {one.name: other.name for one, other in zip(target.parameters, source.parameters, strict=False)}
    renames |= {one: other for (one, _), (other, _) in zip(target.before, source.before, strict=False)}
    reason = _incomparable(source, target, renames, isa)
    if reason:
        return Verdict(Outcome.UNKNOWN, "none", reason, assumptions=tuple(facts))
    sorts = {one.name: one.sort for one in target.parameters}
    names: dict[str, Variable | Number] = {old: Variable(new, sorts.get(old, Sort.INT)) for old, new in renames.items()}
    return refines(source.term, _apart(target, names).term, facts, isa=isa, strict=strict, seconds=seconds)


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
        kept = sum(f"%{other.name}" in _LOCAL.findall(text) for _, text in target.before)
        if not (one.noundef or other.frozen) and target.uses(other.name) + kept > 1:
            return f"%{other.name} may be undef, and the target uses it more than once without a freeze"
    return ""


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
