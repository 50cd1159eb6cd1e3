"""The compiled acceptor: on any history it finds, counts and remembers what the specification does."""

from __future__ import annotations

import errno
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.check import accept
from m4alloc.check.accept import History, accept_records, acceptor_on, can_judge, suspects, tree_suspects
from m4alloc.check.lessons import GLANCED, Lessons, unknown_rules
from m4alloc.trace.format import RECORD
from m4alloc.trace.read import Records, decode
from spec import history as spec_history
from spec.acceptor import Acceptor
from spec.contract import PROMISES, RULES
from spec.event import ERRNO_CHANGED, MISUSE_CAUGHT, NEVER_RETURNED, WHOLE_SCANNED, Event, Function
from spec.judge import ON_ACCESS, ON_RELEASE, ON_REPLY
from spec.standard import STANDARDS
from tests.spec.test_history import history, mutations, sequential, state

pytestmark = pytest.mark.skipif(not accept.COMPILED, reason="make build")

FEWER = settings(max_examples=max(10, settings().max_examples // 3))
COUNTED = (Function.CALLOC, Function.REALLOCARRAY)
STANDARDS_TRIED = ("c17", "c23", "posix", "c17,glibc", "c23,posix", "c23,cheri")


def records_of(events: Iterable[Event], labels: Sequence[str] = ()) -> Records:
    """The events as records; what a record cannot hold is lost."""
    rows = []
    for event in events:
        extra = event.count if event.function in COUNTED else event.alignment
        address = event.address if event.function != Function.LABEL else 0
        if event.label:
            address = labels.index(event.label) + 1
        rows.append(
            (
                event.begin,
                event.end,
                address,
                event.size,
                extra,
                event.result,
                event.usable,
                event.intact,
                event.time_ns,
                event.site,
                event.thread,
                event.errno,
                int(event.function),
                event.flags,
            )
        )
    return np.array(rows, RECORD)


def all_of(acceptor: Acceptor) -> dict[str, object]:
    """All that two acceptors must agree on, down to the messages and the events that findings name."""
    young = acceptor.window.young
    waiting = [grave for queue in acceptor.window._queues.values() for grave in queue]
    return {
        **state(acceptor),
        "about": [(finding.event, finding.block) for finding in acceptor.findings],
        "after": [violation.after_misuse for violation in acceptor.violations],
        "key": acceptor.heap.key(),
        "next": acceptor.heap.next_id,
        "contested": acceptor.contested,
        "survivors": acceptor.survivors,
        "under way": acceptor.under_way,
        "waiting": {grave.block.base: grave for grave in waiting if young.get(grave.block.base) is grave},
    }


def terms(**options: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments for acceptors."""
    return st.fixed_dictionaries(
        {
            "standard": st.sampled_from(STANDARDS_TRIED),
            "quarantine": st.integers(0, 4),
            "quarantine_limit": st.sampled_from((0, 64, 2**64 - 1)),
            "observes": st.sampled_from((0, ERRNO_CHANGED, ERRNO_CHANGED | MISUSE_CAUGHT, WHOLE_SCANNED)),
            "limit": st.sampled_from((0, 3, 1000)),
            "promises": st.sampled_from((frozenset(), PROMISES)),
            "arena": st.sampled_from((None, (0x10000, 0x10200), (1, 2**63), (1, 2**64))),
            "page": st.sampled_from((4096, 16, 48)),
            **options,
        }
    )


ODD = (0, 1, 2, 3, 7, 8, 12, 15, 16, 24, 48, 64, 4096, 2**31, 2**63 - 1, 2**63, 2**64 - 16, 2**64 - 1)


def odd(rng: random.Random, events: Iterable[Event]) -> Iterable[Event]:
    """The same, with a number in a few of them that lies at the end of some range, and rarer functions."""
    for event in events:
        if rng.random() < 0.08:
            field = rng.choice(("size", "count", "alignment", "result", "address", "errno", "usable", "intact"))
            value = rng.choice(ODD)
            if field in ("usable", "intact"):
                value = rng.choice((-2, -1, 0, 16, 2**63 - 1))
            if field == "errno":
                value = rng.choice((0, errno.ENOMEM, errno.EINVAL))
            event = event._replace(**{field: value})  # type: ignore[arg-type]
        if rng.random() < 0.1:
            event = event._replace(function=rng.choice(list(Function)))
        yield event


def made(seed: int, length: int, threads: int, quarantine: int) -> Records:
    """Records of a history in which some things are wrong, or right and rare."""
    rng = random.Random(seed)
    events: Iterable[Event] = history(seed, length, threads, quarantine)
    if rng.random() < 0.7:
        events = mutations(rng, list(events))
    if rng.random() < 0.5:
        events = odd(rng, events)
    events = list(events)
    if seed % 2 and threads == 1:
        events = sequential(events)
    elif seed % 5 == 0:
        events = [event._replace(begin=0, end=0) if rng.random() < 0.2 else event for event in events]
    return records_of(events)


@given(seed=st.integers(0, 2**32), length=st.integers(0, 150), threads=st.integers(1, 4), options=terms())
def test_any_history_ends_as_in_the_specification(
    seed: int, length: int, threads: int, options: dict[str, Any]
) -> None:
    records = made(seed, length, threads, options["quarantine"])
    expected = spec_history.accept(decode(records), Acceptor(**options))
    assert all_of(accept_records(records, Acceptor(**options))) == all_of(expected)


@pytest.mark.campaign
@settings(max_examples=5000)
@given(seed=st.integers(0, 2**32), length=st.integers(0, 400), threads=st.integers(1, 8), options=terms())
def test_any_of_many_histories_ends_as_in_the_specification(
    seed: int, length: int, threads: int, options: dict[str, Any]
) -> None:
    records = made(seed, length, threads, options["quarantine"])
    expected = spec_history.accept(decode(records), Acceptor(**options))
    assert all_of(accept_records(records, Acceptor(**options))) == all_of(expected)


@FEWER
@given(seed=st.integers(0, 2**32), length=st.integers(0, 120), threads=st.integers(1, 4), options=terms())
def test_a_history_may_run_in_steps_and_its_heap_be_copied_at_any(
    seed: int, length: int, threads: int, options: dict[str, Any]
) -> None:
    rng = random.Random(seed)
    records = made(seed, length, threads, options["quarantine"])
    expected = spec_history.accept(decode(records), Acceptor(**options))
    acceptor = Acceptor(**options)
    if not can_judge(acceptor):
        return
    with History(records, acceptor) as history_:
        place = 0
        while place < history_.length:
            place = min(history_.length, place + rng.randint(1, 9))
            history_.advance(place)
            acceptor.heap.check()
            copy = history_.snapshot()
            assert dict(copy.live) == dict(acceptor.heap.live) and copy.graves == dict(acceptor.heap.graves)
    assert all_of(acceptor) == all_of(expected)
    acceptor.check()


@FEWER
@given(seed=st.integers(0, 2**32), lengths=st.lists(st.integers(0, 60), min_size=2, max_size=3), options=terms())
def test_a_history_goes_on_where_another_ended(seed: int, lengths: list[int], options: dict[str, Any]) -> None:
    records = made(seed | 1, sum(lengths), 1, options["quarantine"])
    expected, acceptor = Acceptor(**options), Acceptor(**options)
    rng, start = random.Random(seed), 0
    for length in lengths:
        part = records[start : start + length]
        spec_history.accept(decode(part), expected)
        accept_records(part, acceptor)
        if rng.random() < 0.5:
            assert all_of(acceptor) == all_of(expected)  # which looks inside the heap that is left
        start += length
    assert all_of(acceptor) == all_of(expected)


@FEWER
@given(seed=st.integers(0, 2**32), length=st.integers(0, 100), threads=st.integers(1, 3), options=terms())
def test_a_forked_child_starts_from_its_parents_heap(
    seed: int, length: int, threads: int, options: dict[str, Any]
) -> None:
    records = made(seed, length, threads, options["quarantine"])
    others = made(seed + 1, length, threads, options["quarantine"])
    parent = accept_records(records, Acceptor(**options))
    child = accept_records(others, acceptor_on(parent.heap.copy(), **options))
    plain = spec_history.accept(decode(records), Acceptor(**options))
    expected = spec_history.accept(decode(others), Acceptor(**options, heap=plain.heap.copy()))
    assert all_of(child) == all_of(expected)
    assert all_of(parent) == all_of(plain)


def test_an_order_chooses_and_arranges_the_records() -> None:
    events = history(7, 60, 3, 0)
    records = records_of(events)
    shuffled = np.random.default_rng(1).permutation(len(records))
    order = np.argsort(shuffled)[: len(records) // 2]
    expected = spec_history.accept(events[: len(records) // 2])
    assert all_of(accept_records(records[shuffled], Acceptor(), order=order)) == all_of(expected)
    with pytest.raises(IndexError, match=r"^the order names records outside the 60 there are$"):
        accept_records(records, Acceptor(), order=np.array([60]))


def test_records_out_of_order_are_refused_as_by_the_specification() -> None:
    records = records_of([Event(Function.MALLOC, begin=5, end=6), Event(Function.MALLOC, begin=3, end=4)])
    with pytest.raises(ValueError, match=r"^an event begins at 3, after one at 5: order the events by begin$"):
        accept_records(records, Acceptor())


@pytest.mark.parametrize("function", [0, 13 + 5, 255])
def test_a_function_that_there_is_not_is_a_key_error(function: int) -> None:
    records = records_of([Event(Function.MALLOC, size=1, result=4096)] * 2)
    records["function"][1] = function
    acceptor = Acceptor()
    with pytest.raises(KeyError, match=str(function)):
        accept_records(records, acceptor)
    acceptor.heap.check()


def test_progress_is_told_as_by_the_specification() -> None:
    told: list[int] = []
    accept_records(records_of([Event(Function.FREE)] * 140_000), Acceptor(), progress=told.append)
    assert told == [65536, 131072, 140_000]


def test_an_error_in_progress_ends_the_history_and_leaves_a_heap() -> None:
    def stop(done: int) -> None:
        raise InterruptedError

    records = records_of([Event(Function.MALLOC, size=1, result=4096)] + [Event(Function.FREE)] * 70_000)
    acceptor = Acceptor()
    with pytest.raises(InterruptedError):
        accept_records(records, acceptor, progress=stop)
    assert list(acceptor.heap.live) == [4096]


def test_labels_are_told_by_name() -> None:
    labels = ("here", "there")
    events = [Event(Function.LABEL, label=label, flags=64) for label in ("there", "", "here")]
    seen: list[str] = []

    class Listening(Acceptor):
        def release(self, event: Event) -> Any:
            seen.append(event.label)
            return super().release(event)

    accept_records(records_of(events, labels), Listening(), labels=labels)
    assert seen == ["there", "", "here"]


BIG = 0x7F0000000000


def test_a_large_heap_that_comes_and_goes_stays_in_order() -> None:
    rng = random.Random(5)
    events: list[Event] = []
    live: list[int] = []
    taken: set[int] = set()
    for number in range(20_000):
        if live and rng.random() < (0.3 if number < 10_000 else 0.7):
            index = rng.randrange(len(live))
            live[index], live[-1] = live[-1], live[index]
            taken.remove(live[-1])
            events.append(Event(Function.FREE, address=live.pop()))
        else:
            address = BIG + rng.randrange(1 << 14) * 1024
            if address not in taken:
                taken.add(address)
                live.append(address)
                events.append(Event(Function.MALLOC, size=rng.randint(1, 1024), result=address))
    records = records_of(events)
    acceptor = Acceptor()
    with History(records, acceptor) as history_:
        for stop in range(0, history_.length, 2000):
            history_.advance(stop)
            acceptor.heap.check()
        history_.advance(history_.length)
    assert all_of(acceptor) == all_of(spec_history.accept(events))
    assert not acceptor.findings


# The rules.


def test_every_rule_that_is_judged_is_one_the_glance_knows() -> None:
    assert not unknown_rules(RULES)
    assert {*ON_RELEASE, *ON_REPLY, *ON_ACCESS} == GLANCED


def test_a_rule_that_the_glance_does_not_know_leaves_everything_to_the_specification(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(call: Any) -> bool:
        return bool(call.event.size == 13)

    monkeypatch.setitem(ON_REPLY, "unlucky", never)
    assert unknown_rules([*RULES, "unlucky"]) == {"unlucky"}
    contract = Acceptor().contract
    changed = type(contract)(
        contract.standards,
        {**contract.rules, "unlucky": RULES["result-disjoint"]},
        contract.aligns_small,
        contract.names_errors,
        contract.zero_is_block,
        contract.realloc_zero,
    )
    records = records_of([Event(Function.MALLOC, size=13, result=4096)])
    assert not can_judge(Acceptor(changed))
    assert suspects(records, np.array([0]), Acceptor(changed))[0].tolist() == [0]
    assert tree_suspects(records, Acceptor(changed))[0].tolist() == [0]
    assert all_of(accept_records(records, Acceptor(changed))) == all_of(
        spec_history.accept(decode(records), Acceptor(changed))
    )


BLOCK, OTHER = 0x10000, 0x20000
PLAIN = [
    Event(Function.MALLOC, size=24, result=BLOCK, usable=32),
    Event(Function.USABLE_SIZE, address=BLOCK, result=32),
    Event(Function.STORE, address=BLOCK, size=24),
    Event(Function.LOAD, address=BLOCK + 8, size=8, intact=8),
    Event(Function.REALLOC, address=BLOCK, size=40, result=BLOCK, usable=48, intact=24),
    Event(Function.REALLOC, address=BLOCK, size=2**62, errno=errno.ENOMEM, intact=40),
    Event(Function.REALLOCARRAY, address=BLOCK, size=2**62, count=8, errno=errno.ENOMEM),
    Event(Function.REALLOC, address=BLOCK, size=100, result=OTHER, usable=112, intact=40),
    Event(Function.FREE, address=OTHER),
    Event(Function.FREE),
    Event(Function.CALLOC, size=8, count=4, result=BLOCK, usable=32, intact=32),
    Event(Function.FREE_SIZED, address=BLOCK, size=32),
    Event(Function.CALLOC, size=2**33, count=2**33, errno=errno.ENOMEM),
    Event(Function.MALLOC, size=2**63, errno=errno.ENOMEM),
    Event(Function.MALLOC, size=0, result=BLOCK, usable=24),
    Event(Function.MALLOC, size=0, result=OTHER),
    Event(Function.DELETE, address=OTHER),
    Event(Function.FREE, address=BLOCK),
    Event(Function.ALIGNED_ALLOC, size=10, alignment=64, result=BLOCK, usable=16),
    Event(Function.FREE_ALIGNED_SIZED, address=BLOCK, size=10, alignment=64),
    Event(Function.ALIGNED_ALLOC, size=10, alignment=3, errno=errno.EINVAL),
    Event(Function.POSIX_MEMALIGN, size=10, alignment=64, result=BLOCK),
    Event(Function.POSIX_MEMALIGN, size=10, alignment=4, errno=errno.EINVAL),
    Event(Function.POSIX_MEMALIGN, address=8, size=10, alignment=2**40, result=8, errno=errno.ENOMEM),
    Event(Function.MEMALIGN, size=10, alignment=32, result=OTHER),
    Event(Function.VALLOC, size=10, result=0x30000),
    Event(Function.PVALLOC, size=10, result=0x40000, usable=4096),
    Event(Function.NEW, size=24, result=0x50000),
    Event(Function.NEW, size=24, alignment=64, result=0x60000),
    Event(Function.DELETE, address=0x60000, size=24),
    Event(Function.USABLE_SIZE),
    Event(Function.LABEL),
]
"""Calls that are plain under every standard, one after the other."""


@pytest.mark.parametrize("standard", STANDARDS)
def test_plain_calls_never_reach_the_readable_acceptor(standard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    events = PLAIN
    records = records_of(events)
    expected = spec_history.accept(events, Acceptor(standard, observes=3))
    assert not expected.findings
    acceptor = Acceptor(standard, observes=3)
    monkeypatch.setattr(acceptor, "release", None)
    accept_records(records, acceptor)
    assert all_of(acceptor) == all_of(expected)


WRONG: tuple[dict[str, Any], ...] = (
    *(
        {"result": result}
        for result in (0, 8, BLOCK, BLOCK + 8, BLOCK + 16, OTHER, OTHER + 1, 2**47, 2**56 - 8, 2**64 - 16)
    ),
    *({"address": address} for address in (0, 8, BLOCK, BLOCK + 8, BLOCK + 64, OTHER)),
    *({"size": size} for size in (0, 1, 9, 31, 33, 2**63, 2**64 - 1)),
    *({"count": count} for count in (0, 3, 5, 2**61)),
    *({"alignment": alignment} for alignment in (0, 1, 3, 4, 16, 4096)),
    *({"usable": usable} for usable in (-1, 0, 9, 23, 31, 47, 111, 2**63 - 1)),
    *({"intact": intact} for intact in (-1, 0, 7, 23, 31, 39, 64)),
    *({"errno": number} for number in (0, errno.ENOMEM, errno.EINVAL)),
    *({"flags": flags} for flags in (ERRNO_CHANGED, MISUSE_CAUGHT, NEVER_RETURNED, WHOLE_SCANNED, 16)),
)
"""What may be different in one call: now and then that is right, mostly it is wrong."""


@pytest.mark.parametrize(
    "standard", ["c23,posix", *(pytest.param(name, marks=pytest.mark.campaign) for name in STANDARDS_TRIED)]
)
def test_one_thing_wrong_in_plain_calls_is_judged_as_by_the_specification(standard: str) -> None:
    options: dict[str, Any] = {"standard": standard, "observes": 3, "promises": PROMISES}
    refused = 0
    for place, event in enumerate(PLAIN):
        for change in WRONG:
            if ("count" in change) != (event.function in COUNTED) and ("count" in change or "alignment" in change):
                continue
            records = records_of([*PLAIN[:place], event._replace(**change), *PLAIN[place + 1 : place + 4]])
            expected = spec_history.accept(decode(records), Acceptor(**options))
            assert all_of(accept_records(records, Acceptor(**options))) == all_of(expected), (event, change)
            refused += bool(expected.counts)
    assert refused > 300


def test_without_the_compiled_acceptor_the_specification_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    records = made(11, 60, 2, 0)
    compiled = all_of(accept_records(records, Acceptor()))
    monkeypatch.setattr(accept, "COMPILED", False)
    acceptor = Acceptor()
    heap = acceptor.heap
    assert all_of(accept_records(records, acceptor)) == compiled and acceptor.heap is heap
    assert suspects(records, np.array([0, 9]), Acceptor())[0].tolist() == [0, 1]
    records["time_ns"], records["site"] = np.arange(len(records)), 1
    assert tree_suspects(records, Acceptor(), done=9)[0].tolist() == list(range(9, len(records)))


# Many histories at once.


def judged(events: Iterable[Event], options: dict[str, Any]) -> Acceptor:
    """The specification's word on one history from a fresh heap."""
    return spec_history.accept(events, Acceptor(**options))


def add(total: dict[str, int], tally: dict[str, int], sign: int = 1) -> None:
    for name, number in tally.items():
        total[name] = total.get(name, 0) + sign * number


@given(
    seed=st.integers(0, 2**32),
    lengths=st.lists(st.integers(0, 12), max_size=12),
    threads=st.integers(1, 3),
    options=terms(),
)
def test_episodes_that_are_no_suspects_are_admitted_and_counted(
    seed: int, lengths: list[int], threads: int, options: dict[str, Any]
) -> None:
    episodes = [made(seed + n, length, threads, options["quarantine"]) for n, length in enumerate(lengths)]
    records = np.concatenate([np.zeros(0, RECORD), *episodes])
    starts = np.cumsum([0, *map(len, episodes)])[:-1].astype(np.intp)
    numbers, tally = suspects(records, starts, Acceptor(**options))
    expected: dict[str, int] = {}
    for number, episode in enumerate(episodes):
        if number in numbers:
            continue
        alone = judged(decode(episode), options)
        assert not alone.counts
        add(expected, alone.tally)
    assert {name: n for name, n in expected.items() if n} == tally
    assert numbers.tolist() == sorted(set(numbers.tolist()))


def test_correct_episodes_are_no_suspects() -> None:
    episodes = []
    for seed in range(200):
        events = sequential(history(seed, 8, 1, 0))
        if not any(event.function in (Function.REALLOC, Function.REALLOCARRAY) for event in events):
            episodes.append(records_of(events))
    starts = np.cumsum([0, *map(len, episodes)])[:-1].astype(np.intp)
    numbers, tally = suspects(np.concatenate(episodes), starts, Acceptor(observes=3))
    assert len(episodes) > 30 and not len(numbers)
    assert tally["call-returns"] > 100


def test_episodes_start_in_ascending_order() -> None:
    for wrong in ([1], [0, 2, 1], [0, 4]):
        with pytest.raises(ValueError, match="episodes start at ascending places from 0 to 3"):
            suspects(np.zeros(3, RECORD), np.array(wrong), Acceptor())


# A tree of histories.


def walk(rng: random.Random, depth: int, width: int) -> tuple[Records, dict[int, list[Event]]]:
    """A depth-first walk over random requests with random replies, and the path of each node."""
    places = [0x10000 + 64 * n for n in range(4)]
    nodes: list[Event] = []
    paths: dict[int, list[Event]] = {}

    def request() -> Event:
        function = rng.choice((Function.MALLOC, Function.MALLOC, Function.CALLOC, Function.REALLOC, Function.FREE))
        address = rng.choice(places) if function in (Function.FREE, Function.REALLOC) else 0
        size = rng.choice((0, 1, 24, 64))
        if function == Function.FREE:
            return Event(function, address=address)
        return Event(function, address=address, size=size, result=rng.choice(places), usable=64)

    def visit(at: int, above: list[Event]) -> None:
        for _ in range(rng.randint(0, width) if at > 1 else width):
            number = len(paths) + 1
            own = [request()]
            if rng.random() < 0.2:
                own.append(Event(Function.LOAD, address=rng.choice(places), size=8, intact=rng.choice((8, 8, 3))))
            path = [*above, *own]
            nodes.extend(event._replace(site=at, time_ns=number) for event in own)
            paths[number] = path
            if at < depth:
                visit(at + 1, path)

    visit(1, [])
    return records_of(nodes), paths


@FEWER
@given(seed=st.integers(0, 2**32), depth=st.integers(1, 5), width=st.integers(1, 4), options=terms(limit=st.just(1000)))
def test_nodes_that_are_no_suspects_are_admitted_and_counted_once(
    seed: int, depth: int, width: int, options: dict[str, Any]
) -> None:
    rng = random.Random(seed)
    records, paths = walk(rng, depth, width)
    nodes, tally = tree_suspects(records, Acceptor(**options))
    suspected = set(nodes.tolist())
    expected: dict[str, int] = {}
    lengths = Counter(records["time_ns"].tolist())
    for number, path in paths.items():
        if number in suspected:
            continue
        whole, above = judged(path, options), judged(path[: len(path) - lengths[number]], options)
        assert not whole.counts
        add(expected, whole.tally)
        add(expected, above.tally, -1)
    assert {name: n for name, n in expected.items() if n} == tally
    guilty = {number for number, path in paths.items() if judged(path, options).counts}
    assert guilty <= suspected
    # In two pages, as the records arrive: the second begins with the path to where the first ended.
    cuts = np.flatnonzero(np.diff(records["time_ns"].astype(np.int64))) + 1
    if len(cuts):
        cut = rng.choice(cuts.tolist())
        first, one = tree_suspects(records[:cut], Acceptor(**options))
        path_records = path_to(records[:cut])
        again = np.concatenate([path_records, records[cut:]])
        second, two = tree_suspects(again, Acceptor(**options), done=len(path_records))
        add(one, two)
        assert one == tally and {*first.tolist(), *second.tolist()} == suspected


def path_to(records: Records) -> Records:
    """The records of the path to the last node."""
    kept, wanted, number = [], 10**9, None
    for record in records[::-1]:
        if record["time_ns"] == number or record["site"] < wanted:
            kept.append(record)
            wanted, number = record["site"], record["time_ns"]
    return np.array(kept[::-1], RECORD)


def test_a_node_that_hangs_in_the_air_is_refused() -> None:
    records = records_of([Event(Function.FREE, site=1, time_ns=1), Event(Function.FREE, site=3, time_ns=2)])
    with pytest.raises(ValueError, match="node 2 is at depth 3, after one at 1"):
        tree_suspects(records, Acceptor())
    records = records_of([Event(Function.FREE, site=n, time_ns=n) for n in range(1, 66)])
    with pytest.raises(ValueError, match="the deepest is 64"):
        tree_suspects(records, Acceptor())
    assert tree_suspects(records[:64], Acceptor())[1]["call-returns"] == 64


def test_lessons_for_other_terms_are_others() -> None:
    one, other = Lessons.of(Acceptor("c17")), Lessons.of(Acceptor("c17", observes=1))
    assert one is not other and one is Lessons.of(Acceptor("c17"))
