"""Selects: folded, turned into arithmetic and logic, and back; freeze where a logical form hides poison."""

from __future__ import annotations

from m4alloc.superopt.rules_kinds import PRODUCTS, of_kind

_rule = of_kind("select")
_BITWISE = ("add", "sub", "and", "or", "xor")

RULES = (
    _rule("select-true", "(select true x:any y:any)", "x", "decided"),
    _rule("select-false", "(select false x:any y:any)", "y", "decided"),
    _rule("select-same", "(select c x:any x)", "x", "no choice"),
    _rule("select-bool", "(select c true false)", "c", "the condition itself"),
    _rule("select-bool-not", "(select c false true)", "(xor c true)", "the condition's opposite"),
    _rule("select-not", "(select (xor c true) x:any y:any)", "(select c y x)", "arms change places"),
    _rule("select-turned", "(select c x:any y:any)", "(select (xor c true) y x)", "arms change places"),
    _rule(
        "logical-and", "(select c x false)", "(and c (freeze x))", "freeze hides the poison of what was not looked at",
    ),
    _rule("logical-or", "(select c true x)", "(or c (freeze x))", "freeze hides the poison of what was not looked at"),
    _rule("logical-and-defined", "(select c x false)", "(and c x)", "nothing to hide", defined="x"),
    _rule("logical-or-defined", "(select c true x)", "(or c x)", "nothing to hide", defined="x"),
    _rule(
        "logical-and-not", "(select c false x)", "(and (xor c true) (freeze x))",
        "freeze hides the poison of what was not looked at",
    ),
    _rule(
        "logical-or-not", "(select c x true)", "(or (xor c true) (freeze x))",
        "freeze hides the poison of what was not looked at",
    ),
    _rule("logical-and-not-defined", "(select c false x)", "(and (xor c true) x)", "nothing to hide", defined="x"),
    _rule("logical-or-not-defined", "(select c x true)", "(or (xor c true) x)", "nothing to hide", defined="x"),
    _rule("and-logical", "(and c:1 x)", "(select c x false)", "hides more poison"),
    _rule("or-logical", "(or c:1 x)", "(select c true x)", "hides more poison"),
    _rule("logical-and-self", "(select c c false)", "c", "idempotent"),
    _rule("logical-or-self", "(select c true c)", "c", "idempotent"),
    _rule(
        "logical-and-turned", "(select c x false)", "(select x c false)", "commutes where both are defined",
        defined="x",
    ),
    _rule(
        "logical-and-nested", "(select (select c x false) y false)", "(select c (select x y false) false)",
        "associative",
    ),
    _rule("logical-or-nested", "(select (select c true x) true y)", "(select c true (select x true y))", "associative"),
    _rule("select-select-then", "(select c (select c x:any y:any) z:any)", "(select c x z)", "decided"),
    _rule("select-select-else", "(select c x:any (select c y:any z:any))", "(select c x z)", "decided"),
    _rule("select-select-or", "(select c x:any (select d x y:any))", "(select (select c true d) x y)", "one of both"),
    _rule("select-select-and", "(select c (select d x:any y:any) y)", "(select (select c d false) x y)", "both"),
    _rule("select-or-split", "(select (or c d) x:any y:any)", "(select c x (select d x y))", "one of both"),
    _rule("select-and-split", "(select (and c d) x:any y:any)", "(select c (select d x y) y)", "both"),
    _rule("select-eq-left", "(select (icmp eq x y) x y)", "y", "the same"),
    _rule("select-eq-right", "(select (icmp eq x y) y x)", "x", "the same"),
    _rule("select-ne-left", "(select (icmp ne x y) x y)", "x", "the same"),
    _rule("select-eq-constant", "(select (icmp eq x C) x y)", "(select (icmp eq x C) C y)", "the value is known there"),
    _rule("select-ne-constant", "(select (icmp ne x C) y x)", "(select (icmp ne x C) y C)", "the value is known there"),
    _rule("select-zero-one", "(select c 1 0)", "(zext c)", "0 or 1", "width(c) == 1", widths=(2, 4, 8, 16, 32, 64)),
    _rule("select-one-zero", "(select c 0 1)", "(zext (xor c true))", "0 or 1", widths=(2, 4, 8, 16, 32, 64)),
    _rule("select-ones-zero", "(select c -1 0)", "(sext c)", "0 or -1", widths=(2, 4, 8, 16, 32, 64)),
    _rule("select-zero-ones", "(select c 0 -1)", "(sext (xor c true))", "0 or -1", widths=(2, 4, 8, 16, 32, 64)),
    _rule("zext-as-select", "(zext c:1)", "(select c 1 0)", "0 or 1"),
    _rule("sext-as-select", "(sext c:1)", "(select c -1 0)", "0 or -1"),
    _rule(
        "select-next-constants", "(select c C D)", "(add (zext c) D)", "neighbours", "C == D + 1",
        widths=(2, 4, 8, 16, 32, 64),
    ),
    _rule(
        "select-previous-constants", "(select c C D)", "(add (sext c) D)", "neighbours", "C + 1 == D",
        widths=(2, 4, 8, 16, 32, 64),
    ),
    _rule("next-constants-select", "(add (zext c:1) C)", "(select c {C + 1} C)", "neighbours"),
    _rule(
        "select-pow2", "(select c C 0)", "(shl (zext c) {log2(C)})", "one bit", "ispow2(C)",
        widths=(2, 4, 8, 16, 32, 64),
    ),
    _rule(
        "select-zero-pow2", "(select c 0 C)", "(shl (zext (xor c true)) {log2(C)})", "one bit", "ispow2(C)",
        widths=(2, 4, 8, 16, 32, 64),
    ),
    _rule("shl-bool-as-select", "(shl (zext c:1) C)", "(select c {1 << C} 0)", "one bit", "C < width(C)"),
    _rule(
        "select-constants", "(select c C D)", "(xor (and (sext c) {C ^ D}) D)", "a mask of the condition",
        widths=(2, 4, 8, 16, 32, 64),
    ),
    _rule(
        "select-else-zero", "(select c x 0)", "(and (sext c) (freeze x))", "a mask of the condition",
        widths=(2, 4, 8, 16, 32, 64),
    ),
    _rule(
        "select-then-zero", "(select c 0 x)", "(and (sext (xor c true)) (freeze x))", "a mask of the condition",
        widths=(2, 4, 8, 16, 32, 64),
    ),
    _rule(
        "select-else-zero-defined", "(select c x 0)", "(and (sext c) x)", "a mask of the condition", defined="x",
        widths=(2, 4, 8, 16, 32, 64),
    ),
    _rule(
        "select-then-zero-defined", "(select c 0 x)", "(and (sext (xor c true)) x)", "a mask of the condition",
        defined="x", widths=(2, 4, 8, 16, 32, 64),
    ),
    _rule(
        "select-then-ones-defined", "(select c -1 x)", "(or (sext c) x)", "a mask of the condition", defined="x",
        widths=(2, 4, 8, 16, 32, 64),
    ),
    _rule("select-else-zero-mul", "(select c x 0)", "(mul (zext c) x)", "0 or 1 times", defined="x", widths=(2, 4, 8)),
    _rule("and-sext-bool", "(and (sext c:1) x)", "(select c x 0)", "a mask of the condition"),
    _rule("or-sext-bool", "(or (sext c:1) x)", "(select c -1 x)", "a mask of the condition"),
    _rule("xor-sext-bool", "(xor (sext c:1) x)", "(select c (xor x -1) x)", "a mask of the condition"),
    _rule("negate-if", "(sub (xor (sext c:1) x) (sext c))", "(select c (sub 0 x) x)", "-x = ~x + 1"),
    _rule("negate-if-add", "(add (xor (sext c:1) x) (zext c))", "(select c (sub 0 x) x)", "-x = ~x + 1"),
    _rule("and-zext-bool", "(and (zext c:1) x)", "(select c (and x 1) 0)", "0 or the lowest bit"),
    _rule("add-bool-select", "(add x (zext c:1))", "(select c (add x 1) x)", "0 or 1"),
    _rule("sub-bool-select", "(sub x (zext c:1))", "(select c (add x -1) x)", "0 or 1"),
    _rule("select-increment", "(select c (add x 1) x)", "(add x (zext c))", "0 or 1", widths=(2, 4, 8, 16, 32, 64)),
    _rule("select-decrement", "(select c (add x -1) x)", "(sub x (zext c))", "0 or 1", widths=(2, 4, 8, 16, 32, 64)),
    _rule(
        "select-complement", "(select c (xor x -1) x)", "(xor x (sext c))", "a mask of the condition",
        widths=(2, 4, 8, 16, 32, 64),
    ),
    _rule("select-shift", "(select c (shl x C) x)", "(shl x (select c C 0))", "0 or C"),
    _rule("select-lshr", "(select c (lshr x C) x)", "(lshr x (select c C 0))", "0 or C"),
    *(
        _rule(f"select-{op}-none", f"(select c ({op} x y) x)", f"({op} x (select c y 0))", "0 is neutral")
        for op in ("add", "sub", "or", "xor", "shl", "lshr", "ashr")
    ),
    _rule("select-and-none", "(select c (and x y) x)", "(and x (select c y -1))", "-1 is neutral"),
    _rule("select-mul-none", "(select c (mul x y) x)", "(mul x (select c y 1))", "1 is neutral", widths=PRODUCTS),
    *(
        _rule(f"{op}-select-none", f"({op} x (select c y 0))", f"(select c ({op} x y) x)", "0 is neutral")
        for op in ("add", "sub", "or", "xor")
    ),
    *(
        _rule(f"select-common-{op}", f"(select c ({op} x y) ({op} x z))", f"({op} x (select c y z))", "one for both")
        for op in (*_BITWISE, "shl", "lshr", "ashr")
    ),
    _rule(
        "select-common-mul", "(select c (mul x y) (mul x z))", "(mul x (select c y z))", "one for both",
        widths=(1, 2, 4),
    ),
    *(
        _rule(
            f"select-common-{op}-right", f"(select c ({op} y x) ({op} z x))", f"({op} (select c y z) x)",
            "one for both",
        )
        for op in ("sub", "shl", "lshr", "ashr")
    ),
    *(
        _rule(f"{op}-into-select", f"({op} (select c y z) x)", f"(select c ({op} y x) ({op} z x))", "one for each")
        for op in _BITWISE
    ),
    *(
        _rule(f"select-common-{cast}", f"(select c ({cast} x) ({cast} y))", f"({cast} (select c x y))", "one for both")
        for cast in ("zext", "sext", "trunc")
    ),
    *(
        _rule(f"{cast}-into-select", f"({cast} (select c x y))", f"(select c ({cast} x) ({cast} y))", "one for each")
        for cast in ("zext", "sext", "trunc")
    ),
    *(
        _rule(
            f"{op}-of-selects", f"({op} (select c x y) (select c z w))", f"(select c ({op} x z) ({op} y w))",
            "one condition",
        )
        for op in _BITWISE
    ),
    _rule("icmp-of-select-zero", "(icmp eq (select c C 0) 0)", "(xor c true)", "the condition's opposite", "C != 0"),
    _rule("icmp-of-select-constant", "(icmp eq (select c C D) C)", "c", "the condition", "C != D"),
    _rule(
        "icmp-of-select-constant-else", "(icmp eq (select c C D) D)", "(xor c true)", "the condition's opposite",
        "C != D",
    ),
    _rule(
        "select-zero-guard-mul", "(select (icmp eq x 0) 0 (mul x y))", "(mul x (freeze y))", "0 absorbs",
        widths=(1, 2, 4),
    ),
    _rule("select-zero-guard-and", "(select (icmp eq x 0) 0 (and x y))", "(and x (freeze y))", "0 absorbs"),
    _rule("select-zero-guard-umin", "(select (icmp eq x 0) 0 (umin x y))", "(umin x (freeze y))", "0 absorbs"),
    _rule("select-zero-guard-or", "(select (icmp eq x 0) y (or x y))", "(or x y)", "0 is neutral"),
    _rule("select-zero-guard-add", "(select (icmp eq x 0) y (add x y))", "(add x y)", "0 is neutral"),
    _rule("select-zero-guard-shl", "(select (icmp eq x 0) y (shl y x))", "(shl y x)", "no shift"),
    _rule("select-zero-guard-lshr", "(select (icmp eq x 0) y (lshr y x))", "(lshr y x)", "no shift"),
    _rule(
        "select-bit-or", "(or x (select (icmp eq (and y C) 0) 0 C))", "(or x (and y C))", "the bit itself", "ispow2(C)",
    ),
    _rule("select-bit", "(select (icmp eq (and x C) 0) 0 C)", "(and x C)", "the bit itself", "ispow2(C)"),
    _rule("select-bit-not", "(select (icmp eq (and x C) 0) C 0)", "(and (xor x -1) C)", "the bit turned", "ispow2(C)"),
    _rule("select-sign-mask", "(select (icmp slt x 0) -1 0)", "(ashr x {width(x) - 1})", "the sign everywhere"),
    _rule(
        "select-sign-masked", "(select (icmp slt x 0) y 0)", "(and (ashr x {width(x) - 1}) (freeze y))",
        "the sign everywhere",
    ),
    _rule("select-sign-masked-not", "(select (icmp slt x 0) 0 x)", "(smax x 0)", "never negative", "width(x) > 1"),
    _rule("select-positive", "(select (icmp sgt x 0) x 0)", "(smax x 0)", "never negative", "width(x) > 1"),
    _rule(
        "masked-by-sign", "(and x (xor (ashr x C) -1))", "(smax x 0)", "never negative",
        "C == width(x) - 1 and width(x) > 1",
    ),
    _rule(
        "smax-zero-masked", "(smax x 0)", "(and x (xor (ashr x {width(x) - 1}) -1))", "never negative", "width(x) > 1",
    ),
    _rule("freeze-freeze", "(freeze (freeze x:any))", "(freeze x)", "idempotent"),
    _rule("freeze-defined", "(freeze x:any)", "x", "nothing to freeze", defined="x"),
    *(
        _rule(f"freeze-of-{op}", f"(freeze ({op} x C))", f"({op} (freeze x) C)", "the operand is frozen instead")
        for op in ("add", "and", "or", "xor", "mul")
    ),
    *(
        _rule(
            f"{op}-of-freeze", f"({op} (freeze x) C)", f"(freeze ({op} x C))", "the result is frozen instead",
            widths=(1, 2, 4),
        )
        for op in ("add", "xor")
    ),
    _rule("freeze-of-icmp", "(freeze (icmp eq x C))", "(icmp eq (freeze x) C)", "the operand is frozen instead"),
    _rule("freeze-of-zext", "(freeze (zext x))", "(zext (freeze x))", "the operand is frozen instead"),
    _rule("freeze-of-binary", "(freeze (add x y))", "(add (freeze x) (freeze y))", "the operands are frozen instead"),
    _rule("freeze-of-xor-two", "(freeze (xor x y))", "(xor (freeze x) (freeze y))", "the operands are frozen instead"),
    _rule("freeze-of-and-two", "(freeze (and x y))", "(and (freeze x) (freeze y))", "the operands are frozen instead"),
    _rule("freeze-of-or-two", "(freeze (or x y))", "(or (freeze x) (freeze y))", "the operands are frozen instead"),
)  # fmt: skip
