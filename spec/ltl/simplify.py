"""Simplification: rewriting by published equivalences, until none applies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from spec.ltl.formula import FALSE, TRUE, Formula, Operator, disjunction, make, subformulas
from spec.ltl.implication import Implication
from spec.ltl.normal import DUALS, negation_normal_form

O = Operator  # noqa: E741
_PAIRWISE = 40
"""The parts of a longer conjunction are not compared with each other."""


def simplify(formula: Formula, *, finite: bool = False) -> Formula:
    """A formula in negation normal form, usually smaller, that the same infinite words satisfy.

    finite: the same finite words too, of which X and N say different things; otherwise N is written X.
    Cost: linear in the formula, times the comparisons of the parts of its conjunctions; bounded.
    Source: Somenzi and Bloem, Efficient Buchi automata from LTL formulae (2000); Etessami and Holzmann, Optimizing
    Buchi automata (2000); the rules collected in Duret-Lutz, LTL translation improvements in Spot 1.0 (2014).

    >>> from spec.ltl.parser import parse
    >>> simplify(parse("<>[]p && <>[]q")), simplify(parse("[](p U q)")), simplify(parse("!(p -> p)"))
    (<>[](p && q), []<>q && [](p || q), false)
    >>> simplify(parse("[]X p")), simplify(parse("[]X p"), finite=True)
    (X []p, []X p)
    """
    return _simplified(formula, finite)


@lru_cache(maxsize=1024)
def _simplified(formula: Formula, finite: bool) -> Formula:
    normal = negation_normal_form(formula)
    try:
        return Simplifier(finite).simplify(normal)
    except RecursionError:  # nested deeper than the interpreter goes: left as it is
        return normal if finite else _with_one_next(normal)


def _with_one_next(formula: Formula) -> Formula:
    """The formula with X for N."""
    done: dict[Formula, Formula] = {}
    for part in subformulas(formula):
        operator = O.NEXT if part.operator is O.WEAK_NEXT else part.operator
        done[part] = make(operator, tuple(done[operand] for operand in part.operands), part.name)
    return done[formula]


def gathered(formula: Formula) -> Formula:
    """The formula with disjunctions of <> and []<> written as one <> or []<>, for a smaller tableau.

    formula: simplified. <>a || <>b || c is <>(a || b || c) where c holds always or never, and []<>a || <>b is
    []<>(a || b) where b, once true, stays so: a run that waits for a need not decide whether it will come to b.
    The rules of `simplify` go the other way, as what stands alone is easier to compare.

    >>> from spec.ltl.parser import parse
    >>> gathered(parse("<>p || []<>q")), gathered(parse("<>[]p || []<>q"))
    (<>(p || []<>q), []<>([]p || q))
    """
    known = Implication()
    done: dict[Formula, Formula] = {}
    for part in subformulas(formula):
        operands = tuple(done[operand] for operand in part.operands)
        result = part if operands == part.operands else make(part.operator, operands, part.name)
        done[part] = _gathered(operands, known) if part.operator is O.OR else result
    return done[formula]


def _gathered(disjuncts: tuple[Formula, ...], known: Implication) -> Formula:
    inner = [f.operands[0] for f in disjuncts if f.operator is O.EVENTUALLY]
    others = [f for f in disjuncts if f.operator is not O.EVENTUALLY]
    lasting = [f for f in inner if known.universal(f)]
    recurring = [f for f in others if f.operator is O.ALWAYS and f.operands[0].operator is O.EVENTUALLY]
    if lasting and recurring:
        goals = [*lasting, *(f.operands[0].operands[0] for f in recurring)]
        inner = [f for f in inner if f not in lasting]
        joined = make(O.ALWAYS, (make(O.EVENTUALLY, (disjunction(*goals),)),))
        others = [joined, *(f for f in others if f not in recurring)]
    if inner:
        steady = [f for f in others if known.suspendable(f)]
        others = [f for f in others if f not in steady]
        others.append(make(O.EVENTUALLY, (disjunction(*inner, *steady),)))
    return disjunction(*others)


class Simplifier:
    """Builds simplified formulas from simplified operands.

    Rules are written for &&, <>, U, W, X, Y, O and S; by duality they serve ||, [], R, M, N, Z, H and T.
    """

    def __init__(self, finite: bool = False) -> None:
        self.finite = finite
        self.known = Implication(finite)
        self._built: dict[tuple[Operator, tuple[Formula, ...]], Formula] = {}
        self._rules: dict[Operator, Callable[..., Formula]] = {
            O.AND: self._and,
            O.EVENTUALLY: self._eventually,
            O.UNTIL: self._until,
            O.WEAK_UNTIL: self._weak_until,
            O.NEXT: self._next,
            O.YESTERDAY: self._yesterday,
            O.ONCE: self._once,
            O.SINCE: self._since,
        }

    def simplify(self, formula: Formula) -> Formula:
        """The simplified form of a formula in negation normal form."""
        done: dict[Formula, Formula] = {}
        for part in subformulas(formula):
            if part.operator in (O.TRUE, O.FALSE, O.PROPOSITION, O.NOT):
                done[part] = part
            else:
                done[part] = self.build(part.operator, *(done[operand] for operand in part.operands))
        return done[formula]

    def build(self, operator: Operator, *operands: Formula) -> Formula:
        """The formula of an operator and simplified operands, simplified."""
        key = operator, operands
        known = self._built.get(key)
        if known is None:
            if operator is O.WEAK_NEXT and not self.finite:
                known = self.build(O.NEXT, *operands)
            elif operator in self._rules:
                known = self._rules[operator](*operands)
            else:
                turned = self.build(DUALS[operator], *map(self.known.negation, operands))
                known = self.known.negation(turned)
            self._built[key] = known
        return known

    def both(self, *parts: Formula) -> Formula:
        """Their conjunction."""
        return self.build(O.AND, *parts)

    def either(self, *parts: Formula) -> Formula:
        """Their disjunction."""
        return self.build(O.OR, *parts)

    def _split(self, parts: Iterable[Formula], test: Callable[[Formula], bool]) -> tuple[list[Formula], list[Formula]]:
        yes: list[Formula] = []
        no: list[Formula] = []
        for part in parts:
            (yes if test(part) else no).append(part)
        return yes, no

    # X, and the past

    def _next(self, a: Formula) -> Formula:
        if a is FALSE:
            return FALSE
        if not self.finite:
            if a is TRUE or self.known.suspendable(a):
                return a
            if a.operator in (O.AND, O.OR):
                steady, rest = self._split(a.operands, self.known.suspendable)
                if steady:
                    return self.build(a.operator, self._next(self.build(a.operator, *rest)), *steady)
        return make(O.NEXT, (a,))

    def _yesterday(self, a: Formula) -> Formula:
        return FALSE if a is FALSE else make(O.YESTERDAY, (a,))

    def _once(self, a: Formula) -> Formula:
        if a in (TRUE, FALSE) or a.operator is O.ONCE:
            return a
        if a.operator is O.SINCE:
            return self.build(O.ONCE, a.operands[1])
        return make(O.ONCE, (a,))

    def _since(self, a: Formula, b: Formula) -> Formula:
        if b in (TRUE, FALSE) or a is FALSE or self.known.implies(a, b):
            return b
        if a is TRUE:
            return self.build(O.ONCE, b)
        return make(O.SINCE, (a, b))

    # <>

    def _eventually(self, a: Formula) -> Formula:
        known = self.known
        if a in (TRUE, FALSE) or known.eventual(a):
            return a
        match a.operator:
            case O.NEXT:
                return self.build(O.NEXT, self.build(O.EVENTUALLY, a.operands[0]))
            case O.UNTIL:
                return self.build(O.EVENTUALLY, a.operands[1])
            case O.STRONG_RELEASE:
                return self.build(O.EVENTUALLY, self.both(*a.operands))
            case O.WEAK_UNTIL:
                left, right = a.operands
                return self.either(
                    self.build(O.EVENTUALLY, self.build(O.ALWAYS, left)), self.build(O.EVENTUALLY, right)
                )
            case O.RELEASE:
                return self.either(
                    self.build(O.EVENTUALLY, self.build(O.ALWAYS, a.operands[1])),
                    self.build(O.EVENTUALLY, self.both(*a.operands)),
                )
            case O.AND:
                steady, rest = self._split(a.operands, known.suspendable)
                if steady:
                    return self.both(self.build(O.EVENTUALLY, self.both(*rest)), *steady)
                for part in a.operands:
                    steady, other = self._split(part.operands, known.suspendable) if part.operator is O.OR else ([], [])
                    if steady:
                        rest = [f for f in a.operands if f is not part]
                        return self.either(
                            self.both(self.either(*steady), self.build(O.EVENTUALLY, self.both(*rest))),
                            self.build(O.EVENTUALLY, self.both(*rest, self.either(*other))),
                        )
            case O.OR:
                special, rest = self._split(a.operands, lambda f: known.universal(f) or known.eventual(f))
                if special:
                    return self.either(
                        self.build(O.EVENTUALLY, self.either(*rest)), *(self.build(O.EVENTUALLY, f) for f in special)
                    )
            case O.ALWAYS if a.operands[0].operator is O.OR:
                lasting, rest = self._split(a.operands[0].operands, known.universal)
                if lasting:
                    inner = self.build(O.ALWAYS, self.either(*rest))
                    return self.either(self.build(O.EVENTUALLY, inner), *(self.build(O.EVENTUALLY, f) for f in lasting))
        return make(O.EVENTUALLY, (a,))

    # U and W

    def _until(self, a: Formula, b: Formula) -> Formula:
        known = self.known
        if b in (TRUE, FALSE) or a is FALSE or known.eventual(b) or known.implies(a, b):
            return b
        if a is TRUE or known.implies(known.negation(b), a):
            return self.build(O.EVENTUALLY, b)
        if a.operator is O.NEXT and b.operator is O.NEXT:
            return self.build(O.NEXT, self.build(O.UNTIL, a.operands[0], b.operands[0]))
        if known.universal(a):
            return self.either(b, self.both(a, self.build(O.EVENTUALLY, b)))
        if self._absorbs(a, b, (O.UNTIL, O.WEAK_UNTIL), (O.RELEASE, O.STRONG_RELEASE, O.ALWAYS)):
            return b
        if a.operator is O.UNTIL and known.implies(a.operands[1], b):
            return self.either(a, b)
        if b.operator is O.AND:
            steady, rest = self._split(b.operands, known.suspendable)
            if steady:
                return self.both(self.build(O.UNTIL, a, self.both(*rest)), *steady)
            if len(rest := self._without(a, b)) < len(b.operands):
                return self.build(O.STRONG_RELEASE, self.both(*rest), a)
        if b.operator is O.OR:
            if (other := self._without_always(a, b)) is not None:
                return self.build(O.WEAK_UNTIL, a, other)
            lasting, rest = self._split(b.operands, known.eventual)
            if lasting:
                return self.either(self.build(O.UNTIL, a, self.either(*rest)), *lasting)
        if a.operator is O.AND:
            steady, rest = self._split(a.operands, known.suspendable)
            if steady:
                return self.either(b, self.both(self.build(O.UNTIL, self.both(*rest), b), *steady))
        if a.operator is O.OR:
            steady, rest = self._split(a.operands, known.suspendable)
            if steady:
                later = self.both(self.either(*steady), self.build(O.EVENTUALLY, b))
                return self.either(self.build(O.UNTIL, self.either(*rest), b), later)
        return make(O.UNTIL, (a, b))

    def _weak_until(self, a: Formula, b: Formula) -> Formula:
        known = self.known
        if a is TRUE or b is TRUE or known.implies(known.negation(b), a):
            return TRUE
        if a is FALSE or known.implies(a, b):
            return b
        if b is FALSE:
            return self.build(O.ALWAYS, a)
        if known.universal(a):
            return self.either(a, b)
        if known.universal(b):
            return self.build(O.ALWAYS, self.either(a, b))
        if known.eventual(b):
            return self.either(self.build(O.ALWAYS, a), b)
        if self._absorbs(a, b, (O.WEAK_UNTIL,), (O.RELEASE, O.ALWAYS)):
            return b
        if a.operator in (O.UNTIL, O.WEAK_UNTIL) and known.implies(a.operands[1], b):
            return self.either(a, b)
        if b.operator is O.AND and len(rest := self._without(a, b)) < len(b.operands):
            return self.build(O.RELEASE, self.both(*rest), a)
        if b.operator is O.OR:
            if (other := self._without_always(a, b)) is not None:
                return self.build(O.WEAK_UNTIL, a, other)
            lasting, rest = self._split(b.operands, known.eventual)
            if lasting:
                return self.either(self.build(O.WEAK_UNTIL, a, self.either(*rest)), *lasting)
        if a.operator is O.AND:
            steady, rest = self._split(a.operands, known.suspendable)
            if steady:
                return self.either(b, self.both(self.build(O.WEAK_UNTIL, self.both(*rest), b), *steady))
        if a.operator is O.OR:
            steady, rest = self._split(a.operands, known.suspendable)
            if steady:
                return self.either(self.build(O.WEAK_UNTIL, self.either(*rest), b), *steady)
        return make(O.WEAK_UNTIL, (a, b))

    def _absorbs(self, a: Formula, b: Formula, untils: tuple[Operator, ...], releases: tuple[Operator, ...]) -> bool:
        """Whether b holds backwards over positions where a does: it is c U d and a -> c, or c R d and a -> d."""
        if b.operator in untils:
            return self.known.implies(a, b.operands[0])
        return b.operator in releases and self.known.implies(a, b.operands[-1])

    def _without_always(self, a: Formula, b: Formula) -> Formula | None:
        """The disjunction b without its part []a, if that is one."""
        rest = [f for f in b.operands if not (f.operator is O.ALWAYS and f.operands[0] is a)]
        return self.either(*rest) if len(rest) < len(b.operands) else None

    def _without(self, a: Formula, b: Formula) -> list[Formula]:
        """The conjuncts of b that are not among those of a, if all of a is in b; else all of b."""
        wanted = set(a.operands) if a.operator is O.AND else {a}
        return [f for f in b.operands if f not in wanted] if wanted <= set(b.operands) else list(b.operands)

    # &&

    def _and(self, *operands: Formula) -> Formula:
        seen: dict[Formula, None] = {}
        for operand in operands:
            for part in operand.operands if operand.operator is O.AND else (operand,):
                if part is FALSE or self.known.negation(part) in seen:
                    return FALSE
                if part is not TRUE:
                    seen[part] = None
        parts = list(seen)
        if len(parts) < 2:
            return parts[0] if parts else TRUE
        if len(parts) <= _PAIRWISE:
            compared = self._compared(parts)
            if compared is None:
                return FALSE
            if compared != parts:
                return self.both(*compared)
        joined = self._grouped(parts)
        if len(joined) <= _PAIRWISE:
            joined = self._joined(joined)
        if joined != parts:
            return self.both(*joined)
        return make(O.AND, tuple(parts))

    def _compared(self, parts: list[Formula]) -> list[Formula] | None:
        """The conjuncts without what others imply and disjuncts that others exclude; None for a contradiction."""
        known = self.known
        present = [part for part in parts if not part.temporal]
        if len(present) > 2 and known.implies(make(O.AND, tuple(present)), FALSE):
            return None
        kept = list(parts)
        for part in parts:
            others = [other for other in kept if other is not part]
            if any(known.excludes(other, part) for other in others):
                return None
            if any(known.implies(other, part) for other in others):
                kept = others
                continue
            changed = self._given(part, others)
            if changed is not part:
                kept[kept.index(part)] = changed
                return kept
        return kept

    def _given(self, part: Formula, others: list[Formula]) -> Formula:
        """What is left to say of a conjunct beside the others."""
        known = self.known
        match part.operator:
            case O.OR:
                rest = [f for f in part.operands if not any(known.excludes(other, f) for other in others)]
                if len(rest) < len(part.operands):
                    return self.either(*rest)
            case O.ALWAYS if part.operands[0].operator is O.EVENTUALLY:
                for other in others:
                    if other.operator is O.EVENTUALLY and other.operands[0].operator is O.ALWAYS:
                        goal = self._assuming(part.operands[0].operands[0], other.operands[0].operands[0])
                        if goal is not part.operands[0].operands[0]:
                            return self.build(O.ALWAYS, self.build(O.EVENTUALLY, goal))
            case O.UNTIL | O.STRONG_RELEASE:
                a, b = part.operands if part.operator is O.UNTIL else part.operands[::-1]
                if any(known.universal(other) and known.implies(other, a) for other in others):
                    return self.build(O.EVENTUALLY, b)
        return part

    def _assuming(self, formula: Formula, true: Formula) -> Formula:
        """A conjunction without the conjuncts that `true` implies."""
        parts = formula.operands if formula.operator is O.AND else (formula,)
        rest = [part for part in parts if not self.known.implies(true, part)]
        return self.both(*rest) if len(rest) < len(parts) else formula

    def _grouped(self, parts: list[Formula]) -> list[Formula]:
        """The conjuncts, of those under X one, under [] another and under <> a third, where these distribute."""
        groups: dict[Operator, list[Formula]] = {O.NEXT: [], O.WEAK_NEXT: [], O.ALWAYS: [], O.EVENTUALLY: []}
        rest = []
        for part in parts:
            known, operator = self.known, part.operator
            if (
                operator in (O.NEXT, O.WEAK_NEXT)
                or (operator is O.ALWAYS and not known.eventual(part.operands[0]))
                or (operator is O.EVENTUALLY and known.universal(part.operands[0]))
            ):
                groups[operator].append(part.operands[0])
            else:
                rest.append(part)
        if groups[O.NEXT]:  # X p && N q: there is a next position, so N says no less than X
            groups[O.NEXT] += groups.pop(O.WEAK_NEXT)
        if all(len(found) < 2 for found in groups.values()):
            return parts
        joined = [self.build(operator, self.both(*found)) for operator, found in groups.items() if found]
        return [*joined, *rest]

    def _joined(self, parts: list[Formula]) -> list[Formula]:
        """The conjuncts with those made one that an equivalence joins."""
        rest, result = list(parts), []
        while rest:
            f, others = rest[0], []
            for g in rest[1:]:
                joined = self._pair(f, g) or self._pair(g, f)
                if joined is None:
                    others.append(g)
                else:
                    f = joined
            result.append(f)
            rest = others
        return result

    def _pair(self, f: Formula, g: Formula) -> Formula | None:
        """The conjunction of two formulas as one temporal formula, if a rule gives it."""
        a, b = f.operands, g.operands
        match f.operator, g.operator:
            case (O.UNTIL, O.UNTIL | O.WEAK_UNTIL) | (O.WEAK_UNTIL, O.WEAK_UNTIL) if a[1] is b[1]:
                return self.build(f.operator, self.both(a[0], b[0]), a[1])
            case (O.STRONG_RELEASE, O.STRONG_RELEASE | O.RELEASE) | (O.RELEASE, O.RELEASE) if a[0] is b[0]:
                return self.build(f.operator, a[0], self.both(a[1], b[1]))
            case O.EVENTUALLY, O.WEAK_UNTIL if a[0] is b[1]:
                return self.build(O.UNTIL, *b)
            case O.EVENTUALLY, O.RELEASE if a[0] is b[0]:
                return self.build(O.STRONG_RELEASE, *b)
            case _, O.NEXT | O.WEAK_NEXT if b[0].operator is O.ALWAYS and b[0].operands[0] is f:
                if g.operator is O.WEAK_NEXT or not self.finite:
                    return b[0]
        return None
