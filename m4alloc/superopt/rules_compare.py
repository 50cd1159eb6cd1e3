"""Comparison folding: equations solved, ranges merged, offsets and signs seen through, tests combined."""

from __future__ import annotations

from m4alloc.superopt.ir import NEGATED, PREDICATES
from m4alloc.superopt.rules_kinds import PRODUCTS, WIDTHS, of_kind

_rule = of_kind("compare")
_EVERY = WIDTHS
_EQUALITIES = {
    "eq": {"p": "eq", "other": "ne", "below": "ult", "up_to": "ule"},
    "ne": {"p": "ne", "other": "eq", "below": "uge", "up_to": "ugt"},
}
"""Each with its opposite, and what "below" and "at most" become beside it."""


_DECIDED = (
    *(
        _rule(
            f"{predicate}-self", f"(icmp {predicate} x x)",
            "true" if predicate in ("eq", "uge", "ule", "sge", "sle") else "false", "x against itself",
        )
        for predicate in PREDICATES
    ),
    _rule("ult-zero", "(icmp ult x 0)", "false", "nothing is below 0"),
    _rule("uge-zero", "(icmp uge x 0)", "true", "nothing is below 0"),
    _rule("ugt-ones", "(icmp ugt x -1)", "false", "nothing is above the greatest"),
    _rule("ule-ones", "(icmp ule x -1)", "true", "nothing is above the greatest"),
    _rule("and-not-above", "(icmp ugt (and x y) x)", "false", "a mask does not increase"),
    _rule("and-at-most", "(icmp ule (and x y) x)", "true", "a mask does not increase"),
    _rule("or-not-below", "(icmp ult (or x y) x)", "false", "setting bits does not decrease"),
    _rule("or-at-least", "(icmp uge (or x y) x)", "true", "setting bits does not decrease"),
    _rule("lshr-at-most", "(icmp ule (lshr x y) x)", "true", "a right shift does not increase"),
    _rule("udiv-at-most", "(icmp ule (udiv x y) x)", "true", "a quotient does not increase", widths=(1, 2, 4, 8, 16)),
    _rule("urem-below", "(icmp ult (urem x y) y)", "true", "the rest is smaller", widths=(1, 2, 4, 8, 16)),
    _rule("urem-not-above", "(icmp uge (urem x y) y)", "false", "the rest is smaller", widths=(1, 2, 4, 8, 16)),
    _rule("add-nuw-not-below", "(icmp ult (add nuw x y) x)", "false", "no carry"),
    _rule("add-nuw-at-least", "(icmp uge (add nuw x y) x)", "true", "no carry"),
    _rule("not-self-ne", "(icmp eq x (xor x -1))", "false", "each bit differs"),
    *(
        _rule(f"known-{predicate}", f"(icmp {predicate} x y)", "true", "established", need=f"{a} {sign} {b}")
        for predicate, sign, a, b in (
            ("eq", "==", "x", "y"), ("ne", "!=", "x", "y"), ("ult", "<", "x", "y"), ("ule", "<=", "x", "y"),
            ("ugt", ">", "x", "y"), ("uge", ">=", "x", "y"), ("slt", "<", "signed(x)", "signed(y)"),
            ("sle", "<=", "signed(x)", "signed(y)"), ("sgt", ">", "signed(x)", "signed(y)"),
            ("sge", ">=", "signed(x)", "signed(y)"),
        )
    ),
    *(
        _rule(f"known-not-{predicate}", f"(icmp {predicate} x y)", "false", "established", need=f"{a} {sign} {b}")
        for predicate, sign, a, b in (
            ("eq", "!=", "x", "y"), ("ne", "==", "x", "y"), ("ult", ">=", "x", "y"), ("ule", ">", "x", "y"),
            ("ugt", "<=", "x", "y"), ("uge", "<", "x", "y"), ("slt", ">=", "signed(x)", "signed(y)"),
            ("sle", ">", "signed(x)", "signed(y)"), ("sgt", "<=", "signed(x)", "signed(y)"),
            ("sge", "<", "signed(x)", "signed(y)"),
        )
    ),
    *(
        _rule(
            f"not-{predicate}", f"(xor (icmp {predicate} x y) true)", f"(icmp {NEGATED[predicate]} x y)",
            "the opposite",
        )
        for predicate in PREDICATES
    ),
    *(
        _rule(
            f"{predicate}-by-not", f"(icmp {predicate} (xor x -1) (xor y -1))", f"(icmp {predicate} y x)",
            "~ turns the order",
        )
        for predicate in PREDICATES
    ),
    *(
        _rule(
            f"{predicate}-not-constant", f"(icmp {predicate} (xor x -1) C)", f"(icmp {predicate} {{~C}} x)",
            "~ turns the order",
        )
        for predicate in PREDICATES
    ),
)  # fmt: skip

