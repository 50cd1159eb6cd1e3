"""Terms evaluated by numpy mean what they mean to z3."""

from __future__ import annotations

import random

import pytest
import z3

from m4alloc.superopt.smt_exhaust import Program

X, Y, FLAG = z3.BitVec("x", 5), z3.BitVec("y", 4), z3.Bool("flag")
BINARY = [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, z3.UDiv, z3.URem, lambda a, b: a / b, z3.SRem,
    lambda a, b: a % b, lambda a, b: a << b, lambda a, b: a >> b, z3.LShR, lambda a, b: a & b, lambda a, b: a | b,
    lambda a, b: a ^ b,
]  # fmt: skip
COMPARE = [
    z3.ULT, z3.ULE, z3.UGT, z3.UGE, lambda a, b: a < b, lambda a, b: a <= b, lambda a, b: a > b, lambda a, b: a >= b,
    lambda a, b: a == b, lambda a, b: z3.BVMulNoOverflow(a, b, True), lambda a, b: z3.BVMulNoOverflow(a, b, False),
    z3.BVMulNoUnderflow,
]  # fmt: skip


def number(rng: random.Random, depth: int, width: int) -> z3.BitVecRef:
    """A random bit-vector term."""
    if depth == 0:
        if rng.random() < 0.3:
            return z3.BitVecVal(rng.getrandbits(width), width)
        term = rng.choice([X, Y])
        missing = width - term.size()
        if missing > 0:
            return rng.choice([z3.ZeroExt, z3.SignExt])(missing, term)
        return z3.Extract(width - 1, 0, term)
    kind = rng.random()
    if kind < 0.1:
        return ~number(rng, depth - 1, width)
    if kind < 0.2:
        return z3.If(truth(rng, depth - 1), number(rng, depth - 1, width), -number(rng, depth - 1, width))
    if kind < 0.3 and width > 4:
        return z3.Concat(number(rng, depth - 1, 3), number(rng, depth - 1, width - 3))
    return rng.choice(BINARY)(number(rng, depth - 1, width), number(rng, depth - 1, width))


def truth(rng: random.Random, depth: int) -> z3.BoolRef:
    """A random condition."""
    if rng.random() < 0.1:
        return z3.Xor(FLAG, z3.BoolVal(True))
    width = rng.choice([2, 5, 8])
    return rng.choice(COMPARE)(number(rng, depth, width), number(rng, depth, width))


def test_the_first_input_found_is_one_that_z3_accepts_and_none_is_missed() -> None:
    rng = random.Random(3)
    for round_ in range(40):
        term = z3.And([truth(rng, 2) for _ in range(3)])
        if round_ % 2:
            term = z3.simplify(term)
        program = Program(term)
        assert program.is_small
        found = program.find()
        solver = z3.Solver()
        solver.add(term)
        assert (found is not None) == (solver.check() == z3.sat), term
        if found is not None:
            solver.add(*found)
            assert solver.check() == z3.sat
        assert program.sample(100) is None or found is not None


def test_a_term_of_many_bits_can_be_sampled_but_not_exhausted() -> None:
    wide = z3.BitVec("wide", 64)
    program = Program(wide * wide != wide)
    assert (program.is_supported, program.is_small, program.hard) == (True, False, True)
    assert program.sample() is not None


@pytest.mark.parametrize("term", [z3.Array("m", z3.BitVecSort(4), z3.BitVecSort(4))[Y] == 1,
                                  z3.BitVec("w", 65) == 1])  # fmt: skip
def test_arrays_and_wide_words_are_not_covered(term: z3.BoolRef) -> None:
    assert not Program(term).is_supported
