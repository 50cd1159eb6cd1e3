"""m4alloc.superopt.cheri.codecs: what is left open is refuted by z3 where the lemmas do not help, never by us."""

from __future__ import annotations

from capability.cheri.isa import ISAV9_128
from m4alloc.superopt.cheri.equivalence import refines
from m4alloc.superopt.cheri.layout import layout_of
from m4alloc.superopt.cheri.notation import parsed
from m4alloc.superopt.cheri.smt import Question, ask

ALIGNED = "addr(c) & mask(n) == addr(c) and rounded(n) == n"


def test_open_formulas_prove_what_follows_from_the_lemmas() -> None:
    terms = (parsed(text) for text in ("set(set(c, m), n)", "set(c, n)", "within(c, addr(c), m) and n <= m"))
    assert ask(Question(*terms, layout_of(ISAV9_128), by_lemmas=True), seconds=30.0, whole=30.0).outcome == "proved"


def test_what_open_formulas_refute_is_worked_out_before_it_is_told() -> None:
    source, target = parsed("if(exact, setexact(c, n), setexact(c, n))"), parsed("setexact(c, n)")
    layout = layout_of(ISAV9_128)
    rounded = Question(parsed("rounded(rounded(n))"), parsed("rounded(n)"), parsed("true"), layout, by_lemmas=True)
    assert ask(rounded, seconds=10.0).outcome == "refuted"
    found = refines(rounded.source, rounded.target, isa=ISAV9_128, seconds=20.0, count=50)
    assert found.accepted and found.method == "SMT at full width, whole"
    assert refines(source, target, isa=ISAV9_128, seconds=20.0, count=50).accepted
