"""Partial-order reduction: of steps that commute one order is enough, so most states need only some of their steps.

Which steps of a state are followed is decided once for each state of the system, by a depth-first search of the system
alone, and kept. The product with an automaton, and its inner search, then walk what was kept. (Deciding anew for each
node of the product is the usual way, and wrong in general: Siegel, What's wrong with on-the-fly partial order
reduction, CAV 2019.)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping

from spec.ltl.meter import Meter
from spec.ltl.word import Letter
from spec.model.execution import Execution, Successors, Values
from spec.model.explore import Found, States, depth_first
from spec.model.independence import UnknownError, commute, effect, folded
from spec.model.interval import may_fail
from spec.model.program import Command, Constant, Expression, Guard, Program, Raise, reads


class Reduction:
    """Which steps of a state are enough.

    propositions: those of the formula; a command that may change one of them is visible. Commands that raise an event
    are taken together with the idle step that follows: in between nothing else can happen.

    The steps kept are those of a strong stubborn set, found for each process by closure: with a command that can be
    taken, all that do not commute with it and that its process's present location can lead to; with one that cannot,
    a set of commands of which one has to come first. A set is used only if none of its commands that can be taken is
    visible (or it is all). Among the sets the smallest.
    Source: Valmari, Stubborn sets for reduced state space generation (1989); Peled, All from one, one for all (1993);
    the conditions C0 to C3 as in Clarke, Grumberg and Peled, Model Checking (1999), chapter 10.
    """

    def __init__(self, program: Program, propositions: Iterable[str] = ()) -> None:
        self.program = program
        commands = program.commands
        self._known: dict[tuple[int, int], bool] = {}
        self._effects = [effect(command, program) for command in commands]
        self._counters = [process.counter for process in program.processes]
        self._here = self._by_location()
        self._ahead = self._reachable()
        self._others = [self._conflicts(number) for number in range(len(commands))]
        self._writers = self._writers_of()
        wanted = frozenset(propositions)
        self._visible = sum(1 << number for number in range(len(commands)) if self._is_visible(number, wanted))

    def _by_location(self) -> list[list[int]]:
        """Of each process and location, the commands that begin there, as bits."""
        here = [[0] * len(process.locations) for process in self.program.processes]
        for number, command in enumerate(self.program.commands):
            here[command.process][command.source] |= 1 << number
        return here

    def _reachable(self) -> list[list[int]]:
        """Of each process and location, the commands that the process can still come to, as bits."""
        ahead = [row[:] for row in self._here]
        changed = True
        while changed:
            changed = False
            for command in self.program.commands:
                row = ahead[command.process]
                more = row[command.source] | row[command.target]
                if more != row[command.source]:
                    row[command.source], changed = more, True
        return ahead

    def _conflicts(self, number: int) -> int:
        """The commands of other processes that do not commute with the command, as bits."""
        command, mine = self.program.commands[number], self._effects[number]
        found = 0
        for other, theirs in enumerate(self._effects):
            if self.program.commands[other].process == command.process:
                continue
            if (mine.writes & (theirs.reads | theirs.writes)) or (mine.reads & theirs.writes):
                first, second = sorted((number, other))
                if not self._commute(first, second):
                    found |= 1 << other
        return found

    def _commute(self, first: int, second: int) -> bool:
        if (first, second) not in self._known:
            commands = self.program.commands
            self._known[first, second] = commute(commands[first], commands[second], self.program)
        return self._known[first, second]

    def _writers_of(self) -> list[int]:
        """Of each cell, the commands that may write it, as bits."""
        writers = [0] * len(self.program.cells)
        for number, touched in enumerate(self._effects):
            for cell in touched.writes:
                writers[cell] |= 1 << number
        return writers

    def _is_visible(self, number: int, wanted: frozenset[str]) -> bool:
        """Whether the command may change a proposition of the formula."""
        command = self.program.commands[number]
        if any(isinstance(statement, Raise) and statement.event in wanted for statement in command.body):
            return True
        counter = self._counters[command.process]
        for name, expression in self.program.predicates:
            if name not in wanted:
                continue
            read = set(reads(expression)) & self._effects[number].writes
            if read - {counter} or (read and not _unmoved(expression, counter, command)):
                return True
        return False

    def candidates(self, state: Values, steps: Successors) -> Iterator[Successors]:
        """Sets of steps each of which is enough, fewest first, and not all; a state that only idles has none."""
        enabled = sum(1 << step.command for step, _ in steps if step.command >= 0)
        if len(steps) < 2 or any(step.command < 0 for step, _ in steps):
            return
        found: dict[int, None] = {}
        for process in range(len(self._counters)):
            ours = enabled & self._here[process][state[self._counters[process]]]
            if ours:
                chosen = self._closure(state, ours & -ours, enabled) & enabled
                if chosen != enabled and not chosen & self._visible:
                    found[chosen] = None
        for chosen in sorted(found, key=int.bit_count):
            yield [(step, target) for step, target in steps if chosen >> step.command & 1]

    def _closure(self, state: Values, seed: int, enabled: int) -> int:
        commands, counters = self.program.commands, self._counters
        ahead = 0
        for process, counter in enumerate(counters):
            ahead |= self._ahead[process][state[counter]]
        chosen, waiting = 0, seed
        while waiting:
            lowest = waiting & -waiting
            number = lowest.bit_length() - 1
            chosen |= lowest
            command = commands[number]
            here = self._here[command.process][state[counters[command.process]]]
            if enabled & lowest:
                more = here | (self._others[number] & ahead)
            elif not here & lowest:
                more = here
            else:
                more = self._enablers(state, number) & ahead
            waiting = (waiting | more) & ~chosen
        return chosen

    def _enablers(self, state: Values, number: int) -> int:
        """Commands of which one must come before a command that is next in its process but cannot be taken."""
        command = self.program.commands[number]
        passed: set[int] = set()
        for statement in command.body:
            if not isinstance(statement, Guard):
                break
            cells = set(reads(statement.condition))
            if _known(statement.condition, {cell: Constant(state[cell]) for cell in cells}) == Constant(0):
                return self._writing(passed | cells)
            if may_fail(statement.condition, self.program.cells):
                # It may come to fail, and a command that fails can be taken.
                passed |= cells
        return self._writing(self._effects[number].reads)

    def _writing(self, cells: Iterable[int]) -> int:
        found = 0
        for cell in cells:
            found |= self._writers[cell]
        return found


def _known(expression: Expression, values: Mapping[int, Expression]) -> Expression | None:
    try:
        return folded(expression, values)
    except UnknownError:
        return None


def _unmoved(expression: Expression, counter: int, command: Command) -> bool:
    """Whether a predicate says the same at both ends of the command, if only the location changes."""
    before = _known(expression, {counter: Constant(command.source)})
    return before is not None and before == _known(expression, {counter: Constant(command.target)})


class Reduced:
    """The system of `execution` with the steps that are enough, decided by `explore`; a system like any other."""

    def __init__(self, execution: Execution, propositions: Iterable[str] = ()) -> None:
        self.program = execution.program
        self._execution = execution
        self._reduction = Reduction(execution.program, propositions)
        self._kept: dict[Values, int] = {}

    @property
    def processes(self) -> tuple[str, ...]:
        """The names of the processes, by number."""
        return self._execution.processes

    def initial(self) -> Iterable[Values]:
        """As of the execution."""
        return self._execution.initial()

    def successors(self, state: Values) -> Successors:
        """The steps that were kept; all of a state that has not been explored."""
        steps = self._execution.successors(state)
        kept = self._kept.get(state)
        return steps if kept is None else [edge for edge in steps if kept >> edge[0].command & 1]

    def letter(self, state: Values) -> Letter:
        """As of the execution."""
        return self._execution.letter(state)

    def ended(self, state: Values) -> bool:
        """As of the execution."""
        return self._execution.ended(state)

    def show(self, state: Values) -> str:
        """As of the execution."""
        return self._execution.show(state)

    def explore(self, meter: Meter, *, deadlock: bool = False, cycles: bool = False) -> Found[Values] | None:
        """Decide for every state that is reached; a fault or, if asked for, a deadlock that is met is returned.

        cycles: for formulas: on each cycle some state keeps all its steps, and faults are left to the search after
        this one. Otherwise it is enough that no step is put off for ever: some step leads off the path.
        """

        def keep(state: Values, steps: Successors, on_path: set[Hashable]) -> Successors:
            for chosen in self._reduction.candidates(state, steps):
                closing = [self._settled(target) in on_path for step, target in chosen if not step.fault]
                if not closing or (any(closing) if cycles else all(closing)):
                    continue
                self._kept[state] = sum(1 << step.command for step, _ in chosen)
                return chosen
            return steps

        return depth_first(States(self._execution, deadlock), meter, keep=keep, faults=not cycles)

    def _settled(self, state: Values) -> Values:
        """The state after the idle step, if `state` raises events: the step and its idle step are one here."""
        event = self.program.event_cell
        if event is None or not state[event]:
            return state
        return (*state[:event], 0, *state[event + 1 :])
