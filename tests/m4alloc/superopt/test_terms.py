"""Rules are read with their types, and what cannot be read is refused where it stands."""

from __future__ import annotations

import pytest

from m4alloc.superopt.rule import Rule
from m4alloc.superopt.terms import Node, Number, RuleError, Variable, compiled, walk


def _rule(pattern: str, replacement: str = "x", condition: str = "True", needs: tuple[str, ...] = ()) -> Rule:
    return Rule("tried", "bits", pattern, replacement, "", condition, needs)


def test_a_term_is_read_with_flags_predicate_and_literals() -> None:
    ready = compiled(_rule("(icmp ult (add nuw nsw x -1) C)", "(icmp eq x C)"))
    assert ready.pattern.predicate == "ult"
    inner = ready.pattern.operands[0]
    assert isinstance(inner, Node) and inner.flags == {"nuw", "nsw"}
    assert isinstance(inner.operands[1], Number) and inner.operands[1].value == -1


def test_operands_of_one_instruction_have_one_type() -> None:
    ready = compiled(_rule("(add x (mul y C))", "(add x y)"))
    assert len({part.kind for part in walk(ready.pattern)}) == 1


def test_casts_put_types_in_order() -> None:
    ready = compiled(_rule("(trunc (zext:W x))", "(trunc (zext:W x))"))
    kinds = ready.named_kinds
    assert (kinds["x"], kinds["W"]) in ready.wider


def test_a_condition_of_a_select_is_a_bit() -> None:
    ready = compiled(_rule("(select c x y)", "y"))
    kinds = {part.name: ready.kinds[part.kind].fixed for part in walk(ready.pattern) if isinstance(part, Variable)}
    assert kinds == {"c": "1", "x": "", "y": ""}


def test_values_used_twice_must_not_be_undef() -> None:
    assert compiled(_rule("(shl x 1)", "(add x x)")).notundef == {"x"}
    assert compiled(_rule("(add x x)", "(shl x 1)")).notundef == frozenset()
    assert compiled(_rule("(shl x 1)", "(add x x)", needs=("undef(x)",))).notundef == frozenset()


def test_needs_speak_of_values_that_are_not_undef() -> None:
    ready = compiled(_rule("(and x y)", "0", needs=("x & y == 0", "noundef(y)")))
    assert (ready.notundef, ready.noundef) == ({"x"}, {"y"})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (_rule("(add x"), "rule 'tried', pattern column 7: the term ends early; is a bracket missing"),
        (_rule("(add x y))"), "one term was expected, more follows"),
        (_rule("x"), "the root must be an instruction"),
        (_rule("(frob x y)"), "pattern column 1: 'frob' is no instruction"),
        (_rule("(add x)"), "add takes 2 operands, 1 are written"),
        (_rule("(icmp below x y)"), "'below' is no predicate; eq, ne"),
        (_rule("(add x 1)", "y"), "replacement column 1: 'y' is not in the pattern"),
        (_rule("(add x {1})"), "only a replacement may compute"),
        (_rule("(add x C)", condition="ispow2(D)"), "D in 'ispow2(D)' is not in the pattern"),
        (_rule("(add x C)", condition="x > 1"), "x is a value, not a constant: say it in `needs`"),
        (_rule("(add x C)", condition="C +"), "is no expression"),
        (_rule("(add x C)", condition="open(C)"), "open is not a function of the language"),
        (_rule("(select x:8 y z)", "y"), "one type cannot be both 1 and 8"),
        (_rule("(add x:?? y)"), "is no type: write a width, ptr, any, a name"),
        (_rule("(add x y)", "(trunc (zext x))"), "is not determined; write it as (zext:W x)"),
        (_rule("(extractvalue x 0)"), "extractvalue takes an overflow intrinsic"),
        (_rule("(uadd.with.overflow x y)", "(uadd.with.overflow y x)"), "a pair cannot be the root"),
    ],
)
def test_a_rule_that_cannot_be_read_says_what_and_where(rule: Rule, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        compiled(rule)
    assert message in str(caught.value) and "rule 'tried'" in str(caught.value)
