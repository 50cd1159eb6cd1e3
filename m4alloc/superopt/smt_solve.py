"""Decides "some input for which no choice of the source explains the target" by quantifier-free queries.

A choice of the source (an undef, a freeze) may be any value, so that a proof may pick one: the target's own choice, or
one that an earlier failed attempt called for.  Where such picks do not settle it, z3's quantifiers have the last word.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import z3

from m4alloc.superopt import smt_hard
from m4alloc.superopt.smt_clock import Answer, Clock, out_of_time, variables
from m4alloc.superopt.smt_values import TRUE, Choices, Term, negation

SAME_RANK, SPREAD, FIRST = range(3)
ROUNDS = 24
"""Picks that are learned from failed attempts before the quantifiers are tried."""


@dataclass(frozen=True)
class Question:
    """Is there an input and a choice of the target such that `bad` holds for every choice of the source?

    observed: names of the choices that are made anew whenever the result is looked at, on either side; the source may
    let its other choices depend on the input and on the target's other choices only.  hints: terms of the target that a
    source's choice may have to equal.  has_products: products are tested for overflow.  calm: a
    condition on the input under which few choices matter, so that it is easy to refute.
    """

    bad: Term
    source: Choices
    target: Choices
    observed: frozenset[str] = frozenset()
    hints: tuple[Term, ...] = ()
    has_products: bool = True
    calm: Term = TRUE


def from_one_set(question: Question) -> Question:
    """The question where an undef argument is any of some values, and not of all: as `or undef, 1` is odd.

    Whatever those values are, the target's choices are among them, and so is one more; a source that can do with these
    can do with all of them.  So each of the source's choices of an integer argument becomes a choice among those: first
    what `SAME_RANK` would pick.  One that is made before the result is looked at cannot be of those made then.
    """
    source, target = question.source, question.target
    names = variables(question.bad)
    ours = sorted((name for name in names if _argument(source, name)), key=_number)
    theirs = sorted((name for name in names if _argument(target, name)), key=_number)
    pairs: list[tuple[Term, Term]] = []
    late: set[str] = set()
    ranks: dict[tuple[str, bool], int] = {}
    for name in ours:
        origin, is_late, term = source.origins[name], name in question.observed, names[name]
        alike = [one for one in theirs if target.origins[one] == origin]
        first = [target.variables[one] for one in alike if (one in question.observed) == is_late]
        rank = min(ranks.get((origin, is_late), 0), max(0, len(first) - 1))
        ranks[origin, is_late] = ranks.get((origin, is_late), 0) + 1
        values = [*first[rank:], *first[:rank]]
        values += [target.variables[one] for one in alike if is_late and one not in question.observed]
        chosen = z3.BitVec(f"one of {origin}", term.size())
        if values:
            pick, index = source.fresh(len(values).bit_length(), f"pick:{origin}")
            late |= {pick} if is_late else set()
            if name in source.seconds:
                source.seconds.add(pick)
            for number, value in reversed(list(enumerate(values))):
                chosen = z3.If(index == number, value, chosen)
        pairs.append((term, chosen))
    if not pairs:
        return question
    return replace(question, bad=z3.substitute(question.bad, *pairs), observed=question.observed | late)


def _argument(choices: Choices, name: str) -> bool:
    """The choice is one of an undef integer argument; an address is chosen together with its block, and left alone."""
    origin = choices.origins.get(name, "")
    return origin.startswith("argument ") and f"provenance {origin.removeprefix('argument ')}" not in choices.kinds


def decide(question: Question, clock: Clock) -> Answer:
    """The answer, within the clock's budget."""
    original = smt_hard.aligned_products(question.bad) if question.has_products else question.bad
    bad = z3.simplify(original)
    if z3.is_false(bad):
        return Answer(proved=True)
    names = variables(bad) if question.source.variables else {}
    ours = [name for name in names if name in question.source.variables]
    if not ours:
        return smt_hard.plain(original, bad, clock)
    return _Game(question, bad, names, ours, clock).play()


def _kind(origin: str) -> str:
    return origin.partition(":")[0]


def _place(origin: str) -> str:
    return origin.partition(":")[2] or origin


def _number(name: str) -> int:
    return int(name[2:])