_EQUATIONS = tuple(
    _rule(f"{p}-{name}", pattern.format(**words), replacement.format(**words), reason, condition, widths=widths)
    for p, words in _EQUALITIES.items()
    for name, pattern, replacement, reason, condition, widths in (
        ("sub-zero", "(icmp {p} (sub x y) 0)", "(icmp {p} x y)", "a difference of 0", "True", _EVERY),
        ("xor-zero", "(icmp {p} (xor x y) 0)", "(icmp {p} x y)", "no bit differs", "True", _EVERY),
        ("as-xor-zero", "(icmp {p} x y)", "(icmp {p} (xor x y) 0)", "no bit differs", "True", _EVERY),
        ("as-sub-zero", "(icmp {p} x y)", "(icmp {p} (sub x y) 0)", "a difference of 0", "True", _EVERY),
        ("add-constant", "(icmp {p} (add x C) D)", "(icmp {p} x {{D - C}})", "solved for x", "True", _EVERY),
        ("constant-sub", "(icmp {p} (sub C x) D)", "(icmp {p} x {{C - D}})", "solved for x", "True", _EVERY),
        ("xor-constant", "(icmp {p} (xor x C) D)", "(icmp {p} x {{C ^ D}})", "solved for x", "True", _EVERY),
        ("add-self", "(icmp {p} (add x y) x)", "(icmp {p} y 0)", "x cancels", "True", _EVERY),
        ("sub-self", "(icmp {p} (sub x y) x)", "(icmp {p} y 0)", "x cancels", "True", _EVERY),
        ("xor-self", "(icmp {p} (xor x y) x)", "(icmp {p} y 0)", "x cancels", "True", _EVERY),
        ("add-common", "(icmp {p} (add x y) (add x z))", "(icmp {p} y z)", "x cancels", "True", _EVERY),
        ("sub-common", "(icmp {p} (sub x y) (sub x z))", "(icmp {p} y z)", "x cancels", "True", _EVERY),
        ("sub-common-right", "(icmp {p} (sub y x) (sub z x))", "(icmp {p} y z)", "x cancels", "True", _EVERY),
        ("xor-common", "(icmp {p} (xor x y) (xor x z))", "(icmp {p} y z)", "x cancels", "True", _EVERY),
        ("negations", "(icmp {p} (sub 0 x) (sub 0 y))", "(icmp {p} x y)", "signs cancel", "True", _EVERY),
        ("negation-zero", "(icmp {p} (sub 0 x) 0)", "(icmp {p} x 0)", "-0 = 0", "True", _EVERY),
        ("sum-zero", "(icmp {p} (add x y) 0)", "(icmp {p} x (sub 0 y))", "one is the other's negation", "True", _EVERY),
        (
            "mul-odd-zero", "(icmp {p} (mul x C) 0)", "(icmp {p} x 0)", "odd factors are invertible", "C & 1 == 1",
            (1, 2, 4, 8),
        ),
        (
            "mul-odd-common", "(icmp {p} (mul x C) (mul y C))", "(icmp {p} x y)", "odd factors are invertible",
            "C & 1 == 1", (1, 2, 4),
        ),
        (
            "lshr-zero", "(icmp {p} (lshr x C) 0)",
            "(icmp {below} x {{1 << C}})", "all bits are low", "C < width(x)",
            _EVERY,
        ),
        (
            "ashr-zero", "(icmp {p} (ashr x C) 0)",
            "(icmp {below} x {{1 << C}})", "all bits are low", "C < width(x)",
            _EVERY,
        ),
        (
            "high-mask-zero", "(icmp {p} (and x C) 0)",
            "(icmp {below} x {{-C}})", "all bits are low",
            "C != 0 and C + align(C) == 1 << width(x)", _EVERY,
        ),
        (
            "lshr-common", "(icmp {p} (lshr x C) (lshr y C))",
            "(icmp {below} (xor x y) {{1 << C}})",
            "they differ in low bits only", "C < width(x)", _EVERY,
        ),
        (
            "ashr-common", "(icmp {p} (ashr x C) (ashr y C))",
            "(icmp {below} (xor x y) {{1 << C}})",
            "they differ in low bits only", "C < width(x)", _EVERY,
        ),
        (
            "masked-common", "(icmp {p} (and x C) (and y C))", "(icmp {p} (and (xor x y) C) 0)",
            "they differ outside only", "True", _EVERY,
        ),
        (
            "xor-masked", "(icmp {p} (and (xor x y) C) 0)", "(icmp {p} (and x C) (and y C))",
            "they differ outside only", "True", _EVERY,
        ),
        (
            "shifted-common", "(icmp {p} (lshr x z) (lshr y z))", "(icmp {p} (lshr (xor x y) z) 0)",
            "they differ in low bits only", "True", _EVERY,
        ),
        (
            "shl-common", "(icmp {p} (shl x z) (shl y z))", "(icmp {p} (shl (xor x y) z) 0)",
            "they differ in high bits only", "True", _EVERY,
        ),
        (
            "shl-zero", "(icmp {p} (shl x C) 0)", "(icmp {p} (and x {{(2**width(x) - 1) >> C}}) 0)", "only high bits",
            "C < width(x)", _EVERY,
        ),
        (
            "low-mask-as-shl", "(icmp {p} (and x C) 0)", "(icmp {p} (shl x {{width(x) - log2(C + 1)}}) 0)",
            "only high bits", "ispow2(C + 1) and C != 0", _EVERY,
        ),
        (
            "bit-set", "(icmp {p} (and x C) C)", "(icmp {other} (and x C) 0)",
            "one bit", "ispow2(C)", _EVERY,
        ),
        (
            "bit-clear", "(icmp {p} (and x C) 0)", "(icmp {other} (and x C) C)",
            "one bit", "ispow2(C)", _EVERY,
        ),
        ("bits-all-set", "(icmp {p} (and x C) C)", "(icmp {p} (or x {{~C}}) -1)", "all of the mask", "True", _EVERY),
        ("bits-all-set-or", "(icmp {p} (or x C) -1)", "(icmp {p} (and x {{~C}}) {{~C}})", "all of the mask",
         "True", _EVERY),
        (
            "bits-all-set-not", "(icmp {p} (or x y) -1)", "(icmp {p} (and (xor x -1) (xor y -1)) 0)", "De Morgan",
            "True", _EVERY,
        ),
        ("covered", "(icmp {p} (and x y) x)", "(icmp {p} (and x (xor y -1)) 0)", "no bit outside", "True", _EVERY),
        ("covered-or", "(icmp {p} (or x y) y)", "(icmp {p} (and x (xor y -1)) 0)", "no bit outside", "True", _EVERY),
        ("not-zero", "(icmp {p} (xor x -1) 0)", "(icmp {p} x -1)", "no zero", "True", _EVERY),
        (
            "zext-common", "(icmp {p} (zext:W x:N) (zext:W y:N))", "(icmp {p} x y)", "the value does not change",
            "True", _EVERY,
        ),
        (
            "sext-common", "(icmp {p} (sext:W x:N) (sext:W y:N))", "(icmp {p} x y)", "the value does not change",
            "True", _EVERY,
        ),
        ("zext-zero", "(icmp {p} (zext x) 0)", "(icmp {p} x 0)", "the value does not change", "True", _EVERY),
        ("sext-zero", "(icmp {p} (sext x) 0)", "(icmp {p} x 0)", "the value does not change", "True", _EVERY),
        (
            "zext-constant", "(icmp {p} (zext x) C)", "(icmp {p} x {{C}})", "the value does not change",
            "C < 1 << width(x)", _EVERY,
        ),
        (
            "udiv-zero", "(icmp {p} (udiv x y) 0)", "(icmp {below} x y)",
            "too small", "True", (1, 2, 4, 8),
        ),
        ("umin-zero", "(icmp {p} (umin x C) 0)", "(icmp {p} x 0)", "0 wins", "C != 0", _EVERY),
        ("umax-zero", "(icmp {p} (umax x y) 0)", "(icmp {p} (or x y) 0)", "both are 0", "True", _EVERY),
        (
            "usub-sat-zero", "(icmp {p} (usub.sat x y) 0)",
            "(icmp {up_to} x y)", "nothing remains", "True", _EVERY,
        ),
        ("uadd-sat-zero", "(icmp {p} (uadd.sat x y) 0)", "(icmp {p} (or x y) 0)", "both are 0", "True", _EVERY),
    )
)  # fmt: skip

