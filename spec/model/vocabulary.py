"""What a formula about a program may speak of: predicates, events, and locations in quotes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches

from spec.ltl.formula import Formula
from spec.model.program import Binary, Constant, Expression, Program, Read
from spec.model.step import EVENTS

ALLOCATOR_EVENTS = frozenset({*EVENTS, *EVENTS.values()} - {""})
"""Propositions that every model has; false throughout in one that never raises them."""
_LOCATION = re.compile(r"(.+)@([A-Za-z_]\w*)")


class PropositionError(ValueError):
    """A formula speaks of what the program does not have; the message says what may be meant, or what there is."""


def vocabulary(program: Program) -> frozenset[str]:
    """The propositions of a program: its predicates, its events, and those of allocators.

    >>> from spec.model.catalogue import program
    >>> sorted(vocabulary(program("peterson")) - ALLOCATOR_EVENTS)
    ['critical0', 'critical1', 'waiting0']
    """
    return ALLOCATOR_EVENTS.union((name for name, _ in program.predicates), *program.event_letters)


def with_locations(program: Program, formulas: Iterable[Formula]) -> Program:
    """The program with a predicate for each location, such as "p[0]@critical", that one of the formulas speaks of.

    Raises: PropositionError for any other proposition that the program does not have.

    >>> from spec.ltl.parser import parse
    >>> from spec.model.catalogue import program
    >>> more = with_locations(program("peterson"), [parse('[]!("p[0]@critical" && critical1)')])
    >>> more.predicates[-1][0]
    'p[0]@critical'
    >>> with_locations(more, [parse('<>"p[0]@crit"')])
    Traceback (most recent call last):
    spec.model.vocabulary.PropositionError: the model peterson: p[0] has no location crit; it has critical, waiting
    """
    known = vocabulary(program)
    unknown = sorted({name for formula in formulas for name in formula.propositions} - known)
    if not unknown:
        return program
    found = tuple((name, _location(program, name)) for name in unknown)
    return replace(program, predicates=(*program.predicates, *found))


def refuse_unknown(program: Program, propositions: Iterable[str]) -> None:
    """Raise PropositionError when one of the propositions is none of the program's."""
    for name in sorted(set(propositions) - vocabulary(program)):
        raise _unknown(program, name)


def _location(program: Program, name: str) -> Expression:
    """That the process is where the name says."""
    match = _LOCATION.fullmatch(name)
    if match is None:
        raise _unknown(program, name)
    process = next((one for one in program.processes if one.name == match[1]), None)
    if process is None:
        names = ", ".join(one.name for one in program.processes)
        raise PropositionError(f"the model {program.name} has no process {match[1]}; it has {names}")
    # Copies of a location, in `for` and `choose k in`, have a number in brackets behind its name.
    locations = [location.partition("[")[0] for location in process.locations]
    places = [place for place, location in enumerate(locations) if location == match[2]]
    if not places:
        named = ", ".join(sorted({one for one in locations if not one.isdigit()})) or "none with a name"
        raise PropositionError(f"the model {program.name}: {process.name} has no location {match[2]}; it has {named}")
    test: Expression | None = None
    for place in places:
        here = Binary("==", Read(process.counter), Constant(place))
        test = here if test is None else Binary("||", test, here)
    assert test is not None
    return test


def _unknown(program: Program, name: str) -> PropositionError:
    known = vocabulary(program)
    close = get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(known - ALLOCATOR_EVENTS)) or 'none'}"
    location = ""
    if not close and "@" not in name:
        location = ", the events of allocators, and locations in quotes"
    return PropositionError(f"the model {program.name} has no proposition {name}; {hint}{location}")
