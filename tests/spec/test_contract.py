"""The contract as a table: every rule has an attack that only it catches, a source, and a line in the docs."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from spec import script
from spec.acceptor import Acceptor
from spec.contract import CAPABILITY_RULES, EXPECTATIONS, EXPECTED, MISUSES, PROMISE, PROMISES, RULES, Rule
from spec.error import MISUSE_KINDS, Misuse, Violation
from spec.event import Event, Function
from spec.history import accept
from spec.judge import ON_ACCESS, ON_RELEASE, ON_REPLY
from spec.standard import STANDARDS, ReallocZero, contract

ROOT = Path(__file__).parents[2]
ATTACKS = ROOT / "tests" / "scripts" / "rules"
MISUSE_SCRIPTS = ROOT / "tests" / "scripts" / "misuse"


def load(path: Path) -> script.Script:
    return script.parse(path.read_text(), path.name)


def test_every_rule_has_one_attack_and_one_judge() -> None:
    assert {path.stem for path in ATTACKS.glob("*.heap")} == set(RULES)
    assert sorted([*ON_REPLY, *ON_RELEASE, *ON_ACCESS]) == sorted(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_attack_is_caught_by_its_rule_and_by_no_other(rule: Rule) -> None:
    attack = load(ATTACKS / f"{rule.name}.heap")
    outcome = script.check(attack)
    assert outcome.failures == []
    assert outcome.unclaimed == []
    assert [finding.rule for finding in outcome.acceptor.violations] == [rule]
    arguments = attack.settings.arguments()
    whole = contract(str(arguments.pop("standard")), arguments.pop("promises", frozenset()))
    assert rule.name in whole.rules
    others = replace(whole, rules={name: other for name, other in whole.rules.items() if other is not rule})
    assert Acceptor(others, **arguments).tally.keys() == whole.rules.keys() - {rule.name}  # type: ignore[arg-type]
    spared = accept(outcome.events, Acceptor(others, **arguments))  # type: ignore[arg-type]
    assert spared.violations == []


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_fast_loop_catches_the_attack(rule: Rule) -> None:
    attack = load(ATTACKS / f"{rule.name}.heap")
    arguments = attack.settings.arguments()
    acceptor = accept(script.to_events(attack), Acceptor(**arguments))  # type: ignore[arg-type]
    assert [finding.rule for finding in acceptor.violations] == [rule]


@pytest.mark.parametrize("kind", MISUSES)
def test_misuse_is_charged_to_the_client_alone(kind: str) -> None:
    outcome = script.check(load(MISUSE_SCRIPTS / f"{kind}.heap"))
    assert outcome.failures == []
    assert outcome.unclaimed == []
    assert {misuse.kind for misuse in outcome.acceptor.misuses} == {kind}
    assert outcome.acceptor.violations == []


def test_the_client_rules_are_the_kinds_of_misuse() -> None:
    assert set(MISUSES) == MISUSE_KINDS
    with pytest.raises(ValueError, match=r"^misuse kind 'leak' is none of double-free, interior-free, "):
        Misuse("leak", "")


@pytest.mark.parametrize(
    "rule",
    [*RULES.values(), *CAPABILITY_RULES.values(), *MISUSES.values(), *EXPECTATIONS.values()],
    ids=lambda rule: rule.name,
)
def test_rule_is_one_sentence_with_a_source(rule: Rule) -> None:
    assert rule.sentence.endswith(".")
    assert rule.sources
    assert rule.standards <= {*STANDARDS, PROMISE, EXPECTED}


def test_what_is_only_expected_is_judged_by_no_acceptor() -> None:
    assert not EXPECTATIONS.keys() & RULES.keys()
    assert all(rule.standards == {EXPECTED} for rule in EXPECTATIONS.values())


def test_promise_by_name_is_in_force_only_when_it_is_made() -> None:
    calloc = Event(Function.CALLOC, size=24, result=0x1000, usable=32, intact=25)
    assert all(RULES[name].standards == {PROMISE} for name in PROMISES)
    assert Acceptor("c17").step(calloc) == []
    assert not PROMISES & contract("c17").rules.keys()
    promising = Acceptor("c17", promises=PROMISES)
    assert [str(finding).split(":")[0] for finding in promising.step(calloc)] == ["calloc-zeroes-usable"]
    assert Acceptor(contract("c17", PROMISES)).contract == promising.contract
    with pytest.raises(ValueError, match=r"^promise 'speed' is unknown; known are calloc-zeroes-usable$"):
        contract("c17", frozenset({"speed"}))


def test_a_finding_cites_the_most_particular_standard_chosen() -> None:
    rule = RULES["calloc-zeroes"]
    assert contract("c17").clause(rule) == "ISO C17 7.22.3.2 p2"
    assert contract("c17,posix").clause(rule) == "POSIX.1-2024 calloc(), DESCRIPTION"
    assert contract("c17").clause(RULES["misuse-caught"]) == "the allocator counts the misuse it reports"


def test_standards_combine_in_any_order() -> None:
    assert contract("posix, c23") == contract("c23,posix")
    both = contract("c23,c17")
    assert both.fundamental(1) == 16
    assert not both.names_errors
    assert contract("c17,cheri").fundamental(1) == 16
    assert contract("cheri,posix").names_errors


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        ("c17", ReallocZero.OPEN),
        ("cheri", ReallocZero.OPEN),
        ("c17,cheri", ReallocZero.OPEN),
        ("c17,posix", ReallocZero.EINVAL),
        ("posix,cheri", ReallocZero.EINVAL),
        ("c23", ReallocZero.UNDEFINED),
        ("c17,c23", ReallocZero.UNDEFINED),
        ("c23,posix", ReallocZero.UNDEFINED),
        ("c23,cheri", ReallocZero.UNDEFINED),
        ("glibc,posix", ReallocZero.FREES),
        ("c23,glibc,cheri", ReallocZero.FREES),
    ],
)
def test_realloc_to_zero_bytes_has_the_answer_that_may_define_the_others(names: str, answer: ReallocZero) -> None:
    assert contract(names).realloc_zero is answer


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("c99", "standard 'c99' is unknown; known are c17, c23, posix, glibc, cheri, alone or joined by commas"),
        ("c17,musl", "standard 'musl' is unknown; known are c17, c23, posix, glibc, cheri, alone or joined by commas"),
        ("", "no standard is named; known are c17, c23, posix, glibc, cheri, alone or joined by commas"),
    ],
)
def test_unknown_standard_is_refused_with_the_known_ones(names: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        contract(names)
    assert str(caught.value) == message


def test_violation_survives_a_copy_between_processes() -> None:
    violation = Violation(RULES["result-disjoint"], "somewhere", after_misuse=3)
    again = pickle.loads(pickle.dumps(violation))
    assert (str(again), again.rule, again.after_misuse) == (str(violation), violation.rule, 3)


def table() -> str:
    """The table of docs/contract.md, from the rules themselves."""
    lines = [
        f"| Rule | What must hold | {' | '.join(STANDARDS)} | Sources |",
        f"|---|---|{'---|' * len(STANDARDS)}---|",
    ]
    for rule in RULES.values():
        other = "p" if PROMISE in rule.standards else ""
        marks = " | ".join("x" if name in rule.standards else other for name in STANDARDS)
        lines.append(f"| `{rule.name}` | {rule.sentence} | {marks} | {rule.source} |")
    lines += ["", "| Rule of capabilities (`cheri`) | What must hold | Sources |", "|---|---|---|"]
    lines += [f"| `{rule.name}` | {rule.sentence} | {rule.source} |" for rule in CAPABILITY_RULES.values()]
    lines += ["", "| Expected | What every allocator is expected to do | Sources |", "|---|---|---|"]
    lines += [f"| `{rule.name}` | {rule.sentence} | {rule.source} |" for rule in EXPECTATIONS.values()]
    lines += ["", "| Misuse | What the client must do | Sources |", "|---|---|---|"]
    lines += [f"| `{rule.name}` | {rule.sentence} | {rule.source} |" for rule in MISUSES.values()]
    return "\n".join(lines)


def test_docs_list_the_rules_as_they_are() -> None:
    text = (ROOT / "docs" / "contract.md").read_text()
    found = text.split("<!-- rules -->\n")[1].split("\n<!-- end of rules -->")[0]
    assert found == table(), f"docs/contract.md should say:\n{table()}"
