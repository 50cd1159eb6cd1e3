from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.model.static_reduction import closing, sufficient
from spec.model.program import Assign, Binary, Cell, Command, Constant, Guard, Process, Program, Raise, Read

sys.path.insert(0, str(Path(__file__).parent))
from random_programs import philosophers

steps = st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 4))


@settings(deadline=None)
@given(st.lists(steps, max_size=12))
def test_without_the_closing_commands_no_process_comes_back(edges: list[tuple[int, int, int]]) -> None:
    commands = [Command(process, source, target, ()) for process, source, target in edges]
    found = closing(commands)
    left = {(c.process, c.source, c.target) for place, c in enumerate(commands) if place not in found}
    for _ in range(5):
        # Remove what leads nowhere: in the end nothing is left, unless there is a cycle.
        left = {edge for edge in left if any(edge[0] == other[0] and edge[2] == other[1] for other in left)}
    assert not left


def two(*bodies: tuple[object, ...], predicates: tuple[tuple[str, Binary], ...] = ()) -> Program:
    """Two processes of one command each, and cells x and y."""
    cells = Cell("x", 0, 1, 0), Cell("y", 0, 1, 0), Cell("p0@", 0, 1, 0, 0), Cell("p1@", 0, 1, 0, 1)
    processes = tuple(Process(f"p{i}", 2 + i, ("a", "b"), frozenset({1})) for i in (0, 1))
    commands = tuple(Command(i, 0, 1, body) for i, body in enumerate(bodies))  # type: ignore[arg-type]
    return Program("two", cells, processes, commands, predicates=predicates)


SET_X, SET_Y = Assign(Read(0), Constant(1)), Assign(Read(1), Constant(1))
LOOK_AT_X = Guard(Read(0))


def test_a_location_is_enough_when_nothing_that_others_do_matters() -> None:
    assert sufficient(two((SET_X,), (SET_Y,)), ()) == {(0, 0): frozenset(), (1, 0): frozenset()}


def test_a_location_is_not_enough_when_another_process_reads_what_is_written() -> None:
    assert sufficient(two((SET_X,), (Assign(Read(1), Read(0)),)), ()) == {}


def test_what_another_process_may_enable_has_to_be_enabled() -> None:
    # The two commute wherever both can be taken; but before x is set the second one cannot be.
    assert sufficient(two((SET_X,), (LOOK_AT_X,)), ()) == {(0, 0): frozenset(), (1, 0): frozenset({1})}


def test_commands_that_change_a_proposition_are_seen() -> None:
    x_is_set = (("p", Binary("==", Read(0), Constant(1))),)
    assert sufficient(two((SET_X,), (SET_Y,), predicates=x_is_set), {"p"}).keys() == {(1, 0)}
    assert sufficient(two((SET_X,), (SET_Y,), predicates=x_is_set), ()).keys() == {(0, 0), (1, 0)}
    at_b = (("p", Binary("==", Read(2), Constant(1))),)
    assert sufficient(two((SET_X,), (SET_Y,), predicates=at_b), {"p"}).keys() == {(1, 0)}
    nowhere = (("p", Binary("==", Read(2), Constant(7))),)
    assert sufficient(two((SET_X,), (SET_Y,), predicates=nowhere), {"p"}).keys() == {(0, 0), (1, 0)}
    assert sufficient(two((Raise("e"),), (Raise("f"),)), {"e"}).keys() == {(1, 0)}


def test_philosophers_take_and_return_forks_in_every_order() -> None:
    # Between taking the second fork and eating nobody else matters. (A fork is taken from the table and put on it: that
    # the two cannot both be possible is not seen.)
    assert sufficient(philosophers(4, asymmetric=True), ()) == {(i, 2): frozenset() for i in range(4)}
    assert sufficient(philosophers(4, asymmetric=True), {"eat0"}).keys() == {(1, 2), (2, 2), (3, 2)}
