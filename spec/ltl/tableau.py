"""The tableau: an automaton whose states are sets of formulas that are still to be satisfied."""

from __future__ import annotations

from spec.ltl.automaton import proposition_label
from spec.ltl.budget import Budget
from spec.ltl.formula import FUTURE, PAST, Formula, Operator, subformulas
from spec.ltl.implication import Implication
from spec.ltl.network import Network, bits

O = Operator  # noqa: E741
Terms = dict[tuple[int, int], int]
"""A disjunction: of (what must hold at the next position, what is promised for later), the letters now. The first two
are sets of formulas, bits by their number in the tableau."""
_PRESENT = (0, 0)
_RAW = 100
"""With more terms a formula is not compared with others."""
_MANY = 300
"""Of more terms in a disjunction one absorbs another only if it promises the same and asks for a subset."""


def tableau(formula: Formula, propositions: tuple[str, ...], budget: Budget, implication: Implication) -> Network:
    """An automaton that accepts the infinite words over `propositions` that satisfy `formula`.

    formula: in negation normal form, without a past operator over one of the future. A state is a set of formulas that
    hold from now on, and the values that its past operators had one position ago. An until promises its right side
    as long as it puts it off: acceptance set i are the edges without promise i. Formulas implied by others of the set
    are dropped, sets that contradict themselves too, and of two edges the one that asks more and promises more gives
    up the letters of the other.
    Cost: bounded by `budget`.  Raises: TooLargeError.
    Source: Couvreur, On-the-fly verification of linear temporal logic (FM 1999), 3; for the past, Lichtenstein, Pnueli
    and Zuck, The glory of the past (1985).
    """
    return _Tableau(formula, propositions, budget, implication).network()