_FORMS = (
    *(
        _rule(f"{p}-constant-{q}", f"(icmp {p} x C)", f"(icmp {q} x {{C {sign} 1}})", "integers", condition)
        for p, q, sign, condition in (
            ("ule", "ult", "+", "C < 2**width(x) - 1"), ("ult", "ule", "-", "C != 0"), ("uge", "ugt", "-", "C != 0"),
            ("ugt", "uge", "+", "C < 2**width(x) - 1"), ("sle", "slt", "+", "C != 2**(width(x) - 1) - 1"),
            ("slt", "sle", "-", "C != 2**(width(x) - 1)"), ("sge", "sgt", "-", "C != 2**(width(x) - 1)"),
            ("sgt", "sge", "+", "C != 2**(width(x) - 1) - 1"),
        )
    ),
    *(
        _rule(f"{p}-as-{q}", f"(icmp {p} x {number})", f"(icmp {q} x {other})", "the end of the range", "width(x) > 1")
        for p, number, q, other in (
            (
                "ult", "1", "eq", "0"), ("eq", "0", "ult", "1"), ("ugt", "0", "ne", "0"), ("ne", "0", "ugt",
                "0"), ("uge", "1", "ne", "0"), ("ule", "0", "eq", "0",
            ),
            ("ult", "-1", "ne", "-1"), ("uge", "-1", "eq", "-1"), ("ugt", "-2", "eq", "-1"),
        )
    ),
    _rule("slt-as-ugt", "(icmp slt x 0)", "(icmp ugt x {2**(width(x) - 1) - 1})", "the sign"),
    _rule("sgt-as-ult", "(icmp sgt x -1)", "(icmp ult x {2**(width(x) - 1)})", "the sign"),
    _rule("ugt-as-slt", "(icmp ugt x C)", "(icmp slt x 0)", "the sign", "C == 2**(width(x) - 1) - 1"),
    _rule("uge-as-slt", "(icmp uge x C)", "(icmp slt x 0)", "the sign", "C == 2**(width(x) - 1)"),
    _rule("ult-as-sgt", "(icmp ult x C)", "(icmp sgt x -1)", "the sign", "C == 2**(width(x) - 1)"),
    _rule("ule-as-sgt", "(icmp ule x C)", "(icmp sgt x -1)", "the sign", "C == 2**(width(x) - 1) - 1"),
    _rule("sign-mask-ne", "(icmp ne (and x C) 0)", "(icmp slt x 0)", "the sign", "C == 2**(width(x) - 1)"),
    _rule("sign-mask-eq", "(icmp eq (and x C) 0)", "(icmp sgt x -1)", "the sign", "C == 2**(width(x) - 1)"),
    _rule("sign-as-mask", "(icmp slt x 0)", "(icmp ne (and x {2**(width(x) - 1)}) 0)", "the sign"),
    _rule("sign-shift-ne", "(icmp ne (lshr x C) 0)", "(icmp slt x 0)", "the sign", "C == width(x) - 1"),
    _rule("sign-shift-eq", "(icmp eq (lshr x C) 0)", "(icmp sgt x -1)", "the sign", "C == width(x) - 1"),
    _rule("sign-as-lshr", "(zext (icmp slt x 0))", "(lshr x {width(x) - 1})", "the sign", "width(x) > 1"),
    _rule("lshr-as-sign", "(lshr x C)", "(zext (icmp slt x 0))", "the sign", "C == width(x) - 1 and width(x) > 1"),
    _rule("sign-as-ashr", "(sext (icmp slt x 0))", "(ashr x {width(x) - 1})", "the sign", "width(x) > 1"),
    _rule("ashr-as-sign", "(ashr x C)", "(sext (icmp slt x 0))", "the sign", "C == width(x) - 1 and width(x) > 1"),
    _rule(
        "sign-clear-as-lshr", "(zext (icmp sgt x -1))", "(lshr (xor x -1) {width(x) - 1})", "the sign", "width(x) > 1",
    ),
    _rule(
        "sign-clear-as-ashr", "(sext (icmp sgt x -1))", "(ashr (xor x -1) {width(x) - 1})", "the sign", "width(x) > 1",
    ),
    _rule("sign-of-xor", "(xor (icmp slt x 0) (icmp slt y 0))", "(icmp slt (xor x y) 0)", "signs differ"),
    _rule("sign-of-xor-parts", "(icmp slt (xor x y) 0)", "(xor (icmp slt x 0) (icmp slt y 0))", "signs differ"),
    _rule("sign-of-and", "(and (icmp slt x 0) (icmp slt y 0))", "(icmp slt (and x y) 0)", "both are negative"),
    _rule("sign-of-and-parts", "(icmp slt (and x y) 0)", "(and (icmp slt x 0) (icmp slt y 0))", "both are negative"),
    _rule("sign-of-or", "(or (icmp slt x 0) (icmp slt y 0))", "(icmp slt (or x y) 0)", "one is negative"),
    _rule("sign-of-or-parts", "(icmp slt (or x y) 0)", "(or (icmp slt x 0) (icmp slt y 0))", "one is negative"),
    _rule("sign-clear-of-or", "(and (icmp sgt x -1) (icmp sgt y -1))", "(icmp sgt (or x y) -1)", "neither is negative"),
    _rule("sign-of-not", "(icmp slt (xor x -1) 0)", "(icmp sgt x -1)", "the sign turns"),
    _rule("sign-of-nsw-sub", "(icmp slt (sub nsw x y) 0)", "(icmp slt x y)", "no overflow"),
    _rule("sign-of-nsw-sub-gt", "(icmp sgt (sub nsw x y) 0)", "(icmp sgt x y)", "no overflow", "width(x) > 1"),
    _rule("ult-pow2-as-mask", "(icmp ult x C)", "(icmp eq (and x {-C}) 0)", "all bits are low", "ispow2(C)"),
    _rule("uge-pow2-as-mask", "(icmp uge x C)", "(icmp ne (and x {-C}) 0)", "some bit is high", "ispow2(C)"),
    _rule("ult-pow2-as-lshr", "(icmp ult x C)", "(icmp eq (lshr x {log2(C)}) 0)", "all bits are low", "ispow2(C)"),
    _rule("ult-by-bit", "(icmp eq (lshr x y) 0)", "(icmp ult x (shl 1 y))", "all bits are low"),
    _rule("uge-by-bit", "(icmp ne (lshr x y) 0)", "(icmp uge x (shl 1 y))", "some bit is high"),
    _rule("ult-bit-as-lshr", "(icmp ult x (shl 1 y))", "(icmp eq (lshr x y) 0)", "all bits are low"),
    _rule("uge-bit-as-lshr", "(icmp uge x (shl 1 y))", "(icmp ne (lshr x y) 0)", "some bit is high"),
    _rule("slt-to-unsigned", "(icmp slt x y)", "(icmp ult x y)", "no signs", need=("signed(x) >= 0", "signed(y) >= 0")),
    _rule("ult-to-signed", "(icmp ult x y)", "(icmp slt x y)", "no signs", need=("signed(x) >= 0", "signed(y) >= 0")),
    _rule("ult-samesign", "(icmp samesign ult x y)", "(icmp slt x y)", "the signs agree"),
    _rule("slt-samesign", "(icmp samesign slt x y)", "(icmp ult x y)", "the signs agree"),
    _rule(
        "slt-flip-sign", "(icmp slt x y)", "(icmp ult (xor x {2**(width(x) - 1)}) (xor y {2**(width(x) - 1)}))",
        "the order moves by half",
    ),
    _rule(
        "ult-flip-sign", "(icmp ult (xor x C) (xor y C))", "(icmp slt x y)", "the order moves by half",
        "C == 2**(width(x) - 1)",
    ),
    _rule(
        "ult-flip-sign-add", "(icmp ult (add x C) (add y C))", "(icmp slt x y)", "the order moves by half",
        "C == 2**(width(x) - 1)",
    ),
    _rule("zext-ult", "(icmp ult (zext:W x:N) (zext:W y:N))", "(icmp ult x y)", "the value does not change"),
    _rule("zext-slt", "(icmp slt (zext:W x:N) (zext:W y:N))", "(icmp ult x y)", "no signs"),
    _rule("sext-slt", "(icmp slt (sext:W x:N) (sext:W y:N))", "(icmp slt x y)", "the value does not change"),
    _rule("sext-ult", "(icmp ult (sext:W x:N) (sext:W y:N))", "(icmp ult x y)", "negatives stay above"),
    _rule(
        "zext-ult-constant", "(icmp ult (zext x) C)", "(icmp ult x {C})", "the value does not change",
        "C < 1 << width(x)",
    ),
    _rule(
        "zext-ugt-constant", "(icmp ugt (zext x) C)", "(icmp ugt x {C})", "the value does not change",
        "C < 1 << width(x)",
    ),
    _rule("zext-ugt-large", "(icmp ugt (zext x) C)", "false", "too large", "C >= (1 << width(x)) - 1"),
    _rule("zext-ult-large", "(icmp ult (zext x) C)", "true", "too large", "C >= 1 << width(x)"),
    _rule(
        "lshr-ult-constant", "(icmp ult (lshr x C) D)", "(icmp ult x {D << C})", "multiplied out",
        "C < width(x) and D << C < 2**width(x)",
    ),
    _rule(
        "lshr-ugt-constant", "(icmp ugt (lshr x C) D)", "(icmp ugt x {((D + 1) << C) - 1})", "multiplied out",
        "C < width(x) and (D + 1) << C < 2**width(x)",
    ),
    _rule(
        "udiv-ult-constant", "(icmp ult (udiv x C) D)", "(icmp ult x {D * C})", "multiplied out",
        "C * D < 2**width(x) and C != 0", widths=PRODUCTS,
    ),
    _rule(
        "udiv-ugt-constant", "(icmp ugt (udiv x C) D)", "(icmp ugt x {(D + 1) * C - 1})", "multiplied out",
        "C * (D + 1) <= 2**width(x) and C != 0", widths=PRODUCTS,
    ),
    _rule(
        "mul-nuw-ult", "(icmp ult (mul nuw x C) D)", "(icmp ult x {(D + C - 1) // C})", "divided", "C != 0 and D != 0",
        widths=PRODUCTS,
    ),
    _rule("mul-nuw-ugt", "(icmp ugt (mul nuw x C) D)", "(icmp ugt x {D // C})", "divided", "C != 0", widths=PRODUCTS),
    _rule("shl-nuw-ult", "(icmp ult (shl nuw x z) (shl nuw y z))", "(icmp ult x y)", "nothing was lost"),
    _rule("add-nuw-ult-constant", "(icmp ult (add nuw x C) D)", "(icmp ult x {D - C})", "subtracted", "C <= D"),
    _rule("add-nuw-ugt-constant", "(icmp ugt (add nuw x C) D)", "(icmp ugt x {D - C})", "subtracted", "C <= D"),
    _rule("add-nuw-common", "(icmp ult (add nuw x z) (add nuw y z))", "(icmp ult x y)", "z cancels"),
    _rule("add-nsw-common", "(icmp slt (add nsw x z) (add nsw y z))", "(icmp slt x y)", "z cancels"),
    _rule("bool-ult", "(icmp ult x:1 y)", "(and (xor x true) y)", "0 before 1", widths=(1,)),
    _rule("bool-ule", "(icmp ule x:1 y)", "(or (xor x true) y)", "0 before 1", widths=(1,)),
    _rule("bool-eq", "(icmp eq x:1 y)", "(xor (xor x y) true)", "the same", widths=(1,)),
    _rule("bool-ne", "(icmp ne x:1 y)", "(xor x y)", "different", widths=(1,)),
)  # fmt: skip

