"""m4alloc.superopt.cheri.symbolic: the formulas do what the concrete model does."""

from __future__ import annotations

import pytest

from capability.cheri.capability import Capability
from capability.cheri.isa import ISAV8_64, ISAV8_128, ISAV9_64, ISAV9_128, MORELLO, RISCV_128, Isa
from m4alloc.superopt.cheri.layout import layout_of
from m4alloc.superopt.cheri.model import Value, evaluated, supported
from m4alloc.superopt.cheri.notation import parsed
from m4alloc.superopt.cheri.smt import Question, fresh
from m4alloc.superopt.cheri.states import States
from m4alloc.superopt.cheri.symbol import KINDS, Cap, Symbol, Unsupported
from m4alloc.superopt.cheri.symbolic import SymbolicMachine, observed
from m4alloc.superopt.cheri.term import OPERATORS, Apply, Sort, subterms
from m4alloc.superopt.cheri.words import Truth, Word, is_symbolic, solver

ISAS = (ISAV9_128, ISAV8_128, MORELLO, RISCV_128, ISAV9_64, ISAV8_64)
SORTS = {**dict.fromkeys(("c", "d", "k"), Sort.CAP), **dict.fromkeys(("n", "m"), Sort.INT), "t": Sort.BOOL}
TEXTS = (
    "set(c, n); setexact(c, n); and(c, n); addrset(c, n); inc(c, n); offsetset(c, n); cleartag(c); seal(c, k);"
    "unseal(c, k); unseal(seal(c, k), k); sentry(c); build(c, d); build(d, cleartag(set(d, n))); null(n);"
    "frombits(n, m); addr(c); base(c); length(c); top(c); offset(c); perms(c); type(c); upper(c); tag(c); sealed(c);"
    "subset(c, d); subset(set(c, n), c); identical(c, cleartag(c)); rounded(n); mask(n); n + m; n - m; n & m; n | m;"
    "n ^ m; n == m; n != m; n < m; n <= m; n > m; n >= m; true; false; not t; t and tag(c); t or tag(c);"
    "within(c, n, m); settable(c, n); derivable(c); depends(c); same_sign(n, m); canonical(n); can_seal(c);"
    "can_unseal(c); can_execute(c); is_global(c); points_to_otype(c); if(t, set(c, n), inc(c, m));"
    "select(t, set(c, n), inc(c, m)); tuple(set(set(c, n), m), inc(c, n)); let(x, set(c, n), inc(x, m));"
    "do(and(c, n), base(d))"
)
TERMS = [parsed(text.strip(), SORTS) for text in TEXTS.split(";")]


def lifted(value: Value, isa: Isa) -> Symbol:
    bits = isa.format.address_bits
    if isinstance(value, Capability):
        return Cap(Word(value.pesbt, bits), Word(value.address, bits), Truth(value.tag))
    if isinstance(value, bool):
        return Truth(value)
    assert isinstance(value, int)
    return Word(value, bits)


def lowered(value: Symbol, isa: Isa) -> Value:
    if isinstance(value, Cap):
        return Capability(isa.format, value.upper.raw, value.address.raw, bool(value.tag.raw))
    if isinstance(value, tuple):
        return tuple(lowered(one, isa) for one in value)
    assert value is not None
    return value.raw  # type: ignore[no-any-return]  # an int or a bool


def check(isa: Isa, count: int, seed: int) -> None:
    for term in TERMS:
        if supported(term, isa):
            continue
        states = States(isa, SORTS, seed)
        for _ in range(count):
            values = states.next()
            seen = evaluated(term, values, isa)
            found = observed(term, {name: lifted(value, isa) for name, value in values.items()}, layout_of(isa))
            assert found.trapped.raw == (seen.trap is not None)
            if seen.trap is not None:
                assert found.kind.raw == KINDS[seen.trap]
            else:
                assert lowered(found.value, isa) == seen.value


def test_every_operator_without_memory_is_compared() -> None:
    used = {one.operator for term in TERMS for one in subterms(term) if isinstance(one, Apply)}
    assert set(OPERATORS) - used == {"load", "store", "loadcap", "storecap", "revoke"}


@pytest.mark.parametrize("isa", ISAS, ids=str)
def test_value_trap_and_kind_are_those_of_the_concrete_model(isa: Isa) -> None:
    check(isa, 12, seed=3)


@pytest.mark.campaign
@pytest.mark.parametrize("isa", ISAS, ids=str)
def test_value_trap_and_kind_are_those_of_the_concrete_model_on_thousands_of_states(isa: Isa) -> None:
    check(isa, 3000, seed=4)


@pytest.mark.parametrize("isa", ISAS, ids=str)
def test_the_invariant_that_proofs_assume_holds_of_all_that_instructions_make(isa: Isa) -> None:
    machine = SymbolicMachine(layout_of(isa))
    states = States(isa, {"c": Sort.CAP}, 8)
    for _ in range(600):
        cap = states.next()["c"]
        assert isinstance(cap, Capability)
        symbol = lifted(cap, isa)
        assert isinstance(symbol, Cap)
        assert not cap.tag or machine.derivable(symbol).raw is True


@pytest.mark.parametrize("isa", ISAS[:4], ids=str)
def test_z3_gives_the_same_value_once_its_unknowns_are_numbers(isa: Isa) -> None:
    z3 = solver()
    layout = layout_of(isa)
    term = parsed("set(inc(c, n), m)", SORTS)
    environment = fresh({"c": Sort.CAP, "n": Sort.INT, "m": Sort.INT}, layout)
    found = observed(term, environment, layout)
    assert isinstance(found.value, Cap)
    states = States(isa, {"c": Sort.CAP, "n": Sort.INT, "m": Sort.INT}, 5)
    for _ in range(40):
        values = states.next()
        cap = values["c"]
        assert isinstance(cap, Capability)
        pairs = [
            (z3.BitVec("c.upper", 64), z3.BitVecVal(cap.pesbt, 64)),
            (z3.BitVec("c.address", 64), z3.BitVecVal(cap.address, 64)),
            (z3.Bool("c.tag"), z3.BoolVal(cap.tag)),
            (z3.BitVec("n", 64), z3.BitVecVal(values["n"], 64)),
            (z3.BitVec("m", 64), z3.BitVecVal(values["m"], 64)),
        ]

        def at(raw: object, pairs: list[tuple[object, object]] = pairs) -> object:
            return z3.simplify(z3.substitute(raw, *pairs)) if is_symbolic(raw) else raw

        seen = evaluated(term, values, isa)
        trapped = at(found.trapped.raw)
        assert (z3.is_true(trapped) if is_symbolic(trapped) else trapped) == (seen.trap is not None)
        if isinstance(seen.value, Capability):
            assert at(found.value.upper.raw).as_long() == seen.value.pesbt  # type: ignore[attr-defined]  # a z3 number
            assert z3.is_true(at(found.value.tag.raw)) == seen.value.tag


def test_a_write_in_an_arm_and_a_size_that_is_no_number_have_no_formula() -> None:
    layout = layout_of(ISAV9_128)
    for text, message in (
        ("if(t, store(c, n, 8), store(c, m, 8))", "a write in an arm of a branch"),
        ("load(c, n)", "the size of an access must be a number from 1 to 8"),
    ):
        question = Question(parsed(text, SORTS), parsed(text, SORTS), parsed("true"), layout)
        with pytest.raises(Unsupported, match=message):
            question.formula(fresh(question.sorts, layout))
