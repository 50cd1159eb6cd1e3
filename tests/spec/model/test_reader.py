from __future__ import annotations

import re
import sys
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spec.ltl.error import LogicError, TooLargeError
from spec.model.execution import Execution
from spec.model.reader import read, read_file, read_tree
from spec.model.syntax import ModelError

sys.path.insert(0, str(Path(__file__).parent))
from interpreter import reachable

PETERSON = """
model peterson
var flag: array[2] of bool
var turn: 0..1
process p[i: 0..1] fair {
    loop {
        flag[i] = true
        turn = 1 - i
        await !flag[1 - i] || turn == i
        critical: flag[i] = false           # leaving
    }
}
predicate both = p[0]@critical && p[1]@critical
property exclusive: []!both
property no_starvation: []("p[0]@1" -> <>"p[0]@critical")
"""


def test_peterson_has_the_states_of_the_algorithm_written_by_hand() -> None:
    """A state is where each process is and whose turn it is: the flags follow from the places."""

    def after(state: tuple[int, int, int]) -> list[tuple[int, int, int]]:
        found = []
        for me in (0, 1):
            *places, turn = state
            if places[me] == 2 and places[1 - me] > 0 and turn != me:
                continue
            turn = 1 - me if places[me] == 1 else turn
            places[me] = (places[me] + 1) % 4
            found.append((places[0], places[1], turn))
        return found

    seen = {(0, 0, 0)}
    waiting = list(seen)
    steps = 0
    while waiting:
        for target in after(waiting.pop()):
            steps += 1
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    text = PETERSON.replace('property no_starvation: []("p[0]@1" -> <>"p[0]@critical")\n', "")
    assert reachable(read(text)) == (len(seen), steps) == (20, 34)
    assert not any(here == there == 3 for here, there, _ in seen)


def philosophers(number: int) -> str:
    return f"""
        model philosophers
        const N = {number}
        var fork: array[N] of bool
        process philosopher[i: 0..N-1] fair {{
            loop {{
                atomic {{ await !fork[i]; fork[i] = true }}
                left: atomic {{ await !fork[(i + 1) % N]; fork[(i + 1) % N] = true }}
                eating: fork[i], fork[(i + 1) % N] = false, false
            }}
        }}
        predicate stuck = forall i in philosopher: philosopher[i]@left
        """


@pytest.mark.parametrize("number", range(2, 7))
def test_the_states_of_the_philosophers_are_pell_lucas_numbers(number: int) -> None:
    """A state is a ring of thinking, holding the left fork, and eating, where a thinking one is right of who eats.

    These are counted by the trace of the n-th power of their transfer matrix, of which 2, 6, 14, 34, 82, ... with
    a(n) = 2 a(n-1) + a(n-2) are the values.
    """
    pell_lucas = [2, 2]
    while len(pell_lucas) <= number:
        pell_lucas.append(2 * pell_lucas[-1] + pell_lucas[-2])
    program = read(philosophers(number))
    assert reachable(program)[0] == pell_lucas[number]
    rings = product("TLE", repeat=number)
    right = [all(b == "T" for a, b in zip(ring, ring[1:] + ring[:1], strict=True) if a == "E") for ring in rings]
    assert sum(right) == pell_lucas[number]


def test_the_philosophers_have_one_deadlock() -> None:
    system = Execution(read(philosophers(4)))
    seen = set(system.initial())
    waiting, stuck = list(seen), []
    while waiting:
        state = waiting.pop()
        successors = system.successors(state)
        if not successors and not system.ended(state):
            stuck.append(state)
        for _, target in successors:
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    assert [system.letter(state) for state in stuck] == [{"stuck"}]


