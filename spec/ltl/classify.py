"""Which class a formula belongs to: safety, liveness, the hierarchy of Manna and Pnueli, stutter invariance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import lru_cache

from spec.ltl.automaton import Automaton, Edge
from spec.ltl.budget import Budget
from spec.ltl.decide import satisfying
from spec.ltl.emptiness import Graph, Node, connected
from spec.ltl.error import TooLargeError
from spec.ltl.formula import Formula, Operator, conjunction, disjunction, negation
from spec.ltl.intersection import accepting_components, nonempty, trimmed
from spec.ltl.limit import limit
from spec.ltl.meter import BoundReached, Meter
from spec.ltl.network import Network, Row
from spec.ltl.normal import negation_normal_form
from spec.ltl.obligation import disjoint, included, weak_deterministic
from spec.ltl.prefix import Prefixes, independent, operands_of
from spec.ltl.simplify import simplify
from spec.ltl.syntax import Syntax, syntax
from spec.ltl.translate import translate

STATES = 20_000
"""How many states any construction may have, unless told otherwise."""
WORK = 4_000_000
"""How many elementary steps any one of them may take; all of those of a formula twice as many."""


@dataclass(frozen=True, slots=True)
class Classes:
    """What kind of property a formula is, as a set of infinite words; None where that took more than was allowed.

    safety: a word that violates it has a prefix after which nothing helps. liveness: no finite word is such a prefix.
    guarantee: the negation is safety. obligation: a Boolean combination of safety. recurrence: a deterministic Buchi
    automaton accepts it. persistence: the negation is recurrence. stutter_invariant: repeating letters, or leaving
    repetitions out, changes nothing. syntactic_safety: the syntax shows safety.
    """

    safety: bool | None
    liveness: bool | None
    guarantee: bool | None
    obligation: bool | None
    recurrence: bool | None
    persistence: bool | None
    stutter_invariant: bool | None
    syntactic_safety: bool

    @property
    def name(self) -> str:
        """The lowest class of the hierarchy that is known to hold it, all being reactivity.

        >>> from spec.ltl.parser import parse
        >>> [classify(parse(text)).name for text in ("p", "[]p", "<>p", "[]p || <>q")]
        ['safety and guarantee', 'safety', 'guarantee', 'obligation']
        >>> [classify(parse(text)).name for text in ("[]<>p", "<>[]p", "[]<>p -> []<>q")]
        ['recurrence', 'persistence', 'reactivity']
        """
        if self.safety and self.guarantee:
            return "safety and guarantee"
        known = ("safety", "guarantee", "obligation", "recurrence", "persistence")
        return next((name for name in known if getattr(self, name)), "reactivity")

    @property
    def unknown(self) -> tuple[str, ...]:
        """The classes that are not known."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is None)


@lru_cache(maxsize=1024)
def classify(formula: Formula, *, states: int = STATES) -> Classes:
    """The classes of `formula`, by what its automata accept.

    states: how many each construction may have; what needs more is None.
    Formulas that say only what comes again and again need no automaton, and of conjunctions and disjunctions of
    formulas that have no proposition in common each is classified for itself.
    Cost: the two translations, then subset constructions of them, bounded: a few seconds at worst.
    Source: Alpern and Schneider, Recognizing safety and liveness (1987); Landweber, Decision problems for
    omega-automata (1969); Boker and Kupferman, Co-ing Buchi made tight and useful (2009), for persistence; Michaud and
    Duret-Lutz, Practical stutter-invariance checks for omega-regular languages (2015).

    >>> from spec.ltl.parser import parse
    >>> found = classify(parse("[](malloc -> <>free)"))
    >>> found.name, found.safety, found.liveness, found.stutter_invariant
    ('recurrence', False, True, True)
    """
    shown = syntax(formula)
    try:
        normal = negation_normal_form(formula)
        if not normal.past:
            normal = simplify(normal)
        found = _of_limits(normal) or _of_parts(normal, states)
    except (TooLargeError, RecursionError):
        found = None
    if found is None:
        return Classifier(formula, states, shown).classes()
    return replace(found, syntactic_safety=shown.safety)


