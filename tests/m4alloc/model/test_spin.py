"""SPIN and our own search say the same of the same model, and what SPIN finds replays in ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.model import spin
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula
from spec.ltl.parser import parse
from spec.model.catalogue import BUNDLED, program
from spec.model.counterexample import replay
from spec.model.execution import Execution
from spec.model.fairness import fair_processes, is_fair
from spec.model.options import OptionError
from spec.model.program import Program
from spec.model.promela import PromelaError, export, promela
from spec.model.reader import read
from spec.model.search import check
from spec.model.system import Result, Verdict

sys.path.insert(0, str(Path(__file__).parent))
from random_programs import programs

FORMULAS = ("[]p", "[](e -> X !e)", "[](e -> <>f)", "[]<>p -> []<>q", "<>[]q", "[](e -> O p)", "!q W (p && X q)")

needs_spin = pytest.mark.skipif(
    shutil.which("spin") is None or shutil.which("gcc") is None, reason="apt-get install spin gcc"
)


def both(model: Program, formula: Formula | None = None, **options: object) -> tuple[Result, Result]:
    """Our own result and SPIN's, whose run has been replayed."""
    own = check(Execution(model), formula, **options)  # type: ignore[arg-type]
    theirs = spin.check(model, formula, optimise=0, **options)  # type: ignore[arg-type]
    if theirs.counterexample is not None:
        replay(Execution(model), theirs.counterexample)
    return own, theirs


@needs_spin
@pytest.mark.parametrize("name", ["free_list", "leader"])
def test_pure_safety_counts_are_equal(name: str) -> None:
    own, theirs = both(program(name))
    assert own.verdict == theirs.verdict == Verdict.HOLDS
    assert own.states == theirs.states == BUNDLED[name].states
    # SPIN counts the initial state as a transition, once for each value of the tracked cell.
    tracked = program(name).tracked is not None
    assert theirs.transitions == own.transitions + (2 if tracked else 1)


@needs_spin
def test_a_deadlock_is_found_and_is_a_run_that_stays() -> None:
    own, theirs = both(program("philosophers", {"ORDERED": 0, "PHILOSOPHERS": 3}))
    assert (theirs.verdict, theirs.reason) == (own.verdict, own.reason) == (Verdict.VIOLATED, "deadlock")
    path = theirs.counterexample
    assert path is not None and path.back == len(path.states) - 1


@needs_spin
def test_a_fault_is_found_with_our_words_for_it() -> None:
    own, theirs = both(program("batch_queue", {"WHILE": 0}))
    assert theirs.reason == own.reason
    assert own.reason.endswith(": assertion waiting > 0 || finished is false")


GUARDS = [
    """
    var a: array[2] of 0..1 = [1, 1]
    var x: 0..5 = 0
    process p { await a[x] == 1 }
    process q { x = 5 }
    """,
    """
    var n: 0..2 = 0
    process p { loop { if 2 / n == 1 { n = 0 } else { skip } } }
    """,
    """
    var a: array[1] of 0..1 = 1
    var x: 0..1 = 1
    process q { x = 0 }
    process p { atomic { await a[x] == 1  await x == 0 } }
    """,
]


@needs_spin
@pytest.mark.parametrize("text", GUARDS, ids=["index", "divisor", "before one that is false"])
def test_a_guard_that_has_no_value_is_a_fault_for_both(text: str) -> None:
    own, theirs = both(read(f"model guards {text}"))
    assert own.verdict is theirs.verdict is Verdict.VIOLATED
    assert own.reason == theirs.reason
    assert "there is no a[" in own.reason or "division of 2 by 0" in own.reason


@needs_spin
def test_digests_of_states_are_said_to_miss_some() -> None:
    result = spin.check(program("peterson"), compaction=True, optimise=0)
    assert result.verdict is Verdict.HOLDS
    assert result.reason.startswith("unless a state was missed: 4-byte digests, probability at most ")
    result = spin.check(program("peterson"), optimise=0)
    assert (result.verdict, result.reason) == (Verdict.HOLDS, "")


@needs_spin
def test_a_run_that_ends_where_it_may_is_not_passed_on_as_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    model = read("model ends process p { skip; here: end }")
    exported = export(model)
    assert "end_1_here" in exported.text
    wrong = exported._replace(text=exported.text.replace("end_1_here", "at_1_here"))
    monkeypatch.setattr(spin, "export", lambda *arguments, **options: wrong)
    with pytest.raises(AssertionError, match="SPIN reports 'invalid end state' at `p@here`, where a run may end"):
        spin.check(model, optimise=0)


@needs_spin
def test_fairness_decides_as_ours_does() -> None:
    model = program("peterson")
    enters = parse("[](waiting0 -> <>critical0)")
    own, theirs = both(model, enters, fairness=True)
    assert own.verdict == theirs.verdict == Verdict.HOLDS
    own, theirs = both(model, enters, fairness=False)
    assert own.verdict == theirs.verdict == Verdict.VIOLATED


