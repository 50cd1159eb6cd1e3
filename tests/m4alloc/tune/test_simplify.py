"""Tests of m4alloc.tune.simplify."""

from m4alloc.strategy import Strategy
from m4alloc.tune.evaluate import Evaluator
from m4alloc.tune.example import example_simulate, example_workload
from m4alloc.tune.result import Evaluation, Objectives
from m4alloc.tune.search import search
from m4alloc.tune.simplify import simplified
from m4alloc.tune.space import Space

EVALUATOR = Evaluator((example_workload(150),), simulate=example_simulate)


def test_what_does_not_pay_is_put_back_and_what_does_stays() -> None:
    campaign = search(Space.of(), EVALUATOR, method="climb", budget=120, workers=1)
    for chosen in campaign.archive.front:
        simple = simplified(chosen, Strategy(), EVALUATOR.scored)
        own, new = chosen.objectives, simple.objectives
        assert new.time <= own.time * 1.002 and new.memory <= own.memory * 1.002 and new.security >= own.security
        # Nothing more can be put back alone.
        assert simplified(simple, Strategy(), EVALUATOR.scored).strategy == simple.strategy or new != own


def test_a_class_set_takes_with_it_what_is_one_number_a_class() -> None:
    def flat(strategy: Strategy) -> Evaluation:
        return Evaluation(strategy, Objectives(1.0, 1.0, 4.0))

    odd = Strategy(classes=(16, 32768), slab_bytes=(65536, 65536), stack_depths=(20, 16), refill_batch=8)
    assert simplified(flat(odd), Strategy(), flat).strategy == Strategy()


def test_what_is_not_allowed_is_not_put_back() -> None:
    def flat(strategy: Strategy) -> Evaluation:
        return Evaluation(strategy, Objectives(1.0, 1.0, 4.0))

    kept = simplified(flat(Strategy(guards=True, placement=1)), Strategy(), flat, lambda one: bool(one.guards))
    assert kept.strategy == Strategy(guards=True)


def test_small_losses_do_not_add_up() -> None:
    def drifting(strategy: Strategy) -> Evaluation:
        back = (strategy.placement == 0) + (strategy.refill_batch == 64) + (strategy.stack_depth == 1024)
        return Evaluation(strategy, Objectives(1.0 + 0.0015 * back, 1.0, 4.0))

    chosen = drifting(Strategy(placement=1, refill_batch=8, stack_depth=16))
    assert simplified(chosen, Strategy(), drifting).objectives.time <= 1.002


def test_security_that_gains_nothing_goes_when_it_need_not_be_kept() -> None:
    chosen = EVALUATOR.scored(Strategy(refill_batch=256, guards=True))
    assert simplified(chosen, Strategy(), EVALUATOR.scored).strategy == chosen.strategy
    plain = simplified(chosen, Strategy(), EVALUATOR.scored, keep_security=False)
    assert plain.strategy == Strategy(refill_batch=256)
