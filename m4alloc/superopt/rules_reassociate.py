"""Reassociation: constants gathered, shifts and masks reordered, chains turned."""

from __future__ import annotations

from m4alloc.superopt.rules_kinds import PRODUCTS, of_kind

_rule = of_kind("reassociate")

_GATHERED = (
    _rule("add-add-constants", "(add (add x C) D)", "(add x {C + D})", "constants add"),
    _rule("mul-mul-constants", "(mul (mul x C) D)", "(mul x {C * D})", "constants multiply", widths=(1, 2, 4, 8)),
    _rule("and-and-constants", "(and (and x C) D)", "(and x {C & D})", "one mask"),
    _rule("or-or-constants", "(or (or x C) D)", "(or x {C | D})", "one mask"),
    _rule("xor-xor-constants", "(xor (xor x C) D)", "(xor x {C ^ D})", "one mask"),
    _rule("add-constant-split", "(sub x C)", "(add x {-C})", "a difference is a sum"),
    _rule("add-constant-as-sub", "(add x C)", "(sub x {-C})", "a sum is a difference"),
    _rule("sub-constant-add", "(add (sub C x) D)", "(sub {C + D} x)", "constants add"),
    _rule("sub-constant-sub", "(sub C (sub D x))", "(add x {C - D})", "constants subtract"),
    _rule("sub-constant-of-add", "(sub C (add x D))", "(sub {C - D} x)", "constants subtract"),
    _rule("xor-of-sub-ones", "(sub C (xor x -1))", "(add x {C + 1})", "~x = -1 - x"),
    _rule("not-of-constant-sub", "(xor (sub C x) -1)", "(add x {~C})", "~(C - x) = x - C - 1"),
    _rule("not-of-constant-add", "(xor (add x C) -1)", "(sub {~C} x)", "~(x + C) = ~C - x"),
    _rule("xor-top-bit-as-add", "(xor x C)", "(add x C)", "the carry is lost", "C == 2**(width(x) - 1)"),
    _rule("add-top-bit-as-xor", "(add x C)", "(xor x C)", "the carry is lost", "C == 2**(width(x) - 1)"),
    _rule("add-then-flip-top", "(xor (add x C) D)", "(add x {C + D})", "the carry is lost", "D == 2**(width(x) - 1)"),
    _rule("flip-top-then-add", "(add (xor x C) D)", "(add x {C + D})", "the carry is lost", "C == 2**(width(x) - 1)"),
    _rule("add-constant-outwards", "(add (add x C) y)", "(add (add x y) C)", "the constant moves out"),
    _rule("add-constant-inwards", "(add (add x y) C)", "(add (add x C) y)", "the constant moves in"),
    _rule("add-constant-into-sub", "(add (sub x y) C)", "(sub (add x C) y)", "the constant moves in"),
    _rule("add-constant-out-of-sub", "(sub (add x C) y)", "(add (sub x y) C)", "the constant moves out"),
    _rule("sub-constant-out-of-sub", "(sub x (add y C))", "(sub (sub x y) C)", "the constant moves out"),
    _rule("shl-shl", "(shl (shl x C) D)", "(shl x {C + D})", "amounts add", "C + D < width(x)"),
    _rule("lshr-lshr", "(lshr (lshr x C) D)", "(lshr x {C + D})", "amounts add", "C + D < width(x)"),
    _rule("ashr-ashr", "(ashr (ashr x C) D)", "(ashr x {C + D})", "amounts add", "C + D < width(x)"),
    _rule("shl-shl-out", "(shl (shl x C) D)", "0", "nothing remains", "C + D >= width(x)"),
    _rule("lshr-lshr-out", "(lshr (lshr x C) D)", "0", "nothing remains", "C + D >= width(x)"),
    _rule(
        "ashr-ashr-out", "(ashr (ashr x C) D)", "(ashr x {width(x) - 1})", "only the sign remains",
        "C + D >= width(x) - 1",
    ),
    _rule("shl-shl-any", "(shl (shl x y) z)", "(shl (shl x z) y)", "shifts commute"),
    _rule("lshr-lshr-any", "(lshr (lshr x y) z)", "(lshr (lshr x z) y)", "shifts commute"),
    _rule("shl-amounts", "(shl (shl x y) C)", "(shl (shl x C) y)", "shifts commute"),
)  # fmt: skip

