"""z3's time is limited, and a query that runs over is interrupted."""

from __future__ import annotations

import time

import z3

from m4alloc.superopt.smt_clock import GRACE, Clock, gave_up, possible, variables


def test_a_hard_query_ends_near_its_limit() -> None:
    x, y, z = (z3.BitVec(name, 48) for name in "xyz")
    hard = [x * y == z3.BitVecVal(0xB504F333F9DE6485 >> 16, 48), z3.UGT(x, 1), z3.UGT(y, 1), x * z + y == z * z, z != x]
    clock = Clock(0.2)
    began = time.monotonic()
    result, model = clock.check(hard)
    assert time.monotonic() - began < 0.2 + GRACE + 3.0
    assert result in (z3.unknown, z3.sat, z3.unsat)
    assert (model is not None) == (result == z3.sat)
    assert gave_up(clock) == "z3 gave up after 0.2 s"


def test_nothing_is_asked_when_the_time_is_up() -> None:
    clock = Clock(0.0)
    assert clock.check([z3.BoolVal(True)]) == (z3.unknown, None)
    assert clock.queries == 0


def test_possible_tells_three_answers_apart() -> None:
    x = z3.BitVec("x", 8)
    assert possible(Clock(5.0), x == 1) is True
    assert possible(Clock(5.0), x == 1, x == 2) is False
    assert possible(Clock(0.0), x == 1) is None


def test_variables_are_found_by_name() -> None:
    x, flag = z3.BitVec("x", 8), z3.Bool("flag")
    assert set(variables(z3.If(flag, x + 1, x) == 0)) == {"x", "flag"}
