"""Partial-order reduction that looks at the program alone, so that what is left of it is a program like any other.

At some locations the steps of one process are enough: nothing that other processes do can matter to them, nor they to
what the formula looks at. Which locations these are is decided before the search, and which of them is used depends on
the state alone; so any search may walk what is left, breadth-first, depth-first, or with an automaton beside it.
It leaves more states than `spec.model.reduction`, which decides in each, and costs nothing during the search.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from spec.model.independence import Effect, UnknownError, commute, effect, folded
from spec.model.program import Command, Constant, Expression, Program, Raise, reads

Sufficient = Mapping[tuple[int, int], frozenset[int]]
"""By process and location where its steps are enough: the commands there that have to be enabled for it."""


def sufficient(program: Program, propositions: Collection[str]) -> Sufficient:
    """Where the steps of one process are enough for a formula with these propositions, which must not see stuttering.

    A location is one if each of its commands commutes with every command of every other process; changes none of the
    propositions; and closes no cycle of the process's locations. So each cycle of what is left has a state in which
    nothing is left out, and no step is put off for ever. Commands that another process may enable have to be enabled,
    else what they do then would be left out.
    Cost: commands^2 looks at whether two commute.
    Source: Kurshan, Levin, Minea, Peled and Yenigun, Static partial order reduction (1998); the conditions C0 to C2 as
    in Clarke, Grumberg and Peled, Model Checking (1999), chapter 10.

    >>> from spec.model.program import Assign, Cell, Process, Read
    >>> cells = tuple(Cell(name, 0, 1, 0) for name in ("x", "y")), tuple(Cell(f"p{i}@", 0, 2, 0, i) for i in (0, 1))
    >>> processes = tuple(Process(f"p{i}", 2 + i, ("a", "b", "c"), frozenset({2})) for i in (0, 1))
    >>> own = [Command(i, 0, 1, (Assign(Read(i), Constant(1)),)) for i in (0, 1)]
    >>> both = [Command(i, 1, 2, (Assign(Read(0), Constant(1 - i)),)) for i in (0, 1)]
    >>> sorted(sufficient(Program("two", cells[0] + cells[1], processes, (*own, *both)), ()))
    [(1, 0)]
    """
    commands = program.commands
    effects = [effect(command, program) for command in commands]
    sticky = closing(commands)
    visible = [is_visible(program, place, effects[place], propositions) for place in range(len(commands))]
    places: dict[tuple[int, int], list[int]] = {}
    for place, command in enumerate(commands):
        places.setdefault((command.process, command.source), []).append(place)
    return {
        location: frozenset(place for place in here if _may_be_enabled(program, effects, place))
        for location, here in places.items()
        if not any(place in sticky or visible[place] for place in here)
        and all(_alone(program, effects, place) for place in here)
    }


def _alone(program: Program, effects: list[Effect], place: int) -> bool:
    """Whether the command commutes with all those of other processes."""
    command, mine = program.commands[place], effects[place]
    return all(
        other.process == command.process
        or not (mine.writes & (theirs.reads | theirs.writes) or mine.reads & theirs.writes)
        or commute(command, other, program)
        for other, theirs in zip(program.commands, effects, strict=True)
    )


def _may_be_enabled(program: Program, effects: list[Effect], place: int) -> bool:
    """Whether another process may write what the command looks at."""
    return any(
        other.process != program.commands[place].process and effects[place].reads & theirs.writes
        for other, theirs in zip(program.commands, effects, strict=True)
    )


def is_visible(program: Program, place: int, touched: Effect, propositions: Collection[str]) -> bool:
    """Whether the command may change one of the propositions, an event or a predicate."""
    command = program.commands[place]
    if any(isinstance(statement, Raise) and statement.event in propositions for statement in command.body):
        return True
    counter = program.processes[command.process].counter
    for name, expression in program.predicates:
        if name in propositions:
            changed = set(reads(expression)) & touched.writes
            if changed - {counter} or (changed and not _unmoved(expression, counter, command)):
                return True
    return False


def _unmoved(expression: Expression, counter: int, command: Command) -> bool:
    """Whether a predicate says the same at both ends of the command, if only the location changes."""
    try:
        before, after = (folded(expression, {counter: Constant(at)}) for at in (command.source, command.target))
    except UnknownError:
        return False
    return isinstance(before, Constant) and before == after


def closing(commands: Iterable[Command]) -> frozenset[int]:
    """Commands without which no process can come back to a location: those that a depth-first walk finds to go back.

    >>> steps = (0, 1), (1, 2), (2, 0), (1, 1), (3, 1)
    >>> sorted(closing([Command(0, source, target, ()) for source, target in steps]))
    [2, 3]
    """
    leaving: dict[tuple[int, int], list[tuple[int, tuple[int, int]]]] = {}
    for place, command in enumerate(commands):
        edge = place, (command.process, command.target)
        leaving.setdefault((command.process, command.source), []).append(edge)
    found = set()
    done: set[tuple[int, int]] = set()
    for start in leaving:
        if start in done:
            continue
        path = {start: iter(leaving[start])}
        while path:
            location, rest = next(reversed(path.items()))
            for place, target in rest:
                if target in path:
                    found.add(place)
                elif target not in done:
                    path[target] = iter(leaving.get(target, ()))
                    break
            else:
                del path[location]
                done.add(location)
    return frozenset(found)
