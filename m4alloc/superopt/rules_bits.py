"""Bit tricks: lowest bits, powers of two, counts, rotations, bytes, averages, signs."""

from __future__ import annotations

from m4alloc.superopt.rules_kinds import of_kind

_rule = of_kind("bits")
_POWERS = (1, 2, 4, 8, 16, 32, 64)
_BYTES = (16, 32, 64)

_LOWEST = (
    _rule("clear-lowest-by-sub", "(sub x (and x (sub 0 x)))", "(and x (add x -1))", "clears the lowest bit"),
    _rule("clear-lowest-by-xor", "(xor x (and x (sub 0 x)))", "(and x (add x -1))", "clears the lowest bit"),
    _rule("isolate-by-clearing", "(sub x (and x (add x -1)))", "(and x (sub 0 x))", "the lowest bit"),
    _rule("isolate-by-clearing-xor", "(xor x (and x (add x -1)))", "(and x (sub 0 x))", "the lowest bit"),
    _rule("isolate-by-mask", "(and x (xor x (add x -1)))", "(and x (sub 0 x))", "the lowest bit"),
    _rule(
        "below-lowest", "(xor (or x (sub 0 x)) -1)", "(and (xor x -1) (add x -1))", "the zeros below the lowest bit",
    ),
    _rule(
        "from-lowest-up", "(xor (and (xor x -1) (add x -1)) -1)", "(or x (sub 0 x))", "the lowest bit and all above",
    ),
    _rule(
        "below-lowest-by-or", "(and (xor x -1) (add x -1))", "(xor (or x (sub 0 x)) -1)",
        "the zeros below the lowest bit",
    ),
    _rule(
        "below-lowest-by-isolating", "(add (and x (sub 0 x)) -1)", "(and (xor x -1) (add x -1))",
        "the zeros below the lowest bit",
    ),
    _rule(
        "up-to-lowest", "(or (and x (sub 0 x)) (and (xor x -1) (add x -1)))", "(xor x (add x -1))",
        "the lowest bit and the zeros below",
    ),
    _rule("set-below-lowest", "(or x (and (xor x -1) (add x -1)))", "(or x (add x -1))", "the zeros below get set"),
    _rule("set-lowest-zero", "(or x (and (xor x -1) (add x 1)))", "(or x (add x 1))", "the lowest zero gets set"),
    _rule("lowest-zero-by-not", "(and (xor x -1) (sub 0 (xor x -1)))", "(and (xor x -1) (add x 1))", "of ~x"),
    _rule("xor-negation", "(xor x (sub 0 x))", "(xor (xor x (add x -1)) -1)", "-x = ~(x - 1)"),
    _rule("and-negation-by-add", "(add x (or x (sub 0 x)))", "(and x (add x -1))", "x + (x | -x) clears the lowest"),
    _rule("low-bit-flip", "(xor (and x C) C)", "(and (xor x -1) C)", "the complement under a mask"),
    _rule("low-bit-unflip", "(and (xor x -1) C)", "(xor (and x C) C)", "the complement under a mask"),
    _rule(
        "set-if-clear", "(select (icmp eq (and x C) 0) (add x C) x)", "(or x C)", "adding a clear bit sets it",
        "ispow2(C)",
    ),
    _rule(
        "set-if-clear-or", "(select (icmp eq (and x C) 0) (or x C) x)", "(or x C)",
        "setting what is set changes nothing",
        "ispow2(C)",
    ),
    _rule(
        "clear-if-set", "(select (icmp eq (and x C) 0) x (sub x C))", "(and x {~C})", "subtracting a set bit clears it",
        "ispow2(C)",
    ),
    _rule("add-low-of-even", "(add (shl x 1) 1)", "(or (shl x 1) 1)", "the lowest bit is clear", "width(x) > 1"),
    _rule("or-low-of-even", "(or (shl x 1) 1)", "(add (shl x 1) 1)", "the lowest bit is clear", "width(x) > 1"),
    _rule("add-to-shifted", "(add (shl x C) D)", "(or (shl x C) D)", "disjoint", "C < width(x) and D < (1 << C)"),
    _rule("add-disjoint", "(add x y)", "(or x y)", "no carry", need="x & y == 0"),
    _rule("or-disjoint", "(or x y)", "(add x y)", "no carry", need="x & y == 0"),
    _rule("xor-disjoint", "(xor x y)", "(or x y)", "no common bit", need="x & y == 0"),
    _rule("or-disjoint-flag", "(or disjoint x y)", "(add x y)", "no carry"),
    _rule("or-disjoint-flag-xor", "(or disjoint x y)", "(xor x y)", "no common bit"),
    _rule("sub-contained", "(sub x y)", "(xor x y)", "no borrow", need="x | y == x"),
    _rule("xor-contained", "(xor x y)", "(sub x y)", "no borrow", need="x | y == x"),
    _rule("sub-from-mask", "(sub C x)", "(xor x C)", "no borrow", "ispow2(C + 1)", need="x <= C"),
    _rule("xor-mask", "(xor x C)", "(sub C x)", "no borrow", "ispow2(C + 1)", need="x <= C"),
)  # fmt: skip

