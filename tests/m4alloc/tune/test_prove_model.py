"""Gate 2: the small model holds exactly where the real promise is kept, and its run shows how it is broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.strategy import Strategy
from m4alloc.tune import prove_model
from m4alloc.tune.prove_model import Question, answered, held_to, model_gate, questions, weakest
from m4alloc.tune.security import Floor
from spec.ltl.parser import parse
from spec.model.execution import Execution
from spec.model.generated import PROPERTIES, generated
from spec.model.search import check
from spec.model.shape import Shape
from spec.model.system import Verdict


def early(shape: Shape, promised: int) -> Verdict:
    """Whether a model of the shape keeps a promise, by the readable search alone."""
    return check(Execution(held_to(shape, promised)), parse(PROPERTIES["no_early_reuse"]), states=200_000).verdict


def test_the_default_holds_and_says_what_was_scaled() -> None:
    result = model_gate(Strategy(), Floor(), 10.0)
    assert result.verdict is Verdict.HOLDS
    assert "16 frees promised for slots of 1,024 bytes, a delay line of 16" in result.detail
    assert "scaled to 2 frees promised, lines of 2" in result.detail
    assert "1 thread, 1 class of 5 slots: 2,560 states, depth 10" in result.detail
    assert "2 threads, 1 class of 4 slots: 7,428 states" in result.detail


def test_a_delay_line_shorter_than_promised_is_refused_with_a_run() -> None:
    result = model_gate(Strategy(delay_line=8), Floor(promise=16), 10.0)
    assert result.verdict is Verdict.VIOLATED
    assert result.detail.startswith("no_early_reuse is violated: 16 frees promised for slots of 1,024 bytes, a delay")
    lines = result.counterexample.split("\n")
    assert lines[3].startswith("3  client[0]: client 0: frees slot 0")
    assert lines[-1].startswith("9  client[0]: client 0: malloc returns slot 0")
    assert lines[-1].endswith("{early&malloc&mem_allocate_end}")


@pytest.mark.slow
def test_a_random_quarantine_that_is_counted_into_the_promise_is_refused_with_a_run() -> None:
    strategy = Strategy(quarantine=8, quarantine_random=True)
    assert model_gate(strategy, Floor(promise=16), 10.0).verdict is Verdict.HOLDS
    result = model_gate(strategy, Floor(promise=24), 10.0)
    assert result.verdict is Verdict.VIOLATED
    assert "a delay line of 16 and a random quarantine of 8" in result.detail
    assert "quarantined[0]=[2]" in result.counterexample
    assert result.counterexample.endswith("{early&malloc&mem_allocate_end}")
    assert model_gate(Strategy(quarantine=8), Floor(promise=24), 10.0).verdict is Verdict.HOLDS


def test_a_slot_that_is_given_out_at_once_is_refused_at_full_length() -> None:
    result = model_gate(Strategy(delay_line=0), Floor(promise=1), 10.0)
    assert result.verdict is Verdict.VIOLATED
    assert "at full length" in result.detail


def test_the_promise_is_asked_of_the_class_that_keeps_it_worst() -> None:
    assert weakest(Strategy(), Floor(promise=16)) == (1024, 16)
    assert weakest(Strategy(delay_line=32), Floor(promise=32)) == (1024, 32)
    assert weakest(Strategy(delay_line=32), Floor(promise=32, up_to=512)) == (512, 32)
    assert weakest(Strategy(delay_line=32), Floor(promise=64, up_to=48)) == (48, 64)
    assert weakest(Strategy(classes=(16, 32768)), Floor(promise=16)) == (32768, 16)
    result = model_gate(Strategy(delay_line=32), Floor(promise=64), 10.0)
    assert "64 frees promised for slots of 1,024 bytes, a delay line of 16" in result.detail


@pytest.mark.parametrize("random", [False, True])
@pytest.mark.parametrize("pool", [0, 1, 2])
@pytest.mark.parametrize("line", [0, 1])
def test_a_model_keeps_a_promise_exactly_when_its_lines_do(line: int, pool: int, random: bool) -> None:
    shape = Shape(delay_line=line, quarantine=pool, quarantine_random=random)
    kept = line + (0 if random else pool)
    for promised in range(kept + 2):
        expected = Verdict.HOLDS if promised <= kept else Verdict.VIOLATED
        assert early(shape.scaled(slots=max(promised, line + pool) + 1), promised) is expected
        assert early(shape.scaled(slots=3, clients=2, threads=2), min(promised, kept)) is Verdict.HOLDS


@given(st.integers(0, 4096), st.integers(0, 65536), st.booleans(), st.integers(0, 70000))
def test_the_small_numbers_stand_to_one_another_as_the_real_ones(
    line: int, pool: int, random: bool, promised: int
) -> None:
    real = Shape(delay_line=line, quarantine=pool, quarantine_random=random)
    for asked in questions(real, promised):
        small = asked.shape
        assert (small.wait >= asked.promised) == (real.wait >= promised)
        assert (small.delay_line + small.quarantine > 0) == (line + pool > 0)
        assert small.quarantine_random == random
        assert small.slots > small.wait


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_model_held_to_its_own_wait_has_the_states_of_the_generated_one(line: int) -> None:
    shape = Shape(slots=4, delay_line=line)
    formula = parse(PROPERTIES["no_early_reuse"])
    ours, theirs = (check(Execution(one), formula) for one in (held_to(shape, line), generated(shape).program))
    assert (ours.verdict, ours.states) == (theirs.verdict, theirs.states)


def test_candidates_of_one_shape_are_searched_once() -> None:
    before = answered.cache_info()
    model_gate(Strategy(stack_depth=2048), Floor(), 10.0)
    model_gate(Strategy(retain_ms=7), Floor(), 10.0)
    after = answered.cache_info()
    assert after.hits - before.hits >= 4
    assert after.misses - before.misses <= 3


def test_the_library_of_properties_is_asked_as_far_as_the_model_speaks_of_it() -> None:
    assert answered(Question(Shape(slots=3, delay_line=1), 1)).properties == 9


def test_a_model_with_too_many_states_is_not_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove_model, "MOST", 50)
    monkeypatch.setattr(prove_model, "FEW", 50)
    asked = Question(Shape(slots=4, delay_line=1, quarantine=1), 2)
    assert answered(asked).verdict is Verdict.EXHAUSTED
    answered.cache_clear()


def test_without_time_nothing_is_decided() -> None:
    result = model_gate(Strategy(), Floor(), 0.0)
    assert result.verdict is Verdict.EXHAUSTED
    assert result.detail.endswith("1 thread, 1 class of 5 slots: not decided: no time was left")
