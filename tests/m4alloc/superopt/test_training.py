"""Tests of m4alloc.superopt.training: what is trained on is not what is judged on, and a training repeats itself."""

from __future__ import annotations

import pytest

from m4alloc.superopt.agent import SETTINGS, Agent
from m4alloc.superopt.environment import SuperoptEnv
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.moves import key
from m4alloc.superopt.printer import checked
from m4alloc.superopt.training import bundled, composed, demonstrations, gain, generated, is_meaningful, learn
from m4alloc.tune.agent_ppo import Settings
from tests.m4alloc.superopt.rewriting_cases import ALREADY, FEW, LOWEST, PARTS, problem

SMALL = Settings(rollout=64, batch=32, epochs=2, rate=SETTINGS.rate)


def test_no_function_is_in_both_sets() -> None:
    known = {key(one.source) for _, one in bundled("training")}
    held_out = [one.source for _, one in bundled("held_out")]
    assert len(known) == 28 == len(held_out)
    assert not known & {key(one) for one in held_out}
    with pytest.raises(ValueError, match="there are no cases 'other'; there are training, held_out"):
        bundled("other")


def test_generated_functions_differ_by_seed_and_are_the_same_for_one() -> None:
    one, again, other = generated(4, 1), generated(4, 1), generated(4, 2)
    assert one == again and len(one) == 4 and len({name for name, _ in one}) == 4
    assert not {key(p.source) for _, p in one} & {key(p.source) for _, p in other}


def test_a_function_that_is_mostly_poison_or_a_constant_means_nothing() -> None:
    for body, meant in (("%r = mul i8 %x, 3", True), ("%r = shl i8 %x, 9", False), ("%r = and i8 %x, 0", False)):
        assert is_meaningful(problem(f"define i8 @f(i8 noundef %x) {{ {body} ret i8 %r }}").source) == meant
    assert [is_meaningful(one.source) for _, one in generated(3, 3)] == [True] * 3


def test_a_composed_function_gives_the_second_of_the_first() -> None:
    parts = [("a", problem("define i8 @a(i8 %x) { %r = add i8 %x, 3 ret i8 %r }")),
             ("b", problem("define i8 @b(i8 %y, i8 %x) { %r = sub i8 %y, %x ret i8 %r }"))]  # fmt: skip
    found = {name: one.source for name, one in composed(parts, 9, 0)}
    assert set(found) == {"a then a", "a then b", "b then a", "b then b"}
    for one in found.values():
        checked(one)
    wanted = problem("define i8 @w(i8 %x, i8 %z) { %a = add i8 %x, 3 %r = sub i8 %a, %z ret i8 %r }").source
    assert refines(wanted, found["a then b"]).accepted


def test_a_demonstration_is_the_way_that_was_found_and_to_stop_at_its_end() -> None:
    shown = demonstrations(problem(LOWEST), 12, 0, rewriting=FEW)
    assert [one.chosen != 0 for one in shown] == [True, True, False]
    assert shown[-1].ended and all(len(one.actions) > one.chosen for one in shown)
    assert demonstrations(problem(ALREADY), 12, 0, rewriting=FEW)[-1].chosen == 0


@pytest.mark.campaign
def test_what_was_shown_is_learned_and_repeats_itself() -> None:
    some = [("lowest", problem(LOWEST)), ("parts", problem(PARTS))]
    learned = [learn(some, some, steps=128, every=64, seed=1, settings=SMALL, rewriting=FEW) for _ in range(2)]
    assert learned[0].checks == learned[1].checks
    assert learned[0].checks[0].trained == pytest.approx((1 / 3 + 2 / 3) / 2)  # after the demonstrations alone
    assert learned[0].agent.trained == ("lowest", "parts") and learned[0].shown > 0
    assert set(learned[0].agent.rules) == {rule.name for rule in FEW.rules}


def test_gain_is_what_the_likeliest_actions_earn() -> None:
    env = SuperoptEnv([problem(ALREADY)], rewriting=FEW)
    assert gain(env, Agent.fresh(0)) == 0.0
