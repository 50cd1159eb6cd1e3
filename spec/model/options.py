"""Which ways of searching may be combined: one table, which the search obeys and the documentation shows."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import combinations
from typing import NamedTuple


class Option(StrEnum):
    """Something that a search is asked to do, or has to cope with."""

    BREADTH = "breadth"
    NESTED = "nested"
    SCC = "scc"
    LIVENESS = "liveness"
    NEXT = "X, N, Y, Z"
    FAIRNESS = "fairness"
    REDUCTION = "reduction"
    SYMMETRY = "symmetry"
    COMPACTION = "compaction"


MEANING = {
    Option.BREADTH: "breadth-first search: a shortest counterexample to a safety property, a deadlock or a fault",
    Option.NESTED: "nested depth-first search; depth-first where there is no formula",
    Option.SCC: "depth-first search by strongly connected components",
    Option.LIVENESS: "a formula (with its assumptions) whose violation may need an infinite run",
    Option.NEXT: "a formula that repeating letters can change, by an X, N, Y or Z in it",
    Option.FAIRNESS: "weak fairness to some processes",
    Option.REDUCTION: "partial-order reduction by stubborn sets",
    Option.SYMMETRY: "one state for all that differ by an exchange of symmetric processes",
    Option.COMPACTION: "digests are stored instead of states",
}


class OptionError(ValueError):
    """Options that may not be combined, or that ask for what the system or the property does not allow."""


class Rule(NamedTuple):
    """Two options, and why they may not be combined; or, if they may, what has to be known about it."""

    first: Option
    second: Option
    allowed: bool
    reason: str


RULES = (
    Rule(Option.BREADTH, Option.LIVENESS, False, "breadth-first search finds no cycles"),
    Rule(Option.BREADTH, Option.REDUCTION, False, "the condition on cycles is decided by a depth-first search"),
    Rule(
        Option.BREADTH,
        Option.FAIRNESS,
        True,
        "fairness changes nothing: each finite run can go on fairly, so it is left out",
    ),
    Rule(Option.SCC, Option.COMPACTION, False, "components are told apart by their nodes, and digests may coincide"),
    Rule(Option.NEXT, Option.REDUCTION, False, "runs are kept only up to stuttering, which X, N, Y and Z can see"),
    Rule(
        Option.FAIRNESS,
        Option.REDUCTION,
        False,
        "a reduced search is free to put off a process, and may leave out every fair run (fairness=False does without)",
    ),
    Rule(
        Option.FAIRNESS,
        Option.SYMMETRY,
        False,
        "a cycle of representatives may be fair to a place, and to none of the processes that take turns in it",
    ),
    Rule(
        Option.REDUCTION,
        Option.SYMMETRY,
        False,
        "each is proved on its own; for the two together, as they are made here, there is no proof",
    ),
    Rule(
        Option.REDUCTION,
        Option.COMPACTION,
        False,
        "the reduced steps are kept by state, and digests that coincide would mix them up",
    ),
    Rule(
        Option.NESTED,
        Option.COMPACTION,
        True,
        "states may be missed, with a probability that the result says; what is found is a real run",
    ),
    Rule(
        Option.BREADTH,
        Option.COMPACTION,
        True,
        "states may be missed, with a probability that the result says; what is found is a real run",
    ),
    Rule(
        Option.SYMMETRY,
        Option.COMPACTION,
        True,
        "states may be missed, with a probability that the result says; what is found is a real run",
    ),
)


def refuse(options: Iterable[Option]) -> None:
    """Raise OptionError unless every two of the options may be combined.

    >>> refuse({Option.NESTED, Option.FAIRNESS, Option.LIVENESS})
    >>> refuse({Option.BREADTH, Option.LIVENESS})
    Traceback (most recent call last):
    spec.model.options.OptionError: breadth with liveness is refused: breadth-first search finds no cycles
    """
    chosen = set(options)
    for rule in RULES:
        if not rule.allowed and rule.first in chosen and rule.second in chosen:
            raise OptionError(f"{rule.first} with {rule.second} is refused: {rule.reason}")


def find(first: Option, second: Option) -> Rule | None:
    """What is said about two options; None where they combine and there is nothing to know."""
    return next((rule for rule in RULES if {rule.first, rule.second} == {first, second}), None)


ENGINES = (Option.BREADTH, Option.NESTED, Option.SCC)


def table() -> str:
    """The table of combinations, as Markdown: `yes`, `no`, or the number of a note."""
    names = list(Option)
    lines = [
        "| | " + " | ".join(names[1:]) + " |",
        "|---|" + "---|" * (len(names) - 1),
    ]
    noted = {(rule.first, rule.second): number for number, rule in enumerate(RULES, 1)}
    cells: dict[frozenset[Option], str] = {}
    for first, second in combinations(names, 2):
        rule = find(first, second)
        if first in ENGINES and second in ENGINES:
            text = "-"
        elif rule is None:
            text = "yes"
        else:
            number = noted[rule.first, rule.second]
            text = f"{'yes' if rule.allowed else 'no'} ({number})"
        cells[frozenset({first, second})] = text
    for place, first in enumerate(names[:-1]):
        row = ["" if other <= place else cells[frozenset({first, names[other]})] for other in range(1, len(names))]
        lines.append(f"| {first} | " + " | ".join(row) + " |")
    notes = [f"{number}. {rule.first} with {rule.second}: {rule.reason}." for number, rule in enumerate(RULES, 1)]
    return "\n".join([*lines, "", *notes])
