from __future__ import annotations

from itertools import permutations

import pytest

from spec.ltl.error import TooLargeError
from spec.model.execution import Execution, Values
from spec.model.lower import lower
from spec.model.program import Program
from spec.model.reader import read
from spec.model.syntax import Located, ModelError, ProcessOf, Skip, Tree

SYMMETRIC = """
model queue_of_clients
const N = 3
var holder: client = none
var waiting: array[client] of bool
var turn: array[2, client] of 0..1
channel line[N] of client
channel answer[client][1] of bool
symmetric process client[i: 0..N-1] fair {
    var last: client = i
    var got: bool
    loop {
        waiting[i] = true
        line ! i
        answer[i] ? got
        critical: holder = i
        if last != i { turn[0, last], turn[1, i] = 1, 0 }
        last, got = holder, false
        atomic { choose j in client { await !waiting[j] || j == i; last = j } holder = none; waiting[i] = false }
    }
}
process server {
    var next: client
    stay idle: line ? next
    await holder == none
    answer[next] ! true
    next = none
    goto idle
}
predicate busy = exists j in client: client[j]@critical
predicate at_most_one = forall j in client: forall k in client: j == k || !(client[j]@critical && client[k]@critical)
predicate own = forall j in client: client[j].last == j || holder == j || turn[0, j] == 0
"""


def states_of(program: Program, most: int) -> list[Values]:
    """Reachable states, those of short paths and of long ones."""
    system = Execution(program)
    found = dict.fromkeys(system.initial())
    waiting = list(found)
    while waiting and len(found) < most:
        for step, target in system.successors(waiting.pop(len(found) % 2 and -1)):
            if not step.fault and target not in found:
                found[target] = None
                waiting.append(target)
    return list(found)


def test_exchanging_symmetric_processes_changes_nothing() -> None:
    program = read(SYMMETRIC)
    system = Execution(program)
    (symmetry,) = program.symmetries
    states = states_of(program, 3000)

    def moved(state: Values, order: tuple[int, ...]) -> Values:
        """Process k takes the place of process order[k]."""
        new = list(state)
        for mine, other in zip(symmetry.rows, (symmetry.rows[place] for place in order), strict=True):
            for source, target in zip(mine, other, strict=True):
                new[target] = state[source]
        for cell in symmetry.names:
            new[cell] = order[new[cell]] if new[cell] >= 0 else new[cell]
        return tuple(new)

    for state in states[::20]:
        for order in permutations(range(3)):
            other = moved(state, order)
            mine = sorted(moved(target, order) for _, target in system.successors(state))
            assert mine == sorted(target for _, target in system.successors(other))
            assert system.letter(state) == system.letter(other)


def test_the_rows_of_a_symmetry_are_all_that_is_of_a_process() -> None:
    program = read(SYMMETRIC)
    (symmetry,) = program.symmetries
    assert [program.cells[cell].name for cell in symmetry.rows[1]] == [
        "client[1]@",
        "client[1].last",
        "client[1].got",
        "waiting[1]",
        "turn[0,1]",
        "turn[1,1]",
        "answer[1].length",
        "answer[1][0]",
    ]
    assert [program.cells[cell].name for cell in symmetry.names] == [
        "holder",
        "line[0]",
        "line[1]",
        "line[2]",
        "client[0].last",
        "client[1].last",
        "client[2].last",
        "server.next",
    ]


def test_one_process_alone_has_no_symmetry() -> None:
    assert not read("model m symmetric process c[i: 0..0] { skip }").symmetries


@pytest.mark.parametrize(
    ("declarations", "body", "message"),
    [
        (
            "var x: 0..3",
            "x = i + 1",
            "`+` takes numbers, and this is a process of c; processes of a symmetric group can be told apart by == "
            "and != alone",
        ),
        ("var x: c", "if x < i { x = i }", "`<` compares numbers, and this is a process of c; == and != are right"),
        ("var x: 0..1", "x = i", "`x` is a number, and this is a process of c"),
        ("var x: c", "x = 0", "`x` is a process of c, and this is a number"),
        (
            "var a: array[2] of bool",
            "a[i] = true",
            "`a` is indexed by numbers, and this is a process of c; array[c] would be right",
        ),
        (
            "var a: array[c] of bool",
            "a[0] = true",
            "`a` is indexed by processes of c, and this is a number: exchanging them must change nothing",
        ),
        (
            "var x: c",
            "for j in c { x = j }",
            "`c` is symmetric, and `for` takes its processes in an order; `choose` takes any",
        ),
        (
            "var a: array[c, c] of bool",
            "a[i, i] = true",
            "`a` is indexed by processes of symmetric groups twice; once is possible",
        ),
        (
            "",
            "var a: array[c] of bool a[i] = true",
            "an array by process of a symmetric group is global, and not of one process",
        ),
        (
            "var x: c var a: array[c] of bool",
            "a[i] = exists j in c: a[x] || j == x",
            "of symmetric processes this is to be true or false, but the index of a may be -1, and there are a[0] to "
            "a[1]",
        ),
        (
            "var a: array[c] of bool = [true, false]",
            "a[i] = true",
            "`c` is symmetric, and yet exchanging 0 and 1 changes how a[0] begins",
        ),
    ],
)
def test_what_tells_symmetric_processes_apart_is_refused(declarations: str, body: str, message: str) -> None:
    with pytest.raises(ModelError) as error:
        read(f"model m {declarations} symmetric process c[i: 0..1] {{ {body} }}")
    assert str(error.value).split("\n")[0].partition(": ")[2] == message


