"""What an episode saw is put in order so that no sound allocator is accused, and a forked child is judged, too."""

from __future__ import annotations

import itertools
import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.check.finding import script_of
from m4alloc.check.history import histories, ordered, ordered_records
from m4alloc.check.judgement import Terms, judge
from m4alloc.check.operation import Directive
from m4alloc.check.target import End, Episode
from m4alloc.trace.format import RECORD
from spec.event import NEVER_RETURNED, Event, Function
from spec.script import parse
from spec.script_writer import line_of, render

C17 = Terms("c17")
PARALLEL, JOIN = (Event(Function.LABEL, label=which.label) for which in (Directive.PARALLEL, Directive.JOIN))


def fork(number: int, begin: int, end: int) -> Event:
    """A fork on thread 0 in a parallel section."""
    return Event(Function.LABEL, size=number, begin=begin, end=end, label=Directive.FORK_CHILD.label)


def malloc(address: int, begin: int = 0, end: int = 0, site: int = 0, thread: int = 1) -> Event:
    return Event(Function.MALLOC, thread, size=16, result=address, begin=begin, end=end, site=site)


def free(address: int, begin: int = 0, end: int = 0, site: int = 0, thread: int = 1) -> Event:
    return Event(Function.FREE, thread, address, begin=begin, end=end, site=site)


def judged(*events: Event) -> str:
    """The rule that breaks and what is said of it; empty when none does."""
    return str(judge(Episode(list(events)), C17) or "")


def judged_end(end: End, *events: Event) -> str:
    """The same of an episode that ended early."""
    return str(judge(Episode(list(events), end, 11), C17) or "")


@given(st.lists(st.lists(st.integers(1, 99), unique=True, max_size=6), max_size=4))
def test_sections_are_sorted_and_stay_where_they_are(sections: list[list[int]]) -> None:
    events, wanted = [PARALLEL], [PARALLEL]
    for section in sections:
        events += [*(free(n, n) for n in section), JOIN]
        wanted += [*(free(n, n) for n in sorted(section)), JOIN]
    assert ordered(events) == wanted
    records = np.zeros(len(events), RECORD)
    records["begin"], records["address"] = np.array([(event.begin, event.address) for event in events]).T
    assert ordered_records(records)["address"].tolist() == [event.address for event in wanted]


def test_records_without_numbers_are_left_alone() -> None:
    records = np.zeros(3, RECORD)
    assert ordered_records(records) is records


def test_an_episode_without_forks_is_one_history() -> None:
    events = [PARALLEL, malloc(0x20, 3, 4), malloc(0x10, 1, 2), JOIN, free(0x10)]
    assert histories(events) == [[events[0], events[2], events[1], *events[3:]]]
    assert histories([]) == [[]]


def test_what_the_parent_does_is_not_the_childs_and_the_other_way_round() -> None:
    same = [PARALLEL, fork(1, 1, 2), malloc(0x10, 3, 4), malloc(0x10, 5, 6, site=1, thread=0), JOIN, malloc(0x20)]
    assert judged(*same) == ""
    assert "in a forked child" in judged(*same[:-2], malloc(0x18, 7, 8, site=1, thread=0), JOIN)


def test_a_block_from_before_the_fork_is_the_childs() -> None:
    before = [malloc(0x10), PARALLEL, malloc(0x40, 1, 2), fork(1, 3, 4)]
    for address in (0x10, 0x40):
        said = judged(*before, malloc(address, 5, 6, site=1), JOIN)
        assert said.startswith("reuse-only-after-free: in a forked child, ")
        assert judged(*before, free(address, 5, 6, site=1), malloc(address, 7, 8, site=1), JOIN) == ""


def test_what_was_under_way_at_the_fork_is_nobodys_in_the_child() -> None:
    """A call between the begin and the end of the fork happened before it or after it; nobody can tell."""
    handed = [PARALLEL, malloc(0x10, 1, 4), fork(1, 2, 3)]
    assert judged(*handed, malloc(0x10, 5, 6, site=1), JOIN) == ""
    given_up = [malloc(0x10), PARALLEL, free(0x10, 1, 4), fork(1, 2, 3)]
    assert judged(*given_up, malloc(0x10, 5, 6, site=1), JOIN) == ""
    late = [malloc(0x10), PARALLEL, fork(1, 1, 2), free(0x10, 3, 4)]
    assert "in a forked child" in judged(*late, malloc(0x10, 5, 6, site=1), JOIN)


def hangs(begin: int, site: int) -> Event:
    return Event(Function.MALLOC, size=16, begin=begin, site=site, flags=NEVER_RETURNED)