def _of_limits(normal: Formula) -> Classes | None:
    """The classes of a formula about what comes again and again; None of others."""
    if not normal.temporal or (found := limit(normal)) is None:
        return None
    return Classes(
        safety=found.constant,
        liveness=found.satisfiable,
        guarantee=found.constant,
        obligation=found.constant,
        recurrence=found.recurrence,
        persistence=found.persistence,
        stutter_invariant=True,
        syntactic_safety=False,
    )


def _of_parts(normal: Formula, states: int) -> Classes | None:
    """The classes of a conjunction, or disjunction, of formulas that have no proposition in common; None of others.

    If each part can be true, fix a word for all but one: what is left of the conjunction is that one. So in each class
    that is closed under intersection, and whose sets stay in it when some propositions are fixed, the conjunction is
    iff each part is. Those of the hierarchy are, and stutter-invariant properties too: if letters of a word for the one
    part are repeated, so can those of the word that is fixed for the others. It is a liveness property iff each part
    is. A disjunction is the negation of such a conjunction; it is a liveness property iff some part is.
    """
    if normal.operator not in (Operator.AND, Operator.OR):
        return None
    both = normal.operator is Operator.AND
    groups = independent(operands_of(normal, normal.operator))
    if len(groups) < 2:
        return None
    parts = [conjunction(*group) if both else disjunction(*group) for group in groups]
    for part in parts:
        if satisfying(part if both else negation(part)) is None:
            return classify(part, states=states)  # as is the whole: false, or true
    found = [classify(part, states=states) for part in parts]

    def all_of(name: str) -> bool | None:
        return _all(getattr(one, name) for one in found)

    live = all_of("liveness") if both else _not(_all(_not(one.liveness) for one in found))
    return Classes(
        safety=all_of("safety"),
        liveness=live,
        guarantee=all_of("guarantee"),
        obligation=all_of("obligation"),
        recurrence=all_of("recurrence"),
        persistence=all_of("persistence"),
        stutter_invariant=all_of("stutter_invariant"),
        syntactic_safety=False,
    )


def _all(values: Iterable[bool | None]) -> bool | None:
    """Whether all of them are true; None where what is not known decides."""
    values = list(values)
    return False if False in values else None if None in values else True


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


class Classifier:
    """What the automata of a formula and of its negation show of it as a whole, within the bounds."""

    def __init__(self, formula: Formula, states: int, shown: Syntax) -> None:
        self.formula = formula
        self.states = states
        self.shown = shown
        # A step looks at a label, of one bit for each letter.
        self.most = WORK // (1 + (1 << len(self.formula.propositions)) // 2048)
        self.left = 2 * self.most

    def classes(self) -> Classes:
        shown = self.shown
        safety = shown.safety or self.known(lambda budget: closed(self.positive(), self.negative(), budget))
        guarantee = shown.guarantee or self.known(lambda budget: closed(self.negative(), self.positive(), budget))
        liveness = self.known(lambda budget: live(self.positive(), budget))
        stuttering = shown.step_free or self.known(
            lambda budget: stutter_invariant(self.positive(), self.negative(), budget)
        )
        obligation = shown.obligation or bool(safety or guarantee) or self.known(self.obligation)
        persistence = obligation or shown.persistence or self.known(self.persistence)
        if obligation is False and persistence:
            recurrence: bool | None = False
        else:
            recurrence = obligation or shown.recurrence or self.known(self.recurrence)
        if obligation is None and persistence is not None and recurrence is not None:
            obligation = persistence and recurrence
        if obligation is False:
            safety = guarantee = False
            if recurrence:
                persistence = False
        return Classes(
            safety=safety,
            liveness=liveness,
            guarantee=guarantee,
            obligation=obligation,
            recurrence=recurrence,
            persistence=persistence,
            stutter_invariant=stuttering,
            syntactic_safety=shown.safety,
        )

    def known(self, question: Callable[[Budget], bool]) -> bool | None:
        budget = Budget(self.states, min(self.most, max(0, self.left)))
        try:
            return question(budget)
        except TooLargeError:
            return None
        finally:
            self.left -= budget.spent

    def positive(self) -> Automaton:
        return trimmed(translate(self.formula))

    def negative(self) -> Automaton:
        return trimmed(translate(negation(self.formula)))

    def obligation(self, budget: Budget) -> bool:
        left, right = sorted((self.positive(), self.negative()), key=lambda automaton: automaton.states)
        return weak(left, right, budget)

    def persistence(self, budget: Budget) -> bool:
        return persistent(self.positive(), self.negative(), budget)

    def recurrence(self, budget: Budget) -> bool:
        return persistent(self.negative(), self.positive(), budget)