def test_nobody_takes_symmetric_processes_in_an_order() -> None:
    group = "symmetric process c[i: 0..1] { a[i] = true }"
    text = f"model m var a: array[c] of bool {group} process p {{ for j in c {{ await a[j] }} }}"
    with pytest.raises(ModelError, match="`c` is symmetric, and `for` takes its processes in an order"):
        read(text)


def test_without_symmetry_processes_are_numbers() -> None:
    program = read("model m var x: c var a: array[c] of 0..2 process c[i: 0..1] { a[0] = i + 1 for j in c { x = j } }")
    assert [(cell.name, cell.low, cell.high, cell.initial) for cell in program.cells[:3]] == [
        ("x", -1, 1, 0),
        ("a[0]", 0, 2, 0),
        ("a[1]", 0, 2, 0),
    ]


def test_variables_begin_where_it_is_said_or_next_to_zero() -> None:
    text = """model m
        const TOP = 2 * 3
        const ON = !false
        var a: 2..TOP
        var b: -5..-2
        var c: bool = ON
        var d: array[2, 2] of 0..TOP = [1, 2, 3, TOP]
        var e: array[3] of -1..1 = -1
        process p { a, b, c = 2, -2, ON d[0, 1] = 1 e[0] = 0 }"""
    cells = {cell.name: cell for cell in read(text).cells}
    assert [cells[name].initial for name in ("a", "b", "c", "d[0,0]", "d[1,1]", "e[2]")] == [2, -2, 1, 1, 6, -1]
    assert cells["d[1,0]"][1:] == (0, 6, 3, -1) and cells["p@"][1:] == (0, 3, 0, 0)


def test_an_element_with_two_indices_is_the_right_one_and_no_other() -> None:
    body = "a[i, j] = 5; i = i; j = j"
    text = f"model m var a: array[2, 3] of 0..5 var i: -1..3 = {{}} var j: -1..3 = {{}} process p {{{{ {body} }}}}"
    for i in range(-1, 4):
        for j in range(-1, 4):
            system = Execution(read(text.format(i, j)))
            ((step, state),) = system.successors(next(iter(system.initial())))
            inside = 0 <= i < 2 and 0 <= j < 3
            assert bool(step.fault) != inside
            assert [at for at in range(6) if state[at] == 5] == ([3 * i + j] if inside else [])


def test_locations_in_quotes_are_propositions() -> None:
    processes = "process p[i: 0..1] { skip here: skip } process q { there: skip }"
    program = read(f'model m {processes} property x: <>("p[1]@here" && "q@there")')
    assert [name for name, _ in program.predicates] == ["p[1]@here", "q@there"]
    assert Execution(program).letter((0, 1, 0)) == {"p[1]@here", "q@there"}


