"""Judging: the exact verdict of an attack, by going through every way that the draws can fall.

States that no later entry tells apart are one state, however it came about, so that a block that is freed and allocated
a hundred times costs hardly more than one that is so twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from fractions import Fraction
from math import lcm

from spec.attacks.alike import Likeness
from spec.attacks.chance import Chooser, chosen
from spec.attacks.defence import Defence, Feature
from spec.attacks.plan import Plan
from spec.attacks.seam import CAUGHT, DRAWING, NOTICING, Entry, State
from spec.attacks.verdict import Catch, Outcome, Verdict, catch_of

_Way = tuple[int, State | Exception]
"""One way that the draws of an entry can fall: one in how many it is, and the state after it or what it raised."""


def missing(needs: frozenset[Feature], defence: Defence) -> str:
    """Why an attack that needs these features does not apply; "" when it does."""
    lacking = [feature.value for feature in Feature if feature in needs - defence.features]
    return lacking[0] if lacking else ""


def judge(plan: Plan) -> Verdict:
    """The verdict of an attack on the defence it was planned for.  Cost: milliseconds."""
    attack, defence = plan.attack, plan.defence
    shares, catches = _Tree(plan).shares()
    if attack.tries > 1:
        shares = _repeated(shares, attack.tries)
    hazard = attack.hazard
    promised = hazard is not None and defence.examines  # else the hardware may not be asked
    floor = None if hazard is None or not promised else defence.architecture.detection(hazard) ** attack.tries
    return Verdict(attack.name, defence.name, shares, catches, floor)


def _repeated(shares: dict[Outcome, Fraction], tries: int) -> dict[Outcome, Fraction]:
    """The outcomes when a try that is caught is followed by another: independent, on a fresh machine each."""
    caught = shares.get(Outcome.CAUGHT, Fraction(0))
    reached = sum((caught**number for number in range(tries)), Fraction(0))
    others: dict[Outcome, Fraction] = {
        outcome: share * reached for outcome, share in shares.items() if outcome is not Outcome.CAUGHT
    }
    return others | {Outcome.CAUGHT: caught**tries}


class _Tree:
    """Every run of one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.log = plan.record.log
        self.chooser = Chooser()
        self.architecture = plan.defence.architecture
        self.drawn = chosen(self.architecture, self.chooser)
        noticing = [index for index, entry in enumerate(self.log) if isinstance(entry, NOTICING)]
        self.watched = max(noticing, default=0)
        self.live = self._live()
        self.likeness = Likeness(self.log, self.architecture)
        self.known: dict[Hashable, State] = {}
        self.ways_of: dict[tuple[Entry, int, frozenset[int]], list[_Way]] = {}

    def _live(self) -> list[frozenset[int]]:
        """After each entry, the pointers that a later one, or the goal, needs."""
        names = self.plan.record.names
        needed = frozenset(names[name].number for name in self.plan.attack.goal.names if name in names)
        live = []
        for entry in reversed(self.log):
            live.append(needed)
            needed = (needed - {entry.gives}) | {*entry.uses}
        # An entry that is skipped gives nothing, so what it would have given stays needed.
        given = {entry.gives for entry in self.log}
        kept = {number for entry in self.log if hasattr(entry, "skip") for number in entry.uses} & given
        return [after | kept if kept else after for after in reversed(live)]

    def shares(self) -> tuple[dict[Outcome, Fraction], tuple[Catch, ...]]:
        """The probability of each outcome of one try, and how it is caught."""
        shares: defaultdict[Outcome, Fraction] = defaultdict(Fraction)
        catches: dict[tuple[int, str, str], Catch] = {}

        def count(weight: Fraction, outcome: Outcome, catch: Catch | None) -> None:
            shares[outcome] += weight
            if catch is not None:
                key = catch.step, catch.kind, catch.code
                before = catches.get(key, catch._replace(probability=Fraction(0)))
                catches[key] = before._replace(probability=before.probability + weight)

        states = {0: (State(self.plan.defence.memory()), 1)}
        whole = 1  # weights are in units of 1 / whole
        for index, entry in enumerate(self.log):
            taken = [(weight, self._ways(index, entry, state)) for state, weight in states.values()]
            unit = lcm(*(odds for _, ways in taken for odds, _ in ways))
            whole *= unit
            states = {}
            for weight, ways in taken:
                for odds, after in ways:
                    share = weight * (unit // odds)
                    if isinstance(after, State):
                        key = id(after)
                        states[key] = after, share + (states[key][1] if key in states else 0)
                    else:
                        count(Fraction(share, whole), Outcome.CAUGHT, catch_of(after, entry.step))
        for state, weight in states.values():
            count(Fraction(weight, whole), *self.plan.ended(state))
        return dict(shares), tuple(catches[key] for key in sorted(catches))

    def _ways(self, index: int, entry: Entry, state: State) -> list[_Way]:
        """Each way that one entry can go from a state, the same list for the same entry and state."""
        live = self.live[index]
        if index < state.skip:
            return [(1, state)]
        key = entry, id(state), live
        found = self.ways_of.get(key)
        if found is None:
            found = self.ways_of[key] = self._explored(entry, state, live, index < self.watched)
        return found

    def _explored(self, entry: Entry, state: State, live: frozenset[int], is_noticed: bool) -> list[_Way]:
        if not (is_noticed and self.plan.defence.draws and isinstance(entry, DRAWING)):
            # Nothing is drawn, or nobody will look at it, so that one way is as good as another.
            return [(1, self._after(entry, state, live, drawn=False))]
        ways: list[_Way] = []
        for _ in self.chooser.ways():
            after = self._after(entry, state, live, drawn=True)
            ways.append((self.chooser.odds, after))
        return ways

    def _after(self, entry: Entry, state: State, live: frozenset[int], *, drawn: bool) -> State | Exception:
        """The state after an entry; the same object for states that no later entry tells apart."""
        after = state.copy()
        try:
            entry.play(after, self.drawn if drawn else self.architecture)
        except CAUGHT as error:
            return error
        after.pointers = {number: pointer for number, pointer in after.pointers.items() if number in live}
        return self.known.setdefault(self.likeness.key(after), after) if self.plan.defence.draws else after
