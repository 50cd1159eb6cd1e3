"""Mutations give well-formed functions, of every kind, the same for the same seed."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from m4alloc.superopt.generate import Features, functions
from m4alloc.superopt.mutate import MOVES, mutated, pool_of
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.printer import checked


def test_mutants_are_well_formed() -> None:
    rng, count = random.Random(5), 0
    for function in functions(3, 30, 8, 7, Features(memory=True)):
        pool, now = pool_of(function), function
        for _ in range(12):
            try:
                now, step = mutated(now, rng, pool)
            except ValueError:
                break
            assert step.result is now
            checked(now)
            count += 1
    assert count >= 200


def test_every_kind_of_mutation_happens() -> None:
    rng, seen = random.Random(1), Counter[str]()
    function = parse_function(
        "define i8 @f(i8 %x, i8 %y) { %a = add nsw i8 %x, 3 %c = icmp ult i8 %a, %y "
        "%b = select i1 %c, i8 %a, i8 %y ret i8 %b }"
    )
    for _ in range(400):
        seen[mutated(function, rng, pool_of(function))[1].rule] += 1
    assert set(seen) == {f"mutate {move}" for move in MOVES}


def test_the_same_seed_gives_the_same_mutants() -> None:
    (function,) = functions(3, 1, 8, 7)
    chains = []
    for _ in range(2):
        rng, now, chain = random.Random(9), function, []
        for _ in range(20):
            now, step = mutated(now, rng, pool_of(function))
            chain.append((step.rule, step.at, now))
        chains.append(chain)
    assert chains[0] == chains[1]


def test_constants_of_the_source_are_in_the_pool_with_their_neighbours() -> None:
    pool = pool_of(parse_function("define i8 @f(i8 %x) { %a = and i8 %x, 12 ret i8 %a }"))
    assert {11, 12, 13, 243, 244} <= set(pool.constants[8])


def test_what_cannot_be_changed_is_said() -> None:
    function = parse_function("define void @f() { ret void }")
    with pytest.raises(ValueError, match="@f has nothing that could be changed"):
        mutated(function, random.Random(0), pool_of(function))


def test_memory_and_volatility_stay() -> None:
    function = parse_function(
        "define i8 @f(ptr %p, i8 %x) { %a = load volatile i8, ptr %p %b = add i8 %a, %x ret i8 %b }"
    )
    rng = random.Random(2)
    for _ in range(100):
        loads = [one for one in mutated(function, rng, pool_of(function))[0] if one.opcode == "load"]
        assert len(loads) == 1 and loads[0].flags == {"volatile"}
