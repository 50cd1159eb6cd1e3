"""Implication between formulas that their syntax shows, on infinite words or on finite ones."""

from __future__ import annotations

from collections.abc import Callable

from spec.ltl.automaton import proposition_label
from spec.ltl.formula import FALSE, TRUE, Formula, Operator, make
from spec.ltl.normal import DUALS

O = Operator  # noqa: E741
_LABELLED = 6
"""Boolean formulas of at most so many propositions are compared by truth table."""
_PAIRS = 100_000
"""After so many pairs nothing new is seen to imply anything."""


class Implication:
    """Which formulas imply which, as far as rules on their syntax tell; formulas are in negation normal form.

    finite: whether finite words count too, on which X and N differ.
    An eventual formula holds wherever it holds later; a universal one holds later wherever it holds.
    Source: Somenzi and Bloem, Efficient Buchi automata from LTL formulae (2000); Etessami and Holzmann, Optimizing
    Buchi automata (2000); Babiak, Kretinsky, Rehak and Strejcek, LTL to Buchi automata translation: fast and more
    deterministic (2012).

    >>> from spec.ltl.parser import parse
    >>> known = Implication()
    >>> known.implies(parse("[]p"), parse("q U p")), known.implies(parse("q U p"), parse("[]p"))
    (True, False)
    """

    def __init__(self, finite: bool = False) -> None:
        self.finite = finite
        self._known: dict[tuple[Formula, Formula], bool] = {}
        self._eventual: dict[Formula, bool] = {}
        self._universal: dict[Formula, bool] = {}
        self._tables: dict[Formula, int] = {}
        self._names: list[str] = []
        self._negations: dict[Formula, Formula] = {TRUE: FALSE, FALSE: TRUE}
        self._pairs = _PAIRS

    def negation(self, f: Formula) -> Formula:
        """The negation of `f`, both in negation normal form, and without N where it is X."""
        negations = self._negations
        waiting = [f]
        while waiting:
            part = waiting[-1]
            missing = [operand for operand in part.operands if operand not in negations]
            if part in negations or not missing:
                waiting.pop()
                if part not in negations:
                    other = self._negation(part)
                    negations[part] = other
                    negations[other] = part
            else:
                waiting += missing
        return negations[f]

    def _negation(self, f: Formula) -> Formula:
        """The negation, those of the operands being known."""
        match f.operator:
            case O.PROPOSITION:
                return make(O.NOT, (f,))
            case O.NOT:
                return f.operands[0]
            case operator:
                dual = DUALS[operator]
                if dual is O.WEAK_NEXT and not self.finite:
                    dual = O.NEXT
                return make(dual, tuple(self._negations[operand] for operand in f.operands))

    def eventual(self, f: Formula) -> bool:
        """Whether `f` holds at a position if it does at a later one."""
        return self._filled(f, self._eventual, self._is_eventual)

    def universal(self, f: Formula) -> bool:
        """Whether `f` holds at every later position if it does at one."""
        return self._filled(f, self._universal, self._is_universal)

    @staticmethod
    def _filled(f: Formula, known: dict[Formula, bool], decide: Callable[[Formula], bool]) -> bool:
        """What is decided of `f`, operands first, so that no nesting is too deep."""
        if f not in known:
            waiting = [f]
            while waiting:
                missing = [operand for operand in waiting[-1].operands if operand not in known]
                if missing:
                    waiting += missing
                else:
                    part = waiting.pop()
                    known[part] = decide(part)
        return known[f]

    def suspendable(self, f: Formula) -> bool:
        """Whether `f` holds at all positions or at none."""
        return self.eventual(f) and self.universal(f)

    def _is_eventual(self, f: Formula) -> bool:
        match f.operator:
            case O.TRUE | O.FALSE | O.EVENTUALLY | O.HISTORICALLY:
                return True
            case O.AND | O.OR | O.ALWAYS | O.NEXT:
                return all(self.eventual(g) for g in f.operands)
            case O.WEAK_NEXT:
                return not self.finite and self.eventual(f.operands[0])
            case O.UNTIL | O.RELEASE | O.STRONG_RELEASE:
                return self.eventual(f.operands[1])
            case O.WEAK_UNTIL:
                return self.eventual(f.operands[0]) and self.eventual(f.operands[1])
        return False

    def _is_universal(self, f: Formula) -> bool:
        match f.operator:
            case O.TRUE | O.FALSE | O.ALWAYS | O.ONCE:
                return True
            case O.AND | O.OR | O.EVENTUALLY | O.WEAK_NEXT:
                return all(self.universal(g) for g in f.operands)
            case O.NEXT:
                return not self.finite and self.universal(f.operands[0])
            case O.RELEASE | O.UNTIL | O.WEAK_UNTIL:
                return self.universal(f.operands[1])
            case O.STRONG_RELEASE:
                return self.universal(f.operands[0]) and self.universal(f.operands[1])
        return False

    def excludes(self, f: Formula, g: Formula) -> bool:
        """Whether `f` is seen to imply the negation of `g`."""
        return self.implies(f, self.negation(g))

    def implies(self, f: Formula, g: Formula) -> bool:
        """Whether `f` is seen to imply `g`.  Cost: O(|f| |g|), bounded for the object as a whole."""
        if f is g or f.operator is O.FALSE or g.operator is O.TRUE:
            return True
        key = f, g
        known = self._known.get(key)
        if known is None:
            self._pairs -= 1
            if self._pairs < 0:
                return False
            self._known[key] = False
            known = self._known[key] = self._implies(f, g)
        return known

    def _implies(self, f: Formula, g: Formula) -> bool:
        if not f.temporal and not g.temporal:
            return self._boolean(f, g)
        a, b, c, d = f.operator, f.operands, g.operator, g.operands
        implies = self.implies
        if a is O.OR:
            return all(implies(part, g) for part in b)
        if c is O.AND:
            return all(implies(f, part) for part in d)
        if a is O.AND and any(implies(part, g) for part in b):
            return True
        if c is O.OR and any(implies(f, part) for part in d):
            return True
        if a is c and len(b) == len(d) and b and all(map(implies, b, d)):
            return a is not O.NOT
        return self._by_right(f, c, d) or self._by_left(a, b, g) or self._by_both(a, b, c, d)

    def _by_right(self, f: Formula, c: Operator, d: tuple[Formula, ...]) -> bool:
        implies = self.implies
        match c:
            case O.EVENTUALLY | O.ONCE:
                return implies(f, d[0])
            case O.ALWAYS:
                return self.universal(f) and implies(f, d[0])
            case O.WEAK_NEXT:
                return self.universal(f) and implies(f, d[0])
            case O.NEXT:
                return not self.finite and self.universal(f) and implies(f, d[0])
            case O.UNTIL | O.SINCE:
                return implies(f, d[1])
            case O.WEAK_UNTIL:
                return implies(f, d[1]) or (self.universal(f) and implies(f, d[0]))
            case O.RELEASE:
                return implies(f, d[1]) and (implies(f, d[0]) or self.universal(f))
            case O.STRONG_RELEASE | O.TRIGGER:
                return implies(f, d[0]) and implies(f, d[1])
        return False

    def _by_left(self, a: Operator, b: tuple[Formula, ...], g: Formula) -> bool:
        implies = self.implies
        match a:
            case O.ALWAYS | O.HISTORICALLY:
                return implies(b[0], g)
            case O.EVENTUALLY:
                return self.eventual(g) and implies(b[0], g)
            case O.NEXT:
                return self.eventual(g) and implies(b[0], g)
            case O.WEAK_NEXT:
                return not self.finite and self.eventual(g) and implies(b[0], g)
            case O.UNTIL:
                return implies(b[1], g) and (implies(b[0], g) or self.eventual(g))
            case O.WEAK_UNTIL | O.SINCE:
                return implies(b[0], g) and implies(b[1], g)
            case O.RELEASE | O.TRIGGER:
                return implies(b[1], g)
            case O.STRONG_RELEASE:
                return implies(b[1], g) or (self.eventual(g) and implies(b[0], g))
        return False

    def _by_both(self, a: Operator, b: tuple[Formula, ...], c: Operator, d: tuple[Formula, ...]) -> bool:
        implies = self.implies
        match a, c:
            case (O.UNTIL, O.WEAK_UNTIL) | (O.STRONG_RELEASE, O.RELEASE):
                return implies(b[0], d[0]) and implies(b[1], d[1])
            case (O.UNTIL, O.STRONG_RELEASE | O.RELEASE) | (O.WEAK_UNTIL, O.RELEASE):
                return implies(b[0], d[1]) and implies(b[1], d[0]) and implies(b[1], d[1])
            case (O.STRONG_RELEASE, O.UNTIL | O.WEAK_UNTIL) | (O.RELEASE, O.WEAK_UNTIL):
                return implies(b[1], d[0]) and (implies(b[0], d[1]) or implies(b[1], d[1]))
            case O.ALWAYS, O.WEAK_UNTIL:
                return implies(b[0], d[0])
            case O.ALWAYS, O.RELEASE:
                return implies(b[0], d[1])
            case O.NEXT, O.WEAK_NEXT:
                return implies(b[0], d[0])
            case O.WEAK_NEXT, O.NEXT:
                return not self.finite and implies(b[0], d[0])
        return False

    def _boolean(self, f: Formula, g: Formula) -> bool:
        if len(f.propositions | g.propositions) <= _LABELLED and self._nameable(f) and self._nameable(g):
            return not self._table(f) & ~self._table(g)
        if f.operator is O.OR:
            return all(self.implies(part, g) for part in f.operands)
        if g.operator is O.AND:
            return all(self.implies(f, part) for part in g.operands)
        if f.operator is O.AND and any(self.implies(part, g) for part in f.operands):
            return True
        return g.operator is O.OR and any(self.implies(f, part) for part in g.operands)

    def _nameable(self, f: Formula) -> bool:
        """Whether the propositions of `f` are among the few that the truth tables are over; new ones are added."""
        for name in sorted(f.propositions):
            if name not in self._names:
                if len(self._names) >= 8:
                    return False
                self._names.append(name)
        return True

    def _table(self, f: Formula) -> int:
        """The assignments of eight propositions that satisfy a Boolean formula, as bits."""
        table = self._tables.get(f)
        if table is None:
            match f.operator:
                case O.TRUE:
                    table = (1 << 256) - 1
                case O.FALSE:
                    table = 0
                case O.PROPOSITION:
                    table = proposition_label(self._names.index(f.name), 8)
                case O.NOT:
                    table = ~self._table(f.operands[0]) & ((1 << 256) - 1)
                case O.AND:
                    table = (1 << 256) - 1
                    for part in f.operands:
                        table &= self._table(part)
                case _:
                    table = 0
                    for part in f.operands:
                        table |= self._table(part)
            self._tables[f] = table
        return table
