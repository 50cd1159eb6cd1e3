"""Masks of low and high bits, multiples of powers of two: made, rounded to, tested, by shifts and by arithmetic."""

from __future__ import annotations

from m4alloc.superopt.rules_kinds import of_kind

_rule = of_kind("bits")

RULES = (
    _rule(
        "round-up-by-negation", "(sub 0 (and (sub 0 x) C))", "(and (add x {~C}) C)", "down of -x is up of x",
        "ispow2(~C + 1)",
    ),
    _rule(
        "round-up-as-negation", "(and (add x D) C)", "(sub 0 (and (sub 0 x) C))", "down of -x is up of x",
        "D == ~C and ispow2(D + 1)",
    ),
    _rule(
        "round-up-by-padding", "(add x (and (sub 0 x) C))", "(and (add x C) {~C})", "the bytes that are missing",
        "ispow2(C + 1)",
    ),
    _rule(
        "round-up-by-clearing", "(add x (sub C (and (add x D) C)))", "(and (add x C) {~C})",
        "the bytes that are missing",
        "ispow2(C + 1) and D == 2**width(x) - 1",
    ),
    _rule(
        "round-up-by-branch", "(select (icmp eq (and x C) 0) x (add (or x C) 1))", "(and (add x C) {~C})",
        "the next multiple", "ispow2(C + 1)",
    ),
    _rule(
        "round-up-by-branch-down", "(select (icmp eq (and x C) 0) x (add (and x D) E))", "(and (add x C) D)",
        "the next multiple", "ispow2(C + 1) and D == ~C and E == C + 1",
    ),
    _rule("round-up-by-or", "(add (or (add x -1) C) 1)", "(and (add x C) {~C})", "the next multiple", "ispow2(C + 1)"),
    _rule(
        "round-up-as-or", "(and (add x C) D)", "(add (or (add x -1) C) 1)", "the next multiple",
        "ispow2(C + 1) and D == ~C",
    ),
    _rule(
        "round-up-by-shifts", "(and (add x (add (shl 1 y) -1)) (sub 0 (shl 1 y)))",
        "(shl (add (lshr (add x -1) y) 1) y)",
        "the next multiple counted in units",
    ),
    _rule(
        "round-up-by-shifts-not", "(and (add x (add (shl 1 y) -1)) (xor (add (shl 1 y) -1) -1))",
        "(shl (add (lshr (add x -1) y) 1) y)", "the next multiple counted in units",
    ),
    _rule(
        "round-up-by-shifts-ones", "(and (add x (xor (shl -1 y) -1)) (shl -1 y))",
        "(shl (add (lshr (add x -1) y) 1) y)",
        "the next multiple counted in units",
    ),
    _rule(
        "next-multiple-by-shifts", "(and (add x (shl 1 y)) (sub 0 (shl 1 y)))", "(shl (add (lshr x y) 1) y)",
        "the multiple above, counted in units",
    ),
    _rule(
        "next-multiple-by-shifts-ones", "(and (sub x (shl -1 y)) (shl -1 y))", "(shl (add (lshr x y) 1) y)",
        "the multiple above, counted in units",
    ),
    _rule(
        "below-leading-bit", "(and (lshr x (sub C (ctlz x true))) D)",
        "(sub (lshr x (sub C (ctlz x true))) {D + 1})", "the leading bit now is just above the mask",
        "ispow2(D + 1) and C == width(C) - 1 - log2(D + 1)",
    ),
    _rule(
        "below-leading-bit-from-top", "(and (lshr x (sub (sub C (ctlz x true)) E)) D)",
        "(sub (lshr x (sub (sub C (ctlz x true)) E)) {D + 1})", "the leading bit now is just above the mask",
        "ispow2(D + 1) and C == width(C) - 1 and E == log2(D + 1)",
    ),
    _rule(
        "below-leading-bit-from-xor", "(and (lshr x (sub (xor (ctlz x true) C) E)) D)",
        "(sub (lshr x (sub (xor (ctlz x true) C) E)) {D + 1})", "the leading bit now is just above the mask",
        "ispow2(D + 1) and C == width(C) - 1 and ispow2(width(C)) and E == log2(D + 1)",
    ),
    _rule("xor-past-or", "(xor (or x y) C)", "(or x (xor y C))", "x has none of the bits", need="x & C == 0"),
    _rule(
        "round-up-constant-by-shifts", "(and (add x C) D)",
        "(shl (add (lshr (add x -1) {log2(C + 1)}) 1) {log2(C + 1)})",
        "the next multiple counted in units", "ispow2(C + 1) and D == ~C and C != 2**width(C) - 1",
    ),
    _rule(
        "round-up-as-mask", "(shl (add (lshr (add x -1) y) 1) y)", "(and (add x (xor (shl -1 y) -1)) (shl -1 y))",
        "the next multiple",
    ),
    _rule("shl-lshr-fits", "(lshr (shl x y) y)", "x", "nothing is lost", need="x << y < 2**width(x)"),
    _rule("lshr-shl-fits", "(shl (lshr x y) y)", "x", "nothing is lost", need="x % (1 << y) == 0"),
    _rule(
        "drop-top-bit", "(and x C)", "(sub x {C + 1})", "the bit above the mask is set",
        "ispow2(C + 1) and C < 2**(width(x) - 1)", need=("C < x", "x < 2 * C + 2"),
    ),
    _rule("drop-known-bit", "(and x C)", "(xor x {~C})", "the bits outside are set", need="x | C == 2**width(x) - 1"),
    _rule(
        "guarded-high-mask", "(select (icmp ult y C) (shl -1 y) 0)", "(xor (lshr -1 (sub C y)) -1)",
        "no shift by the width", "C == width(y)", need=("y != 0", "y <= width(y)"),
    ),
    _rule(
        "guarded-low-mask", "(select (icmp ult y C) (add (shl 1 y) -1) -1)", "(lshr -1 (sub C y))",
        "no shift by the width", "C == width(y)", need=("y != 0", "y <= width(y)"),
    ),
    _rule(
        "guarded-low-mask-not", "(select (icmp ult y C) (xor (shl -1 y) -1) -1)", "(lshr -1 (sub C y))",
        "no shift by the width", "C == width(y)", need=("y != 0", "y <= width(y)"),
    ),
    _rule(
        "guarded-shift", "(select (icmp ult y C) (shl x y) 0)", "(shl x y)", "no shift by the width", "C == width(y)",
        need="y < width(y)",
    ),
    _rule(
        "guarded-shift-right", "(select (icmp ult y C) (lshr x y) 0)", "(lshr x y)", "no shift by the width",
        "C == width(y)", need="y < width(y)",
    ),
    _rule(
        "run-of-ones", "(shl (add (shl 1 x) -1) y)", "(shl (lshr -1 (sub {width(x)} x)) y)", "x ones at y",
        need="x != 0",
    ),
    _rule(
        "run-of-ones-as-difference", "(sub (shl (shl 1 x) y) (shl 1 y))", "(shl (add (shl 1 x) -1) y)", "x ones at y",
    ),
    _rule(
        "full-outside-mask", "(icmp eq (or x (xor z -1)) -1)", "(icmp eq (and (xor x -1) z) 0)", "nothing is missing"
    ),
    _rule(
        "not-full-outside-mask", "(icmp ne (or x (xor z -1)) -1)", "(icmp ne (and (xor x -1) z) 0)",
        "something is missing",
    ),
    _rule("some-below-lshr", "(icmp ne (and x (lshr -1 y)) 0)", "(icmp ne (shl x y) 0)", "a low bit is set"),
    _rule("some-above", "(icmp ne (and x (shl -1 y)) 0)", "(icmp ne (lshr x y) 0)", "a high bit is set"),
    _rule("not-full-below", "(icmp ne (or x (shl -1 y)) -1)", "(icmp ne (shl (xor x -1) (sub {width(y)} y)) 0)",
          "a low bit is clear", need="y != 0"),
    _rule("round-down-by-urem", "(sub x (urem x y))", "(mul (udiv x y) y)", "the multiple below", widths=(1, 2, 4)),
    _rule("round-down-by-or", "(sub (or x C) C)", "(and x {~C})", "no borrow"),
    _rule("round-down-by-xor", "(xor (or x C) C)", "(and x {~C})", "set, then flipped"),
    _rule("round-down-as-or", "(and x C)", "(xor (or x {~C}) {~C})", "set, then flipped"),
    _rule("round-down-by-shifts", "(shl (lshr x y) y)", "(and x (shl -1 y))", "clears the low bits"),
    _rule("round-down-as-shifts", "(and x (shl -1 y))", "(shl (lshr x y) y)", "clears the low bits"),
    _rule("keep-low-by-shifts", "(lshr (shl x y) y)", "(and x (lshr -1 y))", "clears the high bits"),
    _rule("keep-low-as-shifts", "(and x (lshr -1 y))", "(lshr (shl x y) y)", "clears the high bits"),
    _rule("low-mask-by-not", "(add (shl 1 y) -1)", "(xor (shl -1 y) -1)", "ones below bit y"),
    _rule("low-mask-by-add", "(xor (shl -1 y) -1)", "(add (shl 1 y) -1)", "ones below bit y"),
    _rule("low-mask-by-lshr", "(add (shl 1 y) -1)", "(lshr -1 (sub {width(y)} y))", "ones below bit y", need="y != 0"),
    _rule(
        "low-mask-by-lshr-not", "(xor (shl -1 y) -1)", "(lshr -1 (sub {width(y)} y))", "ones below bit y", need="y != 0"
    ),
    _rule(
        "low-mask-by-shl", "(lshr -1 (sub C y))", "(add (shl 1 y) -1)", "ones below bit y", "C == width(y)",
        need="y < width(y)",
    ),
    _rule(
        "high-mask-by-shl", "(xor (lshr -1 y) -1)", "(shl -1 (sub {width(y)} y))", "ones from the top", need="y != 0",
    ),
    _rule("not-shl-ones", "(xor (shl -1 x) -1)", "(sub -1 (shl -1 x))", "ones below bit x"),
    _rule("negated-bit", "(sub 0 (shl 1 y))", "(shl -1 y)", "-2**y"),
    _rule("ones-shifted", "(shl -1 y)", "(sub 0 (shl 1 y))", "-2**y"),
    _rule(
        "shifted-low-mask", "(shl (add (shl 1 x) -1) y)", "(sub (shl (shl 1 x) y) (shl 1 y))", "a run of x ones at y",
    ),
    _rule("mask-low-by-shl", "(and x (add (shl 1 y) -1))", "(and x (xor (shl -1 y) -1))", "the low y bits"),
    _rule(
        "keep-low-by-amount", "(and x (add (shl 1 y) -1))", "(lshr (shl x (sub {width(y)} y)) (sub {width(y)} y))",
        "the low y bits", need="y != 0",
    ),
    _rule(
        "drop-low-by-mask", "(and x (sub 0 (shl 1 y)))", "(shl (lshr x y) y)", "clears the low y bits",
    ),
    _rule("tail-mask", "(and (xor x -1) (lshr -1 y))", "(lshr (shl (xor x -1) y) y)", "clears the high bits"),
    _rule("or-ones-above", "(or x (shl -1 y))", "(xor (and (xor x -1) (xor (shl -1 y) -1)) -1)", "De Morgan"),
    _rule("full-below", "(icmp eq (or x (shl -1 y)) -1)", "(icmp eq (shl (xor x -1) (sub {width(y)} y)) 0)",
          "the low y bits are all set", need="y != 0"),
    _rule("none-below", "(icmp eq (and x (xor (shl -1 y) -1)) 0)", "(icmp eq (shl x (sub {width(y)} y)) 0)",
          "the low y bits are all clear", need="y != 0"),
    _rule("none-below-add", "(icmp eq (and x (add (shl 1 y) -1)) 0)", "(icmp eq (shl x (sub {width(y)} y)) 0)",
          "the low y bits are all clear", need="y != 0"),
    _rule("none-below-lshr", "(icmp eq (and x (lshr -1 y)) 0)", "(icmp eq (shl x y) 0)", "the low bits are all clear"),
    _rule("none-above", "(icmp eq (and x (shl -1 y)) 0)", "(icmp eq (lshr x y) 0)", "the high bits are all clear"),
    _rule(
        "cleared-is-whole", "(icmp eq (shl (lshr x y) y) x)", "(icmp eq (and x (xor (shl -1 y) -1)) 0)",
        "nothing below",
    ),
)  # fmt: skip
