"""Overflow checks and saturation: intrinsics, comparisons, wide products, divisions, masks."""

from __future__ import annotations

from m4alloc.superopt.rules_kinds import PRODUCTS, of_kind

_rule = of_kind("overflow")

RULES = (
    *(
        _rule(
            f"{sign}{verb}-value", f"(extractvalue ({sign}{verb}.with.overflow x y) 0)", f"({verb} x y)",
            "the wrapped result", widths=PRODUCTS if verb == "mul" else (1, 2, 4, 8, 16, 32, 64),
        )
        for sign in "us" for verb in ("add", "sub", "mul")
    ),
    _rule("uadd-overflow-as-ult", "(extractvalue (uadd.with.overflow x y) 1)", "(icmp ult (add x y) x)", "a carry"),
    _rule("uadd-overflow-as-ugt", "(extractvalue (uadd.with.overflow x y) 1)", "(icmp ugt x (xor y -1))", "a carry"),
    _rule("uadd-overflow", "(icmp ult (add x y) x)", "(extractvalue (uadd.with.overflow x y) 1)", "a carry"),
    _rule("uadd-overflow-not", "(icmp ugt x (xor y -1))", "(extractvalue (uadd.with.overflow x y) 1)", "a carry"),
    _rule(
        "uadd-no-overflow", "(icmp uge (add x y) x)", "(xor (extractvalue (uadd.with.overflow x y) 1) true)",
        "no carry",
    ),
    _rule("uadd-overflow-constant", "(extractvalue (uadd.with.overflow x C) 1)", "(icmp ugt x {~C})", "a carry"),
    _rule(
        "uadd-overflow-wide", "(icmp ne (lshr (add (zext:W x:N) (zext:W y:N)) C) 0)",
        "(extractvalue (uadd.with.overflow x y) 1)", "a carry into the next bit", "C == width(N)",
    ),
    _rule(
        "uadd-overflow-wide-max", "(icmp ugt (add (zext:W x:N) (zext:W y:N)) C)",
        "(extractvalue (uadd.with.overflow x y) 1)", "above the greatest", "C == 2**width(N) - 1",
    ),
    _rule(
        "uadd-overflow-bits", "(icmp slt (or (and x y) (and (or x y) (xor (add x y) -1))) 0)",
        "(extractvalue (uadd.with.overflow x y) 1)", "the carry out of the top bit",
    ),
    _rule("usub-overflow-as-ult", "(extractvalue (usub.with.overflow x y) 1)", "(icmp ult x y)", "a borrow"),
    _rule("usub-overflow", "(icmp ult x y)", "(extractvalue (usub.with.overflow x y) 1)", "a borrow"),
    _rule(
        "sadd-overflow", "(icmp slt (and (xor (add x y) x) (xor (add x y) y)) 0)",
        "(extractvalue (sadd.with.overflow x y) 1)", "the sign differs from both",
    ),
    _rule(
        "sadd-overflow-bits", "(extractvalue (sadd.with.overflow x y) 1)",
        "(icmp slt (and (xor (add x y) x) (xor (add x y) y)) 0)", "the sign differs from both",
    ),
    _rule(
        "sadd-overflow-logic", "(xor (icmp slt (add x y) x) (icmp slt y 0))",
        "(extractvalue (sadd.with.overflow x y) 1)", "adding what is not negative does not decrease",
    ),
    _rule(
        "ssub-overflow", "(icmp slt (and (xor (sub x y) x) (xor x y)) 0)", "(extractvalue (ssub.with.overflow x y) 1)",
        "the sign differs",
    ),
    _rule(
        "ssub-overflow-bits", "(extractvalue (ssub.with.overflow x y) 1)",
        "(icmp slt (and (xor (sub x y) x) (xor x y)) 0)", "the sign differs",
    ),
    _rule(
        "sadd-overflow-positive", "(extractvalue (sadd.with.overflow x C) 1)",
        "(icmp sgt x {2**(width(x) - 1) - 1 - C})", "above the greatest", "0 <= signed(C)",
    ),
    _rule(
        "sadd-overflow-negative", "(extractvalue (sadd.with.overflow x C) 1)",
        "(icmp slt x {0 - 2**(width(x) - 1) - C})", "below the least", "signed(C) < 0",
    ),
    _rule(
        "sadd-overflow-wide",
        "(icmp ne (sext:W (trunc:N (add (sext:W x:N) (sext:W y:N)))) (add (sext:W x) (sext:W y)))",
        "(extractvalue (sadd.with.overflow x y) 1)", "does not come back",
    ),
    _rule(
        "smul-overflow-wide",
        "(icmp ne (sext:W (trunc:N (mul (sext:W x:N) (sext:W y:N)))) (mul (sext:W x) (sext:W y)))",
        "(extractvalue (smul.with.overflow x y) 1)", "does not come back", "width(W) >= 2 * width(N)", widths=(2, 4),
    ),
    _rule(
        "umul-overflow-wide", "(icmp ne (lshr (mul (zext:W x:N) (zext:W y:N)) C) 0)",
        "(extractvalue (umul.with.overflow x y) 1)", "the high half", "C == width(N) and width(W) >= 2 * width(N)",
        widths=(1, 2, 4, 8),
    ),
    _rule(
        "umul-overflow-wide-max", "(icmp ugt (mul (zext:W x:N) (zext:W y:N)) C)",
        "(extractvalue (umul.with.overflow x y) 1)", "above the greatest",
        "C == 2**width(N) - 1 and width(W) >= 2 * width(N)", widths=(1, 2, 4, 8),
    ),
    _rule(
        "umul-overflow-high", "(icmp ne (trunc:N (lshr (mul (zext:W x:N) (zext:W y:N)) C)) 0)",
        "(extractvalue (umul.with.overflow x y) 1)", "the high half", "C == width(N) and width(W) == 2 * width(N)",
        widths=(1, 2, 4, 8),
    ),
    _rule(
        "umul-overflow-as-wide", "(extractvalue (umul.with.overflow x y) 1)",
        "(icmp ne (lshr (mul (zext:{2 * width(x)} x) (zext:{2 * width(x)} y)) {width(x)}) 0)", "the high half",
        widths=(2, 4, 8),
    ),
    _rule(
        "umul-overflow-by-udiv", "(icmp ugt y (udiv -1 x))", "(extractvalue (umul.with.overflow x y) 1)",
        "y is more than fits", widths=(1, 2, 4, 8),
    ),
    _rule(
        "umul-no-overflow-by-udiv", "(icmp ule y (udiv -1 x))", "(xor (extractvalue (umul.with.overflow x y) 1) true)",
        "y is at most what fits", widths=(1, 2, 4, 8),
    ),
    _rule(
        "umul-overflow-by-division", "(icmp ne (udiv (mul x y) x) y)", "(extractvalue (umul.with.overflow x y) 1)",
        "does not come back", widths=(1, 2, 4),
    ),
    _rule(
        "umul-overflow-guarded", "(extractvalue (umul.with.overflow (umax x 1) y) 1)",
        "(extractvalue (umul.with.overflow x y) 1)", "neither 0 nor 1 overflows", "width(x) > 1", widths=(2, 4, 8),
    ),
    _rule(
        "umul-overflow-guarded-select", "(extractvalue (umul.with.overflow (select (icmp eq x 0) C x) y) 1)",
        "(extractvalue (umul.with.overflow x y) 1)", "neither 0 nor 1 overflows", "C <= 1", widths=(2, 4, 8),
    ),
    _rule(
        "umul-overflow-nonzero", "(select (icmp ne x 0) (extractvalue (umul.with.overflow x y) 1) false)",
        "(extractvalue (umul.with.overflow x (freeze y)) 1)", "0 does not overflow", widths=(1, 2, 4, 8),
    ),
    _rule(
        "umul-overflow-nonzero-defined", "(select (icmp ne x 0) (extractvalue (umul.with.overflow x y) 1) false)",
        "(extractvalue (umul.with.overflow x y) 1)", "0 does not overflow", defined="y", widths=(1, 2, 4, 8),
    ),
    _rule(
        "umul-overflow-zero", "(select (icmp eq x 0) false (extractvalue (umul.with.overflow x y) 1))",
        "(extractvalue (umul.with.overflow x (freeze y)) 1)", "0 does not overflow", widths=(1, 2, 4, 8),
    ),
    _rule(
        "umul-overflow-and-nonzero", "(and (icmp ne x 0) (extractvalue (umul.with.overflow x y) 1))",
        "(extractvalue (umul.with.overflow x y) 1)", "0 does not overflow", widths=(1, 2, 4, 8),
    ),
    _rule(
        "umul-overflow-constant", "(extractvalue (umul.with.overflow x C) 1)", "(icmp ugt x {(2**width(x) - 1) // C})",
        "more than fits", "C != 0", widths=PRODUCTS,
    ),
    _rule(
        "umul-overflow-pow2", "(extractvalue (umul.with.overflow x C) 1)", "(icmp ugt x {2**width(x) - 1 >> log2(C)})",
        "a high bit", "ispow2(C)",
    ),
    _rule(
        "umul-overflow-small", "(extractvalue (umul.with.overflow x y) 1)", "false", "both fit half the width",
        need=("x < 2**(width(x) // 2)", "y < 2**(width(y) // 2)"), widths=(2, 4, 8),
    ),
    _rule(
        "uadd-sat-by-select", "(select (icmp ult (add x y) x) -1 (add x y))", "(uadd.sat x y)", "held at the greatest",
    ),
    _rule(
        "uadd-sat-by-select-other", "(select (icmp ugt x (xor y -1)) -1 (add x y))", "(uadd.sat x y)",
        "held at the greatest",
    ),
    _rule("uadd-sat-by-or", "(or (add x y) (sext (icmp ult (add x y) x)))", "(uadd.sat x y)", "held at the greatest"),
    _rule(
        "uadd-sat-by-overflow",
        "(select (extractvalue (uadd.with.overflow x y) 1) -1 (extractvalue (uadd.with.overflow x y) 0))",
        "(uadd.sat x y)", "held at the greatest",
    ),
    _rule(
        "uadd-sat-by-overflow-add", "(select (extractvalue (uadd.with.overflow x y) 1) -1 (add x y))", "(uadd.sat x y)",
        "held at the greatest",
    ),
    _rule("uadd-sat-by-umin", "(add (umin x (xor y -1)) y)", "(uadd.sat x y)", "no more than fits"),
    _rule("uadd-sat-constant-by-umin", "(add (umin x C) D)", "(uadd.sat x D)", "no more than fits", "C == ~D"),
    _rule("uadd-sat-as-umin", "(uadd.sat x y)", "(add (umin x (xor y -1)) y)", "no more than fits"),
    _rule("uadd-sat-by-usub", "(xor (usub.sat (xor x -1) y) -1)", "(uadd.sat x y)", "~ turns the order"),
    _rule("usub-sat-by-uadd", "(xor (uadd.sat (xor x -1) y) -1)", "(usub.sat x y)", "~ turns the order"),
    _rule("uadd-sat-zero", "(uadd.sat x 0)", "x", "0 is neutral"),
    _rule("usub-sat-zero", "(usub.sat x 0)", "x", "0 is neutral"),
    _rule("usub-sat-self", "(usub.sat x x)", "0", "nothing remains"),
    _rule("usub-sat-of-zero", "(usub.sat 0 x)", "0", "nothing remains"),
    _rule("usub-sat-ones", "(usub.sat x -1)", "0", "nothing remains"),
    _rule("uadd-sat-ones", "(uadd.sat x -1)", "-1", "held at the greatest"),
    _rule(
        "uadd-sat-constants", "(uadd.sat (uadd.sat x C) D)", "(uadd.sat x {C + D})", "amounts add",
        "C + D < 2**width(x)",
    ),
    _rule(
        "usub-sat-constants", "(usub.sat (usub.sat x C) D)", "(usub.sat x {C + D})", "amounts add",
        "C + D < 2**width(x)",
    ),
    _rule("usub-sat-constants-out", "(usub.sat (usub.sat x C) D)", "0", "nothing remains", "C + D >= 2**width(x)"),
    _rule("usub-sat-by-select", "(select (icmp ugt x y) (sub x y) 0)", "(usub.sat x y)", "held at 0"),
    _rule("usub-sat-by-select-uge", "(select (icmp uge x y) (sub x y) 0)", "(usub.sat x y)", "held at 0"),
    _rule("usub-sat-by-select-ult", "(select (icmp ult x y) 0 (sub x y))", "(usub.sat x y)", "held at 0"),
    _rule("usub-sat-by-select-ule", "(select (icmp ule x y) 0 (sub x y))", "(usub.sat x y)", "held at 0"),
    _rule(
        "usub-sat-by-select-constant", "(select (icmp ugt x C) (add x D) 0)", "(usub.sat x C)", "held at 0",
        "(C + D) % 2**width(x) == 0",
    ),
    _rule(
        "usub-sat-by-select-next", "(select (icmp ugt x C) (add x D) 0)", "(usub.sat x {C + 1})", "held at 0",
        "(C + 1 + D) % 2**width(x) == 0 and C != 2**width(x) - 1",
    ),
    _rule("usub-sat-decrement", "(select (icmp eq x 0) 0 (add x -1))", "(usub.sat x 1)", "held at 0", "width(x) > 1"),
    _rule("usub-sat-decrement-bool", "(sub x (zext (icmp ne x 0)))", "(usub.sat x 1)", "held at 0", "width(x) > 1"),
    _rule(
        "uadd-sat-increment", "(select (icmp eq x -1) -1 (add x 1))", "(uadd.sat x 1)", "held at the greatest",
        "width(x) > 1",
    ),
    _rule(
        "uadd-sat-increment-bool", "(add x (zext (icmp ne x -1)))", "(uadd.sat x 1)", "held at the greatest",
        "width(x) > 1",
    ),
    _rule("usub-sat-by-and", "(and (sub x y) (sext (icmp ugt x y)))", "(usub.sat x y)", "a mask of the comparison"),
    _rule("usub-sat-as-select", "(usub.sat x y)", "(select (icmp ugt x y) (sub x y) 0)", "held at 0"),
    _rule("usub-sat-no-borrow", "(usub.sat x y)", "(sub x y)", "no borrow", need="x >= y"),
    _rule("usub-sat-below", "(usub.sat x y)", "0", "nothing remains", need="x <= y"),
    _rule("uadd-sat-no-carry", "(uadd.sat x y)", "(add x y)", "no carry", need="x + y < 2**width(x)"),
    _rule(
        "uadd-sat-wide", "(trunc:N (umin (add (zext:W x:N) (zext:W y:N)) C))", "(uadd.sat x y)",
        "clamped to the narrow range", "C == 2**width(N) - 1",
    ),
    _rule(
        "usub-sat-wide", "(trunc:N (smax (sub (zext:W x:N) (zext:W y:N)) 0))", "(usub.sat x y)",
        "clamped to the narrow range", "width(W) > 1",
    ),
    _rule(
        "sadd-sat-wide", "(trunc:N (smax (smin (add (sext:W x:N) (sext:W y:N)) C) D))", "(sadd.sat x y)",
        "clamped to the narrow range", "C == 2**(width(N) - 1) - 1 and D == 2**width(W) - 2**(width(N) - 1)",
    ),
    _rule(
        "sadd-sat-wide-turned", "(trunc:N (smin (smax (add (sext:W x:N) (sext:W y:N)) D) C))", "(sadd.sat x y)",
        "clamped to the narrow range", "C == 2**(width(N) - 1) - 1 and D == 2**width(W) - 2**(width(N) - 1)",
    ),
    _rule(
        "ssub-sat-wide", "(trunc:N (smax (smin (sub (sext:W x:N) (sext:W y:N)) C) D))", "(ssub.sat x y)",
        "clamped to the narrow range", "C == 2**(width(N) - 1) - 1 and D == 2**width(W) - 2**(width(N) - 1)",
    ),
    _rule(
        "sadd-sat-by-overflow",
        "(select (extractvalue (sadd.with.overflow x y) 1) (xor (ashr x C) D)"
        " (extractvalue (sadd.with.overflow x y) 0))",
        "(sadd.sat x y)", "held at the end that the sign names", "C == width(x) - 1 and D == 2**(width(x) - 1) - 1",
    ),
    _rule("sadd-sat-zero", "(sadd.sat x 0)", "x", "0 is neutral"),
    _rule("ssub-sat-zero", "(ssub.sat x 0)", "x", "0 is neutral"),
    _rule("ssub-sat-self", "(ssub.sat x x)", "0", "nothing remains"),
    _rule(
        "sadd-sat-nonnegative", "(sadd.sat x y)", "(umin (add x y) {2**(width(x) - 1) - 1})", "no carry out",
        need=("signed(x) >= 0", "signed(y) >= 0"), condition="width(x) > 1",
    ),
    _rule(
        "ushl-sat-by-select", "(select (icmp ne (lshr (shl x y) y) x) -1 (shl x y))", "(ushl.sat x y)",
        "held at the greatest",
    ),
    _rule("ushl-sat-zero", "(ushl.sat x 0)", "x", "no shift"),
    _rule(
        "size-round-overflow", "(icmp ult (and (add x C) D) x)", "(icmp ugt x D)", "the rounded size wraps",
        "ispow2(C + 1) and D == ~C",
    ),
    _rule(
        "smul-overflow-minus-one", "(extractvalue (smul.with.overflow x -1) 1)", "(icmp eq x {2**(width(x) - 1)})",
        "only the least", "width(x) > 1", widths=(2, 4, 8, 16),
    ),
    _rule(
        "smul-overflow-two", "(extractvalue (smul.with.overflow x 2) 1)", "(extractvalue (sadd.with.overflow x x) 1)",
        "x + x", "width(x) > 2", widths=(4, 8, 16),
    ),
    _rule(
        "umul-overflow-two", "(extractvalue (umul.with.overflow x 2) 1)", "(icmp slt x 0)", "the top bit",
        "width(x) > 1",
    ),
    _rule(
        "negate-overflow", "(extractvalue (ssub.with.overflow 0 x) 1)", "(icmp eq x {2**(width(x) - 1)})",
        "only the least",
    ),
    _rule(
        "mul-high-wide", "(lshr (mul (zext:W x:N) (zext:W y:N)) C)",
        "(zext:W (trunc:N (lshr (mul (zext:W x) (zext:W y)) C)))", "the high half fits",
        "C == width(N) and width(W) == 2 * width(N)", widths=(2, 4, 8),
    ),
)  # fmt: skip
