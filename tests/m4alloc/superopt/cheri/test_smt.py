"""m4alloc.superopt.cheri.smt: questions, their cases, and memory."""

from __future__ import annotations

import pytest

from capability.cheri.isa import ISAV8_128, ISAV9_128, MORELLO, RISCV_64, Isa
from m4alloc.superopt.cheri.layout import layout_of
from m4alloc.superopt.cheri.notation import parsed
from m4alloc.superopt.cheri.smt import Question, ask, cases, fresh, is_possible
from m4alloc.superopt.cheri.symbol import Cap, Unsupported
from m4alloc.superopt.cheri.term import Sort, TermError
from m4alloc.superopt.cheri.words import Word, is_symbolic, solver

SORTS = {**dict.fromkeys(("c", "d"), Sort.CAP), **dict.fromkeys(("n", "m", "v"), Sort.INT), "t": Sort.BOOL}


def asked(source: str, target: str, condition: str = "true", isa: Isa = ISAV9_128, strict: bool = True) -> str:
    terms = (parsed(text, SORTS) for text in (source, target, condition))
    return ask(Question(*terms, layout_of(isa), strict), seconds=20.0).outcome


def test_two_loads_without_a_write_between_are_one() -> None:
    assert asked("tuple(load(c, 8), load(c, 8))", "let(x, load(c, 8), tuple(x, x))") == "proved"


@pytest.mark.parametrize("write", ["store(d, v, 8)", "storecap(d, d)", "revoke(d)"])
def test_a_write_between_two_loads_keeps_them_apart(write: str) -> None:
    source = f"let(x, loadcap(c), do({write}, tuple(x, loadcap(c))))"
    target = f"let(x, loadcap(c), do({write}, tuple(x, x)))"
    assert asked(source, target) == "refuted"
    assert asked(source, source) == "proved"


def test_a_write_may_not_be_moved_before_one_that_may_trap() -> None:
    assert asked("do(store(c, v, 8), store(d, v, 8))", "do(store(d, v, 8), store(c, v, 8))") == "refuted"


def test_other_numbers_of_writes_are_no_answer() -> None:
    with pytest.raises(Unsupported, match="write a different number of times"):
        asked("do(store(c, v, 8), store(c, v, 8))", "store(c, v, 8)")


def test_a_trap_is_kept_with_its_kind() -> None:
    assert asked("set(set(c, n), m)", "set(set(c, n), m)", isa=ISAV8_128) == "proved"
    assert asked("do(set(c, n), addr(c))", "addr(c)", isa=ISAV8_128) == "refuted"
    assert asked("do(set(c, n), addr(c))", "do(and(c, n), addr(c))", "not tag(c)", isa=ISAV8_128) == "proved"
    assert asked("do(set(c, n), addr(c))", "do(and(c, n), addr(c))", isa=ISAV8_128) == "refuted"


def test_untagged_values_count_unless_they_are_left_out() -> None:
    assert asked("cleartag(c)", "null(addr(c))") == "refuted"
    assert asked("cleartag(c)", "null(addr(c))", strict=False) == "proved"


def test_a_loaded_capability_is_weaker_where_the_one_it_came_through_is_weak() -> None:
    source, target = "tag(loadcap(and(c, n)))", "do(loadcap(and(c, n)), false)"
    assert asked(source, target, "n & 0x4000 == 0", MORELLO) == "proved"
    assert asked(source, target, isa=MORELLO) == "refuted"


def test_an_impossible_condition_is_seen() -> None:
    layout = layout_of(ISAV9_128)
    term = parsed("addr(c)")
    assert is_possible(Question(term, term, parsed("within(c, addr(c), 8)"), layout)) is True
    assert is_possible(Question(term, term, parsed("tag(c) and top(c) < base(c)"), layout)) is False


def test_the_cases_of_a_capability_cover_it_and_no_two_overlap() -> None:
    z3 = solver()
    layout = layout_of(ISAV9_128)
    question = Question(parsed("set(c, n)"), parsed("set(c, n)"), parsed("true"), layout)
    upper, length = z3.BitVec("whole", 64), z3.BitVec("number", 64)
    for name, whole, expected in (("c", upper, 65), ("n", length, 65)):
        found = []
        for case in cases(question, (name,)):
            value = case[name]
            raw = value.upper.raw if isinstance(value, Cap) else value.raw if isinstance(value, Word) else None
            free = z3.BitVec("c.upper" if name == "c" else "n", 64)
            found.append(z3.substitute(raw, (free, whole)) == whole if is_symbolic(raw) else whole == raw)
        assert len(found) == expected
        looking = z3.Solver()
        looking.add(z3.Not(z3.Or(*found)))
        assert looking.check() == z3.unsat
        overlap = z3.Solver()
        overlap.add(z3.Or(*(z3.And(one, z3.Or(*found[:number])) for number, one in enumerate(found) if number)))
        assert overlap.check() == z3.unsat


def test_formats_whose_permissions_are_a_table_have_no_formulas() -> None:
    with pytest.raises(TermError, match="has no proofs"):
        layout_of(RISCV_64)


def test_unknowns_are_of_the_layouts_widths() -> None:
    environment = fresh(SORTS, layout_of(MORELLO))
    cap = environment["c"]
    assert isinstance(cap, Cap) and (cap.upper.width, cap.address.width) == (64, 64)


def test_a_time_out_is_unknown_and_says_so() -> None:
    terms = (parsed(text) for text in ("subset(set(c, n), c)", "true", "settable(c, n)"))
    answer = ask(Question(*terms, layout_of(ISAV9_128)), seconds=0.3, whole=0.1, patience=0.1)
    assert answer.outcome == "unknown" and answer.model is None and answer.reason
