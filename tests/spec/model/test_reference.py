"""The reference allocator as a transition system: its keys mean what they say, and its state space is what it is."""

from __future__ import annotations

from collections import deque

import pytest

from capability.architecture import Architecture
from capability.cheri.protection import Cheri
from capability.flat import Flat
from capability.mte.arithmetic import choose_tag
from capability.mte.policy import NOT_ZERO, Odds, PartitionAlloc
from capability.mte.protection import MTE
from capability.mte.site import Site
from spec.allocator import ReferenceAllocator
from spec.ltl.evaluate import holds
from spec.ltl.parser import parse
from spec.model.counterexample import replay
from spec.model.reference import HeapState, ReferenceSystem
from spec.model.search import check
from spec.model.system import Verdict
from spec.policy import Anywhere, FirstFit, Policy


class Counting:
    """PartitionAlloc's policy without its random start, so that there are few states: the next tag at each free."""

    largest = None
    zeroes = False

    def allocate(self, site: Site) -> int:
        return site.common_tag() or 1

    def release(self, site: Site) -> int:
        return choose_tag(site.common_tag(), 1, NOT_ZERO)

    def odds(self) -> Odds:
        return PartitionAlloc().odds()


def small(
    architecture: Architecture | None = None, policy: Policy | None = None, capacity: int = 48, quarantine: int = 0
) -> ReferenceAllocator:
    return ReferenceAllocator(
        policy or Anywhere(), architecture or Flat(), capacity, base=0x1000, quarantine=quarantine, page=64
    )


def explore(system: ReferenceSystem) -> tuple[list[HeapState], list[tuple[HeapState, HeapState]]]:
    """Every state, and every pair of states that were reached by different histories and have one key."""
    start = next(iter(system.initial()))
    seen, twins, waiting = {start: start}, [], deque([start])
    while waiting:
        for _, target in system.successors(waiting.popleft()):
            if target in seen:
                twins.append((seen[target], target))
            else:
                seen[target] = target
                waiting.append(target)
    return list(seen), twins


SYSTEMS = {
    "anywhere": ReferenceSystem(small(), sizes=[16, 32]),
    "first fit": ReferenceSystem(small(policy=FirstFit()), sizes=[16, 32], blocks=3),
    "quarantine": ReferenceSystem(small(quarantine=1), sizes=[16]),
    "realloc": ReferenceSystem(small(), sizes=[16, 32], resize=True),
    "stale": ReferenceSystem(small(quarantine=1), sizes=[16], stale=True),
    "mte": ReferenceSystem(small(MTE(Counting()), capacity=16), sizes=[16], blocks=1, stale=True),
    "cheri": ReferenceSystem(small(Cheri(), capacity=32), sizes=[16], blocks=1, stale=True),
}
STATES = {"anywhere": 73, "first fit": 81, "quarantine": 103, "realloc": 73, "stale": 187, "mte": 1426, "cheri": 27}


@pytest.mark.parametrize("name", SYSTEMS)
def test_equal_keys_have_equal_successors(name: str) -> None:
    system = SYSTEMS[name]
    states, twins = explore(system)
    assert len(states) == STATES[name]
    assert twins
    for one, other in twins:
        assert [target.key for _, target in system.successors(one)] == [
            target.key for _, target in system.successors(other)
        ]
        assert system.letter(one) == system.letter(other)


FAITHFUL = "(!access W malloc) && [](free -> X(!access W malloc))"


@pytest.mark.parametrize("name", ["anywhere", "first fit", "quarantine", "realloc"])
def test_a_block_is_used_only_while_it_is_allocated_by_correct_clients(name: str) -> None:
    result = check(SYSTEMS[name], parse(FAITHFUL))
    assert (result.verdict, result.reason) == (Verdict.HOLDS, "")


@pytest.mark.parametrize("name", ["anywhere", "quarantine"])
def test_the_published_property_is_violated_by_the_correct_allocator(name: str) -> None:
    """It asks that every access be itself a malloc: the first access of a block violates it."""
    published = parse("[](<>access -> ((!access U malloc) && (!free U access) && <>free))")
    result = check(SYSTEMS[name], published)
    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample is not None
    replay(SYSTEMS[name], result.counterexample)
    assert not holds(published, result.counterexample.word(SYSTEMS[name]))


def test_leak_freedom_needs_a_client_that_frees() -> None:
    freed = parse("[](malloc -> <>free)")
    assert check(SYSTEMS["anywhere"], freed).verdict is Verdict.VIOLATED
    frees_what_it_used = parse("[](access -> <>free)")  # but may keep what it never used
    assert check(SYSTEMS["anywhere"], freed, assumptions=[frees_what_it_used]).verdict is Verdict.VIOLATED
    assert check(SYSTEMS["anywhere"], freed, assumptions=[freed]).verdict is Verdict.HOLDS


def test_without_protection_a_stale_pointer_reads_what_is_there() -> None:
    result = check(SYSTEMS["stale"], parse(STOPPED))
    assert result.counterexample is not None
    words = result.counterexample.word(SYSTEMS["stale"])
    assert [set(letter) for letter in words.letters if letter] == [{"malloc"}, {"free"}, {"access"}]


def test_a_double_free_is_refused_until_another_block_is_there() -> None:
    refused = parse("[](free && (Y O free) -> misuse)")
    result = check(SYSTEMS["stale"], refused)
    assert result.counterexample is not None
    texts = [step.text for step in result.counterexample.steps]
    assert texts[-1].endswith("again")
    # Between the two frees, one other free ends the quarantine of 1, and a malloc takes the place.
    assert sum(text.startswith("malloc") for text in texts) >= 3


STOPPED = "[]((access && O free) -> fault)"


def test_capabilities_stop_every_access_after_free() -> None:
    assert check(SYSTEMS["cheri"], parse(STOPPED)).verdict is Verdict.HOLDS


def test_tags_stop_an_access_after_free_until_they_come_round() -> None:
    """With the next of 15 tags at each free, the old one is back after 15 frees: 14 more blocks in the same place."""
    result = check(SYSTEMS["mte"], parse(STOPPED))
    assert result.counterexample is not None
    texts = [step.text for step in result.counterexample.steps]
    assert sum(text.startswith("malloc") for text in texts) == 15
    assert texts[-1] == "load from 0x1000 after its free"


def test_a_client_that_asks_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sizes \[\] and 2 blocks: a client asks for something and holds something"):
        ReferenceSystem(small(), sizes=[])
