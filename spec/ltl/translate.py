"""From formulas to automata over infinite words: small ones, by whichever way gives the smallest."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache

from spec.ltl.automaton import Automaton
from spec.ltl.budget import Budget
from spec.ltl.degeneralise import degeneralised
from spec.ltl.error import TooLargeError
from spec.ltl.formula import Formula, Operator, conjunction, depth
from spec.ltl.implication import Implication
from spec.ltl.network import Network, pruned
from spec.ltl.normal import negated, negation_normal_form
from spec.ltl.obligation import disjoint, included, syntactic_guarantee, syntactic_obligation, weak_deterministic
from spec.ltl.past import at_beginning, hide, without_mixed_past
from spec.ltl.product import intersection, recurring, suspended
from spec.ltl.simplify import gathered, simplify
from spec.ltl.simulation import simulated, simulators
from spec.ltl.tableau import tableau

STATES = 5000
"""The default bound on the states of any automaton on the way."""
PROPOSITIONS = 16
"""More propositions are refused: a label is a set of the 2**propositions letters."""
DEPTH = 500
"""Deeper nesting is refused at once; it would be after seconds."""
_ATTEMPT = 1_000_000
"""Steps that an attempt at a smaller automaton may take before it is given up."""


def translate(formula: Formula, *, states: int = STATES) -> Automaton:
    """A small generalised Buchi automaton that accepts exactly the infinite words which satisfy `formula`.

    states: at most so many in any automaton on the way. Its propositions are those of the formula, sorted.
    Cost: exponential in the formula at worst, bounded to some seconds; results are kept.  Raises: TooLargeError.
    Source: Couvreur, On-the-fly verification of linear temporal logic (1999), for the tableau; the modules of this
    package for the reductions.

    >>> from spec.ltl.parser import parse
    >>> automaton = translate(parse("[]<>p && []<>q"))
    >>> automaton.states, automaton.sets
    (1, 2)
    >>> translate(parse("p U (q U r)"), states=2)
    Traceback (most recent call last):
    spec.ltl.error.TooLargeError: the tableau has more than states=2 states
    """
    return _translation(formula, states).translated()


def buchi(formula: Formula, *, states: int = STATES) -> Automaton:
    """A small Buchi automaton with accepting states that accepts exactly the infinite words which satisfy `formula`.

    It has one acceptance set, and all the edges that leave a state bear its mark, or none does.
    states, cost and Raises as for `translate`.

    >>> from spec.ltl.parser import parse
    >>> automaton = buchi(parse("[]<>p && []<>q"))
    >>> automaton.states, automaton.sets, automaton.state_based
    (3, 1, True)
    """
    return _translation(formula, states).buchi()


@lru_cache(maxsize=512)
def _translation(formula: Formula, states: int) -> _Translation:
    return _Translation(formula, states)


class _Translation:
    """The automata of one formula, each made when first asked for; the failure to make one is kept as well."""

    def __init__(self, formula: Formula, states: int) -> None:
        self.formula = formula
        self.propositions = tuple(sorted(formula.propositions))
        self.budget = Budget(states, letters=1 << min(len(self.propositions), PROPOSITIONS))
        self.known = Implication()
        self._networks: list[Network] | None = None
        self._weak: Network | None = None
        self._translated: Automaton | None = None
        self._buchi: Automaton | None = None
        self._failure: str | None = None

    def translated(self) -> Automaton:
        if self._translated is None:
            best = min(self.networks(), key=_size)
            if self._weak is not None and len(self._weak.rows) <= len(best.rows):
                best = pruned(self._weak)
            self._translated = best.automaton(self.propositions)
        return self._translated

    def buchi(self) -> Automaton:
        if self._buchi is None:
            networks, best = self.networks(), self._weak
            if best is None or len(best.rows) > min(len(network.rows) for network in networks):
                found = [] if best is None else [best]
                found += [self._plain(network) for network in networks]
                best = min(found, key=_size)
            self._buchi = best.automaton(self.propositions)
        return self._buchi

    def _plain(self, network: Network) -> Network:
        return simulated(degeneralised(network, self.budget), self.budget, by_state=True)

    def networks(self) -> list[Network]:
        """Generalised automata of the formula, of which one or the other may be smaller than the rest."""
        if self._failure is not None:
            raise TooLargeError(self._failure)
        if self._networks is None:
            try:
                self._networks = self._made()
            except TooLargeError as error:
                self._failure = str(error)
                raise
            except RecursionError:
                self._failure = "the formula is nested deeper than sys.getrecursionlimit() allows"
                raise TooLargeError(self._failure) from None
        return self._networks

    def _made(self) -> list[Network]:
        if len(self.propositions) > PROPOSITIONS:
            raise TooLargeError(
                f"the formula has {len(self.propositions)} propositions, more than propositions={PROPOSITIONS}"
            )
        if (nested := depth(self.formula)) > DEPTH:
            raise TooLargeError(f"operators are nested {nested} deep in the formula, more than depth={DEPTH}")
        formula = _prepared(negation_normal_form(self.formula))
        found = [simulated(self._tableau(formula, self.budget), self.budget)]
        if not formula.past and len(found[0].rows) > 1:
            parts = formula.operands if formula.operator is Operator.AND else (formula,)
            steady = [part for part in parts if self.known.suspendable(part)]
            if steady:
                rest = [part for part in parts if part not in steady]
                with suppress(TooLargeError):
                    found += self._composed(rest, steady, self.budget.part(self.budget.states, _ATTEMPT))
        self._weak = self._obligation(formula, min(found, key=_size), self.budget)
        return found

    def _tableau(self, formula: Formula, budget: Budget) -> Network:
        """The automaton of a simplified formula."""
        fresh: tuple[str, ...] = ()
        if formula.past:
            formula, fresh = without_mixed_past(formula)
            if fresh:
                formula = simplify(formula)
        if len(self.propositions) + len(fresh) > PROPOSITIONS:
            raise TooLargeError(
                f"the formula has {len(self.propositions)} propositions and {len(fresh)} past operators over future "
                f"ones, together more than propositions={PROPOSITIONS}"
            )
        with budget.over(1 << len(self.propositions + fresh)):
            network = tableau(gathered(formula), self.propositions + fresh, budget, self.known)
        if fresh:
            network = Network.of(hide(network.automaton(self.propositions + fresh), len(fresh)))
        return pruned(network)

    def _obligation(self, formula: Formula, network: Network, budget: Budget) -> Network | None:
        """The minimal weak deterministic automaton of a simplified formula, if it is found to be an obligation before
        much was spent; from another automaton of it."""
        budget = budget.part(100 + 8 * len(network.rows), _ATTEMPT)
        try:
            weak = weak_deterministic(network, budget, simulators(network.rows) if len(network.rows) <= 64 else None)
            if syntactic_obligation(formula):
                return weak
            if not included(network, weak, budget):
                return None
            complement = self._tableau(_prepared(negated(formula)), budget)
            return weak if disjoint(complement, weak, budget) else None
        except TooLargeError:
            return None

    def _best(self, formula: Formula, budget: Budget) -> tuple[Network, Network | None]:
        """A small automaton of a simplified formula, and its weak deterministic one."""
        network = simulated(self._tableau(formula, budget), budget)
        return network, self._obligation(formula, network, budget)

    def _composed(self, rest: list[Formula], steady: list[Formula], budget: Budget) -> list[Network]:
        """Products of an automaton for `rest` and those for `steady`, which wait for the first to come to its end."""
        product: Network | None = None
        for part in steady:
            one = self._recurring(part, budget)
            product = one and (intersection(product, one, budget) if product else one)
            if product is None:
                break
        found = [simulated(product, budget)] if product else []
        if not rest:
            return found
        found.append(simulated(self._tableau(conjunction(*steady), budget), budget))
        network, weak = self._best(conjunction(*rest), budget)
        if weak is not None and len(weak.rows) <= len(network.rows):
            network = pruned(weak)
        return [simulated(suspended(network, always, budget), budget) for always in found]

    def _recurring(self, formula: Formula, budget: Budget) -> Network | None:
        """A small automaton for []<>a, if a is seen to be a guarantee."""
        if formula.operator is not Operator.ALWAYS or not syntactic_guarantee(formula.operands[0]):
            return None
        network, weak = self._best(formula.operands[0], budget)
        found = [recurring(network), recurring(pruned(weak)) if weak else None]
        return min(filter(None, found), key=_size, default=None)


def _prepared(formula: Formula) -> Formula:
    """The formula, in negation normal form, simplified; of words as wholes, so that the past begins with them."""
    return simplify(at_beginning(formula) if formula.past else formula)


def _size(network: Network) -> tuple[int, int]:
    return network.size