_MASKS = (
    _rule("lshr-shl", "(shl (lshr x C) C)", "(and x {-1 << C})", "clears the low bits", "C < width(x)"),
    _rule("shl-lshr", "(lshr (shl x C) C)", "(and x {(2**width(x) - 1) >> C})", "clears the high bits", "C < width(x)"),
    _rule(
        "lshr-shl-as-mask", "(and x C)", "(shl (lshr x {log2(align(C))}) {log2(align(C))})", "clears the low bits",
        "C != 0 and C + align(C) == 2**width(x)",
    ),
    _rule(
        "shl-lshr-as-mask", "(and x C)", "(lshr (shl x {width(x) - log2(C + 1)}) {width(x) - log2(C + 1)})",
        "clears the high bits", "ispow2(C + 1) and C != 0",
    ),
    _rule(
        "lshr-shl-less", "(shl (lshr x C) D)", "(and (lshr x {C - D}) {-1 << D})", "one shift and a mask",
        "D < C < width(x)",
    ),
    _rule(
        "lshr-shl-more", "(shl (lshr x C) D)", "(and (shl x {D - C}) {-1 << D})", "one shift and a mask",
        "C < D < width(x)",
    ),
    _rule(
        "shl-lshr-less", "(lshr (shl x C) D)", "(and (shl x {C - D}) {(2**width(x) - 1) >> D})", "one shift and a mask",
        "D < C < width(x)",
    ),
    _rule(
        "shl-lshr-more", "(lshr (shl x C) D)", "(and (lshr x {D - C}) {(2**width(x) - 1) >> D})",
        "one shift and a mask", "C < D < width(x)",
    ),
    _rule("and-of-shl", "(and (shl x C) D)", "(shl (and x {D >> C}) C)", "the mask moves in", "C < width(x)"),
    _rule("shl-of-and", "(shl (and x C) D)", "(and (shl x D) {C << D})", "the mask moves out", "D < width(x)"),
    _rule("and-of-lshr", "(and (lshr x C) D)", "(lshr (and x {D << C}) C)", "the mask moves in", "C < width(x)"),
    _rule("lshr-of-and", "(lshr (and x C) D)", "(and (lshr x D) {C >> D})", "the mask moves out", "D < width(x)"),
    _rule("or-of-shl", "(shl (or x C) D)", "(or (shl x D) {C << D})", "the constant moves out", "D < width(x)"),
    _rule("xor-of-shl", "(shl (xor x C) D)", "(xor (shl x D) {C << D})", "the constant moves out", "D < width(x)"),
    _rule("or-of-lshr", "(lshr (or x C) D)", "(or (lshr x D) {C >> D})", "the constant moves out", "D < width(x)"),
    _rule("xor-of-lshr", "(lshr (xor x C) D)", "(xor (lshr x D) {C >> D})", "the constant moves out", "D < width(x)"),
    _rule("shl-of-add", "(shl (add x C) D)", "(add (shl x D) {C << D})", "the constant moves out", "D < width(x)"),
    _rule(
        "shl-of-constant-sub", "(shl (sub C x) D)", "(sub {C << D} (shl x D))", "the constant moves out",
        "D < width(x)",
    ),
    _rule("mul-of-add", "(mul (add x C) D)", "(add (mul x D) {C * D})", "the constant moves out", widths=PRODUCTS),
    _rule(
        "add-of-mul", "(add (mul x C) D)", "(mul (add x {D // C}) C)", "the constant moves in", "C != 0 and D % C == 0",
        widths=(1, 2, 4),
    ),
    _rule("mul-of-shl", "(mul (shl x C) D)", "(mul x {D << C})", "one factor", "C < width(x)", widths=(1, 2, 4, 8, 16)),
    _rule("shl-of-mul", "(shl (mul x C) D)", "(mul x {C << D})", "one factor", "D < width(x)", widths=(1, 2, 4, 8, 16)),
    _rule("and-then-or", "(or (and x C) D)", "(and (or x D) {C | D})", "the mask moves out"),
    _rule("or-then-and", "(and (or x C) D)", "(or (and x D) {C & D})", "the mask moves in"),
    _rule("or-then-and-covered", "(and (or x C) D)", "(and x D)", "the bits are masked away", "C & D == 0"),
    _rule("or-then-and-set", "(and (or x C) D)", "D", "the bits are all set", "C & D == D"),
    _rule("and-then-or-covered", "(or (and x C) D)", "(or x D)", "the bits are set anyway", "~C & D == ~C"),
    _rule("xor-then-and", "(and (xor x C) D)", "(xor (and x D) {C & D})", "the mask moves in"),
    _rule("xor-then-or", "(or (xor x C) D)", "(or (xor x {C & ~D}) D)", "bits that are set anyway", "C & D != 0"),
    _rule(
        "add-then-mask", "(and (add (and x C) y) D)", "(and (add x y) D)", "higher bits do not carry down",
        "ispow2(D + 1) and C & D == D",
    ),
    _rule(
        "sub-then-mask", "(and (sub (and x C) y) D)", "(and (sub x y) D)", "higher bits do not borrow down",
        "ispow2(D + 1) and C & D == D",
    ),
    _rule(
        "sub-of-then-mask", "(and (sub y (and x C)) D)", "(and (sub y x) D)", "higher bits do not borrow down",
        "ispow2(D + 1) and C & D == D",
    ),
    _rule(
        "mul-then-mask", "(and (mul (and x C) y) D)", "(and (mul x y) D)", "higher bits do not carry down",
        "ispow2(D + 1) and C & D == D", widths=PRODUCTS,
    ),
    _rule(
        "add-constant-then-mask", "(and (add x C) D)", "(and (add x {C & D}) D)", "higher bits do not carry down",
        "ispow2(D + 1) and C & ~D != 0",
    ),
    _rule(
        "shl-then-mask-covered", "(and (shl x C) D)", "(shl x C)", "the low bits are clear",
        "C < width(x) and D | ((1 << C) - 1) == 2**width(x) - 1",
    ),
    _rule(
        "lshr-then-mask-covered", "(and (lshr x C) D)", "(lshr x C)", "the high bits are clear",
        "C < width(x) and D & (2**width(x) - 1 >> C) == 2**width(x) - 1 >> C",
    ),
    _rule("and-known-clear", "(and x y)", "0", "no common bit", need="x & y == 0"),
    _rule("and-known-within", "(and x y)", "x", "the mask keeps all", need="x & y == x"),
    _rule("or-known-within", "(or x y)", "x", "the bits are set", need="x | y == x"),
    _rule("lshr-known-out", "(lshr x C)", "0", "nothing remains", "C < width(x)", need="x < 1 << C"),
    _rule("urem-mask-first", "(urem (and x C) D)", "(and x {C & (D - 1)})", "one mask", "ispow2(D)"),
    _rule(
        "shl-drops-mask", "(shl (and x C) D)", "(shl x D)", "the masked bits are lost",
        "D < width(x) and C & ((2**width(x) - 1) >> D) == (2**width(x) - 1) >> D",
    ),
    _rule(
        "lshr-drops-mask", "(lshr (and x C) D)", "(lshr x D)", "the masked bits are lost",
        "D < width(x) and C >> D == (2**width(x) - 1) >> D",
    ),
    _rule("lshr-drops-or", "(lshr (or x C) D)", "(lshr x D)", "the set bits are lost", "D < width(x) and C >> D == 0"),
    _rule(
        "ashr-of-shl-as-mask", "(and (ashr x y) C)", "(and (lshr x y) C)", "the copies of the sign are masked",
        "C == 1", need="y < width(y) - 1",
    ),
    _rule(
        "ashr-low-bits", "(and (ashr x C) D)", "(and (lshr x C) D)", "the copies of the sign are masked",
        "C < width(x) and D < 1 << (width(x) - C)",
    ),
    _rule(
        "lshr-low-bits", "(and (lshr x C) D)", "(and (ashr x C) D)", "the copies of the sign are masked",
        "C < width(x) and D < 1 << (width(x) - C)",
    ),
)  # fmt: skip

