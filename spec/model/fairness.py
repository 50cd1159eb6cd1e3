"""Weak fairness: a process that can go on from some time on without a break does go on.

A run is fair to a process iff, again and again, the process moves or cannot. That is one Buchi acceptance set for each
process, on the edges of the system, and nothing else has to change: search by components takes the sets as they are,
nested search counts through them (`spec.ltl.emptiness.Counted`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spec.model.system import Path, State, System


def enabled(system: System[State], state: State) -> frozenset[int]:
    """The processes that can take a step in `state`.

    Where no process moves but the system does, such as after an event, those that can when it has: else a process would
    count as blocked whenever another raises an event.  Cost: successors of one state, or of a few.
    """
    seen = {state}
    while True:
        steps = list(system.successors(state))
        if len(steps) != 1 or steps[0][0].process >= 0:
            return frozenset(step.process for step, _ in steps if step.process >= 0)
        state = steps[0][1]
        if state in seen:
            return frozenset()
        seen.add(state)


def fair_processes(system: System[State], fairness: bool | Iterable[int] | None) -> tuple[int, ...]:
    """The numbers of the processes that are treated fairly.

    fairness: True of all, False of none, None of those that the model says (`Program.fair`), or their numbers.
    Raises: ValueError for a number that no process has.
    """
    count = len(system.processes)
    if fairness is None:
        program = getattr(system, "program", None)
        return tuple(sorted(program.fair)) if program is not None else ()
    if isinstance(fairness, bool):
        return tuple(range(count)) if fairness else ()
    chosen = tuple(sorted(set(fairness)))
    for number in chosen:
        if not 0 <= number < count:
            raise ValueError(f"there is no process {number}; they are 0 to {count - 1}")
    return chosen


def is_fair(system: System[State], path: Path, fair: Iterable[int]) -> bool:
    """Whether the run is weakly fair to each of the processes, by definition; a run that ends is."""
    if path.back is None:
        return True
    states: Sequence[State] = path.states  # type: ignore[assignment]
    able = [enabled(system, state) for state in states[path.back :]]
    moves = [step.process for step in path.steps[path.back :]]
    return all(process in moves or any(process not in here for here in able) for process in fair)