_POWERS_OF_TWO = (
    _rule(
        "pow2-or-zero", "(icmp eq (and x (add x -1)) 0)", "(icmp ult (ctpop x) 2)", "at most one bit", "width(x) > 1",
    ),
    _rule("not-pow2-or-zero", "(icmp ne (and x (add x -1)) 0)", "(icmp ugt (ctpop x) 1)", "two bits or more"),
    _rule(
        "pow2-or-zero-by-isolating", "(icmp eq (and x (sub 0 x)) x)", "(icmp ult (ctpop x) 2)", "at most one bit",
        "width(x) > 1",
    ),
    _rule(
        "pow2-or-zero-by-clearing", "(icmp ult (ctpop x) 2)", "(icmp eq (and x (add x -1)) 0)", "at most one bit",
    ),
    _rule("not-pow2-by-clearing", "(icmp ugt (ctpop x) 1)", "(icmp ne (and x (add x -1)) 0)", "two bits or more"),
    _rule(
        "pow2", "(and (icmp eq (and x (add x -1)) 0) (icmp ne x 0))", "(icmp eq (ctpop x) 1)", "exactly one bit"
    ),
    _rule(
        "pow2-logical", "(select (icmp ne x 0) (icmp eq (and x (add x -1)) 0) false)", "(icmp eq (ctpop x) 1)",
        "exactly one bit",
    ),
    _rule(
        "pow2-logical-turned", "(select (icmp eq (and x (add x -1)) 0) (icmp ne x 0) false)", "(icmp eq (ctpop x) 1)",
        "exactly one bit",
    ),
    _rule(
        "pow2-logical-zero", "(select (icmp eq x 0) false (icmp eq (and x (add x -1)) 0))", "(icmp eq (ctpop x) 1)",
        "exactly one bit",
    ),
    _rule(
        "not-pow2", "(or (icmp ne (and x (add x -1)) 0) (icmp eq x 0))", "(icmp ne (ctpop x) 1)", "not exactly one bit",
    ),
    _rule(
        "pow2-by-count", "(and (icmp ult (ctpop x) 2) (icmp ne x 0))", "(icmp eq (ctpop x) 1)", "exactly one bit",
        "width(x) > 1",
    ),
    _rule(
        "pow2-by-count-logical", "(select (icmp ne x 0) (icmp ult (ctpop x) 2) false)", "(icmp eq (ctpop x) 1)",
        "exactly one bit", "width(x) > 1",
    ),
    _rule(
        "not-pow2-by-count", "(or (icmp ugt (ctpop x) 1) (icmp eq x 0))", "(icmp ne (ctpop x) 1)",
        "not exactly one bit",
    ),
    _rule("pow2-by-xor", "(icmp ugt (xor x (add x -1)) (add x -1))", "(icmp eq (ctpop x) 1)", "exactly one bit"),
    _rule("pow2-as-xor", "(icmp eq (ctpop x) 1)", "(icmp ugt (xor x (add x -1)) (add x -1))", "exactly one bit"),
    _rule("pow2-nonzero", "(icmp eq (ctpop x) 1)", "(icmp eq (and x (add x -1)) 0)", "at most one bit", need="x != 0"),
    _rule("ctpop-zero", "(icmp eq (ctpop x) 0)", "(icmp eq x 0)", "no bit"),
    _rule("ctpop-nonzero", "(icmp ne (ctpop x) 0)", "(icmp ne x 0)", "some bit"),
    _rule("ctpop-positive", "(icmp ugt (ctpop x) 0)", "(icmp ne x 0)", "some bit"),
    _rule("ctpop-full", "(icmp eq (ctpop x) C)", "(icmp eq x -1)", "every bit", "C == width(x)"),
    _rule("ctpop-as-zero", "(icmp eq x 0)", "(icmp eq (ctpop x) 0)", "no bit"),
    _rule("same-bit", "(icmp eq (ctpop (and x y)) 0)", "(icmp eq (and x y) 0)", "no common bit"),
)  # fmt: skip

