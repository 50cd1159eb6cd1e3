"""Monitors: the smallest table that says of each finite word its LTL3 verdict, and what is true if it ends there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import and_, eq, le, or_
from typing import Any

from spec.ltl.automaton import Automaton, Edge
from spec.ltl.error import LogicError, TooLargeError
from spec.ltl.finite import weak_reading
from spec.ltl.formula import BOOLEAN, Formula, Operator, negation, subformulas
from spec.ltl.moore import Machine, explore, minimise, product
from spec.ltl.prefix import Beginnings, Together, beginnings
from spec.ltl.residual import Progression
from spec.ltl.truth import FourTruth, Truth
from spec.ltl.word import Letter, Word

STATES = 10_000
"""How many states a monitor may have while it is built, unless told otherwise."""
ENTRIES = 1 << 22
"""How many entries a table may have: states times letters."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """A deterministic machine that is stepped with each letter of a run; states are numbered from 0.

    propositions: in order; letter number n has proposition i iff bit i of n is set. table[state][letter number]: the
    next state. initial: where it is before the first letter. verdict: for each state, the LTL3 value of the words that
    lead there. at_end: for each state, whether LTLf holds of these words, were they the whole run; of the initial
    state's empty word, [], W, R and N are true, <>, U, M, X and propositions false.
    `monitor` makes the smallest there is, so that formulas that cannot be told apart have equal monitors.

    >>> from spec.ltl.parser import parse, parse_word
    >>> freed = monitor(parse("[](malloc -> <>free)"))
    >>> freed.run(parse_word("malloc; access"))
    [0, 1, 1]
    >>> freed.verdict[1], freed.at_end[1], freed.four(1)
    (<Truth.INCONCLUSIVE: 'inconclusive'>, False, <FourTruth.PRESUMABLY_FALSE: 'presumably-false'>)
    """

    propositions: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]
    initial: int
    verdict: tuple[Truth, ...]
    at_end: tuple[bool, ...]

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.table)

    def _repr_html_(self) -> str:
        """For notebooks: its states, what each says of the run so far, and the letters between them."""
        from spec.ltl.picture import monitor

        return monitor(self)

    def _repr_svg_(self) -> str | None:
        """The same where nobody says what the page looks like; None when it is a table."""
        from spec.picture import alone

        drawn = self._repr_html_()
        return alone(drawn) if drawn.startswith("<svg") else None

    def number(self, letter: Letter) -> int:
        """The number of a letter; propositions that the monitor does not know are ignored."""
        return sum(1 << i for i, name in enumerate(self.propositions) if name in letter)

    def letter(self, number: int) -> Letter:
        """The letter of a number."""
        return frozenset(name for i, name in enumerate(self.propositions) if number >> i & 1)

    def step(self, state: int, number: int) -> int:
        """The state after the letter of that number.  Cost: O(1)."""
        return self.table[state][number]

    def run(self, word: Word) -> list[int]:
        """The state before the finite `word`, and after each letter of it.  Raises: ValueError for a lasso."""
        if not word.finite:
            raise ValueError("a lasso: a monitor reads words without a cycle")
        states = [self.initial]
        for letter in word.prefix:
            states.append(self.step(states[-1], self.number(letter)))
        return states

    def four(self, state: int) -> FourTruth:
        """The RV-LTL value of the words that lead to `state`: definite, or presumably what is true at the end."""
        return FourTruth.of(self.verdict[state], self.at_end[state])

    def check(self) -> None:
        """Raise ValueError unless the table is complete and what is definite stays so.  Cost: O(entries)."""
        if len(set(self.propositions)) != len(self.propositions):
            raise ValueError(f"a proposition is named twice: {self.propositions}")
        if not len(self.table) == len(self.verdict) == len(self.at_end):
            raise ValueError(
                f"{len(self.table)} rows, {len(self.verdict)} verdicts and {len(self.at_end)} values at the end; "
                "one of each is for each state"
            )
        if not 0 <= self.initial < self.states:
            raise ValueError(f"initial state {self.initial} of {self.states}")
        for state, row in enumerate(self.table):
            if len(row) != 1 << len(self.propositions):
                raise ValueError(f"state {state}: {len(row)} letters of {len(self.propositions)} propositions")
            for number, target in enumerate(row):
                if not 0 <= target < self.states:
                    raise ValueError(f"state {state}, letter {number}: a step to {target}, of {self.states} states")
                if self.verdict[state].definite and self.verdict[target] is not self.verdict[state]:
                    raise ValueError(
                        f"state {state}, letter {number}: {self.verdict[state]} becomes {self.verdict[target]}, "
                        "though it is definite"
                    )

    def to_json(self) -> dict[str, Any]:
        """The monitor as plain data, from which `from_json` makes an equal one."""
        return {
            "propositions": list(self.propositions),
            "initial": self.initial,
            "table": [list(row) for row in self.table],
            "verdict": [verdict.value for verdict in self.verdict],
            "at_end": list(self.at_end),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Monitor:
        """The monitor that `to_json` wrote.

        Raises: LogicError, with what is missing or wrong.

        >>> from spec.ltl.parser import parse
        >>> exclusive = monitor(parse("[]!(p && q)"))
        >>> Monitor.from_json(exclusive.to_json()) == exclusive
        True
        """
        try:
            read = cls(
                propositions=tuple(map(str, data["propositions"])),
                table=tuple(tuple(map(int, row)) for row in data["table"]),
                initial=int(data["initial"]),
                verdict=tuple(map(Truth, data["verdict"])),
                at_end=tuple(data["at_end"]),
            )
            if not all(isinstance(value, bool) for value in read.at_end):
                raise TypeError(f"at_end is true or false of each state, not {list(read.at_end)}")
            read.check()
        except KeyError as error:
            raise LogicError(
                f"a monitor has no {error}; it has propositions, initial, table, verdict, at_end"
            ) from None
        except (TypeError, ValueError) as error:
            raise LogicError(f"no monitor: {error}") from None
        return read


@lru_cache(maxsize=256)
def monitor(formula: Formula, *, weak: bool = True, states: int = STATES) -> Monitor:
    """The smallest monitor of `formula`.

    weak: judge a finished run with N for X. states: how many there may be while it is built.
    LTL3: the subset construction on the states of the automata of the formula and of its negation that accept some
    word; no state left of the first is a bad prefix, none of the second a good one. LTLf: formula progression.
    Raises: TooLargeError when it needs more states, or a table of more than ENTRIES; a formula of size n can need
    2^2^n states.  Cost: two translations, and O(edges * rounds) for the minimisation.
    Source: Bauer, Leucker and Schallhart, Runtime verification for LTL and TLTL (2011), section 3.2.

    >>> from spec.ltl.parser import parse
    >>> proper = monitor(parse("(!access W malloc) && [](free -> X(!access W malloc))"))
    >>> proper.states, proper.propositions
    (3, ('access', 'free', 'malloc'))
    """
    propositions = tuple(sorted(formula.propositions))
    if (1 << len(propositions)) > ENTRIES:
        raise TooLargeError(f"{len(propositions)} propositions: a table has at most {ENTRIES} entries")
    can_hold, can_fail = _nonempty(formula, propositions, states), _nonempty(negation(formula), propositions, states)
    ended = _ended(weak_reading(formula) if weak else formula, propositions, states)
    verdict = product(can_hold, can_fail, _truth, states)
    machine = product(verdict, ended, lambda truth, at_end: (truth, at_end), states)
    if len(machine.rows) << len(propositions) > ENTRIES:
        raise TooLargeError(
            f"{len(machine.rows)} states and {len(propositions)} propositions: a table has at most {ENTRIES} entries"
        )
    return Monitor(
        propositions,
        machine.table(1 << len(propositions)),
        0,
        tuple(truth for truth, _ in machine.outputs),
        tuple(at_end for _, at_end in machine.outputs),
    )


def safety_monitor(formula: Formula, *, states: int = STATES) -> Automaton:
    """The smallest deterministic automaton in which exactly the bad prefixes of `formula` have no run.

    It has no acceptance set: it accepts the words all of whose prefixes can still go on to satisfy the formula, the
    smallest safety property that contains it. The state in which nothing can go on is left out and so are the edges to
    it; of an unsatisfiable formula one state without edges is left.
    Raises: TooLargeError when the subset construction needs more than `states`.  Cost: as `monitor`.

    >>> from spec.ltl.parser import parse
    >>> safety_monitor(parse("[](free -> X !access)")).states, safety_monitor(parse("[]<>p")).states
    (2, 1)
    """
    propositions = tuple(sorted(formula.propositions))
    machine = _nonempty(formula, propositions, states)
    kept = [state for state, alive in enumerate(machine.outputs) if alive] or [0]
    numbers = {state: number for number, state in enumerate(kept)}
    edges = tuple(
        tuple(Edge(label, numbers[target]) for target, label in machine.rows[state].items() if machine.outputs[target])
        for state in kept
    )
    return Automaton(propositions, edges, 0, 0)


def _nonempty(formula: Formula, propositions: tuple[str, ...], states: int) -> Machine[bool]:
    """The smallest machine that says of each word whether some word that satisfies `formula` begins with it."""
    return _alive(beginnings(formula), propositions, states)


def _alive(words: Beginnings, propositions: tuple[str, ...], states: int) -> Machine[bool]:
    if isinstance(words, Together):
        machines = (_alive(part, propositions, states) for part in words.parts)
        operator = or_ if words.disjunction else and_
        return reduce(lambda left, right: product(left, right, operator, states), machines)
    machine = minimise(explore(words.initial, words.branches, words.alive, states))
    return machine.widened(words.automaton.propositions, propositions)


def _truth(can_hold: bool, can_fail: bool) -> Truth:
    return Truth.FALSE if not can_hold else Truth.INCONCLUSIVE if can_fail else Truth.TRUE


def _ended(formula: Formula, propositions: tuple[str, ...], states: int) -> Machine[bool]:
    """The smallest machine that says of each word whether LTLf holds of it.

    The outermost Boolean operators are taken of the machines of their operands, each as small as it can be: the parts
    of a long conjunction are never multiplied out.
    """
    outermost, waiting = {formula}, [formula]
    for part in waiting:
        if part.operator in BOOLEAN:
            waiting.extend(operand for operand in part.operands if operand not in outermost)
            outermost.update(part.operands)
    machines: dict[Formula, Machine[bool]] = {}
    for part in subformulas(formula):
        if part in outermost:
            operands = part.operands if part.operator in BOOLEAN else ()
            machines[part] = _ended_part(part, [machines[operand] for operand in operands], propositions, states)
    return machines[formula]


def _ended_part(
    part: Formula, operands: list[Machine[bool]], propositions: tuple[str, ...], states: int
) -> Machine[bool]:
    match part.operator:
        case Operator.NOT:
            return Machine(operands[0].rows, tuple(not output for output in operands[0].outputs))
        case Operator.AND:
            return reduce(lambda left, right: product(left, right, and_, states), operands)
        case Operator.OR:
            return reduce(lambda left, right: product(left, right, or_, states), operands)
        case Operator.IMPLIES:
            return product(operands[0], operands[1], le, states)
        case Operator.IFF:
            return product(operands[0], operands[1], eq, states)
    progression = Progression(part, propositions)
    return minimise(explore(progression.initial, progression.branches, progression.at_end, states))
