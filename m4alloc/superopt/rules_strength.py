"""Strength reduction: products, quotients and remainders as shifts, masks and high halves of products, and back."""

from __future__ import annotations

from m4alloc.superopt.rules_kinds import PRODUCTS, of_kind

_rule = of_kind("strength")
_SMALL = (4, 8)
_MAGIC = (2, 4, 8, 16, 32)

_PRODUCTS_ = (
    _rule("mul-pow2", "(mul x C)", "(shl x {log2(C)})", "a power of two", "ispow2(C)"),
    _rule("shl-as-mul", "(shl x C)", "(mul x {1 << C})", "a power of two", "C < width(x)"),
    _rule("double-by-add", "(shl x 1)", "(add x x)", "x + x", "width(x) > 1"),
    _rule("double-by-shl", "(add x x)", "(shl x 1)", "x + x", "width(x) > 1"),
    _rule(
        "mul-pow2-plus-one", "(mul x C)", "(add (shl x {log2(C - 1)}) x)", "one more than a power of two",
        "C > 2 and ispow2(C - 1)",
    ),
    _rule(
        "mul-pow2-minus-one", "(mul x C)", "(sub (shl x {log2(C + 1)}) x)", "one less than a power of two",
        "ispow2(C + 1) and C < 2**width(x) - 1",
    ),
    _rule(
        "mul-one-minus-pow2", "(mul x C)", "(sub x (shl x {log2((1 - C) % 2**width(x))}))", "1 - 2**k",
        "ispow2((1 - C) % 2**width(x)) and C != 0",
    ),
    _rule(
        "mul-minus-pow2", "(mul x C)", "(sub 0 (shl x {log2((0 - C) % 2**width(x))}))", "-2**k",
        "ispow2((0 - C) % 2**width(x))",
    ),
    _rule(
        "mul-two-bits", "(mul x C)", "(add (shl x {log2(C - align(C))}) (shl x {log2(align(C))}))", "two powers of two",
        "popcount(C) == 2",
    ),
    _rule("shl-plus-self", "(add (shl x C) x)", "(mul x {(1 << C) + 1})", "2**k + 1", "C < width(x)"),
    _rule("shl-minus-self", "(sub (shl x C) x)", "(mul x {(1 << C) - 1})", "2**k - 1", "C < width(x)"),
    _rule("self-minus-shl", "(sub x (shl x C))", "(mul x {1 - (1 << C)})", "1 - 2**k", "C < width(x)"),
    _rule(
        "shl-plus-shl", "(add (shl x C) (shl x D))", "(mul x {(1 << C) + (1 << D)})", "two powers of two",
        "C < width(x) and D < width(x)",
    ),
    _rule(
        "shl-minus-shl", "(sub (shl x C) (shl x D))", "(mul x {(1 << C) - (1 << D)})", "two powers of two",
        "C < width(x) and D < width(x)",
    ),
    _rule("mul-constant-plus-self", "(add (mul x C) x)", "(mul x {C + 1})", "one more"),
    _rule("mul-constant-minus-self", "(sub (mul x C) x)", "(mul x {C - 1})", "one less"),
    _rule(
        "mul-constants-added", "(add (mul x C) (mul x D))", "(mul x {C + D})", "factors add", widths=(1, 2, 4, 8, 16),
    ),
    _rule(
        "mul-constants-subtracted", "(sub (mul x C) (mul x D))", "(mul x {C - D})", "factors subtract",
        widths=(1, 2, 4, 8, 16),
    ),
    _rule("mul-by-bit", "(mul x (shl 1 y))", "(shl x y)", "a power of two"),
    _rule("shl-as-mul-by-bit", "(shl x y)", "(mul x (shl 1 y))", "a power of two"),
    _rule("mul-shifted", "(mul (shl x y) z)", "(shl (mul x z) y)", "the shift moves out", widths=PRODUCTS),
    _rule("shl-of-product", "(shl (mul x z) y)", "(mul (shl x y) z)", "the shift moves in", widths=PRODUCTS),
    _rule("shl-add-common", "(add (shl x z) (shl y z))", "(shl (add x y) z)", "one shift for both"),
    _rule("shl-sub-common", "(sub (shl x z) (shl y z))", "(shl (sub x y) z)", "one shift for both"),
    _rule(
        "mul-add-common-shl", "(add (mul x C) (shl x D))", "(mul x {C + (1 << D)})", "factors add", "D < width(x)",
        widths=(1, 2, 4, 8, 16),
    ),
    _rule("mul-bool", "(mul x (zext c:1))", "(select c x 0)", "0 or 1 times", "width(x) > 1"),
    _rule("mul-bool-as-and", "(mul (and x 1) y)", "(and (sub 0 (and x 1)) y)", "0 or 1 times"),
    _rule("square-of-negation", "(mul (sub 0 x) (sub 0 x))", "(mul x x)", "signs cancel", widths=PRODUCTS),
)  # fmt: skip