FREE_LIST = """
model free_list                       # comments from # to the end of the line
const BLOCKS = 2
const CLIENTS = 2
var lock: bool = false
var head: -1..BLOCKS-1 = 0            # -1: none is free
var next: array[BLOCKS] of -1..BLOCKS-1 = [1, -1]
var owner: array[BLOCKS] of client = none
track block: 0..BLOCKS-1

symmetric process client[i: 0..CLIENTS-1] fair {
    var mine: -1..BLOCKS-1 = -1
    loop {
        label mem_allocate_start
        atomic { await !lock; lock = true }
        if head != -1 { mine = head; head = next[head] }
        lock = false
        if mine != -1 {
            atomic { label mem_allocate_end(mine); assert owner[mine] == none; owner[mine] = i }
            while * { label client_access_mem(mine) }
            atomic { label mem_free_start(mine); owner[mine] = none }
            atomic { await !lock; lock = true }
            next[mine], head = head, mine
            lock = false
            atomic { label mem_free_end; mine = -1 }
        }
        choose { skip } or { goto done }
    }
    done: end
}
predicate locked = lock
property used_while_allocated of block: (!access W malloc) && [](free -> (free W (!free && (!access W malloc))))
assume frees of block: [](malloc -> <>free)
"""


def test_the_free_list_runs_without_a_fault_and_can_always_end() -> None:
    program = read(FREE_LIST)
    assert reachable(program) == (2556, 4436)
    system = Execution(program)
    seen = set(system.initial())
    assert len(seen) == 2
    waiting = list(seen)
    while waiting:
        state = waiting.pop()
        steps = system.successors(state)
        assert not any(step.fault for step, _ in steps) and (steps or system.ended(state))
        waiting += [target for _, target in steps if target not in seen]
        seen.update(target for _, target in steps)


def test_the_free_list_is_symmetric_in_its_clients() -> None:
    program = read(FREE_LIST)
    (symmetry,) = program.symmetries
    assert symmetry.processes == (0, 1)
    assert [[program.cells[cell].name for cell in row] for row in symmetry.rows] == [
        ["client[0]@", "client[0].mine"],
        ["client[1]@", "client[1].mine"],
    ]
    assert [program.cells[cell].name for cell in symmetry.names] == ["owner[0]", "owner[1]"]


def test_a_model_names_its_properties_and_assumptions_with_what_they_are_of() -> None:
    program = read(FREE_LIST)
    assert [(named.name, named.of, named.line) for named in program.properties] == [
        ("used_while_allocated", "block", 32)
    ]
    assert [(named.name, str(named.formula)) for named in program.assumptions] == [("frees", "[](malloc -> <>free)")]
    assert program.fair == {0, 1} and program.tracked is not None and program.cells[program.tracked].name == "block"