def closed(own: Automaton, complement: Automaton, budget: Budget) -> bool:
    """Whether each word all of whose prefixes `own` can go on from is accepted: whether its language is safety.

    own: trimmed. complement: of the words that `own` does not accept.  Raises: TooLargeError.
    """
    if not nonempty(own):
        return True
    closure = [[(edge.label, edge.target, 0) for edge in edges] for edges in own.edges]
    graph = _Paired(closure, [True] * own.states, own.initial, complement, budget)
    return not _has_cycle(graph, budget, "the product with the complement")


def live(own: Automaton, budget: Budget) -> bool:
    """Whether each finite word can go on to one that is accepted: whether the empty subset is never reached.

    Subsets with another one inside that was seen before need no look: what they cannot go on from, it cannot.
    """
    prefixes = Prefixes(own)
    seen = [prefixes.initial]
    if not prefixes.initial:
        return False
    for subset in seen:  # which grows
        for target in prefixes.branches(subset):
            if not target:
                return False
            budget.spend(len(seen), "the search for a prefix that cannot go on")
            if not any(other <= target for other in seen):
                seen.append(target)
                budget.admit(len(seen), "the subset automaton")
    return True


def weak(own: Automaton, complement: Automaton, budget: Budget) -> bool:
    """Whether the language of `own` is an obligation: whether the weak deterministic automaton that it would have to be
    accepts it. `complement` accepts the other words."""
    network = Network.of(own)
    candidate = weak_deterministic(network, budget)
    return included(network, candidate, budget) and disjoint(Network.of(complement), candidate, budget)


def persistent(own: Automaton, complement: Automaton, budget: Budget) -> bool:
    """Whether the language of `own`, trimmed, is a persistence property; `complement` accepts the other words.

    With each state goes the subset of states that the same word may have led to. Where such pairs form a component
    that accepts, every run that stays in it would have to be accepted; that is so iff the property is persistence.
    """
    if not nonempty(own):
        return True
    rows, good = _with_subsets(own, budget)
    return not _has_cycle(_Paired(rows, good, 0, complement, budget), budget, "the product with the complement")


def _has_cycle(graph: Graph[Node, None], budget: Budget, what: str) -> bool:
    """Whether some path of the graph accepts.  Raises: TooLargeError."""
    try:
        return connected(graph, Meter(states=budget.states)) is not None
    except BoundReached as error:
        raise TooLargeError(f"{what} took {error}") from None


@dataclass(frozen=True, slots=True)
class _Paired:
    """The product of an automaton with the complement; one more set, of edges that leave what is good."""

    rows: list[Row]
    good: list[bool]
    start: int
    complement: Automaton
    budget: Budget

    @property
    def sets(self) -> int:
        return self.complement.sets + 1

    def initial(self) -> list[tuple[int, int]]:
        return [(self.start, self.complement.initial)]

    def accepting(self, node: tuple[int, int]) -> bool:
        return False

    def successors(self, node: tuple[int, int]) -> Iterator[tuple[None, tuple[int, int], int]]:
        pair, state = node
        inside = int(self.good[pair]) << self.complement.sets
        edges = self.complement.edges[state]
        for label, target, _ in self.rows[pair]:
            self.budget.spend(len(edges), "the product with the complement")
            for edge in edges:
                if label & edge.label:
                    yield None, (target, edge.target), edge.marks | inside


