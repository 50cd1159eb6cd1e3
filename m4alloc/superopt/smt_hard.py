"""Queries that are hard bit by bit: products and divisions, decided by rewriting them or case by case."""

from __future__ import annotations

from collections.abc import Iterator

import z3

from m4alloc.superopt.smt_clock import METHOD, Answer, Clock, out_of_time
from m4alloc.superopt.smt_exhaust import Program
from m4alloc.superopt.smt_values import Term

FIRST_SHARE = 0.15
"""Of the budget: what the plain query and the rewritten one may use each."""
CASES_SHARE = 0.6
"""Of what is left then: what all cases together may use."""
STEPS = 100_000
"""Of rewriting products."""
WIDE_PRODUCT = 32
"""Up to this width an overflow of a product may be read off the product at twice the width."""
SPLIT_BITS = 8
"""A hard query is decided for each value of one variable that is at most so wide."""

_SHIFTS = frozenset({z3.Z3_OP_BSHL, z3.Z3_OP_BLSHR, z3.Z3_OP_BASHR})
_RESTS = frozenset({z3.Z3_OP_BUREM, z3.Z3_OP_BUREM_I})
_QUOTIENTS = frozenset({z3.Z3_OP_BUDIV, z3.Z3_OP_BUDIV_I})
_SIGNED_RESTS = frozenset({z3.Z3_OP_BSREM, z3.Z3_OP_BSREM_I})


def plain(original: Term, bad: Term, clock: Clock) -> Answer:
    """Whether `bad`, which is `original` simplified, can hold: one query, and other ways where that takes too long."""
    program = Program(bad)
    if program.hard and program.is_small:
        return _exhausted(program, bad, clock)
    if program.hard and program.is_supported and (found := program.sample()) is not None:
        result, model = clock.check([bad, *found])
        if model is not None:
            return Answer(model=model)
    result, model = clock.check([bad], limit=clock.seconds * FIRST_SHARE)
    method = METHOD
    if result == z3.unknown:
        # Many products differ only by the laws of a ring, many remainders only in how they are computed.
        rewritten = _rewritten(original)
        if z3.is_false(rewritten):
            return Answer(proved=True, method=f"{METHOD} after rewriting products")
        result, model = clock.check([rewritten], limit=clock.seconds * FIRST_SHARE)
    if result == z3.unknown and program.is_small:
        return _exhausted(program, bad, clock)
    if result == z3.unknown and (split := _splitter(bad)) is not None:
        method = f"{METHOD}, case by case"
        result, model = _by_cases(bad, split, clock)
    if result == z3.unknown:
        method = METHOD
        result, model = clock.check([bad])
    if result == z3.unsat:
        return Answer(proved=True, method=method)
    return Answer(model=model) if model is not None else out_of_time(clock)


def _exhausted(program: Program, bad: Term, clock: Clock) -> Answer:
    """The answer by trying every input; z3 only makes the model."""
    found = program.find()
    if found is None:
        return Answer(proved=True, method=f"{METHOD} terms on all {1 << program.bits} inputs")
    _, model = clock.check([bad, *found])
    return out_of_time(clock) if model is None else Answer(model=model)


def _nodes(term: Term) -> Iterator[Term]:
    """Every node of a term once."""
    seen: set[int] = set()
    stack = [term]
    while stack:
        node = stack.pop()
        if node.get_id() not in seen:
            seen.add(node.get_id())
            yield node
            stack += node.children()


def aligned_products(term: Term) -> Term:
    """The tests for overflow of unsigned products in the form that the rest of the term uses: by a division of the
    greatest number where one of the factors divides, else by the product at twice the width where that is cheap."""
    tests: list[Term] = []
    divisors: set[int] = set()
    widths: set[int] = set()
    term = _divided_products(term)
    for node in _nodes(term):
        kind = node.decl().kind() if z3.is_app(node) else None
        if kind == z3.Z3_OP_BUMUL_NO_OVFL:
            tests.append(node)
        elif kind in _QUOTIENTS:
            divisors.add(node.arg(1).get_id())
        elif kind == z3.Z3_OP_BMUL:
            widths.add(node.size())
    pairs = []
    for test in tests:
        a, b = test.children()
        width = a.size()
        if a.get_id() not in divisors and b.get_id() in divisors:
            a, b = b, a
        if a.get_id() in divisors:
            pairs.append((test, z3.Or(a == 0, z3.ULE(b, z3.UDiv(z3.BitVecVal(-1, width), a)))))
        elif width <= WIDE_PRODUCT or 2 * width in widths:
            wide = z3.ZeroExt(width, a) * z3.ZeroExt(width, b)
            pairs.append((test, z3.Extract(2 * width - 1, width, wide) == 0))
    return z3.substitute(term, *pairs) if pairs else term


