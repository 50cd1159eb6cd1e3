"""Axes of security: a partial order, a score that follows it, and floors that say what is missing."""

from __future__ import annotations

import timeit
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.strategy import CLASS_MAX, SLAB_MAX, UNIT, Strategy, StrategyError, default_classes
from m4alloc.tune.security import POINTS, Floor, Security
from m4alloc.tune.security_sizes import BEYOND, Steps, merged, reuse_distance, short, slot_wait

KNOBS: dict[str, st.SearchStrategy[Any]] = {
    "delay_line": st.sampled_from([0, 1, 7, 16, 17, 64, 1000]),
    "delay_bytes": st.sampled_from([0, 1000, 16 << 10, 1 << 20]),
    "quarantine": st.sampled_from([0, 1, 8, 300]),
    "quarantine_bytes": st.sampled_from([0, 4096, 1 << 20]),
    "quarantine_random": st.booleans(),
    "randomise": st.integers(0, 2),
    "refill_batch": st.sampled_from([1, 64, 500]),
    "guards": st.booleans(),
    "guard_slabs": st.integers(0, 3),
    "guard_empty": st.booleans(),
    "canaries": st.booleans(),
    "check_copies": st.booleans(),
    "check_on_reuse": st.sampled_from([0, 64, 1024]),
    "zero_on_free": st.sampled_from([0, 512, 32768]),
    "large_delay": st.sampled_from([0, 65536, 1 << 20]),
    "large_quarantine": st.sampled_from([0, 1 << 17, 64 << 20]),
    "sample_rate": st.sampled_from([0, 1, 32768]),
    "sample_slots": st.sampled_from([1, 64]),
    "classes": st.sampled_from(
        [
            (16, 32768),
            (32, 48, 1024, 8192),
            (16, 512, 61440),
            (112, 1040, 32768, 1 << 17),
            (*default_classes(), 1 << 20),
        ]
    ),
    "slab_bytes": st.sampled_from([UNIT, 1 << 20, SLAB_MAX]),
    "stack_depths": st.sampled_from([2, 64, 65536]),
    "retain_ms": st.sampled_from([0, 5]),
}
"""Of what has one number a class, the same number for all, but a slot at least."""


