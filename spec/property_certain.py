"""What is certain of a property although some of what it speaks of was not seen."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from spec.ltl.error import TooLargeError
from spec.ltl.formula import Formula
from spec.ltl.monitor import ENTRIES, STATES, Monitor, monitor
from spec.ltl.truth import Truth
from spec.ltl.word import Letter
from spec.property import NUMBERS, OF_ACCESS, OF_MALLOC

_BOTH: Letter = frozenset({"malloc", "free"})
_ACCESS: Letter = frozenset({"access", "client_access_mem"})


@lru_cache(maxsize=256)
def certain(formula: Formula, unseen: frozenset[str], *, states: int = STATES) -> Monitor:
    """The monitor of all words that the word it reads may have been, before `unseen` was left out of it.

    unseen: propositions of the formula. Accesses and labels are letters of their own, which may have come anywhere;
    what the heap computes (`spec.property.NUMBERS`) may have been true in the letter of any malloc or access.
    A state is FALSE when every such word violates the formula whatever follows, else INCONCLUSIVE; it is false at the
    end when none of them satisfies the formula, were the run over. So a double free violates the whole life of an
    address, whoever accessed it in between.
    Raises: TooLargeError when it, or the formula's own monitor, needs more than `states`, or too large a table.
    Cost: the subset construction on the monitor of the formula, as far as it is reached.

    >>> from spec.ltl.parser import parse, parse_word
    >>> proper = parse("[](free -> X(!access W malloc)) && [](free -> X(!free W malloc))")
    >>> blind = certain(proper, frozenset({"access"}))
    >>> [blind.verdict[state].value for state in blind.run(parse_word("malloc; free; malloc; free; free"))[-2:]]
    ['inconclusive', 'false']
    """
    machine = monitor(formula, states=states)
    inserted = sorted({machine.number(letter) for letter in _letters(unseen)})
    width = 1 << len(machine.propositions)
    # What was not seen is in no letter that is read: letters that differ in nothing else are one.
    alike = [number & ~machine.number(unseen) for number in range(width)]
    may_be = {number: _may_be(machine, number, unseen) for number in dict.fromkeys(alike)}
    start = _closed(machine, {machine.initial}, inserted)
    numbers, waiting, table = {start: 0}, [start], []
    for possible in waiting:
        row = {}
        for number, letters in may_be.items():
            after = {machine.step(state, letter) for state in possible for letter in letters}
            target = _closed(machine, after, inserted)
            if target not in numbers:
                if len(numbers) >= states or len(numbers) * width > ENTRIES:
                    raise TooLargeError(
                        f"{formula}: without {', '.join(sorted(unseen))} it needs a monitor of more than {states} "
                        f"states or {ENTRIES} entries"
                    )
                numbers[target] = len(numbers)
                waiting.append(target)
            row[number] = numbers[target]
        table.append(tuple(row[number] for number in alike))
    return Monitor(
        machine.propositions,
        tuple(table),
        0,
        tuple(Truth.INCONCLUSIVE if possible else Truth.FALSE for possible in waiting),
        tuple(any(machine.at_end[state] for state in possible) for possible in waiting),
    )


def can_fail(machine: Monitor) -> bool:
    """Whether `machine` finds fault with some history: with a word in which no letter is both a malloc and a free.

    >>> from spec.ltl.parser import parse
    >>> can_fail(certain(parse("[](access -> <>free)"), frozenset({"access"})))
    False
    """
    letters = [number for number in range(len(machine.table[0])) if not machine.letter(number) >= _BOTH]
    waiting, reached = [machine.initial], {machine.initial}
    for state in waiting:
        if machine.verdict[state] is Truth.FALSE or not machine.at_end[state]:
            return True
        after = {machine.step(state, letter) for letter in letters} - reached
        reached |= after
        waiting += after
    return False


def _letters(unseen: Iterable[str]) -> list[Letter]:
    """The letters of their own that `unseen` may have been; an access that was not seen may have been any access."""
    found: list[Letter] = [frozenset({name}) for name in unseen if name not in NUMBERS | _ACCESS]
    if not _ACCESS.isdisjoint(unseen):
        found += _varied([_ACCESS], OF_ACCESS)
    return found


def _may_be(machine: Monitor, number: int, unseen: frozenset[str]) -> tuple[int, ...]:
    """The numbers of the letters that the letter of that number, in which nothing is of `unseen`, may have been."""
    found = [machine.letter(number)]
    for events, numbers in ((frozenset({"malloc"}), OF_MALLOC), (_ACCESS, OF_ACCESS)):
        named = events & frozenset(machine.propositions)
        if not named or named & found[0]:
            found = _varied(found, unseen & numbers)
    return tuple(machine.number(letter) for letter in found)


def _varied(letters: Iterable[Letter], names: Iterable[str]) -> list[Letter]:
    """The letters with each combination of the names."""
    found = list(letters)
    for name in names:
        found += [letter | {name} for letter in found]
    return found


def _closed(machine: Monitor, states: Iterable[int], inserted: Iterable[int]) -> frozenset[int]:
    """The states that the inserted letters lead to from these, but for those in which all is lost."""
    found = {state for state in states if machine.verdict[state] is not Truth.FALSE}
    waiting = list(found)
    while waiting:
        state = waiting.pop()
        for letter in inserted:
            target = machine.step(state, letter)
            if target not in found and machine.verdict[target] is not Truth.FALSE:
                found.add(target)
                waiting.append(target)
    return frozenset(found)