def _with_subsets(own: Automaton, budget: Budget) -> tuple[list[Row], list[bool]]:
    """The pairs of a state and a subset, the initial one first; and of each whether its component accepts."""
    branches: dict[int, dict[int, int]] = {}
    pairs = [(own.initial, 1 << own.initial)]
    numbers = {pairs[0]: 0}
    rows: list[Row] = []
    for state, subset in pairs:  # which grows
        if subset not in branches:
            branches[subset] = _branches(own, subset, budget)
        row: Row = []
        for edge in own.edges[state]:
            for target, label in branches[subset].items():
                if label & edge.label:
                    pair = edge.target, target
                    if pair not in numbers:
                        numbers[pair] = len(pairs)
                        pairs.append(pair)
                        budget.admit(len(pairs), "the subset automaton")
                    row.append((label & edge.label, numbers[pair], edge.marks))
        budget.spend(len(own.edges[state]) * len(branches[subset]) + 1, "the subset construction")
        rows.append(row)
    good = [False] * len(pairs)
    graph = tuple(tuple(Edge(*edge) for edge in row) for row in rows)
    for component in accepting_components(Automaton((), graph, 0, own.sets)):
        for node in component:
            good[node] = True
    return rows, good


def _branches(own: Automaton, subset: int, budget: Budget) -> dict[int, int]:
    """Where the states of the subset, given as bits, lead: of each subset the label."""
    by_target: dict[int, int] = {}
    for state in range(subset.bit_length()):
        if subset >> state & 1:
            for edge in own.edges[state]:
                by_target[edge.target] = by_target.get(edge.target, 0) | edge.label
    parts = {0: own.everything}
    for target, label in by_target.items():
        budget.spend(len(parts), "the subset construction")
        finer: dict[int, int] = {}
        for targets, letters in parts.items():
            for more, part in ((1 << target, letters & label), (0, letters & ~label)):
                if part:
                    finer[targets | more] = finer.get(targets | more, 0) | part
        parts = finer
    return parts


def stutter_invariant(own: Automaton, complement: Automaton, budget: Budget) -> bool:
    """Whether no word of `own` becomes one of `complement` when letters are repeated in both of them.

    Letters that no label of either tells apart are one letter.
    """
    classes = _letter_classes(own, complement, budget)
    graph = _Stuttering(
        [[_by_class(edges, label) for label in classes] for edges in own.edges],
        [[_by_class(edges, label) for label in classes] for edges in complement.edges],
        (own.initial, complement.initial, -1),
        own.sets,
        own.sets + complement.sets,
        budget,
    )
    return not _has_cycle(graph, budget, "the check for stutter invariance")


@dataclass(frozen=True, slots=True)
class _Stuttering:
    """The product of two automata either of which may repeat the last letter while the other moves.

    A node is a state of each and the last letter. As a run that repeats its letter for ever reads no infinite word,
    there is a set for the moves of each automaton besides those that it has.
    """

    left: list[list[list[Edge]]]
    right: list[list[list[Edge]]]
    start: tuple[int, int, int]
    shift: int
    own_sets: int
    budget: Budget

    @property
    def sets(self) -> int:
        return self.own_sets + 2

    def initial(self) -> list[tuple[int, int, int]]:
        return [self.start]

    def accepting(self, node: tuple[int, int, int]) -> bool:
        return False

    def successors(self, node: tuple[int, int, int]) -> Iterator[tuple[None, tuple[int, int, int], int]]:
        a, b, last = node
        left, right = 1 << self.own_sets, 2 << self.own_sets
        if last >= 0:
            for edge in self.left[a][last]:
                yield None, (edge.target, b, last), edge.marks | left
            for other in self.right[b][last]:
                yield None, (a, other.target, last), other.marks << self.shift | right
        for letter, ours in enumerate(self.left[a]):
            theirs = self.right[b][letter]
            self.budget.spend(len(ours) * len(theirs) + 1, "the check for stutter invariance")
            for edge in ours:
                for other in theirs:
                    marks = edge.marks | other.marks << self.shift | left | right
                    yield None, (edge.target, other.target, letter), marks


def _by_class(edges: tuple[Edge, ...], label: int) -> list[Edge]:
    return [edge for edge in edges if edge.label & label]


def _letter_classes(own: Automaton, complement: Automaton, budget: Budget) -> list[int]:
    """The letters in as few labels as keep every label of both a union of them."""
    classes = [own.everything]
    for label in {edge.label for automaton in (own, complement) for edges in automaton.edges for edge in edges}:
        parts = [part for one in classes for part in (one & label, one & ~label) if part]
        budget.spend(len(parts), "the check for stutter invariance")
        classes = parts
    return classes