_COUNTS = (
    _rule("cttz-isolated", "(cttz (and x (sub 0 x)) F)", "(cttz x F)", "the lowest bit decides"),
    _rule("cttz-negated", "(cttz (sub 0 x) F)", "(cttz x F)", "-x has the same lowest bit"),
    _rule("cttz-by-ctpop", "(ctpop (and (xor x -1) (add x -1)))", "(cttz x false)", "counts the zeros below"),
    _rule(
        "cttz-by-ctpop-or", "(sub C (ctpop (or x (sub 0 x))))", "(cttz x false)", "counts the zeros below",
        "C == width(x) and width(x) > 1",
    ),
    _rule("cttz-as-ctpop", "(cttz x false)", "(ctpop (and (xor x -1) (add x -1)))", "counts the zeros below"),
    _rule(
        "cttz-by-ctlz", "(sub C (ctlz (and x (sub 0 x)) true))", "(cttz x true)", "position of the lowest bit",
        "C == width(x) - 1",
    ),
    _rule(
        "cttz-by-ctlz-xor", "(xor (ctlz (and x (sub 0 x)) true) C)", "(cttz x true)", "position of the lowest bit",
        "C == width(x) - 1 and ispow2(C + 1)",
    ),
    _rule(
        "ctlz-sub-as-xor", "(sub C (ctlz x true))", "(xor (ctlz x true) C)", "no borrow",
        "C == width(x) - 1 and ispow2(C + 1)",
    ),
    _rule(
        "ctlz-xor-as-sub", "(xor (ctlz x true) C)", "(sub C (ctlz x true))", "no borrow",
        "C == width(x) - 1 and ispow2(C + 1)",
    ),
    _rule("cttz-defined", "(cttz x true)", "(cttz x false)", "gives the width where the other is poison"),
    _rule("ctlz-defined", "(ctlz x true)", "(ctlz x false)", "gives the width where the other is poison"),
    _rule("cttz-nonzero", "(cttz x false)", "(cttz x true)", "0 does not come", need="x != 0"),
    _rule("ctlz-nonzero", "(ctlz x false)", "(ctlz x true)", "0 does not come", need="x != 0"),
    _rule(
        "cttz-zero-select", "(select (icmp eq x 0) C (cttz x true))", "(cttz x false)", "the width at 0",
        "C == width(x)",
    ),
    _rule(
        "ctlz-zero-select", "(select (icmp eq x 0) C (ctlz x true))", "(ctlz x false)", "the width at 0",
        "C == width(x)",
    ),
    _rule(
        "cttz-zero-select-any", "(select (icmp eq x 0) C (cttz x false))", "(cttz x false)", "the width at 0",
        "C == width(x)",
    ),
    _rule(
        "ctlz-zero-select-any", "(select (icmp eq x 0) C (ctlz x false))", "(ctlz x false)", "the width at 0",
        "C == width(x)",
    ),
    _rule(
        "cttz-zero-select-ne", "(select (icmp ne x 0) (cttz x true) C)", "(cttz x false)", "the width at 0",
        "C == width(x)",
    ),
    _rule(
        "ctlz-zero-select-ne", "(select (icmp ne x 0) (ctlz x true) C)", "(ctlz x false)", "the width at 0",
        "C == width(x)",
    ),
    _rule("cttz-reversed", "(cttz (bitreverse x) F)", "(ctlz x F)", "the other end"),
    _rule("ctlz-reversed", "(ctlz (bitreverse x) F)", "(cttz x F)", "the other end"),
    _rule("ctpop-reversed", "(ctpop (bitreverse x))", "(ctpop x)", "order does not count"),
    _rule("ctpop-not", "(ctpop (xor x -1))", "(sub {width(x)} (ctpop x))", "the zeros", "width(x) > 1"),
    _rule("ctpop-complement", "(sub C (ctpop x))", "(ctpop (xor x -1))", "the zeros", "C == width(x) and width(x) > 1"),
    _rule(
        "ctpop-union", "(add (ctpop (and x y)) (ctpop (or x y)))", "(add (ctpop x) (ctpop y))", "each bit once",
        widths=(1, 2, 4, 8),
    ),
    _rule(
        "ctpop-disjoint", "(add (ctpop x) (ctpop y))", "(ctpop (or x y))", "no common bit", need="x & y == 0",
        widths=(1, 2, 4, 8),
    ),
    _rule("ctpop-rotated", "(ctpop (fshl x x y))", "(ctpop x)", "order does not count", widths=(1, 2, 4, 8)),
    _rule("ctlz-is-width", "(icmp eq (ctlz x false) C)", "(icmp eq x 0)", "no bit", "C == width(x)"),
    _rule("cttz-is-width", "(icmp eq (cttz x false) C)", "(icmp eq x 0)", "no bit", "C == width(x)"),
    _rule("ctlz-is-zero", "(icmp eq (ctlz x F) 0)", "(icmp slt x 0)", "the top bit"),
    _rule("cttz-is-zero", "(icmp eq (cttz x F) 0)", "(icmp ne (and x 1) 0)", "the lowest bit"),
    _rule("ctlz-shifted-out", "(lshr (ctlz x false) C)", "(zext (icmp eq x 0))", "only the width itself remains",
          "C < width(x) and (1 << C) == width(x) and width(x) > 1"),
    _rule("cttz-shifted-out", "(lshr (cttz x false) C)", "(zext (icmp eq x 0))", "only the width itself remains",
          "C < width(x) and (1 << C) == width(x) and width(x) > 1"),
    _rule(
        "ctlz-of-lshr", "(ctlz (lshr x C) true)", "(add (ctlz x true) C)", "zeros come in at the top",
        "C < width(x) and width(x) > 1", need="x >> C != 0",
    ),
    _rule("isolate-by-cttz", "(shl 1 (cttz x true))", "(and x (sub 0 x))", "the lowest bit"),
    _rule("cttz-of-bit", "(cttz (shl 1 x) F)", "x", "the bit that was set"),
    _rule("ctlz-of-bit", "(ctlz (shl 1 x) F)", "(sub {width(x) - 1} x)", "from the other end"),
    _rule(
        "bit-of-cttz-test", "(icmp ult (cttz x true) C)", "(icmp ne (and x {(1 << C) - 1}) 0)", "a bit below C",
        "C < width(x)",
    ),
    _rule(
        "bit-of-ctlz-test", "(icmp ult (ctlz x true) C)", "(icmp ugt x {(1 << (width(x) - C)) - 1})",
        "a bit from the top", "0 < C < width(x)",
    ),
)  # fmt: skip

