"""Ten faults seeded in the core are each found, shrunk and named rightly; the core itself passes the same search."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from m4alloc import _build
from m4alloc.check.foreign import Foreign
from m4alloc.check.mutants import ENVIRONMENT, FAULTS, STANDARD, Fault, build, hunt
from m4alloc.check.scripted import play
from m4alloc.check.search import find_violation
from m4alloc.lib import lib
from m4alloc.strategy import Strategy
from spec.contract import RULES
from spec.script import check, parse, render

BUDGET = 200
FOLDER = Path(_build.__file__).resolve().parents[1] / "build" / "mutants"
SHORTEST = {1: 3, 2: 1, 3: 2, 4: 12, 5: 4, 6: 24, 7: 2, 8: 3, 9: 3, 10: 6}
"""How many operations each counterexample may have: what is needed, with room where slots must run out first."""


@pytest.fixture(scope="session", autouse=True)
def buildable() -> None:
    reason = _build.unsupported()
    if reason:
        pytest.skip(reason)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.number}-{'-'.join(fault.name.split())}")
def test_each_seeded_fault_is_found_and_named_by_its_rule(fault: Fault) -> None:
    library = build(fault.number, FOLDER)
    found = hunt(library, BUDGET)
    assert found is not None, f"fault {fault.number} ({fault.name}) went unseen"
    assert found.broken.rule.name in fault.rules, str(found)
    assert len(found.plan) <= SHORTEST[fault.number], str(found)
    script = parse(render(found.script()))
    assert check(script).ok
    if found.broken.rule.name in RULES:
        with Foreign(library, environment=ENVIRONMENT) as target:
            outcome = play(script, target)
        assert outcome.ok, outcome.failures


@pytest.mark.slow
def test_the_core_without_a_fault_survives_the_same_search() -> None:
    assert hunt(build(0, FOLDER), BUDGET // 2) is None


def test_the_library_as_it_is_shipped_survives_the_search_with_its_own_strategy() -> None:
    with Foreign(lib(), environment={"M4ALLOC_OPTIONS": "misuse=count"}) as target:
        assert target.quarantine > 0
        assert find_violation(target, BUDGET // 4, terms=target.terms(STANDARD), seed=1) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    [
        Strategy.hardened().with_(large_quarantine=1 << 20),  # held addresses look like lost ones: not too many of them
        Strategy.sampled().with_(sample_rate=5),
        Strategy(delay_line=0, refill_batch=1, retain_bytes=0),
    ],
    ids=["hardened", "sampled", "no delay"],
)
def test_the_library_survives_the_search_under_other_strategies(strategy: Strategy) -> None:
    environment = {"M4ALLOC_OPTIONS": "misuse=count", "M4ALLOC_STRATEGY": strategy.to_environment()}
    with Foreign(lib(), environment=environment) as target:
        assert target.quarantine == strategy.quarantine_length
        assert find_violation(target, BUDGET // 5, terms=target.terms(STANDARD), seed=2) is None


def test_the_table_has_every_fault_of_the_core() -> None:
    source = (_build.PACKAGE / "_core" / "fault.pxd").read_text()
    numbers = [int(number) for number in re.findall(r"FAULT_\w+ = (\d+)", source)]
    assert numbers == [fault.number for fault in FAULTS] == sorted(SHORTEST)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(10))
def test_the_core_survives_long_searches(seed: int) -> None:
    with Foreign(lib(), environment={"M4ALLOC_OPTIONS": "misuse=count"}) as target:
        assert find_violation(target, 5000, terms=target.terms(STANDARD), seed=seed, limit=1 << 20) is None


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.number))
def test_each_seeded_fault_is_found_whatever_the_seed(fault: Fault, seed: int) -> None:
    found = hunt(build(fault.number, FOLDER), 10 * BUDGET, seed + 100)
    assert found is not None and found.broken.rule.name in fault.rules
