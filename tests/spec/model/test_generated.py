"""The model of a shape keeps its promises, breaks those that it does not make, and refuses what no allocator does."""

from __future__ import annotations

from itertools import product

import pytest

from spec.ltl.parser import parse
from spec.model.counterexample import replay
from spec.model.execution import Execution
from spec.model.generated import PROPERTIES, generated
from spec.model.search import check
from spec.model.shape import Shape
from spec.model.system import Verdict

SHAPES = {
    "one slot": Shape(slots=1),
    "no delay": Shape(slots=2, clients=2),
    "delay": Shape(slots=3, clients=2, threads=2, delay_line=1),
    "quarantine": Shape(slots=3, delay_line=1, quarantine=1),
    "random": Shape(slots=3, delay_line=1, quarantine=1, quarantine_random=True),
    "two sizes": Shape(slots=2, sizes=2, delay_line=1),
}
STATES = {"one slot": 5, "no delay": 48, "delay": 699, "quarantine": 180, "random": 192, "two sizes": 512}
# no delay: two slots, each free or one client's, are 9, for each of 2 tracked ones 18; the event of a malloc or of an
# access by either client stands beside 3 states of the other slot and 2 tracked ones, 12 each, and of a free 6.


@pytest.mark.parametrize("name", SHAPES)
def test_the_number_of_states_of_a_shape(name: str) -> None:
    result = check(Execution(generated(SHAPES[name]).program))
    assert (result.verdict, result.states) == (Verdict.HOLDS, STATES[name])


SAFE = [name for name in PROPERTIES if name != "freed_eventually"]


@pytest.mark.parametrize(("name", "asked"), list(product(SHAPES, SAFE)))
def test_every_shape_is_safe(name: str, asked: str) -> None:
    assert check(Execution(generated(SHAPES[name]).program), parse(PROPERTIES[asked])).verdict is Verdict.HOLDS


@pytest.mark.parametrize("name", SHAPES)
def test_blocks_are_freed_only_by_clients_that_free(name: str) -> None:
    system = Execution(generated(SHAPES[name]).program)
    freed = parse(PROPERTIES["freed_eventually"])
    leak = check(system, freed)
    assert leak.verdict is Verdict.VIOLATED
    assert leak.counterexample is not None
    replay(system, leak.counterexample)
    assert check(system, freed, assumptions=[parse("[](!malloc || <>free)")]).verdict is Verdict.HOLDS


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"slots": 0}, "slots is 0; it must be at least 1"),
        ({"delay_line": -1}, "delay_line is -1; it must be at least 0"),
        ({"clients": 3, "threads": 2}, "3 clients on 2 threads: each thread must have as many as another"),
    ],
)
def test_an_impossible_shape_is_refused(numbers: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Shape(**numbers)
