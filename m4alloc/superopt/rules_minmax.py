"""Minimum and maximum: absorbed, clamped, made of comparisons and of saturating arithmetic, and back."""

from __future__ import annotations

from m4alloc.superopt.rules_kinds import of_kind

_rule = of_kind("minmax")
_DUAL = {"umin": "umax", "umax": "umin", "smin": "smax", "smax": "smin"}
_BELOW = {"umin": "ult", "umax": "ugt", "smin": "slt", "smax": "sgt"}
_UP_TO = {"umin": "ule", "umax": "uge", "smin": "sle", "smax": "sge"}
_READ = {"umin": "{}", "umax": "{}", "smin": "signed({})", "smax": "signed({})"}
_SIGN = {"umin": "<=", "umax": ">=", "smin": "<=", "smax": ">="}

_EACH = tuple(
    rule
    for op, dual in _DUAL.items()
    for rule in (
        _rule(f"{op}-self", f"({op} x x)", "x", "idempotent"),
        _rule(f"{op}-repeat", f"({op} x ({op} x y))", f"({op} x y)", "idempotent"),
        _rule(f"{op}-absorbs", f"({op} x ({dual} x y))", "x", "absorption"),
        _rule(f"{op}-associative", f"({op} ({op} x y) z)", f"({op} x ({op} y z))", "associative"),
        _rule(
            f"{op}-constants", f"({op} ({op} x C) D)", f"({op} x C)", "the tighter bound",
            f"{_READ[op].format('C')} {_SIGN[op]} {_READ[op].format('D')}",
        ),
        _rule(
            f"{op}-constants-other", f"({op} ({op} x C) D)", f"({op} x D)", "the tighter bound",
            f"{_READ[op].format('D')} {_SIGN[op]} {_READ[op].format('C')}",
        ),
        _rule(
            f"{op}-of-{dual}-constants", f"({op} ({dual} x C) D)", "D", "the bounds cross",
            f"{_READ[op].format('D')} {_SIGN[op]} {_READ[op].format('C')}",
        ),
        _rule(
            f"{op}-{dual}-turned", f"({op} ({dual} x C) D)", f"({dual} ({op} x D) C)", "a clamp",
            f"{_READ[op].format('C')} {_SIGN[op]} {_READ[op].format('D')}",
        ),
        _rule(f"{op}-of-nots", f"({op} (xor x -1) (xor y -1))", f"(xor ({dual} x y) -1)", "~ turns the order"),
        _rule(f"not-of-{op}", f"(xor ({op} x y) -1)", f"({dual} (xor x -1) (xor y -1))", "~ turns the order"),
        _rule(f"{op}-not-constant", f"({op} (xor x -1) C)", f"(xor ({dual} x {{~C}}) -1)", "~ turns the order"),
        _rule(f"{op}-by-select", f"(select (icmp {_BELOW[op]} x y) x y)", f"({op} x y)", "the definition"),
        _rule(f"{op}-by-select-equal", f"(select (icmp {_UP_TO[op]} x y) x y)", f"({op} x y)", "the definition"),
        _rule(f"{op}-by-select-turned", f"(select (icmp {_BELOW[dual]} x y) y x)", f"({op} x y)", "the definition"),
        _rule(f"{op}-as-select", f"({op} x y)", f"(select (icmp {_BELOW[op]} x y) x y)", "the definition"),
        _rule(
            f"{op}-known", f"({op} x y)", "x", "established",
            need=f"{_READ[op].format('x')} {_SIGN[op]} {_READ[op].format('y')}",
        ),
        _rule(f"{op}-select-constant", f"(select (icmp {_BELOW[op]} x C) x C)", f"({op} x C)", "the definition"),
        _rule(
            f"{op}-select-common", f"({op} (select c x z) (select c y w))", f"(select c ({op} x y) ({op} z w))",
            "one condition",
        ),
        _rule(f"{op}-eq-left", f"(icmp eq ({op} x y) x)", f"(icmp {_UP_TO[op]} x y)", "the one taken"),
        _rule(f"{op}-ne-left", f"(icmp ne ({op} x y) x)", f"(icmp {_BELOW[dual]} x y)", "the other taken"),
        _rule(f"{op}-bound-test", f"(icmp {_BELOW[op]} ({op} x y) y)", f"(icmp {_BELOW[op]} x y)", "the first taken"),
        _rule(f"{op}-of-pair-{dual}", f"({op} ({op} x y) ({dual} x y))", f"({op} x y)", "they are in order"),
        _rule(f"{op}-distributes", f"({op} ({dual} x y) ({dual} x z))", f"({dual} x ({op} y z))", "distribution"),
        _rule(
            f"{op}-of-flipped", f"({op} (xor x C) (xor y C))",
            f"(xor ({op.replace(op[0], 's' if op[0] == 'u' else 'u', 1)} x y) C)", "the order moves by half",
            "C == 2**(width(x) - 1)",
        ),
    )
)  # fmt: skip