_RANGES = (
    _rule(
        "in-range", "(and (icmp uge x C) (icmp ult x D))", "(icmp ult (sub x C) {D - C})",
        "one comparison after an offset", "C <= D",
    ),
    _rule(
        "in-range-gt", "(and (icmp ugt x C) (icmp ult x D))", "(icmp ult (sub x {C + 1}) {D - C - 1})",
        "one comparison after an offset", "C < D",
    ),
    _rule(
        "in-range-signed", "(and (icmp sgt x C) (icmp slt x D))", "(icmp ult (sub x {C + 1}) {D - C - 1})",
        "one comparison after an offset", "signed(C) < signed(D)",
    ),
    _rule(
        "in-range-signed-ge", "(and (icmp sge x C) (icmp slt x D))", "(icmp ult (sub x C) {D - C})",
        "one comparison after an offset", "signed(C) <= signed(D)",
    ),
    _rule(
        "out-of-range", "(or (icmp ult x C) (icmp ugt x D))", "(icmp ugt (sub x C) {D - C})",
        "one comparison after an offset", "C <= D",
    ),
    _rule(
        "out-of-range-signed", "(or (icmp slt x C) (icmp sgt x D))", "(icmp ugt (sub x C) {D - C})",
        "one comparison after an offset", "signed(C) <= signed(D)",
    ),
    _rule(
        "in-range-logical", "(select (icmp ugt x C) (icmp ult x D) false)", "(icmp ult (sub x {C + 1}) {D - C - 1})",
        "one comparison after an offset", "C < D",
    ),
    _rule(
        "in-range-logical-turned", "(select (icmp ult x D) (icmp ugt x C) false)",
        "(icmp ult (sub x {C + 1}) {D - C - 1})", "one comparison after an offset", "C < D",
    ),
    _rule(
        "range-split", "(icmp ult (add x C) D)", "(and (icmp uge x {-C}) (icmp ult x {D - C}))", "an offset undone",
        "0 < D and D < C",
    ),
    _rule(
        "signed-in-bounds", "(and (icmp sgt x -1) (icmp slt x y))", "(icmp ult x y)", "negatives are large",
        need="signed(y) >= 0",
    ),
    _rule(
        "signed-in-bounds-logical", "(select (icmp sgt x -1) (icmp slt x y) false)", "(icmp ult x y)",
        "negatives are large", need="signed(y) >= 0", defined="y",
    ),
    _rule("nonzero-up-to", "(and (icmp ne x 0) (icmp ule x y))", "(icmp ult (add x -1) y)", "0 wraps to the greatest"),
    _rule(
        "nonzero-up-to-logical", "(select (icmp ne x 0) (icmp ule x y) false)", "(icmp ult (add x -1) (freeze y))",
        "0 wraps to the greatest",
    ),
    _rule("zero-or-above", "(or (icmp eq x 0) (icmp ugt x y))", "(icmp uge (add x -1) y)", "0 wraps to the greatest"),
    _rule(
        "zero-bound-or-below", "(or (icmp eq y 0) (icmp ult x y))", "(icmp ule x (add y -1))",
        "0 wraps to the greatest",
    ),
    _rule(
        "nonzero-bound-and-above", "(and (icmp ne y 0) (icmp uge x y))", "(icmp ugt x (add y -1))",
        "0 wraps to the greatest",
    ),
    _rule("up-to-less-one", "(icmp ult (add x -1) y)", "(and (icmp ne x 0) (icmp ule x y))", "0 wraps to the greatest"),
    _rule(
        "nonzero-below", "(and (icmp ne x 0) (icmp ult x y))", "(icmp ult (add x -1) (add y -1))",
        "0 wraps to the greatest", need="y != 0",
    ),
    _rule("and-ult-ult", "(and (icmp ult x C) (icmp ult x D))", "(icmp ult x C)", "the tighter bound", "C <= D"),
    _rule("or-ult-ult", "(or (icmp ult x C) (icmp ult x D))", "(icmp ult x D)", "the looser bound", "C <= D"),
    _rule("and-ugt-ugt", "(and (icmp ugt x C) (icmp ugt x D))", "(icmp ugt x D)", "the tighter bound", "C <= D"),
    _rule("or-ugt-ugt", "(or (icmp ugt x C) (icmp ugt x D))", "(icmp ugt x C)", "the looser bound", "C <= D"),
    _rule(
        "and-slt-slt", "(and (icmp slt x C) (icmp slt x D))", "(icmp slt x C)", "the tighter bound",
        "signed(C) <= signed(D)",
    ),
    _rule(
        "or-slt-slt", "(or (icmp slt x C) (icmp slt x D))", "(icmp slt x D)", "the looser bound",
        "signed(C) <= signed(D)",
    ),
    _rule(
        "and-sgt-sgt", "(and (icmp sgt x C) (icmp sgt x D))", "(icmp sgt x D)", "the tighter bound",
        "signed(C) <= signed(D)",
    ),
    _rule(
        "or-sgt-sgt", "(or (icmp sgt x C) (icmp sgt x D))", "(icmp sgt x C)", "the looser bound",
        "signed(C) <= signed(D)",
    ),
    _rule("and-empty", "(and (icmp ult x C) (icmp ugt x D))", "false", "no value is in both", "C <= D + 1"),
    _rule("or-whole", "(or (icmp ult x C) (icmp ugt x D))", "true", "every value is in one", "D < C"),
    _rule("and-ne-ult", "(and (icmp ne x C) (icmp ult x D))", "(icmp ult x C)", "the last value goes", "D == C + 1"),
    _rule("or-eq-ult", "(or (icmp eq x C) (icmp ult x C))", "(icmp ule x C)", "the next value comes"),
    _rule(
        "or-eq-eq-bit", "(or (icmp eq x C) (icmp eq x D))", "(icmp eq (and x {~(C ^ D)}) {C & D})",
        "they differ in one bit", "ispow2(C ^ D)",
    ),
    _rule(
        "and-ne-ne-bit", "(and (icmp ne x C) (icmp ne x D))", "(icmp ne (and x {~(C ^ D)}) {C & D})",
        "they differ in one bit", "ispow2(C ^ D)",
    ),
    _rule(
        "or-eq-eq-next", "(or (icmp eq x C) (icmp eq x D))", "(icmp ult (sub x C) 2)", "neighbours",
        "D == C + 1 and width(x) > 2",
    ),
    _rule(
        "and-ne-ne-next", "(and (icmp ne x C) (icmp ne x D))", "(icmp ugt (sub x C) 1)", "neighbours",
        "D == C + 1 and width(x) > 1",
    ),
    _rule(
        "or-eq-eq-bits", "(icmp eq (and x C) D)", "(or (icmp eq x D) (icmp eq x {D | ~C}))", "they differ in one bit",
        "ispow2(~C) and D & ~C == 0",
    ),
    _rule("and-eq-ne-constants", "(and (icmp eq x C) (icmp ne x D))", "(icmp eq x C)", "implied", "C != D"),
    _rule("or-eq-ne-constants", "(or (icmp eq x C) (icmp ne x D))", "(icmp ne x D)", "implied", "C != D"),
    _rule("and-eq-eq", "(and (icmp eq x C) (icmp eq x D))", "false", "two values at once", "C != D"),
    _rule("or-ne-ne", "(or (icmp ne x C) (icmp ne x D))", "true", "two values at once", "C != D"),
    _rule(
        "clamped-range", "(icmp ult (sub x C) D)", "(and (icmp uge x C) (icmp ult x {C + D}))", "an offset undone",
        "C + D < 2**width(x)",
    ),
    _rule("offset-ult-common", "(icmp ult (sub x C) D)", "(icmp ult (add x {-C}) D)", "a difference is a sum"),
    _rule("sub-borrow", "(icmp ugt (sub x y) x)", "(icmp ult x y)", "a borrow"),
    _rule("sub-no-borrow", "(icmp ule (sub x y) x)", "(icmp uge x y)", "no borrow"),
    _rule("sub-borrow-turned", "(icmp ult x (sub x y))", "(icmp ult x y)", "a borrow"),
    _rule("add-carry-not", "(icmp ult (add x y) x)", "(icmp ugt y (xor x -1))", "a carry"),
    _rule("add-no-carry-not", "(icmp uge (add x y) x)", "(icmp ule y (xor x -1))", "no carry"),
    _rule("add-carry-by-not", "(icmp ugt y (xor x -1))", "(icmp ult (add x y) x)", "a carry"),
    _rule("add-carry-constant", "(icmp ult (add x C) C)", "(icmp ugt x {~C})", "a carry"),
    _rule("add-carry-constant-self", "(icmp ult (add x C) x)", "(icmp ugt x {~C})", "a carry", "C != 0"),
    _rule(
        "add-carry-constant-out", "(icmp ugt x C)", "(icmp ult (add x {~C}) {~C})", "a carry", "C != 2**width(x) - 1",
    ),
)  # fmt: skip