def test_a_file_is_read_and_named_in_its_errors(tmp_path: Path) -> None:
    file = tmp_path / "wrong.m4m"
    file.write_text("model wrong\nvar x: 0..3\nprocess p { x = 4 }\n", encoding="utf-8")
    with pytest.raises(ModelError, match=re.escape(f"{file}, line 3, column 17: `x` is in 0..3, and this is 4")):
        read_file(file)
    assert issubclass(ModelError, LogicError)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", 0, "the text is empty; a model begins with `model` and its name"),
        ("model", 5, "the model ends where a name is expected"),
        ("model m process p { skip", 24, "the model ends where a statement is expected; a `}` is missing"),
        ("model m process p { end } }", 26, "this brace closes none that is open"),
        ("model m proces p { skip }", 8, "a declaration is expected, not `proces`"),
        ("model m var x 0..3", 14, "`:` is expected, not `0`"),
        ("model m var loop: bool", 12, "`loop` is a word of the language and cannot be a name"),
        ("model m process p { if x = 1 { skip } }", 25, "`=` gives a value; `==`, which compares, would be right"),
        ("model m process p { await x = 1 }", 28, "`=` gives a value; `==`, which compares, would be right"),
        ("model m process p { x == 3 }", 22, "`==` compares; `=`, which gives a value, would be right"),
        ("model m process p { await a & b }", 28, "`&` is no sign here; `&&` is the sign for and"),
        ("model m process p { await a and b }", 28, "`and` is no sign here; `&&` is the sign for and"),
        ("model m process p { await a or b }", 28, "`or` is no sign here; `||` is the sign for or"),
        ("model m process p { x++ }", 21, "after a name, a statement goes on with `=`, `!`, `?`, `[` or `:`"),
        ("model m process p { wate x }", 25, "after a name, a statement goes on with `=`, `!`, `?`, `[` or `:`"),
        ("model m process p { wait x }", 20, "`wait` is no word of the language; `await c` waits until c is true"),
        ("model m process p { if x {} elif y {} }", 28, "`elif` is no word of the language; `else if` would be right"),
        ("model m process p { x += 1 }", 22, "after a name, a statement goes on with `=`, `!`, `?`, `[` or `:`"),
        ("model m process p { x = 1 // one\n}", 26, "a comment begins with `#`"),
        ("model m /* one */ process p { skip }", 8, "a comment begins with `#`"),
        ("model m process p { await 0 < x < 3 }", 32, "a statement is expected, not `<`; of several comparisons"),
        ("model m process p { choose k in 0..1 { skip } or { skip } }", 46, "`or` goes on from `choose { ... }` alone"),
        ("model m process p { else { skip } }", 20, "a statement is expected, and `else` begins none here"),
        ("model m process p { x, y = any 0..1 }", 23, "`any` chooses one value at a time"),
        ("model m channel c[1][1, 2] of bool", 16, "a channel has one capacity, which stands last in brackets"),
        ("model m const N = 1000000000000000000", 18, "a number has 18 digits at most"),
        ("model m property q []a", 19, "`:` or `of` is expected, not `[`"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_place_and_what_would_be_right(
    text: str, place: int, message: str
) -> None:
    with pytest.raises(ModelError) as error:
        read(text)
    head, *_, caret = str(error.value).split("\n")
    assert head.startswith(f"line 1, column {place + 1}: {message}")
    assert caret == " " * (place + 2) + "^"


def test_what_is_too_deep_is_refused_and_not_tried() -> None:
    deep = "!" * 200 + "true"
    for body in (f"await {deep}", "a: " * 200 + "skip", f"await {'1+' * 300}1 == 1", "if true { " * 200 + "}" * 200):
        with pytest.raises(TooLargeError, match="MOST_DEPTH = 150"):
            read_tree(f"model m process p {{ {body} }}")
    read(f"model m process p {{ await {'(' * 400}true{')' * 400} && {' && '.join(['true'] * 3000)} }}")


def test_line_breaks_and_semicolons_are_spaces_and_a_formula_in_braces_may_have_them() -> None:
    one = read_tree("model m; var x: 0..1; process p { var y: bool; x = 1; y = true; } property q: [] a")
    other = read_tree(
        "model m\nvar x: 0..1\nprocess p {\nvar y: bool\nx = 1 # one\ny = true }\nproperty q: {\n[] a\n}\n"
    )
    assert one == other


PAGE = Path(__file__).parents[3] / "docs" / "modelling-language.md"


def test_the_page_about_the_language_shows_its_grammar_and_a_model_that_can_be_read() -> None:
    found = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    blocks = dict(reversed(found))  # the first of each kind
    grammar = Path(sys.modules["spec.model.reader"].__file__ or "").with_name("model.lark")
    assert blocks["lark"] == grammar.read_text(encoding="utf-8")
    assert reachable(read(blocks["m4m"])) == reachable(read(FREE_LIST))


def test_the_page_quotes_errors_word_for_word() -> None:
    """Doctests do not compare the messages of exceptions, so this does."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.findall(
        r"^>>> read\((.*?)\)\nTraceback.*?\nspec.model.syntax.ModelError: (.*?)\n(?=\S|\n)", page, re.M | re.S
    )
    assert len(found) == 4
    names = {"group": "symmetric process client[i: 0..1] {{ {} }}"}
    for call, expected in found:
        arguments = eval(f"({call},)", names)
        with pytest.raises(ModelError) as error:
            read(*arguments)
        assert str(error.value).split("\n")[0].startswith(expected.split("\n")[0].removesuffix("..."))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_text_that_is_nearly_a_model_is_read_or_refused_in_words(data: st.DataObject) -> None:
    words = re.findall(r"\w+|==|&&|\.\.|\s+|.", data.draw(st.sampled_from([PETERSON, FREE_LIST, philosophers(3)])))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(words) - 1))
        other = data.draw(st.sampled_from([*words, "none", "loop", "@", "end", "0", "]"]))
        words[place : place + data.draw(st.integers(0, 1))] = [other]
    try:
        program = read("".join(words))
    except ModelError as error:
        assert re.match(r"line \d+, column \d+: .", str(error))
    except TooLargeError as error:
        assert "more than" in str(error)
    else:
        system = Execution(program)
        for state in system.initial():
            assert system.show(state) and system.successors(state) is not None
