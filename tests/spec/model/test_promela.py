"""The Promela of a program says what the program says; tests/m4alloc/model/test_spin.py has SPIN read it."""

from __future__ import annotations

import re

import pytest

from spec.ltl.parser import parse
from spec.model.catalogue import BUNDLED, program
from spec.model.program import (
    Assert,
    Assign,
    Binary,
    Cell,
    Choice,
    Command,
    Constant,
    Element,
    Expression,
    Guard,
    Process,
    Program,
    Raise,
    Read,
    Statement,
)
from spec.model.promela import PromelaError, export, promela


def of(*body: Statement, cells: tuple[Cell, ...] = (), **rest: object) -> Program:
    """A program of one process with one command, whose location is cell 0."""
    process = Process("p", 0, ("main",), frozenset({0}))
    whole = (Cell("p@", 0, 0, 0, owner=0), *cells)
    return Program("m", whole, (process,), (Command(0, 0, 0, body),), **rest)  # type: ignore[arg-type]


def option(text: str) -> str:
    """What the first command does, without `:: d_step { ... }`."""
    found = re.search(r":: d_step \{ (.*) \} goto", text)
    assert found is not None, text
    return found[1]


X = Cell("x", 0, 3, 0)
ARRAY = (Cell("a[0]", -1, 2, 0), Cell("a[1]", -1, 2, 1))
EVENTS: dict[str, object] = {
    "event_cell": 2,
    "event_letters": (frozenset[str](), frozenset({"free", "mem_free_start"}), frozenset({"malloc"})),
}


def test_every_bundled_model_is_exported_with_one_line_a_command() -> None:
    for name in BUNDLED:
        model = program(name)
        made = export(model)
        lines = made.text.split("\n")
        idle = 0 if model.event_cell is None else 1
        assert sorted(made.commands.values()) == list(range(-idle, len(model.commands)))
        assert all(lines[line - 1].startswith("  :: d_step {") for line in made.commands)
        assert sum(line.startswith("  :: ") for line in lines) == len(made.commands)


def test_a_value_that_may_be_out_of_range_is_asserted_and_one_that_cannot_is_not() -> None:
    assert option(promela(of(Assign(Read(1), Binary("+", Read(1), Constant(1))), cells=(X,)))) == (
        "assert((x + 1) <= 3); x = x + 1;"
    )
    assert option(promela(of(Assign(Read(1), Constant(2)), cells=(X,)))) == "x = 2;"


def test_a_conditional_value_keeps_its_parentheses() -> None:
    value = Choice(Read(1), Constant(3), Constant(2))
    assert option(promela(of(Assign(Read(1), value), cells=(X,)))) == "x = (x -> 3 : 2);"


def test_indices_and_divisors_are_asserted_before_they_are_used() -> None:
    index = Assign(Element(2, 2, Read(1)), Constant(0))
    assert option(promela(of(index, cells=(X, *ARRAY)))) == "assert(x < 2); a[x] = 1;"
    divides = Assign(Read(1), Binary("/", Constant(3), Read(1)))
    assert "assert(x != 0); " in option(promela(of(divides, cells=(X,))))


def test_a_guard_that_fails_lets_its_command_begin_and_is_asserted() -> None:
    guard = Guard(Binary("==", Element(2, 2, Read(1)), Constant(1)))
    assert option(promela(of(guard, cells=(X, *ARRAY)))) == "((x < 2) -> ((a[x] - 1) == 1) : 1) -> assert(x < 2);"
    # Of two, the second is looked at after the first, and after what stands between them.
    second = Guard(Binary("==", Binary("/", Constant(3), Read(1)), Constant(1)))
    body = Guard(Binary("<", Read(1), Constant(2))), Assign(Read(1), Constant(0)), second
    assert option(promela(of(*body, cells=(X,)))).endswith("x = 0; assert(x != 0);")


def test_an_array_with_different_negative_values_is_stored_from_0() -> None:
    # Promela lists no negative number as an initial value.
    text = promela(of(Assign(Read(1), Element(2, 2, Constant(0))), Guard(Constant(1)), cells=(X, *ARRAY)))
    assert "byte a[2] = {1, 2};" in text
    assert "x = a[0] - 1;" in text


def test_an_array_is_not_indexed_with_itself() -> None:
    inner = Element(2, 2, Constant(0))
    text = promela(of(Assign(Element(2, 2, inner), Element(2, 2, inner)), cells=(X, *ARRAY)))
    assert "hidden int place;" in text
    assert re.search(r"a\[[^]]*a\[", text) is None


def test_a_guard_after_an_assignment_is_looked_at_before_anything_happens() -> None:
    body = Assign(Read(1), Constant(2)), Guard(Binary("==", Read(1), Read(2)))
    text = promela(of(*body, cells=(X, Cell("y", 0, 3, 0))))
    assert option(text) == "(2 == y) -> x = 2;"


def test_nothing_happens_while_an_event_is_shown_but_the_idle_step() -> None:
    made = export(of(Raise("malloc"), cells=(X, Cell("event", 0, 2, 0)), **EVENTS))
    assert option(made.text) == "(event == 0) -> event = 2;"
    idle = next(line for line, command in made.commands.items() if command == -1)
    assert made.text.split("\n")[idle - 1] == "  :: d_step { event != 0 -> event = 0; } goto end_idle"


