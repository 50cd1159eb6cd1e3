"""Program: a function over capabilities as a list of single steps, which is what is read, rewritten and printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from m4alloc.superopt.cheri.promises import NONE, Promises
from m4alloc.superopt.cheri.term import (
    MEMORY,
    POLYMORPHIC,
    Apply,
    Let,
    Number,
    Sort,
    Term,
    TermError,
    Variable,
    apply,
    substituted,
    variables,
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument. noundef: it is neither undef nor poison; else a printed function freezes it first.

    frozen: the function that was read does so itself, so that all its uses see one value.
    """

    name: str
    sort: Sort
    noundef: bool = True
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """`name` = one operator on variables and numbers."""

    name: str
    value: Apply


@dataclass(frozen=True, slots=True)
class Program:
    """Parameters, integers worked out before by code that is kept as it is, steps, and the results.

    before: (name, text): instructions of LLVM on integers alone, which the language has no operator for. result: a
    variable, a number, a choice between the results of two programs, or None for nothing.
    """

    name: str
    parameters: tuple[Parameter, ...]
    steps: tuple[Step, ...]
    result: Variable | Number | Branch | None
    before: tuple[tuple[str, str], ...] = ()
    bits: int = 64
    """Of an address."""
    promises: Promises = NONE
    """Of the function that was read."""

    @property
    def term(self) -> Term:
        """The whole as one term, in which every step is evaluated, in order, whether or not it is used."""
        return _term(self.steps, self.result)

    @property
    def cost(self) -> int:
        """Operators, those of the costlier arm of a branch counted."""
        return sum(_price(step.value) for step in self.steps) + (
            1 + max(self.result.one.cost, self.result.other.cost) if isinstance(self.result, Branch) else 0
        )

    def uses(self, name: str) -> int:
        """How often a name is used."""
        return sum(list(names(step.value)).count(name) for step in self.steps) + _used(self.result, name)

    def with_steps(self, steps: Iterable[Step]) -> Program:
        """The same with other steps."""
        return replace(self, steps=tuple(steps))

    def renamed(self, values: Mapping[str, Variable | Number]) -> Program:
        """The same with atoms for names; what defines them stays."""
        return replace(
            self,
            steps=tuple(Step(step.name, _atoms(step.value, values)) for step in self.steps),
            result=_result(self.result, values),
        )


@dataclass(frozen=True, slots=True)
class Branch:
    """The end of a program that goes on as one of two others; both see all that was worked out before."""

    condition: Variable
    one: Program
    other: Program


def _term(steps: tuple[Step, ...], result: Variable | Number | Branch | None) -> Term:
    if isinstance(result, Branch):
        body: Term = apply("if", result.condition, result.one.term, result.other.term)
    else:
        body = apply("tuple") if result is None else result
    for step in reversed(steps):
        body = Let(step.name, step.value, body)
    return body


def _price(value: Apply) -> int:
    return 0 if value.operator in ("true", "false") else 1


def names(value: Apply) -> Iterable[str]:
    """The variables that a step uses, each as often as it does."""
    for operand in value.operands:
        if isinstance(operand, Variable):
            yield operand.name


def _used(result: Variable | Number | Branch | None, name: str) -> int:
    if isinstance(result, Branch):
        return (result.condition.name == name) + result.one.uses(name) + result.other.uses(name)
    return int(isinstance(result, Variable) and result.name == name)


def _atoms(value: Apply, values: Mapping[str, Variable | Number]) -> Apply:
    changed = substituted(value, values)
    assert isinstance(changed, Apply)
    return changed


def _result(
    result: Variable | Number | Branch | None, values: Mapping[str, Variable | Number]
) -> Variable | Number | Branch | None:
    if isinstance(result, Variable):
        return values.get(result.name, result)
    if isinstance(result, Branch):
        condition = values.get(result.condition.name, result.condition)
        if not isinstance(condition, Variable):
            raise TermError(f"the condition {result.condition.name} of a branch would become a number")
        return Branch(condition, result.one.renamed(values), result.other.renamed(values))
    return result


def flattened(term: Term, prefix: str = "t", taken: Iterable[str] = ()) -> tuple[list[Step], Variable | Number]:
    """Steps that work out a term without choices, and the atom that its value is then.

    Raises TermError for `if` and `tuple`.

    >>> from m4alloc.superopt.cheri.notation import parsed, unparsed
    >>> steps, result = flattened(parsed("set(inc(c, 8), n & 15)"))
    >>> [f"{step.name} = {unparsed(step.value)}" for step in steps]
    ['t0 = inc(c, 8)', 't1 = n & 15', 't2 = set(t0, t1)']
    """
    used = set(taken) | set(variables(term))
    steps: list[Step] = []

    def atom(one: Term, names: Mapping[str, Variable | Number]) -> Variable | Number:
        if isinstance(one, Variable):
            return names.get(one.name, one)
        if isinstance(one, Number):
            return one
        if isinstance(one, Let):
            return atom(one.body, {**names, one.name: atom(one.bound, names)})
        if one.operator == "do":
            return [atom(operand, names) for operand in one.operands][-1]
        if one.operator in POLYMORPHIC - {"select"}:
            raise TermError(f"{one.operator} is no single step")
        value = apply(one.operator, *(atom(operand, names) for operand in one.operands))
        number = len(steps)
        while f"{prefix}{number}" in used:
            number += 1
        name = f"{prefix}{number}"
        used.add(name)
        steps.append(Step(name, value))
        return Variable(name, value.sort)

    return steps, atom(term, {})


def is_pure(value: Apply) -> bool:
    """It touches no memory; where manipulation traps it may trap all the same."""
    return value.operator not in MEMORY
