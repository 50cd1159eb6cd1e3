"""m4alloc.superopt.cheri.words: one formula over integers, arrays and z3 terms."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from m4alloc.superopt.cheri.words import Truth, Word, choose, is_symbolic, joined, solver

OPERATIONS: dict[str, Callable[[Word, Word], Word | Truth]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "complement": lambda a, b: ~a,
    "left": lambda a, b: a << (b & 15),
    "left by a constant": lambda a, b: a << 3,
    "left beyond": lambda a, b: a << 12,
    "right": lambda a, b: a >> (b & 15),
    "right by a constant": lambda a, b: a >> 3,
    "right beyond": lambda a, b: a >> 12,
    "bits": lambda a, b: a.bits(8, 3),
    "wider": lambda a, b: a.to(20) + b.to(20),
    "narrower": lambda a, b: a.to(4),
    "joined": lambda a, b: joined(a, b.bits(3, 0), Word(5, 3)),
    "equal": lambda a, b: a.eq(b),
    "less": lambda a, b: a < b,
    "at most": lambda a, b: a <= b,
    "chosen": lambda a, b: choose(a < b, a, b + 1),
    "both": lambda a, b: (a < b) & a.bit(0),
    "either": lambda a, b: (a < b) | a.bit(0),
    "implied": lambda a, b: (a < b).implies(a.bit(0)),
    "same": lambda a, b: (a < b).same(a.bit(0)),
    "not": lambda a, b: ~(a < b),
}
PAIRS = [(Random(seed).getrandbits(12), Random(seed + 100).getrandbits(12)) for seed in range(12)] + [(0, 0), (7, 7)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_three_kinds_agree(name: str) -> None:
    z3 = solver()
    operation = OPERATIONS[name]
    a, b = z3.BitVec("a", 12), z3.BitVec("b", 12)
    symbolic = operation(Word(a, 12), Word(b, 12))
    left, right = (np.array(column, dtype=np.int64) for column in zip(*PAIRS, strict=True))
    arrays = operation(Word(left, 12), Word(right, 12))
    for number, (one, other) in enumerate(PAIRS):
        expected = operation(Word(one, 12), Word(other, 12)).raw
        found = symbolic.raw
        if is_symbolic(found):
            pairs = (a, z3.BitVecVal(one, 12)), (b, z3.BitVecVal(other, 12))
            found = z3.simplify(z3.substitute(found, *pairs))
            found = z3.is_true(found) if isinstance(expected, bool) else found.as_long()
        assert found == expected
        assert np.broadcast_to(np.asarray(arrays.raw), (len(PAIRS),))[number] == expected


def test_what_is_made_of_constants_stays_a_constant() -> None:
    x = Word(solver().BitVec("x", 8), 8)
    assert not is_symbolic(choose(Truth(True), Word(1, 8), x).raw)
    assert not is_symbolic((Truth(False) & (x < Word(3, 8))).raw)
    assert (~~(x < Word(3, 8))).raw.eq((x < Word(3, 8)).raw)