_ROTATIONS = (
    _rule("rotate", "(or (shl x C) (lshr x D))", "(fshl x x C)", "both halves", "C + D == width(x) and 0 < C"),
    _rule(
        "rotate-add", "(add (shl x C) (lshr x D))", "(fshl x x C)", "disjoint halves",
        "C + D == width(x) and 0 < C < width(x)",
    ),
    _rule(
        "rotate-xor", "(xor (shl x C) (lshr x D))", "(fshl x x C)", "disjoint halves",
        "C + D == width(x) and 0 < C < width(x)",
    ),
    _rule(
        "funnel", "(or (shl x C) (lshr y D))", "(fshl x y C)", "both halves", "C + D == width(x) and 0 < C < width(x)",
    ),
    _rule(
        "rotate-as-shifts", "(fshl x x C)", "(or (shl x C) (lshr x {width(x) - C}))", "both halves", "0 < C < width(x)",
    ),
    _rule(
        "funnel-as-shifts", "(fshl x y C)", "(or (shl x C) (lshr y {width(x) - C}))", "both halves", "0 < C < width(x)",
    ),
    _rule("funnel-right-as-left", "(fshr x y C)", "(fshl x y {width(x) - C})", "the other way", "0 < C < width(x)"),
    _rule("funnel-left-as-right", "(fshl x y C)", "(fshr x y {width(x) - C})", "the other way", "0 < C < width(x)"),
    _rule("funnel-left-zero", "(fshl x y 0)", "x", "no shift"),
    _rule("funnel-right-zero", "(fshr x y 0)", "y", "no shift"),
    _rule(
        "funnel-reduced", "(fshl x y C)", "(fshl x y {C % width(x)})", "the amount is modulo the width",
        "C >= width(x)",
    ),
    _rule(
        "rotate-left", "(or (shl x y) (lshr x (sub C y)))", "(fshl x x y)", "a shift by the width is poison",
        "C == width(x)",
    ),
    _rule(
        "rotate-right", "(or (lshr x y) (shl x (sub C y)))", "(fshr x x y)", "a shift by the width is poison",
        "C == width(x)",
    ),
    _rule("rotate-left-masked", "(or (shl x (and y C)) (lshr x (and (sub 0 y) C)))", "(fshl x x y)",
          "amounts modulo the width",
          "C == width(x) - 1 and ispow2(C + 1)"),
    _rule("rotate-right-masked", "(or (lshr x (and y C)) (shl x (and (sub 0 y) C)))", "(fshr x x y)",
          "amounts modulo the width",
          "C == width(x) - 1 and ispow2(C + 1)"),
    _rule(
        "funnel-amount-masked", "(fshl x y (and z C))", "(fshl x y z)", "the amount is modulo the width",
        "C & (width(x) - 1) == width(x) - 1 and ispow2(width(x))",
    ),
    _rule(
        "funnel-right-amount-masked", "(fshr x y (and z C))", "(fshr x y z)", "the amount is modulo the width",
        "C & (width(x) - 1) == width(x) - 1 and ispow2(width(x))",
    ),
    _rule(
        "rotate-negated", "(fshl x x (sub 0 y))", "(fshr x x y)", "the other way", "ispow2(width(x))", widths=_POWERS,
    ),
    _rule(
        "rotate-right-negated", "(fshr x x (sub 0 y))", "(fshl x x y)", "the other way", "ispow2(width(x))",
        widths=_POWERS,
    ),
    _rule("funnel-of-zero-low", "(fshl x 0 C)", "(shl x C)", "zeros come in", "C < width(x)"),
    _rule("funnel-of-zero-high", "(fshr 0 x C)", "(lshr x C)", "zeros come in", "C < width(x)"),
    _rule(
        "rotate-eq", "(icmp eq (fshl x x z) (fshl y y z))", "(icmp eq x y)", "a rotation is a bijection",
        widths=(1, 2, 4, 8),
    ),
    _rule("rotate-of-ones", "(fshl -1 -1 x)", "-1", "all bits are equal"),
    _rule("rotate-twice", "(fshl (fshl x x C) (fshl x x C) D)", "(fshl x x {(C + D) % width(x)})", "amounts add"),
)  # fmt: skip