class _Game:
    """Picks for the source's choices, until they prove or refute."""

    def __init__(self, question: Question, bad: Term, names: dict[str, Term], ours: list[str], clock: Clock) -> None:
        self.question, self.bad, self.clock = question, bad, clock
        self.names = names
        self.late = [name for name in ours if name in question.observed]
        self.early = [name for name in ours if name not in question.observed]
        self.ours = sorted(ours, key=_number)
        self.theirs = sorted((name for name in names if name in question.target.variables), key=_number)
        self.shown = [name for name in self.theirs if name in question.observed]
        self.waiting: list[tuple[Callable[[str, int], Term], int]] = []
        self.copies: list[tuple[dict[str, Term], list[Term], list[tuple[Term, Term]]]] = []

    def play(self) -> Answer:
        self._open()
        for _ in range(ROUNDS):
            result, model = self.clock.check([part for _, parts, _ in self.copies for part in parts])
            if result == z3.unsat:
                return Answer(proved=True, method="SMT with picked choices")
            if model is None:
                return out_of_time(self.clock)
            answer = self._learn(model)
            if answer is not None:
                return answer
        return self._quantified()

    def _open(self) -> None:
        """First picks: the target's choices of the same origin, in the same order."""
        self._copy({name: self._match(name, SAME_RANK) for name in self.early})
        self._pick(0, {name: self._match(name, SAME_RANK) for name in self.late})
        ways: list[tuple[Callable[[str, int], Term], int]] = [
            (self._apart, 0),
            (self._match, SPREAD),
            (self._match, FIRST),
            (self._hint, 0),
        ]
        self.is_calm = False
        self.waiting = ways[::-1] if self.question.target.variables or self.question.hints else []

    def _open_more(self) -> bool:
        """The next of the picks that need no model; False where none is left."""
        if not self.waiting:
            return False
        pick, way = self.waiting.pop()
        if self.early:
            self._copy({name: pick(name, way) for name in self.early})
            if pick == self._apart:  # the observation's choices are no matter there
                self._pick(len(self.copies) - 1, {name: pick(name, way) for name in self.late})
                return True
        for number in range(len(self.copies)):
            if self.late or number == len(self.copies) - 1:
                self._pick(number, {name: pick(name, way) for name in self.late})
        return True

    def _zero(self, name: str) -> Term:
        return z3.BitVecVal(0, self.names[name].size())

    def _match(self, name: str, way: int) -> Term:
        """The target's choice that this one answers: of the same rank among those of its origin; of the rank in
        proportion, where one side makes more of them; or the first."""
        source, target = self.question.source, self.question.target
        term = self.names[name]
        mine = self.early if name in self.early else self.late
        fitting = [other for other in self.theirs if target.variables[other].size() == term.size()]
        fitting = [other for other in fitting if (other in self.question.observed) == (mine is self.late)] or (
            fitting if mine is self.late else []
        )
        for part in (_place, _kind):  # the same byte of memory or argument, else one of the same kind
            origin = part(source.origins[name])
            exact = [other for other in fitting if part(target.origins[other]) == origin]
            if exact:
                break
        else:
            return self._zero(name)
        alike = [one for one in self.ours if one in mine and part(source.origins[one]) == origin]
        rank = 0 if way == FIRST else alike.index(name)
        if way == SPREAD:
            rank = rank * len(exact) // len(alike)
        return target.variables[exact[min(rank, len(exact) - 1)]]

    def _apart(self, name: str, _: int = 0) -> Term:
        """Zero or all ones, so that what can be shown to be undef is."""
        if name in self.question.source.seconds:
            return z3.BitVecVal(-1, self.names[name].size())
        return self._match(name, SAME_RANK) if name in self.late else self._zero(name)

    def _hint(self, name: str, _: int = 0) -> Term:
        """A term of the target with the choice's width; for an early choice, one without the observation in it."""
        for hint in self.question.hints:
            fits = hint.size() == self.names[name].size()
            if fits and (name in self.late or not any(one in self.shown for one in variables(hint))):
                return hint
        return self._match(name, FIRST)

    def _copy(self, early: dict[str, Term]) -> int:
        """A pick of the early choices, with an observation of its own."""
        number = len(self.copies)
        renamed = []
        if number:
            renamed = [(self.names[name], z3.FreshConst(self.names[name].sort(), name)) for name in self.shown]
        self.copies.append((early, [], renamed))
        return number

    def _pick(self, number: int, late: dict[str, Term]) -> None:
        """A pick of the late choices in one copy."""
        early, parts, renamed = self.copies[number]
        pairs = [(self.names[name], term) for name, term in {**early, **late}.items()]
        part = z3.substitute(self.bad, *pairs) if pairs else self.bad
        parts.append(z3.substitute(part, *renamed) if renamed else part)

    def _grounded(self, model: z3.ModelRef, number: int) -> Term:
        """`bad` under the model, with the source's choices left open."""
        _, _, renamed = self.copies[number]
        stand_in = {old.decl().name(): new for old, new in renamed}
        pairs = []
        for name, term in self.names.items():
            if name not in self.question.source.variables:
                pairs.append((term, model.eval(stand_in.get(name, term), model_completion=True)))
        return z3.simplify(z3.substitute(self.bad, *pairs))

    def _learn(self, model: z3.ModelRef) -> Answer | None:
        """New picks out of a failed attempt, or an answer."""
        grounded = [self._grounded(model, number) for number in range(len(self.copies))]
        progress = False
        for number, open_ in enumerate(grounded):
            if self.late:
                early = self.copies[number][0]
                fixed = [self.names[name] == model.eval(term, model_completion=True) for name, term in early.items()]
                _, choice = self.clock.check([negation(open_), *fixed])
                if choice is not None:
                    self._pick(number, {name: self._value(choice, name) for name in self.late})
                    progress = True
        if progress and not self.early:
            if (calm := self._calm()) is not None:
                return calm
            self._open_more()
            return None
        # One choice of the early variables has to explain every observation.
        explained = [negation(self._late_apart(open_, number)) for number, open_ in enumerate(grounded)]
        result, choice = self.clock.check(explained)
        if result == z3.unsat:
            return self._refuted(model, grounded)
        if (calm := self._calm()) is not None:
            return calm
        if choice is None:
            return out_of_time(self.clock)
        if self.early:
            number = self._copy({name: self._value(choice, name) for name in self.early})
            late = {name: choice.eval(z3.BitVec(f"{name} of 0", self.names[name].size()), True) for name in self.late}
            self._pick(number, late)
        self._open_more()
        return None

    def _calm(self) -> Answer | None:
        """A refutation by an input on which the source has no choice to make; once, after the first failed attempt."""
        if self.is_calm or self.question.calm is TRUE:
            return None
        self.is_calm = True
        zeros = [(self.names[name], self._zero(name)) for name in self.ours]
        _, model = self.clock.check([z3.substitute(self.bad, *zeros), self.question.calm])
        if model is None:
            return None
        open_ = self._grounded(model, 0)
        result, _ = self.clock.check([negation(open_)])
        return self._refuted(model, [open_]) if result == z3.unsat else None

    def _late_apart(self, open_: Term, number: int) -> Term:
        """The copy's condition with late variables of its own."""
        pairs = [(self.names[name], z3.BitVec(f"{name} of {number}", self.names[name].size())) for name in self.late]
        return z3.substitute(open_, *pairs) if pairs else open_

    def _refuted(self, model: z3.ModelRef, grounded: list[Term]) -> Answer:
        """The observation that the source's first choice does not explain."""
        zeros = [(self.names[name], self._zero(name)) for name in self.ours]
        for number, open_ in enumerate(grounded):
            if z3.is_true(z3.simplify(z3.substitute(open_, *zeros))):
                return Answer(model=model, renamed=tuple(self.copies[number][2]))
        return Answer(reason="z3's counterexample did not stand up to evaluation")

    def _value(self, model: z3.ModelRef, name: str) -> Term:
        return model.eval(self.names[name], model_completion=True)

    def _quantified(self) -> Answer:
        ours = [self.names[name] for name in (*self.early, *self.late)]
        result, model = self.clock.check([z3.ForAll(ours, self.bad)], quantified=True)
        if model is not None:
            return Answer(model=model)
        if result == z3.unsat and not (self.early and self.shown):
            return Answer(proved=True, method="SMT with quantifiers")
        if result == z3.unsat:
            return Answer(reason="the source's freeze would have to depend on how its result is used later")
        return out_of_time(self.clock)
