from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spec.model.execution import Execution, Values
from spec.model.reader import read
from spec.model.syntax import ModelError


def after(text: str) -> dict[str, int]:
    """The cells by name where a model with one way to go comes to rest."""
    system = Execution(read(text))
    (state,) = system.initial()
    while found := system.successors(state):
        ((step, state),) = found
        assert not step.fault, step.fault
    return {cell.name: value for cell, value in zip(system.program.cells, state, strict=True)}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["x", "y", "z", "a[0]", "a[1]", "a[x]"]),
            st.sampled_from(["x", "y", "z", "a[0]", "a[y]", "1 - x"]),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda pair: pair[0],
    )
)
def test_targets_are_given_their_values_at_once(pairs: list[tuple[str, str]]) -> None:
    start: dict[str, int] = {"x": 1, "y": 0, "z": 1, "a[0]": 0, "a[1]": 1}

    def name(text: str) -> str:
        return {"a[x]": f"a[{start['x']}]", "a[y]": f"a[{start['y']}]"}.get(text, text)

    expected = dict(start)
    for target, value in pairs:
        expected[name(target)] = 1 - start["x"] if value == "1 - x" else start[name(value)]
    targets, values = (", ".join(part) for part in zip(*pairs, strict=True))
    text = "model m var x: 0..1 = 1 var y: 0..1 var z: 0..1 = 1 var a: array[2] of 0..1 = [0, 1] process p { "
    try:
        found = after(text + f"{targets} = {values} skip x = x y = y z = z a[0] = a[0] }}")
    except ModelError as error:
        assert "two statements would be right" in str(error) and "a[x]" in targets and "x" in targets.split(", ")
        return
    assert {cell: found[cell] for cell in start} == expected
    assert all(value == 0 for cell, value in found.items() if cell.startswith("swap"))


def test_values_are_exchanged_through_a_cell_that_is_0_between_steps() -> None:
    found = after("model m var a: array[2] of 0..7 = [3, 7] process p { a[0], a[1] = a[1], a[0] }")
    assert found == {"a[0]": 7, "a[1]": 3, "p@": 0, "swap0@": 0, "swap1@": 0} | {"p@": 1}
    program = read("model m var x: 0..3 var y: 0..3 process p { x, y = y, x + 0 }")
    assert [cell.name for cell in program.cells][-2:] == ["swap0@", "swap1@"]
    program = read("model m var x: 0..3 var y: 0..3 process p { x, y = 1, x }")
    assert "swap0@" not in [cell.name for cell in program.cells]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.lists(st.tuples(st.booleans(), st.integers(0, 1)), max_size=12))
def test_channels_are_queues(capacity: int, actions: list[tuple[bool, int]]) -> None:
    text = f"""
        model m
        channel c[2][{capacity}] of 0..9, bool
        var x: 0..9
        var b: bool
        var next: 0..9
        process p {{ loop {{
            choose k in 0..1 {{ atomic {{ c[k] ! next, next > 4; next = (next + 1) % 10 }} }}
        }} }}
        process q {{ loop {{ choose k in 0..1 {{ c[k] ? x, b }} }} }}
        predicate first_is_x = !empty(c[0]) && !full(c[0]) && len(c[0]) == 1 && x == next
        """
    system = Execution(read(text))
    (state,) = system.initial()
    queues: list[deque[tuple[int, int]]] = [deque(), deque()]
    next_ = 0
    names = {cell.name: number for number, cell in enumerate(system.program.cells)}

    def part(of: Values, name: str) -> int:
        return of[names[name]]

    for sends, which in actions:
        moves = {(step.process, step.text.partition("]")[0]): target for step, target in system.successors(state)}
        target = moves.get((0, f"c[{which}") if sends else (1, f"c[{which}"))
        queue = queues[which]
        if sends:
            assert (target is None) == (len(queue) == capacity)
        else:
            assert (target is None) == (not queue)
        if target is None:
            continue
        state = target
        if sends:
            queue.append((next_, int(next_ > 4)))
            next_ = (next_ + 1) % 10
        else:
            assert (part(state, "x"), part(state, "b")) == queue.popleft()
        for number, expected in enumerate(queues):
            assert part(state, f"c[{number}].length") == len(expected)
            places = range(capacity)
            messages = [(part(state, f"c[{number}].0[{at}]"), part(state, f"c[{number}].1[{at}]")) for at in places]
            assert messages == [*expected, *[(0, 0)] * (capacity - len(expected))]


