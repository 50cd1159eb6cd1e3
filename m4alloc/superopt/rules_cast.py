"""Casts: chains of zext, sext and trunc, arithmetic moved across them."""

from __future__ import annotations

from m4alloc.superopt.rules_kinds import PRODUCTS, WIDTHS, of_kind

_rule = of_kind("cast")

RULES = (
    _rule("trunc-zext", "(trunc:N (zext x:N))", "x", "there and back"),
    _rule("trunc-sext", "(trunc:N (sext x:N))", "x", "there and back"),
    _rule("zext-zext", "(zext:W (zext:V x))", "(zext:W x)", "one step"),
    _rule("sext-sext", "(sext:W (sext:V x))", "(sext:W x)", "one step"),
    _rule("sext-zext", "(sext:W (zext:V x))", "(zext:W x)", "the sign is 0"),
    _rule("trunc-trunc", "(trunc (trunc x))", "(trunc x)", "one step"),
    _rule(
        "trunc-zext-wider", "(trunc:V (zext:W x))", "(zext:V x)", "only zeros are lost",
        "width(x) < width(V) < width(W)",
    ),
    _rule(
        "trunc-sext-wider", "(trunc:V (sext:W x))", "(sext:V x)", "only copies of the sign are lost",
        "width(x) < width(V) < width(W)",
    ),
    _rule("trunc-zext-narrower", "(trunc:V (zext:W x))", "(trunc:V x)", "only zeros are lost", "width(V) < width(x)"),
    _rule("trunc-sext-narrower", "(trunc:V (sext:W x))", "(trunc:V x)", "only copies are lost", "width(V) < width(x)"),
    _rule("zext-trunc", "(zext:W (trunc:V x:W))", "(and x {2**width(V) - 1})", "clears the high bits"),
    _rule(
        "mask-as-casts", "(and x C)", "(zext (trunc:{log2(C + 1)} x))", "clears the high bits",
        "0 < C < 2**width(x) - 1 and ispow2(C + 1)", widths=(4, 8, 16, 32, 64),
    ),
    _rule(
        "sext-trunc", "(sext:W (trunc:V x:W))", "(ashr (shl x {width(x) - width(V)}) {width(x) - width(V)})",
        "copies the sign down",
    ),
    _rule(
        "shifts-as-sext", "(ashr (shl x C) C)", "(sext (trunc:{width(x) - C} x))", "copies the sign down",
        "0 < C < width(x)", widths=(4, 8, 16, 32, 64),
    ),
    _rule("sext-nonnegative", "(sext x)", "(zext x)", "the sign is 0", need="signed(x) >= 0"),
    _rule("zext-nonnegative", "(zext x)", "(sext x)", "the sign is 0", need="signed(x) >= 0"),
    _rule("zext-nneg-flag", "(zext nneg x)", "(sext x)", "the sign is 0"),
    _rule("zext-trunc-same", "(zext:W (trunc:V x:W))", "x", "only zeros are lost", need="x < 2**width(V)"),
    _rule("zext-trunc-nuw", "(zext:W (trunc:V nuw x:W))", "x", "only zeros were lost"),
    _rule("sext-trunc-nsw", "(sext:W (trunc:V nsw x:W))", "x", "only copies of the sign were lost"),
    _rule(
        "sext-trunc-same", "(sext:W (trunc:V x:W))", "x", "only copies of the sign are lost",
        need="signed(x) < 2**(width(V) - 1) and signed(x) >= -2**(width(V) - 1)",
    ),
    *(
        _rule(
            f"trunc-of-{op}", f"(trunc ({op} x y))", f"({op} (trunc x) (trunc y))", "low bits depend on low bits",
            widths=widths,
        )
        for op, widths in (
            ("add", WIDTHS), ("sub", WIDTHS), ("mul", (1, 2, 4)),
            ("and", WIDTHS), ("or", WIDTHS), ("xor", WIDTHS),
        )
    ),
    *(
        _rule(
            f"{op}-of-truncs", f"({op} (trunc x:W) (trunc y:W))", f"(trunc ({op} x y))", "low bits depend on low bits",
            widths=widths,
        )
        for op, widths in (
            ("add", WIDTHS), ("sub", WIDTHS), ("mul", (1, 2, 4)),
            ("and", WIDTHS), ("or", WIDTHS), ("xor", WIDTHS),
        )
    ),
    *(
        _rule(f"{op}-of-{cast}s", f"({op} ({cast}:W x:N) ({cast}:W y:N))", f"({cast}:W ({op} x y))", "bit by bit")
        for op in ("and", "or", "xor") for cast in ("zext", "sext")
    ),
    *(
        _rule(f"{cast}-of-{op}", f"({cast}:W ({op} x y))", f"({op} ({cast}:W x) ({cast}:W y))", "bit by bit")
        for op in ("and", "or", "xor") for cast in ("zext", "sext")
    ),
    *(
        _rule(
            f"{op}-of-zexts", f"({op} (zext:W x:N) (zext:W y:N))", f"(zext:W ({op} x y))", "the values do not change",
            widths=widths,
        )
        for op, widths in (("umin", WIDTHS), ("umax", WIDTHS), ("udiv", (1, 2, 4)), ("urem", (1, 2, 4)))
    ),
    *(
        _rule(f"{op}-of-sexts", f"({op} (sext:W x:N) (sext:W y:N))", f"(sext:W ({op} x y))", "the values do not change")
        for op in ("smin", "smax")
    ),
    _rule("smin-of-zexts", "(smin (zext:W x:N) (zext:W y:N))", "(zext:W (umin x y))", "no signs"),
    _rule("smax-of-zexts", "(smax (zext:W x:N) (zext:W y:N))", "(zext:W (umax x y))", "no signs"),
    _rule("zext-of-nuw-add", "(zext:W (add nuw x y))", "(add (zext:W x) (zext:W y))", "no carry"),
    _rule("zext-of-nuw-mul", "(zext:W (mul nuw x y))", "(mul (zext:W x) (zext:W y))", "no carry", widths=PRODUCTS),
    _rule("sext-of-nsw-add", "(sext:W (add nsw x y))", "(add (sext:W x) (sext:W y))", "no carry"),
    _rule("sext-of-nsw-sub", "(sext:W (sub nsw x y))", "(sub (sext:W x) (sext:W y))", "no borrow"),
    _rule("zext-of-nuw-sub", "(zext:W (sub nuw x y))", "(sub (zext:W x) (zext:W y))", "no borrow"),
    _rule("lshr-of-zext", "(lshr (zext:W x) C)", "(zext:W (lshr x {C}))", "zeros come in", "C < width(x)"),
    _rule("lshr-of-zext-out", "(lshr (zext x) C)", "0", "only zeros remain", "width(x) <= C < width(C)"),
    _rule(
        "ashr-of-sext-out", "(ashr (sext:W x) C)", "(sext:W (ashr x {width(x) - 1}))", "only the sign remains",
        "width(x) - 1 <= C < width(C)",
    ),
    _rule(
        "trunc-of-shl", "(trunc:N (shl x C))", "(shl (trunc:N x) {C})", "low bits depend on low bits",
        "C < width(N) and C < 2**width(N)",
    ),
    _rule("trunc-of-lshr-of-zext", "(trunc:N (lshr (zext x:N) C))", "(lshr x {C})", "zeros come in", "C < width(N)"),
    _rule(
        "trunc-of-ashr-of-sext", "(trunc:N (ashr (sext x:N) C))", "(ashr x {C})", "the sign comes in", "C < width(N)",
    ),
    _rule(
        "trunc-of-lshr-of-sext", "(trunc:N (lshr (sext x:N) C))", "(ashr x {C})", "copies of the sign come in",
        "C < width(N) and C + width(N) <= width(C)",
    ),
    _rule("trunc-bit", "(trunc:1 x)", "(icmp ne (and x 1) 0)", "the lowest bit", widths=(2, 4, 8, 16, 32, 64)),
    _rule("bit-as-trunc", "(icmp ne (and x 1) 0)", "(trunc:1 x)", "the lowest bit", "width(x) > 1"),
    _rule("bit-clear-as-trunc", "(icmp eq (and x 1) 0)", "(xor (trunc:1 x) true)", "the lowest bit", "width(x) > 1"),
    _rule("bit-at-as-trunc", "(icmp ne (and x (shl 1 y)) 0)", "(trunc:1 (lshr x y))", "one bit", "width(x) > 1"),
    _rule("bit-of-lshr", "(icmp ne (and (lshr x y) 1) 0)", "(icmp ne (and x (shl 1 y)) 0)", "one bit"),
    _rule("bit-of-shl", "(icmp ne (and x (shl 1 y)) 0)", "(icmp ne (and (lshr x y) 1) 0)", "one bit"),
    _rule("bit-of-lshr-clear", "(icmp eq (and (lshr x y) 1) 0)", "(icmp eq (and x (shl 1 y)) 0)", "one bit"),
    _rule("bit-of-shl-clear", "(icmp eq (and x (shl 1 y)) 0)", "(icmp eq (and (lshr x y) 1) 0)", "one bit"),
    _rule(
        "bit-at-constant", "(zext (icmp ne (and x C) 0))", "(and (lshr x {log2(C)}) 1)", "one bit",
        "ispow2(C) and width(x) > 1",
    ),
    _rule(
        "bit-at-constant-clear", "(zext (icmp eq (and x C) 0))", "(xor (and (lshr x {log2(C)}) 1) 1)", "one bit",
        "ispow2(C) and width(x) > 1",
    ),
    _rule(
        "bit-extracted", "(zext (trunc:1 (lshr x C)))", "(and (lshr x C) 1)", "one bit", "C < width(x)",
        widths=(2, 4, 8, 16, 32, 64),
    ),
    _rule(
        "bit-tested", "(icmp ne (lshr (and x C) D) 0)", "(icmp ne (and x C) 0)", "one bit",
        "ispow2(C) and D < width(x) and C >> D != 0",
    ),
    _rule("bool-of-small", "(zext (icmp ne x 0))", "x", "0 or 1", "width(x) > 1", need="x < 2"),
    _rule("bool-of-small-eq", "(zext (icmp eq x 1))", "x", "0 or 1", "width(x) > 1", need="x < 2"),
    _rule("not-of-small", "(zext (icmp eq x 0))", "(xor x 1)", "0 or 1", "width(x) > 1", need="x < 2"),
    _rule("zext-bool-ne", "(icmp ne (zext c:1) 0)", "c", "0 or 1"),
    _rule("zext-bool-eq", "(icmp eq (zext c:1) 0)", "(xor c true)", "0 or 1"),
    _rule("sext-bool-ne", "(icmp ne (sext c:1) 0)", "c", "0 or -1"),
    _rule("zext-bool-eq-one", "(icmp eq (zext c:1) 1)", "c", "0 or 1"),
    _rule("zext-bool-negated", "(sub 0 (zext c:1))", "(sext c)", "0 or -1", "width(c) == 1"),
    _rule("sext-bool-negated", "(sub 0 (sext c:1))", "(zext c)", "0 or 1"),
    _rule("sext-bool-as-negation", "(sext c:1)", "(sub 0 (zext c))", "0 or -1"),
    _rule("zext-not", "(zext (xor c:1 true))", "(xor (zext c) 1)", "0 or 1"),
    _rule("zext-not-outwards", "(xor (zext c:1) 1)", "(zext (xor c true))", "0 or 1"),
    _rule("sext-not", "(sext (xor c:1 true))", "(add (zext c) -1)", "0 or -1"),
    _rule("sext-not-outwards", "(add (zext c:1) -1)", "(sext (xor c true))", "0 or -1"),
    _rule("not-sext", "(xor (sext c:1) -1)", "(sext (xor c true))", "0 or -1"),
    _rule("add-zext-bool", "(add x (zext c:1))", "(sub x (sext c))", "0 or 1"),
    _rule("sub-sext-bool", "(sub x (sext c:1))", "(add x (zext c))", "0 or 1"),
    _rule("add-sext-bool", "(add x (sext c:1))", "(sub x (zext c))", "0 or 1"),
    _rule("sub-zext-bool", "(sub x (zext c:1))", "(add x (sext c))", "0 or 1"),
    _rule("sub-bools", "(sub 1 (zext c:1))", "(zext (xor c true))", "0 or 1", "width(c) == 1"),
    _rule(
        "bswap-of-zext-byte", "(lshr (bswap (zext:W x)) C)", "(zext:W x)", "the byte comes back",
        "width(x) == 8 and C == width(C) - 8 and width(C) % 16 == 0", widths=(8,),
    ),
    _rule("ptr-offset", "(sub (ptrtoint (gep p x)) (ptrtoint p))", "x", "addresses wrap at 64 bits", widths=(64,)),
    _rule(
        "ptr-offsets", "(sub (ptrtoint (gep p x)) (ptrtoint (gep p y)))", "(sub x y)", "the base cancels", widths=(64,),
    ),
    _rule("ptr-add", "(ptrtoint (gep p x))", "(add (ptrtoint p) x)", "addresses wrap at 64 bits", widths=(64,)),
    _rule("gep-zero", "(gep p 0)", "p", "no offset", widths=(64,)),
    _rule("gep-gep", "(gep (gep p C) D)", "(gep p {C + D})", "offsets add", widths=(64,)),
    _rule("gep-gep-any", "(gep (gep p x) y)", "(gep p (add x y))", "offsets add", widths=(64,)),
    _rule("gep-sum", "(gep p (add x y))", "(gep (gep p x) y)", "offsets add", widths=(64,)),
)  # fmt: skip