_CHAINS = (
    *(
        _rule(f"{op}-associative", f"({op} ({op} x y) z)", f"({op} x ({op} y z))", "associative", widths=widths)
        for op, widths in (
            ("add", (1, 2, 4, 8, 16, 32, 64)), ("mul", (1, 2, 4)), ("and", (1, 2, 4, 8, 16, 32, 64)),
            ("or", (1, 2, 4, 8, 16, 32, 64)), ("xor", (1, 2, 4, 8, 16, 32, 64)),
        )
    ),
    *(
        _rule(f"{op}-exchange", f"({op} ({op} x y) ({op} z w))", f"({op} ({op} x z) ({op} y w))", "commutative")
        for op in ("add", "and", "or", "xor")
    ),
    _rule("sub-of-sum", "(sub x (add y z))", "(sub (sub x y) z)", "one after the other"),
    _rule("sub-of-sub", "(sub (sub x y) z)", "(sub x (add y z))", "both at once"),
    _rule("sub-of-difference-turned", "(sub x (sub y z))", "(add (sub x y) z)", "signs"),
    _rule("add-of-difference", "(add x (sub y z))", "(sub (add x y) z)", "signs"),
    _rule("difference-of-sum", "(sub (add x y) z)", "(add x (sub y z))", "signs"),
    *(
        _rule(f"{op}-of-common-{shift}", f"({op} ({shift} x z) ({shift} y z))", f"({shift} ({op} x y) z)", "bitwise")
        for op in ("and", "or", "xor") for shift in ("shl", "lshr", "ashr")
    ),
    *(
        _rule(f"{shift}-distributes-{op}", f"({shift} ({op} x y) z)", f"({op} ({shift} x z) ({shift} y z))", "bitwise")
        for op in ("and", "or", "xor") for shift in ("shl", "lshr", "ashr")
    ),
    *(
        _rule(f"{op}-absorbs-repeat", f"({op} x ({op} x y))", f"({op} x y)", "idempotent") for op in ("and", "or")
    ),
)  # fmt: skip

RULES = (*_GATHERED, *_MASKS, *_CHAINS)