class _Tableau:
    def __init__(self, formula: Formula, propositions: tuple[str, ...], budget: Budget, known: Implication) -> None:
        self.formula = formula
        self.budget = budget
        self.known = known
        self.everything = (1 << (1 << len(propositions))) - 1
        self.letters = {name: proposition_label(i, len(propositions)) for i, name in enumerate(propositions)}
        self.numbers: dict[Formula, int] = {}
        self.formulas: list[Formula] = []
        self.reduced: dict[int, int | None] = {}
        self.pairs: dict[tuple[int, int], int] = {}
        self.terms: dict[tuple[Formula, int], Terms] = {}
        self.ahead: dict[Formula, bool] = {}
        self.memory: dict[Formula, int] = {}
        self.labels: dict[tuple[Formula, int], int] = {}
        for part in subformulas(formula):
            self.ahead[part] = part.operator in FUTURE or any(self.ahead[operand] for operand in part.operands)
            if part.operator in PAST:
                self.memory[part] = len(self.memory)
        self.needed: dict[Formula, int] = {}
        self.plain: dict[Formula, Terms | None] = {}
        self.uncovered: set[tuple[int, int]] = set()
        self.compared: dict[tuple[int, int], bool] = {}

    def network(self) -> Network:
        start = self.reduce(self.wanted(self.formula))
        if start is None:
            return Network.nothing(self.everything)
        values = sum(
            1 << bit for f, bit in self.memory.items() if f.operator in (O.WEAK_YESTERDAY, O.TRIGGER, O.HISTORICALLY)
        )
        states = {(start, values & self.remembered(start)): 0}
        waiting = [(start, values & self.remembered(start))]
        rows: list[list[tuple[int, int, int]]] = []
        promises = 0
        for goal, values in waiting:  # which grows
            row = []
            for (following, promised), label in self.expand(goal, values).items():
                promises |= promised
                for after, part in self.later(following, values, label):
                    key = following, after
                    target = states.get(key)
                    if target is None:
                        target = states[key] = len(states)
                        waiting.append(key)
                        self.budget.admit(len(states), "the tableau")
                    row.append((part, target, promised))
            rows.append(row)
        order = list(bits(promises))
        for row in rows:
            row[:] = [
                (label, target, sum(1 << i for i, bit in enumerate(order) if not promised >> bit & 1))
                for label, target, promised in row
            ]
        return Network(rows, self.everything, 0, len(order))

    def number(self, formula: Formula) -> int:
        number = self.numbers.get(formula)
        if number is None:
            number = self.numbers[formula] = len(self.formulas)
            self.formulas.append(formula)
        return number

    def wanted(self, formula: Formula) -> int:
        """The set of the formulas that `formula` is the conjunction of."""
        if formula.operator is O.AND:
            wanted = 0
            for part in formula.operands:
                wanted |= self.wanted(part)
            return wanted
        return 0 if formula.operator is O.TRUE else 1 << self.number(formula)

    def reduce(self, wanted: int) -> int | None:
        """The set without what the rest of it implies; None for one that contradicts itself."""
        if wanted in self.reduced:
            return self.reduced[wanted]
        members = list(bits(wanted))
        self.budget.spend(len(members) ** 2, "the tableau", labels=False)
        result: int | None = wanted
        if len(members) == 1 and self.formulas[members[0]].operator is O.FALSE:
            result = None
        for i in members:
            for j in members:
                if i != j and result is not None:
                    relation = self.relation(i, j)
                    if relation == 2:
                        result = None
                    elif relation == 1 and result >> i & 1:
                        result &= ~(1 << j)
        self.reduced[wanted] = result
        return result

    def relation(self, i: int, j: int) -> int:
        """1 if formula i implies formula j, 2 if it excludes it, 0 if neither is seen."""
        known = self.pairs.get((i, j))
        if known is None:
            f, g = self.formulas[i], self.formulas[j]
            self.budget.spend(f.size + g.size if f.size + g.size < 1000 else 1000, "the tableau")
            known = 2 if self.known.excludes(f, g) else 1 if self.covers(i, j) else 0
            self.pairs[i, j] = known
        return known

    def covers(self, i: int, j: int) -> bool:
        """Whether formula j may be left out beside formula i: each term of i has, letter by letter, one of j that
        promises no more and whose next formulas are among those of i or again covered by them.

        So a set with j is simulated by the set without. Mere implication is not enough: <>q is implied by
        <>(p && X <>q), but if a set that asks for both again and again left it out, nothing would promise q.
        """
        while (i, j) not in self.uncovered:
            failures = len(self.uncovered)
            # What was found under an assumption that failed later is no finding: compare anew until none fails.
            if self.covers_if(i, j, set()) and len(self.uncovered) == failures:
                return True
        return False

    def covers_if(self, i: int, j: int, assumed: set[tuple[int, int]]) -> bool:
        """Whether i covers j if the pairs `assumed` do, to which those that are compared are added."""
        if (i, j) in assumed or self.pairs.get((i, j)) == 1:
            return True
        if (i, j) in self.uncovered:
            return False
        assumed.add((i, j))
        if not self.matched(i, j, assumed):
            self.uncovered.add((i, j))
            return False
        return True

    def matched(self, i: int, j: int, assumed: set[tuple[int, int]]) -> bool:
        f, g = self.formulas[i], self.formulas[j]
        if self.memory and (self.remembers(f) or self.remembers(g)):
            return False
        if not self.known.implies(f, g):
            return False
        stronger, weaker = self.raw(f), self.raw(g)
        if stronger is None or weaker is None:
            return False
        self.budget.spend(len(stronger) * len(weaker), "the tableau")
        for (following, promised), label in stronger.items():
            for (other, other_promised), other_label in weaker.items():
                if (
                    label & other_label
                    and not other_promised & ~promised
                    and all(
                        any(self.covers_if(k, m, assumed) for k in bits(following)) for m in bits(other & ~following)
                    )
                ):
                    label &= ~other_label
            if label:
                return False
        return True

    def raw(self, f: Formula) -> Terms | None:
        """The terms of a formula, nothing left out; None if they are many."""
        if f not in self.plain:
            self.plain[f] = self._raw(f)
        return self.plain[f]

    def _raw(self, f: Formula) -> Terms | None:
        everything = self.everything
        if not self.ahead[f] if f in self.ahead else not f.temporal:
            return self._present(f, 0)
        if f.operator in (O.NEXT, O.WEAK_NEXT):
            return {(self.wanted(f.operands[0]), 0): everything}
        parts = []
        for operand in f.operands:
            # Terms from which covered formulas were left out are as good, where they are known already, and fewer.
            part = self.terms.get((operand, 0)) or self.raw(operand)
            if part is None:
                return None
            parts.append(part)
        if f.operator is O.AND:
            return self._product(parts)
        if f.operator is O.OR:
            return self._sum(parts)
        again = 1 << self.number(f)
        a, b = f.operands[0], f.operands[-1]
        stay: Terms = {(again, 0): everything}
        match f.operator:
            case O.ALWAYS:
                return self._product([parts[0], stay])
            case O.EVENTUALLY:
                return self._sum([parts[0], {(again, 1 << self.number(a)): everything}])
            case O.UNTIL:
                wait: Terms | None = self._product([parts[0], {(again, 1 << self.number(b)): everything}])
                return wait and self._sum([parts[1], wait])
            case O.WEAK_UNTIL:
                wait = self._product([parts[0], stay])
                return wait and self._sum([parts[1], wait])
            case O.RELEASE:
                return self._product([parts[1], self._sum([parts[0], stay])])
            case _:
                return self._product([parts[1], self._sum([parts[0], {(again, 1 << self.number(a)): everything}])])

    def _product(self, parts: list[Terms]) -> Terms | None:
        terms: Terms = {_PRESENT: self.everything}
        for part in parts:
            if len(terms) * len(part) > _RAW:
                return None
            result: Terms = {}
            for (next_left, promised_left), label_left in terms.items():
                for (next_right, promised_right), label_right in part.items():
                    if label_left & label_right:
                        key = next_left | next_right, promised_left | promised_right
                        result[key] = result.get(key, 0) | label_left & label_right
            terms = result
        return terms

    def _sum(self, parts: list[Terms]) -> Terms:
        result: Terms = {}
        for part in parts:
            for key, label in part.items():
                result[key] = result.get(key, 0) | label
        return result

    def remembered(self, goal: int) -> int:
        """Of which past operators the formulas of a set need the value, as bits."""
        result = 0
        if self.memory:
            for bit in bits(goal):
                result |= self.remembers(self.formulas[bit])
        return result

    def remembers(self, formula: Formula) -> int:
        result = self.needed.get(formula)
        if result is None:
            result = sum(1 << self.memory[part] for part in subformulas(formula) if part in self.memory)
            self.needed[formula] = result
        return result

    def later(self, following: int, values: int, label: int) -> list[tuple[int, int]]:
        """The values of the past operators that `following` needs after a letter of `label`: each, and for which."""
        needed = self.remembered(following)
        cases = [(0, label)]
        for formula, bit in self.memory.items():
            if needed >> bit & 1:
                yesterday = formula.operator in (O.YESTERDAY, O.WEAK_YESTERDAY)
                true = self.now(formula.operands[0] if yesterday else formula, values)
                cases = [
                    (after | value << bit, part)
                    for after, letters in cases
                    for value, part in ((1, letters & true), (0, letters & ~true))
                    if part
                ]
                self.budget.spend(len(cases), "the tableau")
        return cases

    def now(self, formula: Formula, values: int) -> int:
        """The letters of which a formula without a future operator is true, after a past with those values."""
        key = formula, values
        label = self.labels.get(key)
        if label is None:
            self.budget.spend(1 + len(self.labels) // 1000, "the tableau")
            label = self.labels[key] = self._now(formula, values)
        return label

    def _now(self, formula: Formula, values: int) -> int:
        parts = formula.operands
        before = self.everything if formula in self.memory and values >> self.memory[formula] & 1 else 0
        match formula.operator:
            case O.TRUE:
                return self.everything
            case O.FALSE:
                return 0
            case O.PROPOSITION:
                return self.letters[formula.name]
            case O.NOT:
                return self.everything & ~self.now(parts[0], values)
            case O.AND:
                label = self.everything
                for part in parts:
                    label &= self.now(part, values)
                return label
            case O.OR:
                label = 0
                for part in parts:
                    label |= self.now(part, values)
                return label
            case O.YESTERDAY | O.WEAK_YESTERDAY:
                return before
            case O.ONCE:
                return self.now(parts[0], values) | before
            case O.HISTORICALLY:
                return self.now(parts[0], values) & before
            case O.SINCE:
                return self.now(parts[1], values) | self.now(parts[0], values) & before
            case _:
                return self.now(parts[1], values) & (self.now(parts[0], values) | before)

    def expand(self, goal: int, values: int) -> Terms:
        """What a state asks of the letter now and of the state after it."""
        terms: Terms = {_PRESENT: self.everything}
        for bit in bits(goal):
            terms = self.both(terms, self.term(self.formulas[bit], values))
        return terms

    def term(self, formula: Formula, values: int) -> Terms:
        """The terms of a formula, after those of the operands on which they depend."""
        values &= self.remembers(formula) if self.memory else 0
        waiting = [(formula, False)]
        while waiting:
            current, ready = waiting.pop()
            key = current, (values & self.remembers(current) if self.memory else 0)
            if key in self.terms:
                continue
            if ready:
                self.terms[key] = self._terms(current, values)
            elif not self.ahead[current] if current in self.ahead else False:
                self.terms[key] = self._present(current, values)
            else:
                waiting.append((current, True))
                if current.operator not in (O.NEXT, O.WEAK_NEXT):
                    waiting.extend((operand, False) for operand in current.operands)
        return self.terms[formula, values]

    def _present(self, formula: Formula, values: int) -> Terms:
        label = self.now(formula, values & self.remembers(formula) if self.memory else 0)
        return {_PRESENT: label} if label else {}

    def _known(self, formula: Formula, values: int) -> Terms:
        return self.terms[formula, (values & self.remembers(formula) if self.memory else 0)]

    def _terms(self, f: Formula, values: int) -> Terms:
        everything = self.everything
        if f.operator in (O.NEXT, O.WEAK_NEXT):
            following = self.reduce(self.wanted(f.operands[0]))
            return {} if following is None else {(following, 0): everything}
        parts = [self._known(operand, values) for operand in f.operands]
        if f.operator is O.AND:
            terms: Terms = {_PRESENT: everything}
            for part in parts:
                terms = self.both(terms, part)
            return terms
        if f.operator is O.OR:
            return self.either(*parts)
        again = self.reduce(1 << self.number(f))
        if again is None:
            return {}
        a, b = f.operands[0], f.operands[-1]
        stay: Terms = {(again, 0): everything}
        match f.operator:
            case O.ALWAYS:
                return self.both(parts[0], stay)
            case O.EVENTUALLY:
                return self.either(parts[0], {(again, 1 << self.number(a)): everything})
            case O.UNTIL:
                return self.either(parts[1], self.both(parts[0], {(again, 1 << self.number(b)): everything}))
            case O.WEAK_UNTIL:
                return self.either(parts[1], self.both(parts[0], stay))
            case O.RELEASE:
                return self.both(parts[1], self.either(parts[0], stay))
            case _:
                assert f.operator is O.STRONG_RELEASE
                return self.both(parts[1], self.either(parts[0], {(again, 1 << self.number(a)): everything}))

    def both(self, left: Terms, right: Terms) -> Terms:
        """The conjunction."""
        if len(left) == 1 and left.get(_PRESENT) == self.everything:
            return right
        if len(right) == 1 and right.get(_PRESENT) == self.everything:
            return left
        self.budget.spend(2 * len(left) * len(right), "the tableau")
        result: Terms = {}
        reduced = self.reduced
        for (next_left, promised_left), label_left in left.items():
            for (next_right, promised_right), label_right in right.items():
                label = label_left & label_right
                if label:
                    joined = next_left | next_right
                    following = reduced[joined] if joined in reduced else self.reduce(joined)
                    if following is not None:
                        key = following, promised_left | promised_right
                        result[key] = result.get(key, 0) | label
        return self.absorbed(result)

    def either(self, *parts: Terms) -> Terms:
        """The disjunction."""
        result: Terms = {}
        for part in parts:
            for key, label in part.items():
                result[key] = result.get(key, 0) | label
        return self.absorbed(result)

    def absorbed(self, terms: Terms) -> Terms:
        """Without the letters of a term for which another asks less and promises less."""
        if len(terms) < 2:
            return terms
        groups: dict[int, list[tuple[int, int]]] = {}
        for key in terms:
            groups.setdefault(key[1], []).append(key)
        many = len(terms) > _MANY
        rest = dict(terms)
        for key in terms:
            following, promised = key
            label = rest[key]
            operations = 0
            for other_promised in (promised,) if many else groups:
                if other_promised & ~promised or not label:
                    continue
                for other in groups[other_promised]:
                    # What is left of the other counts, so that of two that absorb each other one keeps the letters.
                    if other[0] & ~following:
                        operations += 1
                        if many or not label & rest[other]:
                            continue
                    operations += 4
                    if other is not key and (not other[0] & ~following or self.weaker(other[0], following)):
                        label &= ~rest[other]
            rest[key] = label
            self.budget.spend(1 + operations // 4, "the tableau")
            self.budget.spend(len(groups[promised] if many else terms) // 16, "the tableau", labels=False)
        return {key: label for key, label in rest.items() if label}

    def weaker(self, left: int, right: int) -> bool:
        """Whether the set `right` is seen to imply each formula of `left`."""
        known = self.compared.get((left, right))
        if known is None:
            self.budget.spend(4 + left.bit_count() * right.bit_count(), "the tableau", labels=False)
            known = all(any(self.relation(i, j) == 1 for i in bits(right)) for j in bits(left & ~right))
            self.compared[left, right] = known
        return known