_QUOTIENTS = (
    _rule("udiv-pow2", "(udiv x C)", "(lshr x {log2(C)})", "a power of two", "ispow2(C)"),
    _rule("lshr-as-udiv", "(lshr x C)", "(udiv x {1 << C})", "a power of two", "C < width(x)"),
    _rule("urem-pow2", "(urem x C)", "(and x {C - 1})", "a power of two", "ispow2(C)"),
    _rule("and-as-urem", "(and x C)", "(urem x {C + 1})", "a power of two", "ispow2(C + 1) and C < 2**width(x) - 1"),
    _rule("udiv-by-bit", "(udiv x (shl 1 y))", "(lshr x y)", "a power of two"),
    _rule("urem-by-bit", "(urem x (shl 1 y))", "(and x (add (shl 1 y) -1))", "a power of two"),
    _rule("urem-by-bit-not", "(urem x (shl 1 y))", "(and x (xor (shl -1 y) -1))", "a power of two"),
    _rule(
        "udiv-by-shifted", "(udiv x (shl C y))", "(lshr x (add y {log2(C)}))", "a power of two",
        "ispow2(C) and log2(C) <= 2", need="y < width(y) - 2", widths=(4, 8, 16),
    ),
    _rule("urem-by-pow2", "(urem x y)", "(and x (add y -1))", "a power of two", need="popcount(y) == 1"),
    _rule("udiv-by-pow2", "(udiv x y)", "(lshr x (cttz y true))", "a power of two", need="popcount(y) == 1"),
    _rule(
        "mul-by-pow2", "(mul x y)", "(shl x (cttz y true))", "a power of two", need="popcount(y) == 1",
        widths=(1, 2, 4, 8, 16),
    ),
    _rule("urem-if-below", "(urem x y)", "x", "already reduced", need="x < y"),
    _rule("udiv-if-below", "(udiv x y)", "0", "too small", need="x < y"),
    _rule(
        "urem-if-below-twice", "(urem x y)", "(sub x y)", "one subtraction is enough", need=("y <= x", "x < 2 * y"),
        widths=(1, 2, 4, 8, 16, 32),
    ),
    _rule(
        "urem-one-subtraction", "(urem x y)", "(select (icmp ult x y) x (sub x y))", "one subtraction is enough",
        need="x < 2 * y", widths=(1, 2, 4, 8, 16),
    ),
    _rule(
        "urem-by-umin", "(urem x y)", "(umin x (sub x y))", "the wrapped difference is larger", need="x < 2 * y",
        widths=(1, 2, 4, 8, 16),
    ),
    _rule(
        "udiv-large", "(udiv x C)", "(zext (icmp uge x C))", "the quotient is 0 or 1",
        "C >= 2**(width(x) - 1) and width(x) > 1",
    ),
    _rule(
        "udiv-large-any", "(udiv x y)", "(zext (icmp uge x y))", "the quotient is 0 or 1", "width(x) > 1",
        need="y >= 2**(width(y) - 1)",
    ),
    _rule(
        "urem-large", "(urem x C)", "(select (icmp ult x C) x (sub x C))", "the quotient is 0 or 1",
        "C >= 2**(width(x) - 1)",
    ),
    _rule("urem-as-sub", "(urem x y)", "(sub x (mul (udiv x y) y))", "the definition", widths=(1, 2, 4)),
    _rule("urem-by-definition", "(sub x (mul (udiv x y) y))", "(urem x y)", "the definition", widths=(1, 2, 4)),
    _rule("srem-by-definition", "(sub x (mul (sdiv x y) y))", "(srem x y)", "the definition", widths=(1, 2, 4)),
    _rule("udiv-mul-as-urem", "(mul (udiv x y) y)", "(sub x (urem x y))", "the definition", widths=(1, 2, 4)),
    _rule("udiv-urem-whole", "(add (mul (udiv x y) y) (urem x y))", "x", "the definition", widths=(1, 2, 4)),
    _rule(
        "udiv-urem-whole-constant", "(add (mul (udiv x C) C) (urem x C))", "x", "the definition", widths=(1, 2, 4, 8),
    ),
    _rule(
        "sdiv-nonnegative", "(sdiv x y)", "(udiv x y)", "no sign", need=("signed(x) >= 0", "signed(y) >= 0"),
        widths=PRODUCTS,
    ),
    _rule(
        "srem-nonnegative", "(srem x y)", "(urem x y)", "no sign", need=("signed(x) >= 0", "signed(y) >= 0"),
        widths=PRODUCTS,
    ),
    _rule(
        "sdiv-pow2-nonnegative", "(sdiv x C)", "(lshr x {log2(C)})", "no sign, a power of two",
        "ispow2(C) and signed(C) > 0", need="signed(x) >= 0",
    ),
    _rule("ashr-nonnegative", "(ashr x y)", "(lshr x y)", "no sign", need="signed(x) >= 0"),
    _rule("lshr-nonnegative", "(lshr x y)", "(ashr x y)", "no sign", need="signed(x) >= 0"),
    _rule(
        "sdiv-pow2", "(sdiv x C)", "(ashr (add x (lshr (ashr x {width(x) - 1}) {width(x) - log2(C)})) {log2(C)})",
        "rounds towards 0", "ispow2(C) and signed(C) > 1", widths=(4, 8, 16, 32),
    ),
    _rule(
        "sdiv-pow2-by-select", "(ashr (select (icmp slt x 0) (add x C) x) D)", "(sdiv x {C + 1})", "rounds towards 0",
        "0 < D < width(x) - 1 and C == (1 << D) - 1",
    ),
    _rule(
        "sdiv-pow2-by-mask", "(ashr (add x (and (ashr x E) C)) D)", "(sdiv x {C + 1})", "rounds towards 0",
        "0 < D < width(x) - 1 and C == (1 << D) - 1 and E == width(x) - 1",
    ),
    _rule(
        "sdiv-pow2-by-signs", "(ashr (add x (lshr (ashr x E) C)) D)", "(sdiv x {1 << D})", "rounds towards 0",
        "0 < D < width(x) - 1 and C == width(x) - D and E == width(x) - 1",
    ),
    _rule(
        "sdiv-two-by-sign", "(ashr (add x (lshr x C)) 1)", "(sdiv x 2)", "rounds towards 0",
        "width(x) > 2 and C == width(x) - 1",
    ),
    _rule("sdiv-two", "(sdiv x 2)", "(ashr (add x (lshr x {width(x) - 1})) 1)", "rounds towards 0", "width(x) > 2"),
    _rule(
        "srem-pow2", "(srem x C)", "(sub x (and (add x (lshr (ashr x {width(x) - 1}) {width(x) - log2(C)})) {-C}))",
        "the sign of x", "ispow2(C) and signed(C) > 1", widths=(4, 8, 16, 32),
    ),
    _rule(
        "srem-two-zero", "(icmp eq (srem x C) 0)", "(icmp eq (and x {C - 1}) 0)", "the sign does not count",
        "ispow2(C) and signed(C) > 1", widths=(4, 8, 16, 32),
    ),
    _rule(
        "sdiv-exact-pow2", "(sdiv exact x C)", "(ashr x {log2(C)})", "nothing is lost", "ispow2(C) and signed(C) > 0",
    ),
    _rule("udiv-exact-mul", "(mul (udiv exact x y) y)", "x", "nothing was lost", widths=(1, 2, 4)),
    _rule("udiv-exact-mul-constant", "(mul (udiv exact x C) C)", "x", "nothing was lost", widths=PRODUCTS),
    _rule("sdiv-exact-mul", "(mul (sdiv exact x y) y)", "x", "nothing was lost", widths=(1, 2, 4)),
    _rule("sdiv-exact-mul-constant", "(mul (sdiv exact x C) C)", "x", "nothing was lost", widths=PRODUCTS),
    _rule("lshr-exact-shl", "(shl (lshr exact x y) y)", "x", "nothing was lost"),
    _rule("ashr-exact-shl", "(shl (ashr exact x y) y)", "x", "nothing was lost"),
    _rule(
        "lshr-exact-mul", "(mul (lshr exact x C) D)", "x", "nothing was lost", "C < width(x) and D == 1 << C",
        widths=(1, 2, 4, 8, 16),
    ),
    _rule("shl-nuw-lshr", "(lshr (shl nuw x y) y)", "x", "nothing was lost"),
    _rule("shl-nsw-ashr", "(ashr (shl nsw x y) y)", "x", "nothing was lost"),
    _rule("mul-nuw-udiv", "(udiv (mul nuw x y) y)", "x", "nothing was lost", widths=(1, 2, 4)),
    _rule("mul-nuw-udiv-constant", "(udiv (mul nuw x C) C)", "x", "nothing was lost", widths=PRODUCTS),
    _rule("mul-nsw-sdiv-constant", "(sdiv (mul nsw x C) C)", "x", "nothing was lost", widths=PRODUCTS),
    _rule("mul-nuw-urem-constant", "(urem (mul nuw x C) C)", "0", "a multiple", widths=PRODUCTS),
    _rule(
        "udiv-udiv", "(udiv (udiv x C) D)", "(udiv x {C * D})", "floors nest",
        "C * D < 2**width(x) and C > 0 and D > 0", widths=(2, 4),
    ),
    _rule(
        "udiv-lshr", "(lshr (udiv x C) D)", "(udiv x {C << D})", "floors nest", "C << D < 2**width(x) and D < width(x)",
        widths=(2, 4, 8),
    ),
    _rule(
        "lshr-udiv", "(udiv (lshr x C) D)", "(udiv x {D << C})", "floors nest", "D << C < 2**width(x) and C < width(x)",
        widths=(2, 4, 8),
    ),
    _rule(
        "urem-urem", "(urem (urem x C) D)", "(urem x D)", "a multiple of D is lost", "C % D == 0 and C > 0 and D > 0",
        widths=(2, 4),
    ),
    _rule("udiv-of-urem-below", "(udiv (urem x y) y)", "0", "the rest is smaller", widths=(1, 2, 4, 8, 16)),
    _rule(
        "udiv-round-up", "(udiv (add nuw x C) D)", "(add (udiv x D) (zext (icmp ne (urem x D) 0)))", "rounded up",
        "C == D - 1 and width(x) > 1", widths=(2, 4),
    ),
)  # fmt: skip

