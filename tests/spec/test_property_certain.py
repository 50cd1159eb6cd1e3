"""What is certain although something was not seen: exactly what is so of every word that there may have been."""

from __future__ import annotations

from itertools import product

import pytest

from spec.ltl.error import TooLargeError
from spec.ltl.monitor import monitor
from spec.ltl.parser import parse
from spec.ltl.truth import Truth
from spec.ltl.word import Letter, Word
from spec.properties import PROPERTIES, find
from spec.property_certain import can_fail, certain

ACCESS: Letter = frozenset({"access", "client_access_mem"})
_MALLOC: Letter = frozenset({"malloc"})
SEEN = [frozenset({"malloc"}), frozenset({"free"}), frozenset[str]()]

CASES = [
    # Formula, what was not seen, and whether something can be certain then.
    ("F1", {"access"}, False),
    ("F2", {"access"}, True),
    ("one-life", {"access"}, True),
    ("S1", {"access"}, False),
    ("published", {"access"}, False),
    ("quarantine", {"quarantine_end"}, False),
    ("[](free -> X !free) && []!client_access_mem", {"client_access_mem"}, True),
    ("[](free -> X !free) || <>access", {"access"}, False),
    ("[](malloc -> !early) && (free || !free W malloc)", {"early"}, True),
    ("[](malloc -> !early && !dirty) && <>free", {"dirty", "early"}, True),
    ("[](malloc -> (early || <>[]!malloc))", {"early"}, False),
    ("[]!stale_tag && X X free", {"stale_tag"}, True),
    ("[](malloc -> (!free U here)) && [](here -> X !malloc) && (free -> X malloc)", {"here"}, False),
    ("[](free -> O malloc) && <>(here && Y there)", {"here", "there"}, True),
    ("[](access -> !uninitialised)", {"uninitialised"}, False),
    ("[](access -> !uninitialised) && !access", {"uninitialised"}, True),
    ("[](access -> !outside) && [](free -> X(!free W malloc))", {"access", "outside"}, True),
    ("[](free -> (access && outside) || <>(access && outside))", {"access", "outside"}, False),
    ("[](malloc -> early) || [](access -> outside)", {"early", "outside"}, False),
    ("[]!outside && X X free", {"outside"}, True),
]


def may_have_been(word: tuple[Letter, ...], unseen: set[str], named: frozenset[str]) -> list[tuple[Letter, ...]]:
    """The words that `word` may have been, but for more than two unseen letters between one and the next.

    named: what the formula names. Where it does not tell mallocs, or accesses, each letter may be one.
    """
    of_malloc, of_access = unseen & {"early", "dirty", "stale_tag"}, unseen & {"outside", "uninitialised"}
    inserted = [frozenset({name}) for name in sorted(unseen - of_malloc - of_access - ACCESS)]
    if unseen & ACCESS:
        inserted += [ACCESS | more for more in subsets(of_access)]
    gaps = [found for length in range(3) for found in product(inserted, repeat=length)]
    choices: list[list[tuple[Letter, ...]]] = [gaps]
    for letter in word:
        may_be = [letter]
        if "malloc" in letter | (_MALLOC - named):
            may_be = [one | more for one in may_be for more in subsets(of_malloc)]
        if letter & ACCESS or not named & ACCESS:
            may_be = [one | more for one in may_be for more in subsets(of_access)]
        choices += [[(one,) for one in may_be], gaps]
    return [sum(parts, ()) for parts in product(*choices)]


def subsets(names: set[str]) -> list[Letter]:
    """Each combination of the names."""
    rows = product((False, True), repeat=len(names))
    return [frozenset(name for name, there in zip(names, row, strict=True) if there) for row in rows]


@pytest.mark.parametrize(("text", "unseen", "fails"), CASES)
def test_what_is_certain_is_what_is_so_of_every_word_that_there_may_have_been(
    text: str, unseen: set[str], fails: bool
) -> None:
    formula = (find(text) if "(" not in text else find(f"address: {text}")).formula
    machine, blind = monitor(formula), certain(formula, frozenset(unseen))
    blind.check()
    seen = SEEN if unseen & ACCESS else [*SEEN, ACCESS]
    for length in range(4 if len(unseen) == 1 else 3):
        for word in product(seen, repeat=length):
            ends = {machine.run(Word(one))[-1] for one in may_have_been(word, unseen, formula.propositions)}
            found = blind.run(Word(word))[-1]
            lost = all(machine.verdict[state] is Truth.FALSE for state in ends)
            assert blind.verdict[found] is (Truth.FALSE if lost else Truth.INCONCLUSIVE), word
            assert blind.at_end[found] == any(machine.at_end[state] for state in ends), word
    assert can_fail(blind) == fails


def test_of_the_library_only_what_also_speaks_of_mallocs_and_frees_can_fail_unseen() -> None:
    blind = {one.name for one in PROPERTIES if one.needs and can_fail(certain(one.formula, one.needs))}
    assert blind == {"whole-life", "one-life"}


def test_the_subset_construction_is_bounded() -> None:
    formula = parse("[](malloc -> X X X free) && (here || X X malloc)")
    assert (monitor(formula, states=25).states, certain(formula, frozenset({"here"})).states) == (16, 30)
    with pytest.raises(TooLargeError, match=r"without here it needs a monitor of more than 25 states"):
        certain(formula, frozenset({"here"}), states=25)