@needs_spin
def test_assumptions_and_the_past_reach_spin() -> None:
    model = program("free_list")
    named = {one.name: one.formula for one in model.properties}
    assumptions = [one.formula for one in model.assumptions]
    result = spin.check(model, named["no_leak"], assumptions=assumptions, optimise=0)
    assert result.verdict is Verdict.HOLDS
    result = spin.check(model, parse("[](access -> Y Y free)"), optimise=0)
    path = result.counterexample
    assert result.verdict is Verdict.VIOLATED and path is not None
    # Exactly as much of the run as it takes: it ends with the access.
    assert [("access" in Execution(model).letter(state)) for state in path.states][-1]  # type: ignore[arg-type]


@needs_spin
def test_a_search_that_is_too_deep_or_too_long_is_exhausted() -> None:
    result = spin.check(program("leader"), depth=10, optimise=0)
    assert (result.verdict, result.reason) == (Verdict.EXHAUSTED, "more than 10 steps deep")


@needs_spin
def test_reduction_needs_a_formula_that_stuttering_cannot_change() -> None:
    with pytest.raises(OptionError, match="reduction"):
        spin.check(program("peterson"), parse("[](waiting0 -> X critical0)"), reduction=True)


@needs_spin
def test_the_verifier_is_kept_where_asked(tmp_path: Path) -> None:
    model = program("peterson")
    result = spin.check(model, optimise=0, reduction=True, folder=tmp_path / "deep")
    assert result.verdict is Verdict.HOLDS and result.states <= BUNDLED["peterson"].states
    assert {"model.pml", "pan.c", "pan"} <= {file.name for file in (tmp_path / "deep").iterdir()}


@pytest.mark.parametrize("command", ["spin", "gcc"])
def test_what_is_missing_is_named_with_its_install_line(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for there in {"spin", "gcc"} - {command}:
        (tmp_path / there).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(spin.SpinError, match=f"^{command} is not installed: apt-get install {command}$"):
        spin.check(program("peterson"))


CASES = [
    (name, question, bug)
    for name, bundled in BUNDLED.items()
    for bug in (None, *bundled.bugs)
    for question in ("deadlock", *bundled.answers)
]


@needs_spin
@pytest.mark.campaign
@pytest.mark.parametrize(("name", "question", "bug"), CASES)
def test_every_bundled_model_and_bug_gets_one_verdict_from_both(name: str, question: str, bug: str | None) -> None:
    model = program(name, {} if bug is None else BUNDLED[name].bugs[bug].constants)
    formula = {one.name: one.formula for one in model.properties}.get(question)
    if formula is None:
        own, theirs = both(model)
        assert own.verdict == theirs.verdict
        assert own.verdict is not Verdict.HOLDS or own.states == theirs.states
        return
    own, theirs = both(model, formula, fairness=False)
    assert own.verdict == theirs.verdict
    assumptions = [one.formula for one in model.assumptions]
    own, theirs = both(model, formula, assumptions=assumptions)
    assert own.verdict == theirs.verdict
    path = theirs.counterexample
    if path is not None and path.back is not None:
        system = Execution(model)
        assert not holds(formula, path.word(system))
        assert all(holds(one, path.word(system)) for one in assumptions)
        assert is_fair(system, path, fair_processes(system, None))


@needs_spin
@pytest.mark.campaign
@pytest.mark.parametrize("name", ["peterson", "mte_retag", "sgx_accept", "leader"])
def test_spins_own_translation_comes_to_the_same_verdict(name: str, tmp_path: Path) -> None:
    model = program(name)
    for one in model.properties:
        own = check(Execution(model), one.formula, fairness=False)
        (tmp_path / "m.pml").write_text(promela(model, one.formula, ltl=True), encoding="utf-8")
        for command in ("spin -a m.pml", "gcc -w -DNOREDUCE -o pan pan.c", "./pan -a -E"):
            done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=True)
        assert ("errors: 0" in done.stdout) == (own.verdict is Verdict.HOLDS), one.name


@needs_spin
@pytest.mark.campaign
@settings(max_examples=40, deadline=None)
@given(programs(), st.sampled_from([None, *FORMULAS]), st.booleans())
def test_random_programs_get_one_verdict_and_one_count_from_both(model: Program, text: str | None, fair: bool) -> None:
    formula = None if text is None else parse(text)
    options: dict[str, object] = {} if formula is None else {"fairness": fair}
    try:
        own, theirs = both(model, formula, **options)
    except PromelaError:  # numbers beyond 32 bits
        return
    # One may have come to a fault first, and the other to a run that violates.
    assert own.verdict == theirs.verdict
    if formula is None and own.verdict is Verdict.HOLDS:
        assert own.states == theirs.states