_BYTE_ORDER = (
    _rule("bswap-twice", "(bswap (bswap x))", "x", "an involution", widths=_BYTES),
    _rule("bitreverse-twice", "(bitreverse (bitreverse x))", "x", "an involution"),
    _rule("bswap-by-rotation", "(fshl x x 8)", "(bswap x)", "two bytes", "width(x) == 16", widths=(16,)),
    _rule("bswap-as-rotation", "(bswap x)", "(fshl x x 8)", "two bytes", "width(x) == 16", widths=(16,)),
    _rule(
        "bswap-32",
        "(or (or (shl x 24) (and (shl x 8) 16711680)) (or (and (lshr x 8) 65280) (lshr x 24)))",
        "(bswap x)", "each byte moved", "width(x) == 32", widths=(32,),
    ),
    _rule(
        "bswap-32-chain",
        "(or (or (or (shl x 24) (and (shl x 8) 16711680)) (and (lshr x 8) 65280)) (lshr x 24))",
        "(bswap x)", "each byte moved", "width(x) == 32", widths=(32,),
    ),
    _rule("bswap-not", "(xor (bswap x) -1)", "(bswap (xor x -1))", "each bit keeps its value", widths=_BYTES),
    *(
        _rule(f"bswap-{op}", f"({op} (bswap x) (bswap y))", f"(bswap ({op} x y))", "bitwise", widths=_BYTES)
        for op in ("and", "or", "xor")
    ),
    _rule("bswap-and-constant", "(and (bswap x) C)", "(bswap (and x (bswap C)))", "the mask moves", widths=_BYTES),
    _rule("bswap-eq", "(icmp eq (bswap x) (bswap y))", "(icmp eq x y)", "a bijection", widths=_BYTES),
    _rule("bswap-eq-zero", "(icmp eq (bswap x) 0)", "(icmp eq x 0)", "a bijection", widths=_BYTES),
    _rule("bswap-eq-constant", "(icmp eq (bswap x) C)", "(icmp eq x (bswap C))", "a bijection", widths=_BYTES),
    _rule(
        "bswap-top-byte", "(and (bswap x) 255)", "(lshr x {width(x) - 8})", "the top byte comes last", "width(x) >= 16",
        widths=_BYTES,
    ),
    _rule(
        "bswap-low-byte", "(lshr (bswap x) C)", "(and x 255)", "the last byte comes first",
        "width(x) >= 16 and C == width(x) - 8", widths=_BYTES,
    ),
    *(
        _rule(f"bitreverse-{op}", f"({op} (bitreverse x) (bitreverse y))", f"(bitreverse ({op} x y))", "bitwise")
        for op in ("and", "or", "xor")
    ),
    _rule("bitreverse-shl", "(bitreverse (shl (bitreverse x) y))", "(lshr x y)", "the other way"),
    _rule("bitreverse-lshr", "(bitreverse (lshr (bitreverse x) y))", "(shl x y)", "the other way"),
    _rule("bitreverse-eq-zero", "(icmp eq (bitreverse x) 0)", "(icmp eq x 0)", "a bijection"),
)  # fmt: skip

