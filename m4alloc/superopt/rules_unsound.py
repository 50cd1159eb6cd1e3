"""Tempting rules that are wrong: the prover must refuse each with an input that shows it."""

from __future__ import annotations

from m4alloc.superopt.rules_kinds import of_kind

_rule = of_kind("unsound")

RULES = (
    _rule(
        "double-of-undef", "(shl x 1)", "(add x x)", "two uses of an undef may differ: odd", "width(x) > 1",
        need="undef(x)",
    ),
    _rule(
        "smax-of-undef", "(smax x 0)", "(and x (xor (ashr x {width(x) - 1}) -1))", "the sign may be another's",
        "width(x) > 1", need="undef(x)",
    ),
    _rule(
        "urem-of-undef", "(urem x 5)", "(sub x (mul (udiv x 5) 5))", "two uses of an undef may differ",
        "width(x) > 3", need="undef(x)",
    ),
    _rule(
        "max-of-undef", "(umax x y)", "(select (icmp ugt x y) x y)", "the arm may differ from what was compared",
        need="undef(x)",
    ),
    _rule("nsw-added", "(add x y)", "(add nsw x y)", "an overflow becomes poison"),
    _rule("nuw-added", "(add x y)", "(add nuw x y)", "a carry becomes poison"),
    _rule(
        "nsw-reassociated", "(add nsw (add nsw x y) z)", "(add nsw x (add nsw y z))",
        "the inner sum may overflow on its own",
    ),
    _rule("nsw-shl-for-mul", "(mul nsw x C)", "(shl nsw x {log2(C)})", "x * INT_MIN", "ispow2(C)"),
    _rule("nsw-sub-for-add", "(add nsw x C)", "(sub nsw x {-C})", "-INT_MIN is INT_MIN"),
    _rule("nuw-kept-in-sub", "(sub nuw x y)", "(add nuw x (sub 0 y))", "adding the negation carries"),
    _rule("exact-added", "(lshr x C)", "(lshr exact x C)", "lost bits become poison", "C < width(x)"),
    _rule("disjoint-added", "(or x y)", "(or disjoint x y)", "common bits become poison"),
    _rule("nneg-added", "(zext x)", "(zext nneg x)", "the top bit becomes poison"),
    _rule("samesign-added", "(icmp ult x y)", "(icmp samesign ult x y)", "different signs become poison"),
    _rule("slt-for-ult", "(icmp ult x y)", "(icmp slt x y)", "large values are negative"),
    _rule("select-to-and", "(select c x false)", "(and c x)", "x may be poison where it was not looked at"),
    _rule("select-to-or", "(select c true x)", "(or c x)", "x may be poison where it was not looked at"),
    _rule(
        "select-to-mask", "(select c x 0)", "(and (sext c) x)", "x may be poison where it was not looked at",
        "width(x) > 1",
    ),
    _rule(
        "select-guard-dropped", "(select (icmp eq x 0) 0 (mul x y))", "(mul x y)",
        "y may be poison where it was not looked at",
    ),
    _rule(
        "select-swapped-conditions", "(select (select c d false) x y)", "(select (select d c false) x y)",
        "d may be poison where it was not looked at",
    ),
    _rule(
        "shift-guard-dropped", "(select (icmp ult y C) (shl x y) 0)", "(shl x y)", "a wide shift is poison",
        "C == width(x)",
    ),
    _rule("freeze-dropped", "(freeze x)", "x", "poison comes through"),
    _rule(
        "freeze-through-and", "(and (freeze x) C)", "(freeze (and x C))",
        "a frozen poison may have any bits, the mask is lost",
    ),
    _rule(
        "freeze-through-or", "(or (freeze x) C)", "(freeze (or x C))",
        "a frozen poison may have any bits, the mask is lost",
    ),
    _rule(
        "freeze-through-lshr", "(lshr (freeze x) 1)", "(freeze (lshr x 1))", "a frozen poison may have the top bit",
        "width(x) > 1",
    ),
    _rule("freeze-of-wide-shift", "(freeze (shl x y))", "(shl (freeze x) (freeze y))", "a wide shift is poison again"),
    _rule("freeze-of-nsw", "(freeze (add nsw x y))", "(add nsw (freeze x) (freeze y))", "an overflow is poison again"),
    _rule("neg-twice-nsw", "(sub 0 x)", "(sub nsw 0 x)", "-INT_MIN"),
    _rule("mul-div-cancel", "(udiv (mul x y) y)", "x", "the product wraps"),
    _rule("div-mul-cancel", "(mul (udiv x y) y)", "x", "the rest is lost"),
    _rule(
        "sdiv-to-ashr", "(sdiv x C)", "(ashr x {log2(C)})", "rounds towards 0, not down", "ispow2(C) and signed(C) > 1",
    ),
    _rule("srem-to-and", "(srem x C)", "(and x {C - 1})", "the sign of x", "ispow2(C) and signed(C) > 1"),
    _rule("udiv-minus-one", "(sub 0 x)", "(sdiv x -1)", "INT_MIN / -1 is UB"),
    _rule("urem-to-mask", "(urem x y)", "(and x (add y -1))", "only for powers of two"),
    _rule("udiv-no-guard", "(select (icmp eq y 0) 0 (udiv x (umax y 1)))", "(udiv x y)", "a division by 0"),
    _rule("lshr-shl-cancel", "(shl (lshr x y) y)", "x", "low bits are lost"),
    _rule("shl-lshr-cancel", "(lshr (shl x y) y)", "x", "high bits are lost"),
    _rule("trunc-zext-cancel", "(zext:W (trunc x:W))", "x", "high bits are lost"),
    _rule("zext-of-add", "(zext:W (add x y))", "(add (zext:W x) (zext:W y))", "the carry"),
    _rule("sext-of-add", "(sext:W (add x y))", "(add (sext:W x) (sext:W y))", "the overflow"),
    _rule("ult-of-add", "(icmp ult (add x z) (add y z))", "(icmp ult x y)", "sums wrap"),
    _rule("ult-of-sub", "(icmp ult (sub x y) z)", "(icmp ult x (add y z))", "sums wrap"),
    _rule("slt-of-sub", "(icmp slt (sub x y) 0)", "(icmp slt x y)", "differences overflow"),
    _rule("eq-of-mul", "(icmp eq (mul x C) (mul y C))", "(icmp eq x y)", "even factors lose bits", "C != 0"),
    _rule("eq-of-shl", "(icmp eq (shl x z) (shl y z))", "(icmp eq x y)", "high bits are lost"),
    _rule("pow2-without-zero", "(icmp eq (and x (add x -1)) 0)", "(icmp eq (ctpop x) 1)", "0 is no power of two"),
    _rule("abs-poison", "(abs x false)", "(abs x true)", "the least becomes poison"),
    _rule("cttz-poison", "(cttz x false)", "(cttz x true)", "0 becomes poison"),
    _rule("ctlz-poison", "(ctlz x false)", "(ctlz x true)", "0 becomes poison"),
    _rule(
        "average-naive", "(trunc (lshr (add (zext x) (zext y)) 1))", "(lshr (add x y) 1)", "the carry", "width(x) > 1",
    ),
    _rule(
        "rotate-without-guard", "(fshl x x y)", "(or (shl x y) (lshr x (sub {width(x)} y)))",
        "a rotation by 0 shifts by the width",
    ),
    _rule("low-mask-at-width", "(lshr -1 (sub C y))", "(add (shl 1 y) -1)", "all ones at the width", "C == width(y)"),
    _rule("low-mask-at-zero", "(add (shl 1 y) -1)", "(lshr -1 (sub {width(y)} y))", "a shift by the width at 0"),
    _rule(
        "tail-mask-at-zero", "(icmp eq (and x (xor (shl -1 y) -1)) 0)", "(icmp eq (shl x (sub {width(y)} y)) 0)",
        "a shift by the width at 0",
    ),
    _rule("round-up-wrong-mask", "(and (add x C) D)", "(sub 0 (and (sub 0 x) D))", "only for powers of two", "D == ~C"),
    _rule("uadd-sat-no-clamp", "(uadd.sat x y)", "(add x y)", "the sum wraps"),
    _rule("usub-sat-no-clamp", "(usub.sat x y)", "(sub x y)", "the difference wraps"),
    _rule(
        "umul-overflow-by-udiv-zero", "(select (icmp ne x 0) (icmp ugt y (udiv -1 (umax x 1))) false)",
        "(icmp ugt y (udiv -1 x))", "a division by 0",
    ),
    _rule("xor-sub-plain", "(sub x y)", "(xor x y)", "borrows"),
    _rule("or-for-add", "(add x y)", "(or x y)", "carries"),
    _rule(
        "range-check-order", "(and (icmp uge x C) (icmp ult x D))", "(icmp ult (sub x C) {D - C})", "the bounds cross",
        "C > D",
    ),
    _rule("smin-for-umin", "(umin x y)", "(smin x y)", "large values are negative"),
    _rule("min-max-crossed", "(umin (umax x C) D)", "(umax (umin x D) C)", "the bounds cross", "D < C"),
    _rule("gep-compare", "(icmp ult (gep p x) (gep p y))", "(icmp ult x y)", "addresses wrap", widths=(64,)),
    _rule(
        "pointer-by-equality", "(select (icmp eq p:ptr q:ptr) p q)", "q",
        "the addresses are equal, what they may reach is not", widths=(64,),
    ),
    _rule(
        "reciprocal-rounded-down", "(udiv x C)",
        "(trunc (lshr (mul (zext:{2 * width(x)} x) {(1 << width(x)) // C}) {width(x)}))",
        "the quotient is one too small", "C > 2 and not ispow2(C)", widths=(4, 8),
    ),
)  # fmt: skip
"""Each is refuted at one of its widths at least."""