_PAIRS = tuple(
    _rule(
        f"{op}-of-{a}-{b}", f"({op} ({a} x y) ({b} x y))", f"({op} x y)", "both, in some order",
        widths=(1, 2, 4) if op == "mul" else (1, 2, 4, 8, 16, 32, 64),
    )
    for a, b in (("umin", "umax"), ("smin", "smax")) for op in ("add", "mul", "and", "or", "xor")
)  # fmt: skip

_ENDS = (
    _rule("umin-zero", "(umin x 0)", "0", "the least"),
    _rule("umin-ones", "(umin x -1)", "x", "the greatest"),
    _rule("umax-zero", "(umax x 0)", "x", "the least"),
    _rule("umax-ones", "(umax x -1)", "-1", "the greatest"),
    _rule("smin-greatest", "(smin x C)", "x", "the greatest", "C == 2**(width(x) - 1) - 1"),
    _rule("smin-least", "(smin x C)", "C", "the least", "C == 2**(width(x) - 1)"),
    _rule("smax-least", "(smax x C)", "x", "the least", "C == 2**(width(x) - 1)"),
    _rule("smax-greatest", "(smax x C)", "C", "the greatest", "C == 2**(width(x) - 1) - 1"),
    _rule("umin-one", "(umin x 1)", "(zext (icmp ne x 0))", "0 or 1", "width(x) > 1"),
    _rule("bool-as-umin", "(zext (icmp ne x 0))", "(umin x 1)", "0 or 1", "width(x) > 1"),
    _rule("umax-one", "(umax x 1)", "(select (icmp eq x 0) 1 x)", "0 becomes 1", "width(x) > 1"),
    _rule("umax-one-by-select", "(select (icmp eq x 0) 1 x)", "(umax x 1)", "0 becomes 1", "width(x) > 1"),
    _rule("umax-one-by-select-ne", "(select (icmp ne x 0) x 1)", "(umax x 1)", "0 becomes 1", "width(x) > 1"),
    _rule("umax-one-by-add", "(add x (zext (icmp eq x 0)))", "(umax x 1)", "0 becomes 1", "width(x) > 1"),
    _rule("umin-bool", "(umin x:1 y)", "(and x y)", "0 before 1", widths=(1,)),
    _rule("umax-bool", "(umax x:1 y)", "(or x y)", "0 before 1", widths=(1,)),
    _rule("umin-mask-and", "(umin (and x C) C)", "(and x C)", "a mask bounds"),
    _rule(
        "umin-lshr-bound", "(umin (lshr x C) D)", "(lshr x C)", "a shift bounds",
        "C < width(x) and D >= (2**width(x) - 1) >> C",
    ),
    _rule("smin-nonnegative", "(smin x y)", "(umin x y)", "no signs", need=("signed(x) >= 0", "signed(y) >= 0")),
    _rule("smax-nonnegative", "(smax x y)", "(umax x y)", "no signs", need=("signed(x) >= 0", "signed(y) >= 0")),
    _rule("umin-nonnegative", "(umin x y)", "(smin x y)", "no signs", need=("signed(x) >= 0", "signed(y) >= 0")),
    _rule("umax-nonnegative", "(umax x y)", "(smax x y)", "no signs", need=("signed(x) >= 0", "signed(y) >= 0")),
    _rule("umin-add-nuw", "(umin (add nuw x z) (add nuw y z))", "(add (umin x y) z)", "z moves out"),
    _rule("umax-add-nuw", "(umax (add nuw x z) (add nuw y z))", "(add (umax x y) z)", "z moves out"),
    _rule("smin-add-nsw", "(smin (add nsw x z) (add nsw y z))", "(add (smin x y) z)", "z moves out"),
    _rule("umin-below-both", "(icmp ult z (umin x y))", "(and (icmp ult z x) (icmp ult z y))", "below both"),
    _rule("umax-above-both", "(icmp ugt z (umax x y))", "(and (icmp ugt z x) (icmp ugt z y))", "above both"),
    _rule("umin-test", "(icmp ult (umin x y) z)", "(or (icmp ult x z) (icmp ult y z))", "one is below"),
    _rule("umax-test", "(icmp ult (umax x y) z)", "(and (icmp ult x z) (icmp ult y z))", "both are below"),
    _rule("umin-minus", "(sub x (umin x y))", "(usub.sat x y)", "what is more"),
    _rule("umax-minus", "(sub (umax x y) y)", "(usub.sat x y)", "what is more"),
    _rule("umin-by-usub", "(sub x (usub.sat x y))", "(umin x y)", "without what is more"),
    _rule("umax-by-usub", "(add (usub.sat x y) y)", "(umax x y)", "with what is more"),
    _rule("umin-as-usub", "(umin x y)", "(sub x (usub.sat x y))", "without what is more"),
    _rule("umax-as-usub", "(umax x y)", "(add (usub.sat x y) y)", "with what is more"),
    _rule("usub-as-umax", "(usub.sat x y)", "(sub (umax x y) y)", "what is more"),
    _rule("usub-as-umin", "(usub.sat x y)", "(sub x (umin x y))", "what is more"),
    _rule(
        "umin-of-wrapped", "(umin x (sub x y))", "(select (icmp ult x y) x (sub x y))",
        "the wrapped difference is larger",
    ),
    _rule(
        "umin-by-wrapped", "(select (icmp ult x y) x (sub x y))", "(umin x (sub x y))",
        "the wrapped difference is larger", need="y != 0",
    ),
    _rule("umin-by-mask", "(xor y (and (xor x y) (sext (icmp ult x y))))", "(umin x y)", "a mask of the comparison"),
    _rule(
        "umin-by-mask-sub", "(add y (and (sub x y) (sext (icmp ult x y))))", "(umin x y)", "a mask of the comparison",
    ),
    _rule("umax-by-mask", "(xor x (and (xor x y) (sext (icmp ult x y))))", "(umax x y)", "a mask of the comparison"),
    _rule("smin-by-mask", "(xor y (and (xor x y) (sext (icmp slt x y))))", "(smin x y)", "a mask of the comparison"),
    _rule("smax-by-mask", "(xor x (and (xor x y) (sext (icmp slt x y))))", "(smax x y)", "a mask of the comparison"),
    _rule("umin-by-clamp", "(select (icmp ugt x C) C x)", "(umin x C)", "a clamp"),
    _rule("umin-by-clamp-next", "(select (icmp ult x C) x D)", "(umin x D)", "a clamp", "C == D + 1 or C == D"),
    _rule("umax-by-clamp-next", "(select (icmp ugt x C) x D)", "(umax x D)", "a clamp", "C + 1 == D or C == D"),
    _rule(
        "smin-by-clamp-next", "(select (icmp slt x C) x D)", "(smin x D)", "a clamp",
        "signed(C) == signed(D) + 1 or C == D",
    ),
    _rule(
        "smax-by-clamp-next", "(select (icmp sgt x C) x D)", "(smax x D)", "a clamp",
        "signed(C) + 1 == signed(D) or C == D",
    ),
    _rule("min-of-three", "(umin (umin x y) (umin x z))", "(umin x (umin y z))", "idempotent"),
)  # fmt: skip

RULES = (*_EACH, *_PAIRS, *_ENDS)
