"""m4alloc.superopt.cheri.exhaustive: the rules on every state of a scaled-down format."""

from __future__ import annotations

import pytest

from capability.cheri.isa import ISAV8_128, ISAV9_128, MORELLO, RISCV_128, Isa
from m4alloc.superopt.cheri.exhaustive import exhausted
from m4alloc.superopt.cheri.killed import UNSOUND, Blame
from m4alloc.superopt.cheri.layout import layout_of, scaled
from m4alloc.superopt.cheri.lemmas import LEMMAS
from m4alloc.superopt.cheri.model import traps
from m4alloc.superopt.cheri.rules import SOUND, Rule
from m4alloc.superopt.cheri.symbol import Unsupported
from m4alloc.superopt.cheri.term import Sort

ISAS = (ISAV9_128, ISAV8_128, MORELLO, RISCV_128)
SMALL = [rule for rule in (*SOUND, *LEMMAS) if list(rule.variables.values()).count(Sort.INT) < 2]
EVERY = ("S7", "S13", "S16", "S17", "contains", "derivable", "monotonic", "inside", "inside, set", "unchanged")
"""Rules that speak of the encoding itself; they are looked at in every state: 1 to 3 minutes each."""
QUICK = {"S1": 197, "S7": 5, "S9": 97, "S13": 97, "S17": 397, "S23": 197, "inside": 97, "contains": 197}
"""Rules with the stride between the encodings that the quick tests look at."""


def check(rule: Rule, isa: Isa, stride: int) -> None:
    condition = rule.condition_on(isa)
    if condition is None:
        pytest.skip(f"{rule.name} is not used on {isa}")
    for tagged in (True, False):
        done = exhausted(rule.source, rule.target, condition, scaled(isa), tagged=tagged, stride=stride)
        assert done.failure is None
        assert done.tried or not tagged


@pytest.mark.slow
@pytest.mark.parametrize("isa", (ISAV9_128, MORELLO), ids=str)
@pytest.mark.parametrize("name", QUICK)
def test_a_sound_rule_holds_on_every_state_at_some_encodings(name: str, isa: Isa) -> None:
    check(next(rule for rule in (*SOUND, *LEMMAS) if rule.name == name), isa, QUICK[name])


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("isa", (ISAV9_128, MORELLO, RISCV_128), ids=str)
@pytest.mark.parametrize("name", EVERY)
def test_a_sound_rule_holds_on_every_state(name: str, isa: Isa) -> None:
    check(next(rule for rule in (*SOUND, *LEMMAS) if rule.name == name), isa, 1)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("isa", ISAS, ids=str)
@pytest.mark.parametrize("rule", SMALL, ids=lambda rule: rule.name)
def test_a_sound_rule_holds_on_every_state_at_every_nineteenth_encoding(rule: Rule, isa: Isa) -> None:
    check(rule, isa, 19 if len(rule.variables) < 3 else 97)


@pytest.mark.parametrize("name", ["U3", "U7", "U8 base", "U9", "U10 and", "U11", "U13", "U15", "U20"])
def test_a_killed_rule_breaks_at_eight_bits_too(name: str) -> None:
    rule = next(killed.rule for killed in UNSOUND if killed.name == name)
    condition = rule.condition_on(ISAV9_128)
    assert condition is not None
    assert exhausted(rule.source, rule.target, condition, scaled(ISAV9_128), stride=31).failure


@pytest.mark.parametrize("name", [killed.name for killed in UNSOUND if killed.blame is Blame.TRAPPING])
def test_what_only_traps_make_wrong_is_right_at_eight_bits_where_tags_are_cleared(name: str) -> None:
    rule = next(killed.rule for killed in UNSOUND if killed.name == name)
    for isa in (ISAV9_128, ISAV8_128):
        condition = rule.condition_on(isa)
        assert condition is not None
        found = False
        for tagged in (True, False):
            done = exhausted(rule.source, rule.target, condition, scaled(isa), tagged=tagged, stride=397, few=5)
            found = found or done.failure is not None
        assert found is (traps(isa) and name != "U24")  # two of a rule's capabilities have one tag here


def test_what_was_left_out_is_said() -> None:
    rule = next(rule for rule in SOUND if rule.name == "S2")
    condition = rule.condition_on(ISAV9_128)
    assert condition is not None
    done = exhausted(rule.source, rule.target, condition, scaled(ISAV9_128), stride=997, few=3)
    assert done.left_out == "all but every 997th encoding; all but 3 values of each variable from the third on"


def test_a_full_format_is_refused() -> None:
    rule = SOUND[0]
    with pytest.raises(ValueError, match="ISAv9 128 has too many states"):
        exhausted(rule.source, rule.target, rule.source, layout_of(ISAV9_128))


def test_terms_without_formulas_are_refused() -> None:
    rule = next(killed.rule for killed in UNSOUND if killed.name == "U18 i128")
    condition = rule.condition_on(ISAV9_128)
    assert condition is not None
    with pytest.raises(Unsupported, match="upper words that are no integers"):
        exhausted(rule.source, rule.target, condition, scaled(ISAV9_128), stride=997)