def test_a_channel_can_be_asked() -> None:
    found = after(
        """model m
        channel c[2] of 1..5
        var seen: array[5] of 0..5
        process p {
            if empty(c) && !full(c) && len(c) == 0 { seen[0] = 1 }
            c ! 4
            seen[1] = len(c)
            seen[2] = first(c)
            c ! 5
            if full(c) { seen[3] = 1 }
            c ? seen[4]
        }"""
    )
    assert [found[f"seen[{number}]"] for number in range(5)] == [1, 1, 4, 1, 4]


def test_the_first_message_of_an_empty_channel_is_a_fault() -> None:
    system = Execution(read("model m channel c[2] of 0..3 var x: 0..3 process p { x = first(c) c ! x }"))
    assert [step.fault for step, _ in system.successors(next(iter(system.initial())))] == [
        "line 1: there is no c[-1], only c[0] to c[1]"
    ]


def test_labels_raise_what_they_are_called_and_the_short_names() -> None:
    labels = "label mem_free_start(x) label custom label other(1)"
    program = read(f"model m track b: 0..1 var x: 0..1 process p {{ atomic {{ {labels} }} x = x }}")
    assert program.event_letters == (
        frozenset(),
        frozenset({"custom"}),
        frozenset({"custom", "other"}),
        frozenset({"custom", "free", "mem_free_start"}),
        frozenset({"custom", "other", "free", "mem_free_start"}),
    )
    system = Execution(program)
    raised = [system.letter(system.successors(state)[0][1]) for state in system.initial()]
    assert raised == [{"custom", "free", "mem_free_start"}, {"custom", "other"}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "label mem_alocate_end(1)",
            "there is no label `mem_alocate_end` of allocators; `mem_allocate_end` may be meant",
        ),
        ("label malloc(1)", "`malloc` is what `label mem_allocate_end` raises; that would be right"),
        ("label mem_free_start", "of which block is this? `label mem_free_start(block)` would be right"),
        ("label f(1, 2)", "a label takes one argument or none, and 2 are given"),
        ("label f(true)", "a label's argument is the number of a block, not a bool"),
        ("c ! 1, 2", "a message of `c` has one part, and 2 are given"),
        ("c ! 5", "a message of `c` is in 0..1, and this is 5"),
        ("c ? b", "`b` is a bool, and a message has a number there"),
        ("x ! 1", "`x` is a variable; a channel would be right"),
        ("c[0] ! 1", "`c` takes no index, and here it has one index"),
        ("x, y = 1", "2 targets and 1 values; as many of one as of the other would be right"),
        ("x, x = 1, 1", "`x` is given two values at once"),
        ("x = any 0..9", "`x` is in 0..3, and this is 0..9"),
        ("b = any 0..1", "`b` is a bool, and this is a number"),
        ("block = 1", "`block` is tracked: chosen once, and never given another value"),
        ("N = 1", "`N` is a constant and cannot be given a value"),
    ],
)
def test_statements_that_cannot_be_are_refused(body: str, message: str) -> None:
    head = "model m const N = 2 track block: 0..1 channel c[2] of 0..1 var x: 0..3 var y: 0..N var b: bool process p { "
    with pytest.raises(ModelError) as error:
        read(f"{head}{body} }}")
    assert str(error.value).split("\n")[0].partition(": ")[2] == message