RACING = [
    PARALLEL,
    malloc(0x20, 1, 2),
    fork(1, 3, 12),
    malloc(0x10, 4, 5),
    free(0x10, 6, 7),
    malloc(0x10, 8, 9, thread=2),
    free(0x10, 10, 11, thread=2),
]
"""While the first thread forks, two others are handed one block after the other, and give it back."""


def test_a_child_that_hangs_is_told_without_misuse_and_with_its_fork() -> None:
    broken = judge(Episode([*RACING, hangs(6, 1), free(0x20, 13)], End.HUNG), C17)
    assert broken is not None and broken.rule.name == "call-returns"
    script = script_of(broken, [], C17)
    assert [claim.kind for step in script.steps for claim in step.claims] == ["violates"]
    assert [line_of(step) for step in script.steps[-2:]] == [
        "[12..13] label fork-child size 1",
        "[18..] malloc 16 -> NULL never-returned    ! violates call-returns",
    ]
    assert "broke its side" not in broken.message
    assert parse(render(script)).steps[-1].event == script.steps[-1].event


def test_the_call_of_a_child_that_hangs_is_the_one_that_is_said_to_hang() -> None:
    """The last event of the episode is another's: a free in the parent."""
    others = free(0x20, 13, 14)
    said = judged_end(End.HUNG, *RACING, hangs(6, 1), others)
    assert said.startswith(
        "call-returns: in a forked child, no answer in time inside malloc (a lock that another thread held at the "
        "fork? see pthread_atfork): malloc(16) at event 18 never returned."
    )
    assert "pthread_atfork" not in judged_end(End.CRASHED, *RACING, hangs(6, 1), others)
    assert "pthread_atfork" not in judged_end(End.HUNG, PARALLEL, hangs(1, 0))


def test_a_child_that_was_never_forked_as_far_as_is_known_has_no_history() -> None:
    assert len(histories([PARALLEL, malloc(0x10, 1, 2, site=3), JOIN])) == 1


class Process:
    """A right allocator of 16 bytes at a time, and who holds what: the model of the next test."""

    def __init__(self) -> None:
        self.free: list[int] = []
        self.next = 0x1000
        self.held: dict[int, list[int]] = {thread: [] for thread in range(3)}

    def copy(self) -> Process:
        other = Process()
        other.free, other.next = list(self.free), self.next
        other.held = {thread: list(blocks) for thread, blocks in self.held.items()}
        return other

    def take(self) -> int:
        if self.free:
            return self.free.pop()
        self.next += 16
        return self.next


def simulated(seed: int) -> list[Event]:
    """The events of a right allocator in three threads, the first of which forks at a time of its own.

    Each call has three moments: it begins, it takes effect, it ends; the moments of the threads are shuffled.
    """
    chance = random.Random(seed)
    parent = Process()
    counter = iter(range(1, 10_000)).__next__
    events: list[Event] = []
    under_way: dict[tuple[int, int], dict[str, int]] = {}  # by process (0, or the child's number) and thread
    processes = {0: parent}
    runners = [(0, 0), (0, 1), (0, 2)]
    fork_at = chance.randrange(10, 60)
    for step in itertools.count():
        if step >= 200 and not under_way:
            break
        key = chance.choice(runners if step < 200 else list(under_way))
        number, thread = key
        process, call = processes[number], under_way.get(key)
        if call is None:
            begins = {"begin": counter(), "moment": 0, "address": 0}
            if step >= fork_at and key == (0, 0) and 1 not in processes:
                begins["fork"] = 1
            elif process.held[thread] and chance.random() < 0.5:
                begins["address"] = process.held[thread].pop(chance.randrange(len(process.held[thread])))
            under_way[key] = begins
        elif call["moment"] == 0:
            call["moment"] = 1
            if "fork" in call:
                processes[1] = parent.copy()
            elif call["address"]:
                process.free.append(call["address"])
            else:
                call["result"] = process.take()
        else:
            del under_way[key]
            end = counter()
            if "fork" in call:
                events.append(fork(1, call["begin"], end))
                runners = [(1, 0), (0, 1), (0, 2)]  # the parent's thread has no more to do
            elif call["address"]:
                events.append(free(call["address"], call["begin"], end, number, thread))
            else:
                process.held[thread].append(call["result"])
                events.append(malloc(call["result"], call["begin"], end, number, thread))
    return [PARALLEL, *chance.sample(events, len(events)), JOIN]


@given(st.integers(0, 2**32))
@settings(deadline=None)
def test_a_right_allocator_that_forks_among_threads_is_never_accused(seed: int) -> None:
    assert judged(*simulated(seed)) == ""
