"""Formulas about the letters that come again and again, and their classes by what sets of letters these may be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from spec.ltl.automaton import proposition_label
from spec.ltl.formula import Formula, Operator, subformulas

O = Operator  # noqa: E741
ATOMS = 16
"""More kinds of letters that are told apart, or more propositions, are left to other ways."""


class Limit(NamedTuple):
    """What kind of property a formula about the letters that come again and again is.

    constant: it is true of every word, or of none; only then is it safety, guarantee or obligation, since a word's
    beginning says nothing of it.
    """

    satisfiable: bool
    constant: bool
    recurrence: bool
    persistence: bool


def limit(formula: Formula) -> Limit | None:
    """The kind of a Boolean combination of []<>a and <>[]a, in negation normal form; None if it is no such formula.

    a: without temporal operators. Whether a word satisfies it depends only on which such a are true again and again:
    on a set of atoms, of which those are possible that some letters have together. It is recurrence iff every possible
    set that contains one that satisfies it does as well, and persistence iff its negation is recurrence.
    None also beyond ATOMS.  Cost: O(2^atoms * atoms + 2^propositions * atoms) bits.
    Source: Landweber, Decision problems for omega-automata (1969), of the automaton with one state.

    >>> from spec.ltl.parser import parse
    >>> limit(parse("[]<>p && <>[]q")), limit(parse("[]<>p || []<>q")).recurrence, limit(parse("[]p"))
    (Limit(satisfiable=True, constant=False, recurrence=False, persistence=False), True, None)
    >>> limit(parse("[]<>p || <>[]!p"))
    Limit(satisfiable=True, constant=True, recurrence=True, persistence=True)
    """
    names = sorted(formula.propositions)
    labels: dict[Formula, int] = {}
    atoms: list[int] = []
    # Of each combination: which sets of atoms satisfy it; filled in when all atoms are known.
    parts: list[Formula] = []
    waiting = [formula]
    seen: set[Formula] = set()
    if len(names) > ATOMS:
        return None
    everything = (1 << (1 << len(names))) - 1
    atom_of: dict[Formula, tuple[int, bool]] = {}
    while waiting:
        part = waiting.pop()
        if part in seen:
            continue
        seen.add(part)
        parts.append(part)
        if part.operator in (O.AND, O.OR):
            waiting.extend(part.operands)
            continue
        if part.operator in (O.TRUE, O.FALSE):
            continue
        inner = part.operands[0] if part.operator in (O.ALWAYS, O.EVENTUALLY) else None
        wanted = O.EVENTUALLY if part.operator is O.ALWAYS else O.ALWAYS
        if inner is None or inner.operator is not wanted or inner.operands[0].temporal:
            return None
        label = _label(inner.operands[0], names, labels)
        again = part.operator is O.ALWAYS
        if not again:
            label = everything & ~label
        if label not in atoms:
            atoms.append(label)
        if len(atoms) > ATOMS:
            return None
        atom_of[part] = atoms.index(label), again
    return _limit(_satisfying(formula, atom_of, len(atoms)), _possible(atoms, everything), len(atoms))


def _label(formula: Formula, names: list[str], labels: dict[Formula, int]) -> int:
    """The letters that satisfy a formula without temporal operators."""
    everything = (1 << (1 << len(names))) - 1
    for part in subformulas(formula):
        if part in labels:
            continue
        operands = [labels[operand] for operand in part.operands]
        match part.operator:
            case O.TRUE:
                label = everything
            case O.FALSE:
                label = 0
            case O.PROPOSITION:
                label = proposition_label(names.index(part.name), len(names))
            case O.NOT:
                label = everything & ~operands[0]
            case O.AND:
                label = everything
                for operand in operands:
                    label &= operand
            case O.OR:
                label = 0
                for operand in operands:
                    label |= operand
            case _:
                raise ValueError(f"{part.operator.name} in a negation normal form")
        labels[part] = label
    return labels[formula]


def _satisfying(formula: Formula, atom_of: dict[Formula, tuple[int, bool]], atoms: int) -> int:
    """The sets of atoms, a bit each, that satisfy the formula."""
    everything = (1 << (1 << atoms)) - 1
    values: dict[Formula, int] = {}
    for part in subformulas(formula):
        if part in atom_of:
            atom, again = atom_of[part]
            label = proposition_label(atom, atoms)
            values[part] = label if again else everything & ~label
        elif part.operator is O.TRUE:
            values[part] = everything
        elif part.operator is O.AND:
            values[part] = everything
            for operand in part.operands:
                values[part] &= values[operand]
        else:
            values[part] = 0
            for operand in part.operands:
                values[part] |= values.get(operand, 0)
    return values[formula]


def _possible(atoms: list[int], everything: int) -> int:
    """The sets of atoms that some letters, at least one, have together."""
    kinds = {0: everything}
    for i, label in enumerate(atoms):
        finer: dict[int, int] = {}
        for kind, letters in kinds.items():
            if inside := letters & label:
                finer[kind | 1 << i] = inside
            if outside := letters & ~label:
                finer[kind] = outside
        kinds = finer
    each = _bits(kinds, len(atoms))
    possible = _upwards(each, len(atoms))
    for i in range(len(atoms)):
        has = proposition_label(i, len(atoms))
        # A set with this atom needs a letter that has it, and no atom besides those of the set.
        possible &= ~has | _upwards(each & has, len(atoms))
    return possible


def _bits(sets: Iterable[int], atoms: int) -> int:
    """These sets of atoms, a bit each."""
    found = bytearray((1 << atoms >> 3) + 1)
    for one in sets:
        found[one >> 3] |= 1 << (one & 7)
    return int.from_bytes(found, "little")


def _limit(satisfying: int, possible: int, atoms: int) -> Limit:
    good, bad = possible & satisfying, possible & ~satisfying
    return Limit(
        satisfiable=good != 0,
        constant=not good or not bad,
        recurrence=not _upwards(good, atoms) & bad,
        persistence=not _upwards(bad, atoms) & good,
    )


def _upwards(sets: int, atoms: int) -> int:
    """The sets that contain one of these."""
    for i in range(atoms):
        has = proposition_label(i, atoms)
        sets |= (sets & ~has) << (1 << i)
    return sets