def _divided_products(term: Term) -> Term:
    """Each `a * b / a == b`, where the term tests the same product for overflow, as that test.

    For a != 0 and without an overflow the quotient is b; with one the product is less than the true one, and the
    quotient less than b.  For a == 0 the solver's quotient is the greatest number.
    """
    nodes = [node for node in _nodes(term) if z3.is_app(node)]
    tests = {
        frozenset(part.get_id() for part in node.children()): node
        for node in nodes
        if node.decl().kind() == z3.Z3_OP_BUMUL_NO_OVFL
    }
    pairs = []
    for node in nodes if tests else ():
        kind = node.decl().kind()
        if kind not in (z3.Z3_OP_EQ, z3.Z3_OP_DISTINCT) or node.num_args() != 2 or not z3.is_bv(node.arg(0)):
            continue
        for quotient, b in (node.children(), node.children()[::-1]):
            if quotient.decl().kind() in _QUOTIENTS and quotient.arg(0).decl().kind() == z3.Z3_OP_BMUL:
                a = quotient.arg(1)
                test = tests.get(frozenset((a.get_id(), b.get_id())))
                factors = sorted(part.get_id() for part in quotient.arg(0).children())
                if test is not None and factors == sorted((a.get_id(), b.get_id())):
                    same = z3.If(a == 0, b == -1, test)
                    pairs.append((node, same if kind == z3.Z3_OP_EQ else z3.Not(same)))
    return z3.substitute(term, *pairs) if pairs else term


def _rewritten(term: Term) -> Term:
    """The term as sums of products, or as it is where that would grow beyond all measure."""
    term = _without_rests(term)
    try:
        return z3.simplify(term, som=True, max_steps=STEPS)
    except z3.Z3Exception:
        return term


def _without_rests(term: Term) -> Term:
    """Each remainder as what the product of quotient and divisor leaves: a quotient of the same operands is then one
    term, which spares the solver the proof that two dividers agree."""
    while True:
        pairs = []
        for node in _nodes(term):
            kind = node.decl().kind() if z3.is_app(node) else None
            if kind in _RESTS:
                a, b = node.children()
                pairs.append((node, a - z3.UDiv(a, b) * b))
            elif kind in _SIGNED_RESTS:
                a, b = node.children()
                pairs.append((node, a - (a / b) * b))
        if not pairs:
            return term
        term = z3.substitute(term, *pairs[-1:])


def _splitter(bad: Term) -> Term | None:
    """What to tell cases apart by: a narrow variable, or the amount of a shift; None where there is neither."""
    narrow: list[Term] = []
    amounts: list[Term] = []
    for node in _nodes(bad):
        if not z3.is_bv(node):
            continue
        kind = node.decl().kind()
        if kind == z3.Z3_OP_UNINTERPRETED and not node.children() and 1 < node.size() <= SPLIT_BITS:
            narrow.append(node)
        elif kind in _SHIFTS and not z3.is_bv_value(node.arg(1)):
            amounts.append(node.arg(1))
    if narrow:
        return max(narrow, key=lambda term: int(term.size()))
    return amounts[0] if amounts else None


def _by_cases(bad: Term, split: Term, clock: Clock) -> tuple[z3.CheckSatResult, z3.ModelRef | None]:
    """The query for each value of `split`, which is a variable, or an amount of which only those below the width of the
    shift are told apart."""
    width = split.size()
    is_variable = not split.children()
    count = 1 << width if is_variable and width <= SPLIT_BITS else min(width, 1 << width)
    share = clock.left * CASES_SHARE
    spent = clock.left
    for value in range(count):
        number = z3.BitVecVal(value, width)
        case = z3.simplify(z3.substitute(bad, (split, number)))
        if z3.is_false(case):
            continue
        result, model = clock.check([case, split == number], limit=share - (spent - clock.left))
        if result != z3.unsat:
            return result, model
    if count < 1 << width:
        return clock.check([bad, z3.UGE(split, z3.BitVecVal(count, width))], limit=share - (spent - clock.left))
    return z3.unsat, None