_HIGH_HALVES = (
    _rule(
        "udiv-constant", "(udiv x C)",
        "(trunc (lshr (mul (zext:{2 * width(x)} x) {reciprocal(C, width(x))})"
        " {width(x) + reciprocal_shift(C, width(x))}))",
        "the high half of a product", "C > 1 and reciprocal(C, width(x)) < 2**width(x)", widths=_MAGIC,
    ),
    _rule(
        "udiv-constant-wide", "(udiv x C)",
        "(trunc (lshr (mul (zext:{2 * width(x) + 1} x) {reciprocal(C, width(x))})"
        " {width(x) + reciprocal_shift(C, width(x))}))",
        "the high half of a product, one bit wider", "C > 1 and reciprocal(C, width(x)) >= 2**width(x)", widths=_MAGIC,
    ),
    _rule("urem-constant", "(urem x C)", "(sub x (mul (udiv x C) C))", "the definition", "C > 0", widths=PRODUCTS),
    _rule("udiv-constant-eq-zero", "(icmp eq (udiv x C) 0)", "(icmp ult x C)", "too small", "C > 0"),
    _rule(
        "mulhi-by-halves",
        "(add (add (mul (lshr x C) (lshr y C))"
        " (lshr (add (mul (lshr x C) (and y D)) (lshr (mul (and x D) (and y D)) C))"
        " C))"
        " (lshr (add (and (add (mul (lshr x C) (and y D)) (lshr (mul (and x D) (and y D)) C)) D)"
        " (mul (and x D) (lshr y C))) C))",
        "(trunc (lshr (mul (zext:{2 * width(x)} x) (zext:{2 * width(x)} y)) {width(x)}))",
        "schoolbook multiplication", "2 * C == width(x) and D == (1 << C) - 1", widths=(2, 4, 8),
    ),
    _rule(
        "mulhi-by-halves-carry",
        "(add (add (mul (lshr x C) (lshr y C)) (lshr (mul (lshr x C) (and y D)) C))"
        " (lshr (add (add (and (mul (lshr x C) (and y D)) D) (mul (and x D) (lshr y C)))"
        " (lshr (mul (and x D) (and y D)) C))"
        " C))",
        "(trunc (lshr (mul (zext:{2 * width(x)} x) (zext:{2 * width(x)} y)) {width(x)}))",
        "schoolbook multiplication", "2 * C == width(x) and D == (1 << C) - 1", widths=(2, 4, 8),
    ),
)  # fmt: skip

RULES = (*_PRODUCTS_, *_QUOTIENTS, *_HIGH_HALVES)
