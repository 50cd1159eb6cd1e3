from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spec.ltl.automaton import Automaton, Edge
from spec.ltl.emptiness import accepting_cycle
from spec.model.execution import Execution
from spec.model.fairness import enabled, fair_processes, is_fair
from spec.model.product import STAY, Product
from spec.model.program import Assign, Binary, Cell, Command, Constant, Guard, Process, Program, Raise, Read
from spec.model.system import Path, Step
from tests.spec.model.systems import TableSystem, lassos, systems

ANYTHING = Automaton((), ((Edge(0b1, 0),),))


@given(systems(), st.sets(st.integers(0, 2)))
def test_a_lasso_bears_the_marks_of_fairness_exactly_when_it_is_fair_by_definition(
    system: TableSystem, fair: set[int]
) -> None:
    product = Product(system, ANYTHING, sorted(fair))
    for path in list(lassos(system, 4))[:200]:
        assert path.back is not None
        seen = 0
        for position in range(path.back, len(path.states)):
            target = path.states[position + 1] if position + 1 < len(path.states) else path.states[path.back]
            for step, node, marks in product.successors((path.states[position], 0)):  # type: ignore[arg-type]
                if (step, node[0]) == (path.steps[position], target):
                    seen |= marks
        assert (seen == (1 << product.sets) - 1) == is_fair(system, path, fair)


def test_where_nobody_can_move_every_process_is_blocked() -> None:
    system = TableSystem([[]])
    assert enabled(system, 0) == frozenset()
    assert accepting_cycle(Product(system, ANYTHING, (0, 1, 2)), (0, 0), None) is not None
    assert is_fair(system, Path((0,), (STAY,), 0), range(3))


def events() -> Program:
    """One process raises an event again and again; another may set x at any time."""
    cells = Cell("x", 0, 1, 0), Cell("event", 0, 1, 0), Cell("a@", 0, 0, 0, 0), Cell("b@", 0, 0, 0, 1)
    processes = Process("a", 2, ("l",), frozenset()), Process("b", 3, ("l",), frozenset())
    sets = Guard(Binary("==", Read(0), Constant(0))), Assign(Read(0), Constant(1))
    commands = Command(0, 0, 0, (Raise("e"),), "raise"), Command(1, 0, 0, sets, "set")
    letters = frozenset[str](), frozenset({"e"})
    return Program("events", cells, processes, commands, 1, letters, fair=frozenset({1}))


def test_a_process_is_not_blocked_by_the_events_of_another() -> None:
    system = Execution(events())
    raised = next(target for step, target in system.successors((0, 0, 0, 0)) if step.process == 0)
    assert enabled(system, raised) == {0, 1}
    forever = Path(((0, 0, 0, 0), raised), (Step(0, "raise", 0), system.successors(raised)[0][0]), 0)
    assert is_fair(system, forever, [0]) and not is_fair(system, forever, [1])


def test_what_is_fair_is_said_by_the_caller_or_else_by_the_model() -> None:
    system = Execution(events())
    assert fair_processes(system, None) == (1,)
    assert fair_processes(system, True) == (0, 1)
    assert fair_processes(system, False) == ()
    assert fair_processes(system, [1, 0, 1]) == (0, 1)
    assert fair_processes(TableSystem([[]]), None) == ()
