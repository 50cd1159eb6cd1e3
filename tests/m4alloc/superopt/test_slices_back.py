"""m4alloc.superopt.slices_back: proved pieces go back into their function, and it still does the same."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace

import pytest

from m4alloc.superopt import generate, generate_mutants, parse, printer
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.ir import I1, PREDICATES, VOID, Block, Function, Instruction, Int, Poison, constant
from m4alloc.superopt.parse import IrError
from m4alloc.superopt.simplify import cleaned
from m4alloc.superopt.slices import Slice, replaced, slices
from m4alloc.superopt.verdict import Outcome

MIXED = """
define i64 @f(i64 noundef %n, i64 noundef %seed) {
entry:
  %p = alloca i64, align 8
  store i64 %seed, ptr %p, align 8
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %body ]
  %sum = phi i64 [ 0, %entry ], [ %new, %body ]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %body, label %end
body:
  %x = load i64, ptr %p, align 8, !noundef !0
  %both = and i64 %x, %i
  %either = or i64 %x, %i
  %added = add i64 %both, %either
  %kept = mul i64 %added, 3
  store i64 %kept, ptr %p, align 8
  %whole = udiv i64 %x, 16
  %back = mul i64 %whole, 16
  %rest = sub i64 %x, %back
  %new = add i64 %sum, %rest
  %i.next = add nuw i64 %i, 1
  br label %loop
end:
  %r = xor i64 %sum, %n
  ret i64 %r
}
!0 = !{}
"""

BETTER = {
    ("cone", ("kept",)): (
        "define i64 @b(i64 noundef %x, i64 noundef %i)"
        " { %s = add i64 %x, %i %d = shl i64 %s, 1 %t = add i64 %d, %s ret i64 %t }"
    ),
    ("cone", ("new",)): (
        "define i64 @b(i64 noundef %x, i64 noundef %sum) { %m = and i64 %x, 15 %t = add i64 %sum, %m ret i64 %t }"
    ),
    ("unit", ("new", "i.next")): (
        "define { i64, i64 } @b(ptr %p, i64 noundef %i, i64 noundef %sum) { %x = load i64, ptr %p, align 8\n"
        " %s = add i64 %x, %i %t = mul i64 %s, 3 store i64 %t, ptr %p, align 8 %m = and i64 %x, 15\n"
        " %n = add i64 %sum, %m %j = add i64 %i, 1 %a = insertvalue { i64, i64 } poison, i64 %n, 0\n"
        " %r = insertvalue { i64, i64 } %a, i64 %j, 1 ret { i64, i64 } %r }"
    ),
}

RUN = """
import json, sys
from m4alloc.superopt import parse, toolchain
first, second, inputs = json.load(sys.stdin)
before, after = (toolchain.native_function(parse.parse_function(text)) for text in (first, second))
print(all(before(*each) == after(*each) for each in inputs))
"""


def the(function: Function, kind: str, outputs: tuple[str, ...]) -> Slice:
    return next(piece for piece in slices(function) if (piece.kind, piece.outputs) == (kind, outputs))


def matched(piece: Slice, text: str) -> Function:
    """The replacement with its arguments in the piece's order."""
    function = parse.parse_function(text)
    order = [argument.name for argument in piece.function.arguments]
    assert sorted(order) == sorted(argument.name for argument in function.arguments)
    return replace(function, arguments=tuple(sorted(function.arguments, key=lambda each: order.index(each.name))))