_SUMS = (
    _rule("full-adder", "(add (xor x y) (shl (and x y) 1))", "(add x y)", "sum and carries", "width(x) > 1"),
    _rule("full-adder-doubled", "(add (xor x y) (add (and x y) (and x y)))", "(add x y)", "sum and carries"),
    _rule(
        "full-adder-or", "(sub (shl (or x y) 1) (xor x y))", "(add x y)", "x + y = 2(x | y) - (x ^ y)", "width(x) > 1",
    ),
    _rule(
        "full-subtracter", "(sub (xor x y) (shl (and (xor x -1) y) 1))", "(sub x y)", "difference and borrows",
        "width(x) > 1",
    ),
    _rule("full-subtracter-and", "(sub (and x (xor y -1)) (and (xor x -1) y))", "(sub x y)", "what only one has"),
    _rule("sub-as-masks", "(sub x y)", "(sub (and x (xor y -1)) (and (xor x -1) y))", "what only one has"),
    _rule("average", "(add (and x y) (lshr (xor x y) 1))",
          "(trunc (lshr (add (zext:{width(x) + 1} x) (zext:{width(x) + 1} y)) 1))",
          "no carry is lost in one more bit", "1 < width(x) < 128"),
    _rule("average-by-masks", "(trunc (lshr (add (zext x) (zext y)) 1))", "(add (and x y) (lshr (xor x y) 1))",
          "common bits, and half of the others", "width(x) > 1"),
    _rule(
        "average-no-wrap", "(lshr (add nuw x y) 1)", "(add (and x y) (lshr (xor x y) 1))",
        "common bits, and half of the others", "width(x) > 1",
    ),
    _rule(
        "average-half-difference", "(add x (lshr (sub nuw y x) 1))", "(add (and x y) (lshr (xor x y) 1))",
        "between x and y", "width(x) > 1",
    ),
    _rule("average-up", "(sub (or x y) (lshr (xor x y) 1))",
          "(trunc (lshr (add (add (zext:{width(x) + 1} x) (zext:{width(x) + 1} y)) 1) 1))",
          "rounded up", "1 < width(x) < 128"),
    _rule(
        "average-up-by-masks", "(trunc (lshr (add (add (zext x) (zext y)) 1) 1))", "(sub (or x y) (lshr (xor x y) 1))",
        "rounded up", "width(x) > 1",
    ),
    _rule(
        "average-by-halves", "(add (add (lshr x 1) (lshr y 1)) (and (and x y) 1))",
        "(add (and x y) (lshr (xor x y) 1))",
        "the halves, and one where both lowest bits are set", "width(x) > 1",
    ),
    _rule(
        "average-up-by-halves", "(add (add (lshr x 1) (lshr y 1)) (and (or x y) 1))",
        "(sub (or x y) (lshr (xor x y) 1))", "the halves, and one where a lowest bit is set", "width(x) > 1",
    ),
    _rule("average-signed", "(add (and x y) (ashr (xor x y) 1))",
          "(trunc (ashr (add (sext:{width(x) + 1} x) (sext:{width(x) + 1} y)) 1))",
          "rounded down", "1 < width(x) < 128"),
    _rule(
        "average-signed-by-masks", "(trunc (ashr (add (sext x) (sext y)) 1))", "(add (and x y) (ashr (xor x y) 1))",
        "rounded down", "width(x) > 1",
    ),
    _rule("swap-by-select", "(xor (and (xor x y) (sext c)) y)", "(select c x y)", "a mask of the condition"),
    _rule(
        "select-by-masks", "(or (and x (sext c)) (and y (xor (sext c) -1)))", "(select c x y)",
        "a mask of the condition",
    ),
    _rule(
        "select-by-masks-not", "(or (and x (sext c)) (and y (sext (xor c true))))", "(select c x y)",
        "a mask of the condition",
    ),
    _rule(
        "parity-step", "(and (xor x (lshr x 1)) 1)", "(xor (and x 1) (and (lshr x 1) 1))", "the two low bits",
        "width(x) > 1",
    ),
    _rule("parity-low", "(xor (and x 1) (and y 1))", "(and (xor x y) 1)", "one mask for both"),
)  # fmt: skip

