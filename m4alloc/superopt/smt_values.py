"""Symbolic values: bits with a poison flag, where undef is a set of free choices made anew at each use.

Source: LLVM language reference, "Undefined Values" and "Poison Values".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import z3

from m4alloc.superopt.verdict import UnsupportedError

Term: TypeAlias = Any
"""A z3 expression: z3 ships no types for its operators."""

TRUE: Term = z3.BoolVal(True)
FALSE: Term = z3.BoolVal(False)
NO_CHOICE: frozenset[str] = frozenset()


class OutOfTimeError(UnsupportedError):
    """The encoding itself takes longer than there is time for."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One integer, float or pointer.

    bits: its bit-vector; of a pointer the address (of one into a local block: the offset in it).
    choices: names of the undef variables in `bits`, `poison` and `provenance`, which every use replaces by fresh ones.
    provenance: of a pointer, the number of the block that it may access; None for other types.
    local: the alloca that the pointer points into, "" for any other.
    based: the noalias arguments that the pointer is or may be based on; None where that is not known.
    """

    bits: Term
    poison: Term = FALSE
    choices: frozenset[str] = NO_CHOICE
    provenance: Term | None = None
    local: str = ""
    based: frozenset[str] | None = NO_CHOICE


SymValue: TypeAlias = Scalar | tuple["SymValue", ...]


def either(*terms: Term) -> Term:
    """Disjunction without the terms that are plainly false."""
    kept = [term for term in terms if term is not FALSE]
    if not kept:
        return FALSE
    if any(term is TRUE for term in kept):
        return TRUE
    return kept[0] if len(kept) == 1 else z3.Or(kept)


def both(*terms: Term) -> Term:
    """Conjunction without the terms that are plainly true."""
    kept = [term for term in terms if term is not TRUE]
    if not kept:
        return TRUE
    if any(term is FALSE for term in kept):
        return FALSE
    return kept[0] if len(kept) == 1 else z3.And(kept)


def negation(term: Term) -> Term:
    """The opposite of a Boolean term."""
    if term is TRUE:
        return FALSE
    return TRUE if term is FALSE else z3.Not(term)


def chosen(condition: Term, yes: Term, no: Term) -> Term:
    """`condition ? yes : no`, without a condition where both are the same term."""
    if condition is TRUE or yes is no:
        return yes
    if condition is FALSE:
        return no
    if yes is TRUE and no is FALSE:
        return condition
    return yes if yes.eq(no) else z3.If(condition, yes, no)


def bit(condition: Term) -> Term:
    """A truth value as an i1."""
    return z3.If(condition, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))


def is_set(bits: Term) -> Term:
    """An i1 as a truth value."""
    if z3.is_app_of(bits, z3.Z3_OP_ITE) and z3.is_bv_value(bits.arg(1)) and z3.is_bv_value(bits.arg(2)):
        one, zero = bits.arg(1).as_long(), bits.arg(2).as_long()
        if (one, zero) == (1, 0):
            return bits.arg(0)
    return bits == z3.BitVecVal(1, 1)


@dataclass
class Choices:
    """The free choices of one function: undef variables, results of freeze, addresses of what is unknown.

    prefix: keeps the source's names apart from the target's.  variables: name to term.  origins: name to where the
    choice comes from ("kind" or "kind:detail"), by which the choices of two functions are matched.
    """

    prefix: str
    variables: dict[str, Term] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    seconds: set[str] = field(default_factory=set)
    """Choices that only show that a value is undef, by differing from those it settled on."""
    kept: list[Term] = field(default_factory=list)
    """Terms whose numbers stand in origins."""
    kinds: set[str] = field(default_factory=set)
    """All origins there are."""

    def fresh(self, width: int, origin: str) -> tuple[str, Term]:
        """A new choice of `width` bits."""
        name = f"{self.prefix}{len(self.variables)}"
        term = z3.BitVec(name, width)
        self.variables[name] = term
        self.origins[name] = origin
        self.kinds.add(origin)
        return name, term

    def undef(self, width: int, origin: str) -> Scalar:
        """An undef value."""
        name, term = self.fresh(width, origin)
        return Scalar(term, choices=frozenset((name,)))

    def renewed(self, value: Scalar, made: dict[str, str] | None = None) -> Scalar:
        """The value as one use sees it: each undef variable chosen anew.

        made: what other lanes of the same use have chosen anew already, new names by old ones; more are added.
        """
        if not value.choices:
            return value
        made = {} if made is None else made
        pairs: list[tuple[Term, Term]] = []
        for old in sorted(value.choices, key=lambda name: int(name[len(self.prefix) :])):
            if old not in made:
                made[old], _ = self.fresh(self.variables[old].size(), self.origins[old])
            pairs.append((self.variables[old], self.variables[made[old]]))
        return replace(
            value,
            bits=z3.substitute(value.bits, *pairs),
            poison=value.poison if value.poison is FALSE else z3.substitute(value.poison, *pairs),
            provenance=None if value.provenance is None else z3.substitute(value.provenance, *pairs),
            choices=frozenset(made[old] for old in value.choices),
        )

    def used(self, value: SymValue, made: dict[str, str] | None = None) -> SymValue:
        """`renewed`, lane by lane: lanes that hang together, as of a vector that `select` chose on undef, stay so."""
        made = {} if made is None else made
        return (
            self.renewed(value, made) if isinstance(value, Scalar) else tuple(self.used(lane, made) for lane in value)
        )

    def settled(self, value: Scalar) -> tuple[Scalar, Term]:
        """The value with its choices fixed from here on, and the condition under which it is undef: that two choices
        give different values."""
        if not value.choices:
            return value, FALSE
        first, second = self.renewed(value), self.renewed(value)
        self.seconds |= second.choices
        differ = [first.bits != second.bits]
        if first.provenance is not None:
            differ.append(first.provenance != second.provenance)
        return replace(first, choices=NO_CHOICE), either(*differ)

    def frozen(self, value: SymValue, origin: str = "freeze", made: dict[str, str] | None = None) -> SymValue:
        """What `freeze` makes of it."""
        made = {} if made is None else made
        if not isinstance(value, Scalar):
            return tuple(self.frozen(lane, f"{origin} lane {number}", made) for number, lane in enumerate(value))
        if value.choices or value.poison is not FALSE:
            value = replace(value, based=None)  # what it becomes may be any pointer
        value = replace(self.renewed(value, made), choices=NO_CHOICE)
        if value.poison is FALSE:
            return value
        if value.local:
            raise UnsupportedError("freeze of a pointer into an alloca that may be poison")
        bits = z3.If(value.poison, self.fresh(value.bits.size(), origin)[1], value.bits)
        provenance = value.provenance
        if provenance is not None:
            provenance = z3.If(value.poison, self.fresh(provenance.size(), f"{origin} provenance")[1], provenance)
        return replace(value, bits=bits, poison=FALSE, provenance=provenance)


def scalars(value: SymValue) -> Iterator[Scalar]:
    """Every lane, in order."""
    if isinstance(value, Scalar):
        yield value
    else:
        for part in value:
            yield from scalars(part)


def choices_of(value: SymValue) -> frozenset[str]:
    """Names of all undef variables in the value."""
    return frozenset().union(*(lane.choices for lane in scalars(value)))


def merged(cases: Sequence[tuple[Term, SymValue]]) -> SymValue:
    """The value of the case whose condition holds; exactly one does, and the last stands where none does."""
    *others, (_, value) = cases
    for condition, case in reversed(others):
        value = selected(condition, case, value)
    return value


def selected(condition: Term, yes: SymValue, no: SymValue) -> SymValue:
    """`condition ? yes : no`, lane by lane; the condition is neither poison nor undef."""
    if yes is no:
        return yes
    if isinstance(yes, tuple) and isinstance(no, tuple):
        return tuple(selected(condition, left, right) for left, right in zip(yes, no, strict=True))
    assert isinstance(yes, Scalar) and isinstance(no, Scalar)
    if yes.local != no.local:
        raise UnsupportedError(f"the address of alloca %{yes.local or no.local} is mixed with another pointer")
    provenance = yes.provenance
    if provenance is not None:
        provenance = chosen(condition, provenance, no.provenance)
    based = yes.based if yes.based == no.based else None
    return Scalar(
        chosen(condition, yes.bits, no.bits),
        chosen(condition, yes.poison, no.poison),
        yes.choices | no.choices,
        provenance,
        yes.local,
        based,
    )


def joined(terms: Iterable[Term]) -> Term:
    """Bit-vectors put together, the lowest first."""
    parts = list(terms)[::-1]
    return parts[0] if len(parts) == 1 else z3.Concat(parts)