@pytest.mark.parametrize("key", BETTER, ids=lambda key: "-".join((key[0], *key[1])))
def test_the_function_does_the_same_with_a_better_piece(key: tuple[str, tuple[str, ...]]) -> None:
    function = parse.parse_function(MIXED)
    piece = the(function, *key)
    after = cleaned(replaced(function, piece, matched(piece, BETTER[key])))
    inputs = [(n, seed) for n in (0, 1, 2, 7, 40) for seed in (0, 1, 15, 16, 0x123456789ABCDEF, 2**64 - 1)]
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps([printer.print_function(function), printer.checked(after), inputs]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr
    assert after.size < function.size or key[1] == ("kept",)


LOADED = """
define void @f(ptr %p) {
  %x = load i8, ptr %p
  %a = mul i8 %x, 2
  %b = add i8 %a, 0
  store i8 %b, ptr %p
  br label %end
end:
  br label %end
}
"""


def test_a_value_that_may_be_undef_is_frozen_before_it_is_used_twice() -> None:
    """A load may give undef: then x + x need not be even, though x * 2 is."""
    function = parse.parse_function(LOADED)
    piece = the(function, "cone", ("b",))
    twice = parse.parse_function("define i8 @b(i8 %x) { %r = add i8 %x, %x ret i8 %r }")
    assert [each.opcode for each in cleaned(replaced(function, piece, twice))][1:3] == ["freeze", "add"]
    once = parse.parse_function("define i8 @b(i8 %x) { %r = shl i8 %x, 1 ret i8 %r }")
    assert [each.opcode for each in cleaned(replaced(function, piece, once))][1:3] == ["shl", "store"]
    defined = parse.parse_function(LOADED.replace("ptr %p\n  %a", "ptr %p, !noundef !0\n  %a") + "!0 = !{}")
    assert "freeze" not in [each.opcode for each in replaced(defined, piece, twice)]


def test_two_ways_through_one_result_count_as_two_uses() -> None:
    function = parse.parse_function(LOADED)
    piece = the(function, "cone", ("b",))
    square = parse.parse_function("define i8 @b(i8 %x) { %y = add i8 %x, 1 %r = mul i8 %y, %y ret i8 %r }")
    assert "freeze" in [each.opcode for each in replaced(function, piece, square)]
    frozen = parse.parse_function("define i8 @b(i8 %x) { %y = freeze i8 %x %r = mul i8 %y, %y ret i8 %r }")
    assert [each.opcode for each in replaced(function, piece, frozen)].count("freeze") == 1


def test_a_piece_may_become_a_constant_or_an_argument() -> None:
    function = parse.parse_function(LOADED)
    piece = the(function, "cone", ("b",))
    zero = cleaned(replaced(function, piece, parse.parse_function("define i8 @b(i8 %x) { ret i8 0 }")))
    assert "store i8 0, ptr %p" in printer.print_function(zero)
    same = cleaned(replaced(function, piece, parse.parse_function("define i8 @b(i8 %x) { ret i8 %x }")))
    assert "store i8 %x, ptr %p" in printer.print_function(same)


REFUSED = {
    "define i8 @b(i16 %x) { ret i8 0 }": "another signature",
    "define i8 @b(i8 %x) { br label %l\nl: ret i8 0 }": "has branches",
    "define i8 @b(i8 %x) { %p = alloca i8 store i8 1, ptr %p ret i8 0 }": "holds a alloca",
    "declare i8 @g(i8)\ndefine i8 @b(i8 %x) { %r = call i8 @g(i8 %x) ret i8 %r }": "holds a opaque",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_may_not_stand_there_is_refused(text: str) -> None:
    function = parse.parse_function(LOADED)
    with pytest.raises(IrError, match=REFUSED[text]):
        replaced(function, the(function, "cone", ("b",)), parse.parse_function(text, "b"))


def test_a_whole_function_keeps_its_own_attributes() -> None:
    function = parse.parse_function("define internal i8 @f(i8 noundef %x) nounwind { %y = add i8 %x, 0 ret i8 %y }")
    better = parse.parse_function("define i8 @g(i8 %x) { ret i8 %x }")
    result = replaced(function, slices(function)[0], better)
    assert (result.arguments, result.attributes, result.size) == (function.arguments, function.attributes, 0)
    with pytest.raises(IrError, match="names its arguments otherwise"):
        replaced(function, slices(function)[0], parse.parse_function("define i8 @g(i8 %z) { ret i8 %z }"))


def guarded(function: Function, rng: random.Random) -> Function:
    """The function's only block behind a branch on a condition over its arguments."""
    integers = [argument for argument in function.arguments if isinstance(argument.type, Int)]
    tested = rng.choice(integers)
    assert isinstance(tested.type, Int)
    number = constant(tested.type, rng.randrange(1 << tested.type.width))
    parts = [Instruction(rng.choice(["and", "add", "sub"]), tested.type, (tested.value, number), "guard.0")]
    limit = constant(tested.type, rng.randrange(1 << tested.type.width))
    left = rng.choice([tested.value, parts[0].result])
    parts.append(Instruction("icmp", I1, (left, limit), "guard.1", predicate=rng.choice(PREDICATES)))
    labels = rng.sample(["body", "other"], 2)
    parts.append(Instruction("br", VOID, (parts[-1].result,), labels=tuple(labels)))
    leave = Instruction("ret", VOID, (Poison(function.type),))
    blocks = (Block("start", tuple(parts)), replace(function.blocks[0], name="body"), Block("other", (leave,)))
    return replace(function, return_attributes=(), blocks=blocks)


@pytest.mark.parametrize(
    ("width", "memory", "count"),
    [
        (4, False, 6),
        pytest.param(4, False, 100, marks=[pytest.mark.campaign, pytest.mark.timeout(900)]),
        pytest.param(8, True, 10, marks=[pytest.mark.campaign, pytest.mark.timeout(900)]),
    ],
)
def test_whatever_is_proved_of_a_piece_is_true_of_the_function(width: int, memory: bool, count: int) -> None:
    """Mutants of pieces that the checker accepts under the piece's facts: the function must be refined as well."""
    rng = random.Random(f"{width} {memory}")
    features = generate.Features(branches=False, memory=memory, noundef=0.3)
    proved = 0
    for number, plain in enumerate(generate.functions(11, count, width=width, size=7, features=features)):
        if len(plain.blocks) != 1:
            continue
        function = guarded(plain, rng)
        for piece in slices(function):
            if piece.kind == "function":
                continue
            for candidate, _ in generate_mutants.mutants(piece.function, number, 6):
                if not refines(piece.function, candidate, piece.facts, seconds=1).accepted:
                    continue
                verdict = refines(function, replaced(function, piece, candidate), seconds=3)
                assert verdict.outcome is not Outcome.COUNTEREXAMPLE, verdict.counterexample
                proved += verdict.accepted
    assert proved >= count // 3