def made(knobs: dict[str, Any]) -> Strategy:
    """The strategy of such knobs."""
    classes = knobs.get("classes", default_classes())
    each = {name: knobs[name] for name in ("slab_bytes", "stack_depths") if name in knobs}
    spread: dict[str, Any] = {name: (number,) * len(classes) for name, number in each.items()}
    if "slab_bytes" in each:
        spread["slab_bytes"] = tuple(max(each["slab_bytes"], -(-size // UNIT) * UNIT) for size in classes)
    return Strategy(**{**knobs, **spread})


def candidates() -> st.SearchStrategy[Strategy]:
    """Strategies that differ from the default in any of the knobs that security is about."""
    return st.fixed_dictionaries({}, optional=KNOBS).filter(go_together).map(made)


def go_together(knobs: dict[str, Any]) -> bool:
    """Whether there is a strategy with these knobs."""
    try:
        made(knobs)
    except StrategyError:
        return False
    return True


def steps(values: st.SearchStrategy[Any], end: int = BEYOND) -> st.SearchStrategy[Steps]:
    """Any few steps of such values."""
    pair = st.tuples(st.sampled_from([16, 80, 1024, 32768]), values, values)
    return pair.map(lambda drawn: merged([(drawn[0], drawn[1]), (end, drawn[2])]))


def securities() -> st.SearchStrategy[Security]:
    """Any axes, and often those of strategies."""
    number, share = st.integers(0, 5), st.sampled_from([0.0, 0.25, 1.0])
    word = st.sampled_from(["", "morello"])
    free = st.builds(
        Security,
        reuse=steps(number, CLASS_MAX),
        waiting=number,
        randomise=number,
        entropy_fresh=steps(share),
        entropy_reused=steps(share),
        guards=steps(number),
        guard_slabs=share,
        guard_empty=st.booleans(),
        canaries=st.booleans(),
        check_copies=st.booleans(),
        check_on_reuse=steps(number),
        poison=steps(number),
        erasure=steps(number),
        held=steps(number),
        samples=share,
        sample_slots=number,
        representable=word,
        tags=word,
    )
    return st.one_of(candidates().map(Security.of), free)


def most(one: Steps, other: Steps) -> Steps:
    """The greater value at every size."""
    ends = sorted({size for size, _ in (*one, *other)})
    return merged((end, max(*(next(v for size, v in of if end <= size) for of in (one, other)))) for end in ends)


def raised(security: Security, others: Security) -> Security:
    """The least that is at least both; names are only raised from none."""
    values: dict[str, Any] = {}
    for field in fields(Security):
        mine, theirs = getattr(security, field.name), getattr(others, field.name)
        if isinstance(mine, tuple):
            values[field.name] = most(mine, theirs)
        else:
            values[field.name] = (mine or theirs) if isinstance(mine, str) else max(mine, theirs)
    return Security(**values)


@given(securities(), securities())
def test_the_score_never_falls_when_no_axis_does(one: Security, other: Security) -> None:
    more = raised(one, other)
    assert more.at_least(one)
    assert more.score >= one.score
    if not one.at_least(more):
        assert more.score > one.score


@given(securities(), securities(), securities())
def test_at_least_is_a_partial_order(one: Security, two: Security, three: Security) -> None:
    assert one.at_least(one)
    if one.at_least(two) and two.at_least(one):
        assert one == two
    if one.at_least(two) and two.at_least(three):
        assert one.at_least(three)


@given(securities(), securities())
def test_something_is_missing_exactly_when_an_axis_falls_short(one: Security, other: Security) -> None:
    assert (one.missing(other) == ()) == one.at_least(other)
    for line in one.missing(other):
        assert "wanted" in line


SECURES: dict[str, list[Any]] = {
    "delay_line": [0, 1, 7, 16, 64],
    "delay_bytes": [1000, 16 << 10, 1 << 20],
    "quarantine": [0, 1, 8, 300],
    "quarantine_bytes": [4096, 1 << 20],
    "randomise": [0, 1, 2],
    "guards": [False, True],
    "guard_slabs": [0, 9, 2, 1],
    "guard_empty": [False, True],
    "check_copies": [False, True],
    "check_on_reuse": [0, 64, 1024],
    "zero_on_free": [0, 512, 32768, 1 << 20],
    "large_delay": [0, 65536, 1 << 20],
    "large_quarantine": [1 << 20, 64 << 20],
    "sample_slots": [1, 64],
}
"""Knobs of which more never takes away security, whatever the others are, in that order."""


@given(candidates(), st.data())
def test_more_of_a_knob_that_secures_is_never_less_secure(strategy: Strategy, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SECURES)))
    found = []
    for value in SECURES[name]:
        try:
            found.append(Security.of(strategy.with_(**{name: value})))
        except StrategyError:
            continue
    for less, more in pairwise(found):
        assert more.at_least(less)
        assert more.score >= less.score


@given(candidates(), st.integers(2, 65536))
def test_depths_of_stacks_and_what_is_retained_change_nothing(strategy: Strategy, depth: int) -> None:
    other = strategy.with_(stack_depths=(depth,) * len(strategy.classes), retain_bytes=depth, refill_batch=1)
    assert Security.of(other) == Security.of(strategy)


@given(candidates(), candidates(), st.one_of(st.sampled_from([16, 24, 1000, 1024, 40_000]), st.integers(1, CLASS_MAX)))
def test_the_axis_of_reuse_falls_short_exactly_where_a_request_waits_shorter(
    one: Strategy, other: Strategy, size: int
) -> None:
    mine, theirs = (each.with_(canaries=False, guards=False) for each in (one, other))
    runs = short(Security.of(mine).reuse, Security.of(theirs).reuse)
    falls = any(first <= size <= last for first, last, _, _ in runs)
    assert falls == (reuse_distance(mine, size) < reuse_distance(theirs, size))


HARDENED = Strategy.hardened()


@pytest.mark.parametrize(
    ("floor", "candidate", "line"),
    [
        ("default", Strategy(classes=(16, 32768)), "reuse of 17 to 1024 bytes after 1 frees; 16 are wanted"),
        (
            "default",
            Strategy(classes=(*default_classes(), 61440)),
            "reuse of 32769 to 61440 bytes after 1 frees; 8 are wanted",
        ),
        (
            "hardened",
            HARDENED.with_(classes=(*default_classes(), 1 << 17, 1 << 20), delay_line=1024, delay_bytes=1 << 30),
            "guards of 32769 to 1048576 bytes is 0; 1 is wanted",
        ),
        (
            "hardened",
            HARDENED.with_(classes=(*default_classes(), 1 << 17), delay_line=1024, delay_bytes=1 << 30),
            "held of 32769 to 131072 bytes is 0; 67108864 is wanted",
        ),
        (
            "hardened",
            HARDENED.with_(quarantine_bytes=512),
            "entropy_reused of 65 to 80 bytes is 2.5849625; 3 is wanted",
        ),
        ("hardened", HARDENED.with_(quarantine_bytes=512), "poison of 65 to 80 bytes is 6; 8 is wanted"),
        ("hardened", HARDENED.with_(slab_bytes=(4 << 20,) * 40), "guard_slabs is 0.015625; 0.25 is wanted"),
        ("hardened", HARDENED.with_(randomise=0), "randomise is 0; 1 is wanted"),
        (
            "hardened",
            HARDENED.with_(slab_bytes=(UNIT,) * 40),
            "entropy_fresh of 8193 to 10240 bytes is 2.5849625; 3.5849625 is wanted",
        ),
        ("hardened", HARDENED.with_(zero_on_free=4096), "erasure of 4097 to 32768 bytes is 0; 1 is wanted"),
        (
            "hardened",
            HARDENED.with_(large_quarantine=1 << 20),
            "held of 32769 to 1048576 bytes is 1048576; 67108864 is wanted",
        ),
    ],
)
def test_what_classes_and_slabs_take_from_security_is_seen(floor: str, candidate: Strategy, line: str) -> None:
    assert line in Floor.of(floor).missing(candidate)


@pytest.mark.parametrize("changes", [{"stack_depths": (2,) * 40}, {"refill_batch": 1}, {"slab_bytes": (1 << 18,) * 40}])
def test_what_costs_no_security_stays_above_the_hardened(changes: dict[str, Any]) -> None:
    assert Floor.of("hardened").missing(HARDENED.with_(**changes)) == ()


def test_a_strategy_is_judged_in_well_below_a_millisecond_when_its_other_knobs_change() -> None:
    floor = Floor.of("default")
    floor.admits(Strategy())
    strategies = [Strategy(retain_ms=n) for n in range(50)]
    seconds = min(timeit.repeat(lambda: [floor.admits(one) for one in strategies], number=1, repeat=5))
    assert seconds / len(strategies) < 1e-3


@given(candidates())
def test_every_slot_size_up_to_the_limit_keeps_the_promise_of_the_strategy(strategy: Strategy) -> None:
    for size in strategy.classes:
        if size <= strategy.quarantine_limit:
            assert slot_wait(strategy, size) >= strategy.quarantine_length


def test_every_axis_counts_for_the_score() -> None:
    assert set(POINTS) == {field.name for field in fields(Security)}


@pytest.mark.parametrize(
    ("weaker", "line"),
    [
        ({"guard_empty": False}, "guard_empty is off; on is wanted"),
        ({"delay_line": 0}, "reuse of 1 to 1024 bytes after 0 frees; 16 are wanted"),
        ({"delay_bytes": 4096}, "reuse of 257 to 512 bytes after 8 frees; 16 are wanted"),
        ({"large_delay": 65536}, "reuse of 32769 to 65536 bytes after 1 frees; 8 are wanted"),
    ],
)
def test_a_candidate_below_the_default_is_told_what_it_lacks(weaker: dict[str, Any], line: str) -> None:
    assert line in Floor.of("default").missing(Strategy(**weaker))


@pytest.mark.parametrize(
    "changes",
    [
        {"delay_line": 64},
        {"stack_depth": 65536, "stack_bytes": 4 << 20},
        {"retain_bytes": 1 << 30},
        {"quarantine": 8},
        {"quarantine": 8, "quarantine_random": True},
        {"sample_rate": 32768},
    ],
)
def test_what_costs_no_security_stays_above_the_default(changes: dict[str, Any]) -> None:
    assert Floor.of("default").admits(Strategy(**changes))


def test_hardened_is_above_the_default_and_sampled_is_beside_it() -> None:
    default, sampled, hardened = (Security.of(Strategy.named(name)) for name in ("default", "sampled", "hardened"))
    assert hardened.at_least(default)
    assert sampled.at_least(default)
    assert not hardened.at_least(sampled)
    assert not sampled.at_least(hardened)


def test_a_random_quarantine_counts_for_entropy_and_not_for_the_distance() -> None:
    ordered, random = Strategy(quarantine=8), Strategy(quarantine=8, quarantine_random=True)
    assert Security.of(ordered).reuse[0] == (1024, 24)
    assert Security.of(random).reuse[0] == (1024, 16)
    assert Security.of(random).entropy_reused == ((32768, 3.0), (BEYOND, 0.0))


def test_names_are_comparable_with_themselves_and_with_none_only() -> None:
    none = Security.of(Strategy())
    one, other = replace(none, tags="random"), replace(none, tags="counting")
    assert one.at_least(none)
    assert not none.at_least(one)
    assert one.missing(other) == ("tags is random; counting is wanted",)


@pytest.mark.parametrize(
    ("strategy", "broken"),
    [
        (Strategy(), "promise of 32 frees up to 1024 bytes: class 16 keeps a freed slot for 16"),
        (
            Strategy(delay_line=32),
            "promise of 32 frees up to 1024 bytes: class 640 keeps a freed slot for 16",
        ),
        (
            Strategy(quarantine=16, quarantine_random=True),
            "promise of 32 frees up to 1024 bytes: class 16 keeps a freed slot for 16 "
            "(its quarantine of 16 gives out random slots, which counts for nothing)",
        ),
        (Strategy(delay_line=32, delay_bytes=32 << 10), None),
        (Strategy(quarantine=16), None),
    ],
)
def test_a_promise_is_broken_by_the_first_class_that_waits_too_short(strategy: Strategy, broken: str | None) -> None:
    assert Floor.of("any", promise=32).breaks_promise(strategy) == broken
    assert Floor.of("any", promise=32).missing(strategy) == (() if broken is None else (broken,))


def test_a_promise_up_to_a_size_says_nothing_of_larger_classes() -> None:
    assert Floor.of("any", promise=32, up_to=512).admits(Strategy(delay_line=32))
    assert not Floor.of("any", promise=32, up_to=1024).admits(Strategy(delay_line=32))


@pytest.mark.parametrize(
    ("strategy", "promise", "up_to", "broken"),
    [
        (Strategy(classes=(16, 32768)), 16, 1024, "class 32768 keeps a freed slot for 1"),
        (Strategy(), 16, 1025, "class 1280 keeps a freed slot for 8"),
        (Strategy(), 9, 1025, "class 1280 keeps a freed slot for 8"),
        (Strategy(), 8, 1025, None),
        (Strategy(classes=(16, 512)), 9, 513, "a block of more than 512 bytes is used again after 8"),
        (Strategy(classes=(16, 512)), 8, 65536, None),
        (Strategy(classes=(16, 512)), 8, 65537, "a block of more than 512 bytes is used again after 4"),
        (Strategy(classes=(16, 512), large_quarantine=1 << 30), 16, 65537, None),
        (Strategy(classes=(16, 512)), 1, 1 << 24, "a block of more than 512 bytes is used again after 0"),
    ],
)
def test_a_promise_holds_for_every_block_up_to_its_size(
    strategy: Strategy, promise: int, up_to: int, broken: str | None
) -> None:
    head = f"promise of {promise} frees up to {up_to} bytes: "
    found = Floor.of("any", promise=promise, up_to=up_to).breaks_promise(strategy)
    assert found == (None if broken is None else head + broken)


def test_a_floor_is_a_name_a_strategy_or_axes() -> None:
    strategy = Strategy(guards=True)
    assert Floor.of(strategy).least == Floor.of(Security.of(strategy)).least == Security.of(strategy)
    assert Floor.of(Floor.of("hardened"), promise=4).name == "hardened"
    assert Floor.of("any").admits(Strategy(delay_line=0, guard_empty=False, large_delay=0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("high", None, None), "floor 'high'; there are default, hardened, any"),
        (("any", -1, None), "promise is -1; it must be at least 0"),
        (("any", 4, 8), "a promise up to 8 bytes; it must be at least 16"),
    ],
)
def test_a_floor_that_there_is_not_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(StrategyError, match=f"^{message}$"):
        Floor.of(*arguments)


@settings(max_examples=50)
@given(candidates(), candidates())
def test_a_strategy_is_admitted_by_the_floor_of_another_exactly_when_it_is_at_least_that(
    one: Strategy, other: Strategy
) -> None:
    assert Floor.of(other).admits(one) == Security.of(one).at_least(Security.of(other))