def test_a_location_that_is_in_no_branch_taken_is_never_reached() -> None:
    program = read("model m const BUG = false process p { if BUG { here: skip } skip } predicate at = p@here")
    assert not Execution(program).letter((0,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "property x: [](y -> free)",
            "`y` is no predicate or event; there are access, client_access_mem, free, high, malloc,",
        ),
        ("property x: []hihg", "`hihg` is no predicate or event; `high` may be meant; there are"),
        ('property x: [] "p@her"', "`p` has no location `her`; `here` may be meant; it has end, here"),
        ('property x: [] "q@here"', "nothing is called `q`"),
        (
            "property x: [](high -> <>)",
            "a formula is missing before `)`; a formula is over predicates, events, and locations in quotes",
        ),
        (
            "property x: [](v == 1)",
            "'=' is no part of a formula; a formula is over predicates, events, and locations in quotes",
        ),
        ("property x of block: []free", "no block is tracked; `track block: 0..n-1` would choose one"),
        ("property x of blok: []free", "a property is of block or global, not of `blok`"),
        ("property high: []free", "`high` has a meaning already; another name would be right"),
        ("predicate free = true", "`free` is an event; a predicate needs another name"),
        ("predicate x = v", "a predicate takes a bool, and this is a number; `!= 0` would make it one"),
        (
            "predicate x = a[v]",
            "a predicate is true or false in every state, but the index of a may be 2, and there are a[0] to a[1]",
        ),
        ("predicate x = 6 / v == 2", "a predicate is true or false in every state, but the divisor may be 0"),
        ("predicate x = p[0]@here", "`p` takes no index"),
        ("predicate x = p.mine == 0", "`p` has no variable `mine`; `mind` may be meant"),
        ("predicate x = v@here", "`v` is a variable; a process would be right"),
        ("track a: 0..1", "`a` has a meaning already; another name would be right"),
        ("track b: 0..1 track c: 0..1", "one block is tracked already, of which all properties are"),
        ("var w: array[0] of bool", "`w` has length 0; 1 or more would be right"),
        ("var w: array[v] of bool", "the length of an array takes a constant, and this depends on a variable"),
        ("var w: 0..v", "`w` takes a constant, and this depends on a variable"),
        ("var w: 0..1 = v", "`w` begins with a constant, and this depends on a variable"),
        ("var w: 0..1 = 2", "`w` is in 0..1, and this is 2"),
        ("var w: array[2] of 0..1 = [1]", "`w` has 2 elements, and 1 initial values are given"),
        ("var w: 0..3000000000", "the range 0..3000000000 is not inside of -2147483647..2147483647"),
        ("var w: int", "nothing is called `int`; a type is bool, low..high, or the name of a group of processes"),
        ("var w: p", "`p` is a single process; one with an index would be right"),
        ("var w: 0..1", "`w` is a variable that nothing uses"),
        ("const w = 1", "`w` is a constant that nothing uses"),
        ("const w = v", "nothing is called `v`"),
        (
            "channel w[0] of bool",
            "a channel holds 1 to 64 messages, not 0; capacity 1 and an answer would make both wait",
        ),
        ("symmetric process w { skip }", "a symmetric process is indexed from 0; `w[i: 0..n-1]` would be right"),
        ("process w { var v: bool v = true }", "`v` has a meaning already; another name would be right"),
        ("process w { a: skip a: skip }", "there is a location `a` already; another name would be right"),
        ("const w = none", "`w` is given no constant"),
        ("process w[i: 1..2] { skip } var x: array[w] of bool", "`w` is numbered from 1; an array is from 0"),
        ("process w[i: 2..1] { skip }", "nothing is in the range 2..1; low..high is right"),
        ("process w { var x: 0..3 x = any 2..1 }", "nothing is in the range 2..1; low..high is right"),
        ("process w { var x: 0..3 skip }", "`x` is a variable that nothing uses"),
        ("predicate loop = true", "`loop` is a word of the language and cannot be a name"),
        ("predicate U = true", "`U` is an operator of formulas; another name would be right"),
        ("process w[i: 0..1] { skip } predicate x = w[2]@end", "`w` has 0..1, not 2"),
        (
            "process w[i: 0..1] { skip } predicate x = w[v]@end",
            "which process is a constant, or a name that `exists` or `forall` binds",
        ),
        ("process w { goto a }", "there is no location `a` here"),
        ("process w { break }", "`break` stands in no loop; `goto` or `end` would be right"),
        ("process w { loop { skip } skip }", "this is never reached; a location that a `goto` leads to would be"),
        ("process w { loop { } }", "this goes round without a step; `skip` would be one"),
        (
            "process w { atomic { loop { skip } } }",
            "a loop inside atomic might never end; `for` over a constant range would be right",
        ),
        ("process w { atomic { here: skip } }", "inside atomic nobody can see `here`; it may stand before it"),
    ],
)
def test_what_a_model_cannot_say_is_refused(text: str, message: str) -> None:
    head = "model m var v: 0..2 var a: array[2] of bool predicate high = v > 1 process p { var mind: 0..1 mind = 0 "
    with pytest.raises(ModelError) as error:
        read(f"{head} here: v = 1; a[0] = true }} {text}")
    assert str(error.value).split("\n")[0].partition(": ")[2].startswith(message)


def test_errors_in_a_formula_of_several_lines_have_their_place() -> None:
    with pytest.raises(ModelError) as error:
        read("model m\nprocess p { skip }\nproperty x: {\n    [] free &&\n    (free ->)\n}")
    assert str(error.value).startswith("line 5, column 13: a formula is missing before `)`")


def test_what_is_too_large_is_refused_by_name() -> None:
    for declaration, bound in [
        ("var a: array[5000] of bool", "MOST_CELLS = 4096"),
        ("var a: array[64, 64] of bool var b: bool", "MOST_CELLS = 4096"),
        ("process q[i: 0..99] { skip }", "MOST_PROCESSES = 64"),
    ]:
        with pytest.raises(TooLargeError, match=bound):
            read(f"model m {declaration} process p {{ skip }}")
    labels = " ".join(f"label event{number}({number})" for number in range(11))
    with pytest.raises(TooLargeError, match="more than 10 events"):
        read(f"model m track b: 0..99 process p {{ atomic {{ {labels} }} }}")
    labels, others = (" ".join(f"label {name}{n}({n})" for n in range(10)) for name in "ef")
    with pytest.raises(TooLargeError, match="MOST_LETTERS = 1024"):
        read(f"model m track b: 0..99 process p {{ atomic {{ {labels} }} atomic {{ {others} }} }}")


def test_a_model_without_a_process_is_refused() -> None:
    with pytest.raises(ModelError, match="the model has no process, so that nothing can happen in it"):
        read("model m")
    with pytest.raises(ModelError, match="`if` is a word of the language and cannot be a name"):
        lower(Tree("m", (ProcessOf("p", (Located("if", Skip()),)),)))