def test_events_raised_on_one_condition_are_raised_together() -> None:
    condition: Expression = Binary("==", Read(1), Constant(1))
    body = Raise("mem_free_start", condition), Raise("free", condition)
    text = promela(of(*body, cells=(X, Cell("event", 0, 2, 0)), **EVENTS))
    assert option(text) == "(event == 0) -> event = ((x == 1) -> 1 : event);"


def test_events_raised_on_two_conditions_are_told_apart() -> None:
    letters = (frozenset[str](), frozenset({"a"}), frozenset({"b"}), frozenset({"a", "b"}))
    body = Raise("a", Read(1)), Raise("b")
    text = promela(of(*body, cells=(X, Cell("event", 0, 3, 0)), event_cell=2, event_letters=letters))
    assert option(text) == (
        "(event == 0) -> event = (x -> 1 : event); event = (event == 1 -> 3 : (event == 0 -> 2 : event));"
    )


def test_the_tracked_cell_is_a_macro_and_no_variable() -> None:
    model = program("free_list")
    text = promela(model)
    assert "#ifndef TRACKED\n#define TRACKED 0 /* to 1 */\n#endif" in text
    assert not re.search(r"^(bit|byte|short|int) block\b", text, re.MULTILINE)


def test_names_keep_clear_of_keywords_and_propositions() -> None:
    cells = Cell("init", 0, 1, 0), Cell("p", 0, 1, 0), Cell("a b[3]", 0, 1, 0), Cell("register", 0, 1, 0)
    seen = Binary("&&", Read(1), Binary("&&", Read(2), Binary("&&", Read(3), Read(4))))
    text = promela(of(Guard(seen), cells=cells, predicates=(("p", Read(1)),)), parse("[]p"))
    assert option(text) == "(init_ && (p_ && (a_b_3 && register_)))"
    assert "#define p_p (init_)" in text


def test_a_location_is_a_variable_only_where_something_looks_at_it() -> None:
    model = program("peterson")
    assert "byte p_0 = 0;" in promela(model)  # predicates look at both processes
    assert "= 1; } goto" not in promela(of(Guard(Constant(1))))
    assert promela(of(Guard(Constant(1)))).count("byte") == 0


def test_a_process_that_has_ended_stays() -> None:
    process = Process("p", 0, ("main", "gone", "stuck"), frozenset({1}))
    model = Program("m", (Cell("p@", 0, 2, 0, owner=0),), (process,), (Command(0, 0, 1, ()),))
    text = promela(model)
    assert "end_1_gone: false" in text and "at_2_stuck: false" in text
    assert text.startswith("/* m: ") and "-end-" not in text


def test_a_formula_becomes_our_own_never_claim_over_macros() -> None:
    text = promela(program("peterson"), parse("[](waiting0 -> X !critical1)"))
    assert "#define p_waiting0 (p_0 == 3)" in text
    assert text.count("never {") == 1 and "accept_all:" in text
    assert "ltl" not in text


def test_fairness_is_part_of_the_claim() -> None:
    text = promela(program("peterson"), parse("[](waiting0 -> <>critical0)"), fair={0, 1})
    assert "byte last_mover = 2;" in text
    assert text.count("last_mover = 0;") == sum(one.process == 0 for one in program("peterson").commands)
    assert "#define p_fair_0 (last_mover == 0 || !" in text


def test_ltl_text_is_for_spin_to_translate() -> None:
    text = promela(program("peterson"), parse("[](waiting0 -> (critical1 R waiting0))"), ltl=True)
    assert text.rstrip().endswith("ltl property { [](p_waiting0 -> (p_critical1 V p_waiting0)) }")


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        (
            "[]nobody",
            {},
            "the model peterson has no proposition nobody; it has critical0, critical1,",
        ),
        ("X critical0", {"ltl": True}, "SPIN does not know X; without `ltl` the formula becomes our own never claim"),
        ("O critical0", {"ltl": True}, "SPIN does not know O; "),
        ("[]critical0", {"ltl": True, "fair": {0}}, "fairness is part of our own never claim"),
    ],
)
def test_what_promela_cannot_say_is_refused(formula: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(PromelaError, match=re.escape(message)):
        promela(program("peterson"), parse(formula), **options)  # type: ignore[arg-type]


def test_numbers_beyond_32_bits_are_refused() -> None:
    wide = Cell("w", 0, 2**20, 0)
    with pytest.raises(PromelaError, match="numbers up to 1099511627776 are beyond the 32 bits"):
        promela(of(Guard(Binary("*", Read(1), Read(1))), cells=(wide,)))
    with pytest.raises(PromelaError, match="numbers from 0 to 2147483648 are beyond the 32 bits"):
        promela(of(Guard(Constant(1)), cells=(Cell("w", 0, 2**31, 0),)))


def test_what_no_command_may_change_is_refused() -> None:
    with pytest.raises(PromelaError, match="a command gives p@ a value, which is not its to give"):
        promela(of(Assign(Read(0), Constant(0))))


def test_an_assertion_stands_where_it_is_made() -> None:
    before = Assert(Binary("==", Read(1), Constant(0)), "0 at first")
    after = Assert(Binary("==", Read(1), Constant(1)), "then 1")
    text = promela(of(before, Assign(Read(1), Constant(1)), after, cells=(X,)))
    assert option(text) == "assert(x == 0); x = 1; assert(x == 1);"
