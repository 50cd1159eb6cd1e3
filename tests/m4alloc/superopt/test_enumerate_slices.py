"""Windows into a function."""

from m4alloc.superopt.enumerate_slices import facts_of, windows
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.parse import parse_function

LOADED = parse_function("""define i32 @f(ptr noundef %p, i32 noundef %x) {
  %a = load i32, ptr %p, align 4
  %b = or i32 %a, %x
  %c = and i32 %a, %x
  %d = add i32 %b, %c
  store i32 %d, ptr %p, align 4
  ret i32 %b
}""")


def test_a_load_is_where_a_window_is_cut_off() -> None:
    cuts = [{argument.name for argument in one.function.arguments} for one in windows(LOADED)]
    assert {"a", "x"} in cuts and {"p", "x"} not in cuts


def test_what_others_use_does_not_die() -> None:
    assert {(one.root, one.dies) for one in windows(LOADED)} == {("d", 2)}


def test_an_attribute_of_an_argument_is_kept_and_a_load_promises_nothing() -> None:
    window = next(one for one in windows(LOADED) if len(one.function.arguments) == 2)
    assert {one.name: one.attributes for one in window.function.arguments} == {"a": (), "x": ("noundef",)}


def test_facts_of_other_values_are_left_out() -> None:
    window = windows(LOADED)[0]
    assert facts_of(window.function, [Fact("x < 3"), Fact("p != 0")]) == (Fact("x < 3"),)


def test_a_call_that_may_write_is_no_part_of_a_window() -> None:
    text = """declare i32 @g(i32)
define i32 @f(i32 %x) {
  %a = call i32 @g(i32 %x)
  %b = add i32 %a, 1
  %c = add i32 %b, 1
  ret i32 %c
}"""
    found = windows(parse_function(text, "f"))
    assert all(argument.name != "x" for one in found for argument in one.function.arguments)