_SIGNS = (
    _rule(
        "sign-by-compares", "(sub (zext (icmp sgt x 0)) (zext (icmp slt x 0)))", "(smin (smax x -1) 1)", "-1, 0 or 1",
        "width(x) > 1",
    ),
    _rule(
        "sign-by-shift", "(or (ashr x C) (zext (icmp sgt x 0)))", "(smin (smax x -1) 1)", "-1, 0 or 1",
        "C == width(x) - 1 and width(x) > 1",
    ),
    _rule(
        "sign-by-shifts", "(or (ashr x C) (lshr (sub 0 x) C))", "(smin (smax x -1) 1)", "-1, 0 or 1",
        "C == width(x) - 1 and width(x) > 1",
    ),
    _rule(
        "sign-by-test", "(or (ashr x C) (zext (icmp ne x 0)))", "(smin (smax x -1) 1)", "-1, 0 or 1",
        "C == width(x) - 1 and width(x) > 1",
    ),
    _rule(
        "sign-by-select", "(select (icmp sgt x 0) 1 (ashr x C))", "(smin (smax x -1) 1)", "-1, 0 or 1",
        "C == width(x) - 1 and width(x) > 1",
    ),
    _rule(
        "sign-by-select-zext", "(select (icmp slt x 0) -1 (zext (icmp sgt x 0)))", "(smin (smax x -1) 1)", "-1, 0 or 1",
        "width(x) > 1",
    ),
    _rule(
        "sign-by-select-ne", "(select (icmp slt x 0) -1 (zext (icmp ne x 0)))", "(smin (smax x -1) 1)", "-1, 0 or 1",
        "width(x) > 1",
    ),
    _rule(
        "sign-clamped", "(smin (smax x -1) 1)", "(or (ashr x {width(x) - 1}) (zext (icmp sgt x 0)))", "-1, 0 or 1",
        "width(x) > 1",
    ),
    _rule(
        "sign-clamped-shifts", "(smin (smax x -1) 1)", "(or (ashr x {width(x) - 1}) (lshr (sub 0 x) {width(x) - 1}))",
        "-1, 0 or 1", "width(x) > 1",
    ),
    _rule(
        "sign-or-test", "(or (ashr x C) (zext (icmp sgt x 0)))", "(or (ashr x C) (zext (icmp ne x 0)))",
        "the same under the sign", "C == width(x) - 1",
    ),
    _rule(
        "compare-three-way", "(sub (zext (icmp ugt x y)) (zext (icmp ult x y)))",
        "(select (icmp ult x y) -1 (zext (icmp ne x y)))", "-1, 0 or 1", "width(x) > 1",
    ),
    _rule("abs-by-select", "(select (icmp slt x 0) (sub 0 x) x)", "(abs x false)", "wraps at the least"),
    _rule("abs-by-select-gt", "(select (icmp sgt x -1) x (sub 0 x))", "(abs x false)", "wraps at the least"),
    _rule(
        "abs-by-select-positive", "(select (icmp sgt x 0) x (sub 0 x))", "(abs x false)", "wraps at the least",
        "width(x) > 1",
    ),
    _rule("abs-by-max", "(smax x (sub 0 x))", "(abs x false)", "wraps at the least", "width(x) > 1"),
    _rule("abs-no-wrap", "(select (icmp slt x 0) (sub nsw 0 x) x)", "(abs x true)", "the least is poison"),
    _rule(
        "abs-by-xor", "(sub (xor x (ashr x C)) (ashr x C))", "(abs x false)", "~x + 1 where negative",
        "C == width(x) - 1",
    ),
    _rule(
        "abs-by-add", "(xor (add x (ashr x C)) (ashr x C))", "(abs x false)", "~(x - 1) where negative",
        "C == width(x) - 1",
    ),
    _rule(
        "abs-as-xor", "(abs x false)", "(sub (xor x (ashr x {width(x) - 1})) (ashr x {width(x) - 1}))",
        "~x + 1 where negative",
    ),
    _rule("abs-as-max", "(abs x false)", "(smax x (sub 0 x))", "wraps at the least", "width(x) > 1"),
    _rule("abs-defined", "(abs x true)", "(abs x false)", "wraps where the other is poison"),
    _rule("abs-of-negation", "(abs (sub 0 x) false)", "(abs x false)", "the sign does not count"),
    _rule("abs-of-abs", "(abs (abs x false) false)", "(abs x false)", "idempotent"),
    _rule("abs-nonnegative", "(abs x F)", "x", "not negative", need="signed(x) >= 0"),
    _rule("abs-eq-zero", "(icmp eq (abs x F) 0)", "(icmp eq x 0)", "only 0"),
    _rule("negated-abs", "(sub 0 (abs x false))", "(smin x (sub 0 x))", "never wraps", "width(x) > 1"),
    _rule("negated-abs-by-select", "(select (icmp slt x 0) x (sub 0 x))", "(sub 0 (abs x false))", "never positive"),
    _rule("abs-squared", "(mul (abs x false) (abs x false))", "(mul x x)", "signs cancel", widths=(1, 2, 4, 8)),
    _rule(
        "absolute-difference", "(sub (umax x y) (umin x y))", "(select (icmp ugt x y) (sub x y) (sub y x))",
        "the larger first",
    ),
    _rule(
        "absolute-difference-sat", "(or (usub.sat x y) (usub.sat y x))", "(sub (umax x y) (umin x y))",
        "one of both is 0",
    ),
    _rule(
        "absolute-difference-minmax", "(select (icmp ugt x y) (sub x y) (sub y x))", "(sub (umax x y) (umin x y))",
        "the larger first",
    ),
    _rule("sign-copied", "(xor (ashr x C) (ashr y C))", "(ashr (xor x y) C)", "signs of both", "C == width(x) - 1"),
    _rule("sign-smeared", "(sub 0 (lshr x C))", "(ashr x C)", "the sign everywhere", "C == width(x) - 1"),
    _rule("sign-isolated", "(sub 0 (ashr x C))", "(lshr x C)", "the sign as 1", "C == width(x) - 1"),
    _rule("sign-as-negated", "(ashr x C)", "(sub 0 (lshr x C))", "the sign everywhere", "C == width(x) - 1"),
    _rule("sign-bit-of-ashr", "(lshr (ashr x y) C)", "(lshr x C)", "the sign stays", "C == width(x) - 1"),
)  # fmt: skip

RULES = (
    *_LOWEST, *_POWERS_OF_TWO, *_COUNTS, *_ROTATIONS, *_BYTE_ORDER, *_SUMS, *_SIGNS,
)  # fmt: skip