_LOGIC = (
    *(
        _rule(
            f"{op}-{p}-{q}", f"({op} (icmp {p} x y) (icmp {q} x y))",
            result if result in ("true", "false") else f"(icmp {result} x y)", "orders combine",
        )
        for op, p, q, result in (
            (
                "and", "ule", "ne", "ult"), ("and", "uge", "ne", "ugt"), ("and", "sle", "ne", "slt"), ("and", "sge",
                "ne", "sgt",
            ),
            (
                "or", "ult", "eq", "ule"), ("or", "ugt", "eq", "uge"), ("or", "slt", "eq", "sle"), ("or", "sgt", "eq",
                "sge",
            ),
            (
                "and", "ule", "uge", "eq"), ("and", "sle", "sge", "eq"), ("or", "ult", "ugt", "ne"), ("or", "slt",
                "sgt", "ne",
            ),
            (
                "and", "ult", "ugt", "false"), ("and", "slt", "sgt", "false"), ("or", "ule", "uge", "true"), ("or",
                "sle", "sge", "true",
            ),
            (
                "and", "eq", "ne", "false"), ("or", "eq", "ne", "true"), ("and", "ult", "ne", "ult"), ("and", "slt",
                "ne", "slt",
            ),
            (
                "and", "eq", "ule", "eq"), ("and", "eq", "uge", "eq"), ("or", "ule", "eq", "ule"), ("or", "ult", "ne",
                "ne",
            ),
            (
                "and", "ult", "uge", "false"), ("or", "ult", "uge", "true"), ("xor", "ult", "eq", "ule"), ("xor", "ult",
                "ugt", "ne",
            ),
            ("or", "ult", "ule", "ule"), ("and", "ult", "ule", "ult"),
        )
    ),
    _rule("both-zero", "(and (icmp eq x 0) (icmp eq y 0))", "(icmp eq (or x y) 0)", "no bit in either"),
    _rule("both-zero-parts", "(icmp eq (or x y) 0)", "(and (icmp eq x 0) (icmp eq y 0))", "no bit in either"),
    _rule("some-nonzero", "(or (icmp ne x 0) (icmp ne y 0))", "(icmp ne (or x y) 0)", "a bit in one"),
    _rule("some-nonzero-parts", "(icmp ne (or x y) 0)", "(or (icmp ne x 0) (icmp ne y 0))", "a bit in one"),
    _rule("both-ones", "(and (icmp eq x -1) (icmp eq y -1))", "(icmp eq (and x y) -1)", "no zero in either"),
    _rule("some-not-ones", "(or (icmp ne x -1) (icmp ne y -1))", "(icmp ne (and x y) -1)", "a zero in one"),
    _rule(
        "both-equal", "(and (icmp eq x y) (icmp eq z w))", "(icmp eq (or (xor x y) (xor z w)) 0)",
        "no difference in either",
    ),
    _rule("both-below-bound", "(and (icmp ult x z) (icmp ult y z))", "(icmp ult (umax x y) z)", "the larger is below"),
    _rule("some-below-bound", "(or (icmp ult x z) (icmp ult y z))", "(icmp ult (umin x y) z)", "the smaller is below"),
    _rule("both-above-bound", "(and (icmp ugt x z) (icmp ugt y z))", "(icmp ugt (umin x y) z)", "the smaller is above"),
    _rule("below-both-bounds", "(and (icmp ult x y) (icmp ult x z))", "(icmp ult x (umin y z))", "the tighter bound"),
    _rule("below-some-bound", "(or (icmp ult x y) (icmp ult x z))", "(icmp ult x (umax y z))", "the looser bound"),
    _rule(
        "both-below-pow2", "(and (icmp ult x C) (icmp ult y C))", "(icmp ult (or x y) C)", "no high bit in either",
        "ispow2(C)",
    ),
    _rule(
        "some-above-pow2", "(or (icmp uge x C) (icmp uge y C))", "(icmp uge (or x y) C)", "a high bit in one",
        "ispow2(C)",
    ),
    _rule(
        "masks-both-clear", "(and (icmp eq (and x C) 0) (icmp eq (and x D) 0))", "(icmp eq (and x {C | D}) 0)",
        "one mask",
    ),
    _rule(
        "masks-some-set", "(or (icmp ne (and x C) 0) (icmp ne (and x D) 0))", "(icmp ne (and x {C | D}) 0)", "one mask",
    ),
    _rule(
        "masks-both-set", "(and (icmp ne (and x C) 0) (icmp ne (and x D) 0))", "(icmp eq (and x {C | D}) {C | D})",
        "two bits", "ispow2(C) and ispow2(D)",
    ),
    _rule(
        "aligned-both", "(and (icmp eq (and x C) 0) (icmp eq (and y C) 0))", "(icmp eq (and (or x y) C) 0)",
        "one mask for both",
    ),
    _rule(
        "aligned-some-not", "(or (icmp ne (and x C) 0) (icmp ne (and y C) 0))", "(icmp ne (and (or x y) C) 0)",
        "one mask for both",
    ),
    _rule(
        "mask-of-or", "(icmp eq (and (or x y) C) 0)", "(and (icmp eq (and x C) 0) (icmp eq (and y C) 0))",
        "one mask for both",
    ),
)  # fmt: skip

RULES = (*_DECIDED, *_EQUATIONS, *_FORMS, *_RANGES, *_LOGIC)
